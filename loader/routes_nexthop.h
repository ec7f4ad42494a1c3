/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nexthop objects, as part of what routes_kept.h keeps. One is its content: family, device and next hop never change
 * under an id, so no id can come to lead elsewhere while a group still holds it.
 */
#ifndef LOADER_ROUTES_NEXTHOP_H
#define LOADER_ROUTES_NEXTHOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

struct nexthop_message;
struct route_egress;
struct routes;

struct nexthop {
	uint32_t id;
	bool ipv6;
	int ifindex;
	bool has_via;
	struct config_address via;
	size_t users;			/* groups that hold it */
	bool installed;			/* in the kernel, as far as we know */
	uint64_t refused_in;		/* routes.pass in which the kernel refused it */
	struct nexthop *next_on_device; /* in routes.by_device */
	bool idle;			/* in routes.idle_nexthops */
	struct nexthop *next_idle;
	uint64_t generation; /* of the dump that showed it last */
};

/* The nexthop of this egress, found or made; NULL without memory or without a free id. */
struct nexthop *routes_nexthop_of(struct routes *routes, const struct route_egress *egress, bool ipv6);
struct nexthop *routes_nexthop_by_id(const struct routes *routes, uint32_t id);
/* For an adopted one: takes the slot of its id. NULL if the id is none of ours. */
struct nexthop *routes_nexthop_adopt(struct routes *routes, const struct nexthop_message *message);
/* The kernel took away all next hops behind this device. */
void routes_nexthop_device_lost(struct routes *routes, int ifindex);
void routes_nexthop_lost(struct routes *routes, struct nexthop *nexthop);
void routes_nexthop_idle(struct routes *routes, struct nexthop *nexthop);
void routes_nexthop_free(struct routes *routes, struct nexthop *nexthop);

#endif
