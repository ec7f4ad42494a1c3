/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nexthop groups, as part of what routes_kept.h keeps. One belongs to one connection, and is rewritten in place only
 * while all routes that lead to it are this connection's own.
 */
#ifndef LOADER_ROUTES_GROUP_H
#define LOADER_ROUTES_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nexthop;
struct route_owner;
struct routes;

struct group_member {
	struct nexthop *nexthop; /* NULL: one that is not ours */
	uint16_t weight;	 /* 1..256 */
};

struct group {
	uint32_t id;
	bool ipv6;
	struct route_owner *owner;
	bool installed;
	uint32_t epoch;		      /* of this installation: routes of an earlier one went with it */
	size_t route_count;	      /* kept routes that lead here */
	struct group_member *members; /* as the kernel has them; owned */
	size_t member_count;
	bool idle; /* in routes.idle_groups */
	struct group *next_idle;
	uint64_t generation;
};

/* A group with an id near the number's own. */
struct group *routes_group_new(struct routes *routes, uint32_t number, bool ipv6);
struct group *routes_group_by_id(const struct routes *routes, uint32_t id);
struct group *routes_group_adopt(struct routes *routes, uint32_t id);
bool routes_group_holds(const struct group *group, const struct group_member *members, size_t count);
/* The kernel holds these members now. Returns 0 or -ENOMEM. */
int routes_group_set(struct routes *routes, struct group *group, const struct group_member *members, size_t count);
/* The kernel has it no more, nor the routes that led to it. */
void routes_group_lost(struct routes *routes, struct group *group);
/* Takes nexthops that the kernel has no more out of their groups. Put off while many are lost at once; to be called
 * before groups are looked at. */
void routes_group_prune(struct routes *routes);
void routes_group_own(struct routes *routes, struct group *group, struct route_owner *owner);
void routes_group_idle(struct routes *routes, struct group *group);
void routes_group_free(struct routes *routes, struct group *group);

#endif
