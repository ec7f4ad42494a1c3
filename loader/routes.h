/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fail-safe path: kernel multipath routes that carry every connection when no program is attached, and, for path:
 * stack, the rules and tables that a mark leads to.
 *
 * Per connection and family one nexthop group holds the members that are usable (all of them when none is: a packet
 * into a tunnel without SA is lost, a packet past it is a leak). Behind each route stands an unreachable one of a worse
 * metric, so that a prefix never falls through to the default route when its devices vanish. All carry protocol
 * ROUTES_PROTOCOL, and routes_open() adopts what an earlier daemon left. A route of somebody else's in the same place
 * (prefix and metric) is left alone and counts as an error.
 *
 * A connection that is the default route (0.0.0.0/0, ::/0) would, in the main table, carry the box's own packets too,
 * its ESP to the peers among them: into the tunnel that they are to carry. So it gets a table of its own,
 * ROUTES_DEFAULT_TABLE, and two rules send forwarded packets there that no other route of the main table takes; what
 * the box itself sends keeps the box's own default route. In the main table a copy stands behind every other default
 * route: IPv6 redirects need some route. Likewise a prefix that covers a peer's address needs a route of its own to
 * that peer: that is the administrator's to set.
 *
 * When a device goes down the kernel takes its next hops away, and with the last of a group the group and its routes,
 * and tells nobody. Devices are watched here for that; routes_apply() puts back what can stand. What others delete
 * comes back by itself, a few times a second at most.
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

#define ROUTES_PROTOCOL		  170 /* rtm_protocol and nh_protocol of all that is ours */
#define ROUTES_METRIC		  50
#define ROUTES_UNREACHABLE_METRIC 4294967200u
#define ROUTES_NEXTHOP_BASE	  0xaa000000u /* nexthop ids: base + 2 * egress number + (IPv6 ? 1 : 0) */
/* group ids: base + 2 * connection number + (IPv6 ? 1 : 0), or 21,024 more: a group and its successor take turns */
#define ROUTES_GROUP_BASE	0xab000000u
#define ROUTES_LAST_METRIC	4294967100u /* a default connection's copy in the main table */
#define ROUTES_DEFAULT_TABLE	0xaa580000u
#define ROUTES_MARK_PRIORITY	170   /* of rules: path: stack */
#define ROUTES_MAIN_PRIORITY	32500 /* forwarded packets: the main table without its default routes ... */
#define ROUTES_DEFAULT_PRIORITY 32501 /* ... then ROUTES_DEFAULT_TABLE */

/* A way out that routes may use now. Only devices that exist and are up can stand in a nexthop. */
struct route_egress {
	uint32_t number; /* of the tunnel (its index) or remote instance (MAX_TUNNELS + index): where its nexthop ids
			    begin */
	int ifindex;
	bool has_via;
	struct config_address via;
	uint32_t mark;	 /* for routes_apply_mark() */
	uint16_t weight; /* 1..1000; scaled to the kernel's 1..256 */
};

struct route_set {
	uint32_t number; /* of the connection: below MAX_CONNECTIONS */
	const struct config_address *prefixes;
	size_t prefix_count;
	const struct route_egress *egresses; /* those to use now; none: only the unreachable routes stand */
	size_t egress_count;
};

struct routes;

/* One in a network namespace, for it takes all routes of ROUTES_PROTOCOL to be its own. Returns 0, -EADDRINUSE or
 * -errno. */
int routes_open(sd_event *loop, struct routes **ret_routes);
void routes_close(struct routes *routes); /* leaves all routes in place */

/*
 * Makes the kernel's routes of one connection exactly this set: adds and replaces before it removes, batched, so that
 * no prefix is without route in between. Prefixes that the connection gives up keep their routes until another claims
 * them or routes_sweep(). Sends nothing when nothing changed; a change of members alone rewrites the IPv4 group, and
 * leads IPv6 routes to a new one (see is_to_be_left()). Copies what it needs. What the kernel refuses is tried again
 * later, ever less often, and counted by routes_errors(). Returns 0 or -errno (out of memory, or the kernel not
 * reached).
 */
int routes_apply(struct routes *routes, const struct route_set *set);

/* At once. When its prefixes may move to other connections, apply these first, or use routes_begin(). */
int routes_remove(struct routes *routes, uint32_t connection_number);

/* A reload begins: what is not applied until routes_sweep() goes then. */
void routes_begin(struct routes *routes);

/* After every connection of a start or reload was applied: removes what bears our protocol and belongs to none. */
int routes_sweep(struct routes *routes);

/*
 * path: stack: rule "fwmark mark lookup mark" and a default route into the egress in that table, both families, an
 * unreachable one behind it. Comes and goes like a connection; twice MAX_STACK_TUNNELS of them at one time, so that a
 * reload may replace all. Returns 0 or -errno: then packets of that mark may go anywhere.
 */
int routes_apply_mark(struct routes *routes, const struct route_egress *egress);
int routes_remove_mark(struct routes *routes, uint32_t mark);

/* Takes off all that is ours; for unload. */
int routes_flush(struct routes *routes);

/* Routes that the kernel refused or that somebody removed and that could not be put back. */
size_t routes_errors(const struct routes *routes);

#endif
