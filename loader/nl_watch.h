/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of the kernel's, kept here: multicast groups tell what changes, dumps tell all. nl_watch hears and orders the
 * messages; its owner (links, addresses, neighbours, sas, routes) keeps the table.
 *
 * A dump is framed by begin() and end(): begin() starts a new generation, every message marks its entry with it, and
 * end() removes what was not marked. The first dump runs in nl_watch_open(). Later ones run when the socket overran
 * (ENOBUFS) or nl_watch_refresh() asked for one. A dump that something disturbed is repeated; end() is called only
 * after one that nothing disturbed, so that no entry is lost because the kernel's table moved under the reader.
 *
 * Context: the daemon's event loop. A dump blocks it for as long as the kernel takes.
 */
#ifndef LOADER_NL_WATCH_H
#define LOADER_NL_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "nl.h"

typedef struct sd_event sd_event;
struct nl_watch;

#define NL_WATCH_MAX_GROUPS 8
#define NL_WATCH_MAX_DUMPS  6

struct nl_watch_ops {
	int protocol;					   /* NETLINK_ROUTE, NETLINK_XFRM */
	unsigned int groups[NL_WATCH_MAX_GROUPS];	   /* RTNLGRP_*, XFRMNLGRP_*; 0 ends the list */
	nl_dump_request_fn *dumps[NL_WATCH_MAX_DUMPS + 1]; /* run one after the other; NULL ends the list */
	/* Optional, before any group is joined: attach a socket filter. Returns 0 or -errno. */
	int (*prepare)(struct mnl_socket *socket, void *context);
	void (*begin)(void *context);
	/* Returns whether the message concerned the table; messages that did disturb a dump under way. */
	bool (*message)(const struct nlmsghdr *message, void *context);
	void (*end)(void *context);
};

/* Returns 0 or -errno. ops must outlive the watch. Its callbacks are called already. */
int nl_watch_open(sd_event *loop, const struct nl_watch_ops *ops, void *context, struct nl_watch **ret_watch);
void nl_watch_close(struct nl_watch *watch);

/* Handles what waits in the socket, now. */
void nl_watch_drain(struct nl_watch *watch);

/* Asks for a fresh dump, soon. */
void nl_watch_refresh(struct nl_watch *watch);

/* Dumps done so far, disturbed ones included; for tests and status. */
size_t nl_watch_dumps(const struct nl_watch *watch);

/* Readable when something waits in the socket. */
int nl_watch_fd(const struct nl_watch *watch);

/* The socket; for tests that shrink its buffer. */
struct mnl_socket *nl_watch_socket(struct nl_watch *watch);

#endif
