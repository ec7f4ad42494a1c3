/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walk over a map `flows` in steps, each of a millisecond or so, for the event loop. What comes and goes meanwhile is
 * met or not; what stays is met once.
 */
#ifndef LOADER_FLOW_WALK_H
#define LOADER_FLOW_WALK_H

#include "../maps/flows.h"

#define FLOW_WALK_ENTRIES 2048 /* of one step, at most */

struct flow_walk;

/* flows_fd is borrowed. NULL: out of memory. */
struct flow_walk *flow_walk_new(int flows_fd);
void flow_walk_free(struct flow_walk *walk);

/* The next entries, until the next step: how many; 0: that was all; -errno. */
int flow_walk_step(struct flow_walk *walk, const struct flow_key **ret_keys, const struct flow_pin **ret_pins);

#endif
