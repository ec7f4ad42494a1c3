/* SPDX-License-Identifier: GPL-2.0-only */
/* The flows of one map `flows` into another, of another size. */
#ifndef LOADER_FLOW_CARRY_H
#define LOADER_FLOW_CARRY_H

/* What the new map has already, stays. Returns 0 or -errno. */
int flow_carry(int old_fd, int new_fd);

#endif
