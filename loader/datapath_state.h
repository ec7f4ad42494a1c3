/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a generation takes over from the maps that are pinned, whichever build of aa-steer left them.
 *
 * A state map whose layout is the same in both is shared: both generations use one map. Of one whose layout or size
 * differs, values are copied, field by field by name, into the new map. The maps of sessions refer to each other and
 * hold timers, so they are shared all together or not at all; probes begin anew then. Private to datapath.c.
 */
#ifndef LOADER_DATAPATH_STATE_H
#define LOADER_DATAPATH_STATE_H

#include "../maps/gateway.h"
#include "datapath.h"

/* What is pinned as `gateway`, of whatever ABI. Returns 0 or -errno; -ENOENT: nothing is. */
int datapath_state_gateway(const struct pins *pins, struct gateway *ret_gateway);

/* Between open and load. Sets datapath->sessions_lost. */
int datapath_state_share(struct datapath *datapath);
/* After load: what could not be shared. Best effort: a value that cannot be read begins at 0. -ENOMEM. */
int datapath_state_copy(const struct datapath *datapath);

#endif
