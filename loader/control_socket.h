/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The place of a control socket in the file system: one daemon a path, by a lock that dies with its holder, so that a
 * stale socket is known for certain and two daemons that start at once cannot both replace it. Called by control.c.
 */
#ifndef LOADER_CONTROL_SOCKET_H
#define LOADER_CONTROL_SOCKET_H

/*
 * Listens on path, mode 0666, in place of what a daemon that died left there; a client finds the old socket or the new
 * one, never none. The lock stands beside it as <path>.lock and stays there. Returns 0; -EADDRINUSE if the lock is
 * held; -EEXIST if path is not a socket; -ENAMETOOLONG; -errno.
 */
int control_socket_open(const char *path, int *ret_fd, int *ret_lock_fd);

#endif
