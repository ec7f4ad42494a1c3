/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose next hops are these: from where a route leads to a connection (`remote: routes`) and those of its tunnels that
 * the route names. Pure but for interface indexes, which it reads of the model when it is made.
 *
 * A next hop names a local instance's tunnel by its device, and where that has a next hop of its own (`via`) by this,
 * too; a gateway that cannot be compared, of the other family or link-local, is taken for it, since the device has but
 * one tunnel. It names a remote instance's tunnels by device and next hop both: others may be behind that NIC.
 */
#ifndef LOADER_WAYS_H
#define LOADER_WAYS_H

#include "model.h"
#include "routes_hops.h"

struct way {
	uint32_t connection; /* its index */
	uint64_t tunnels;    /* bit by ordinal */
};

enum ways_verdict {
	WAYS_ELSEWHERE, /* no next hop is a tunnel of such a connection */
	WAYS_MIXED,	/* some are, but all of them are not tunnels of one */
	WAYS_FOUND,
};

struct ways;

/* Returns 0 or -ENOMEM. To be made anew when a device comes, goes or gets another index. */
int ways_new(const struct model *model, struct ways **ret_ways);
void ways_free(struct ways *ways);

/* Do both name the same devices? */
bool ways_alike(const struct ways *a, const struct ways *b);

/* The first connection, in the order of the file, whose tunnels all these next hops are. */
enum ways_verdict ways_match(const struct ways *ways, const struct route_hop *hops, size_t count, struct way *ret_way);

#endif
