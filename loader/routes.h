/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fail-safe path: kernel multipath routes that carry every connection when no program is attached, and, for path: stack,
 * the rules and tables that a mark leads to.
 *
 * Per connection and family one nexthop group holds the members that are usable (all of them when none is: a packet into a
 * tunnel without SA is lost, a packet past it is a leak). Behind each route stands an unreachable one of a worse metric, so
 * that a prefix never falls through to the default route when its devices vanish. All carry protocol ROUTES_PROTOCOL, and
 * routes_open() adopts what an earlier daemon left.
 *
 * Context: the daemon's event loop. Nothing here is on the way of a failover.
 */
#ifndef LOADER_ROUTES_H
#define LOADER_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

typedef struct sd_event sd_event;

#define ROUTES_PROTOCOL 170        /* rtm_protocol and nh_protocol of all that is ours */
#define ROUTES_METRIC 50
#define ROUTES_UNREACHABLE_METRIC 4294967200u
#define ROUTES_NEXTHOP_BASE 0xaa000000u /* nexthop ids: base + 2 * egress number + (IPv6 ? 1 : 0) */
#define ROUTES_GROUP_BASE 0xab000000u   /* group ids: base + 2 * connection number + (IPv6 ? 1 : 0) */
#define ROUTES_STACK_TABLE 0xaa570000u  /* path: stack: table number = rule mark */

/* A way out that routes may use now. Only devices that exist and are up can stand in a nexthop. */
struct route_egress {
	uint32_t number; /* unique among tunnels (their index) and remote instances (MAX_TUNNELS + index); stays with its name */
	int ifindex;
	bool has_via;
	struct config_address via;
	uint32_t mark;    /* path: stack; else 0 */
	uint16_t weight;  /* 1..1000; scaled to the kernel's 1..256 */
};

struct route_set {
	uint32_t number; /* of the connection */
	const struct config_address *prefixes;
	size_t prefix_count;
	const struct route_egress *egresses; /* those to use now; none: only the unreachable routes stand */
	size_t egress_count;
};

struct routes;

int routes_open(sd_event *loop, struct routes **ret_routes);
void routes_close(struct routes *routes); /* leaves all routes in place */

/*
 * Makes the kernel's routes of one connection exactly this set: adds and replaces before it removes, batched, so that no prefix is
 * without route in between. Cheap when nothing changed: a change of members alone replaces the two groups and touches no route.
 * Copies what it needs. Errors of single routes are kept for routes_errors(). Returns 0 or -errno.
 */
int routes_apply(struct routes *routes, const struct route_set *set);
int routes_remove(struct routes *routes, uint32_t connection_number);

/* After every connection of a start or reload was applied: removes what bears our protocol and belongs to none. */
int routes_sweep(struct routes *routes);

/* path: stack: rule "fwmark mark lookup mark" and a default route into the egress in that table, both families. */
int routes_apply_mark(struct routes *routes, const struct route_egress *egress);

/* Takes off all that is ours; for unload. */
int routes_flush(struct routes *routes);

/* Routes that the kernel refused or that somebody removed and that could not be put back. */
size_t routes_errors(const struct routes *routes);

#endif
