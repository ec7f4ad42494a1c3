/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nexthop groups and what is in them. See routes_group.h.
 */
#include "routes_kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct group *new_group(struct routes *routes, size_t slot)
{
	struct group *group = calloc(1, sizeof(*group));

	if (!group)
		return NULL;
	group->id = ROUTES_GROUP_BASE + slot;
	group->ipv6 = slot % FAMILIES;
	group->epoch = ++routes->epoch;
	routes->groups[slot] = group;
	/* Until somebody owns it, it is to be collected. */
	routes_group_idle(routes, group);
	return group;
}

struct group *routes_group_new(struct routes *routes, uint32_t number, bool ipv6)
{
	size_t first = FAMILIES * (size_t)number + ipv6, slot = first;

	/* Two places of its own, so that a group and its successor need not look far. */
	if (routes->groups[slot])
		slot += FAMILIES * CONNECTION_SLOTS;
	while (routes->groups[slot]) {
		slot = (slot + FAMILIES) % GROUP_SLOTS;
		if (slot == first)
			return NULL;
	}
	return new_group(routes, slot);
}

struct group *routes_group_by_id(const struct routes *routes, uint32_t id)
{
	uint32_t slot = id - ROUTES_GROUP_BASE;

	return slot < GROUP_SLOTS ? routes->groups[slot] : NULL;
}

struct group *routes_group_adopt(struct routes *routes, uint32_t id)
{
	struct group *group = routes_group_by_id(routes, id);
	uint32_t slot = id - ROUTES_GROUP_BASE;

	if (!group && slot < GROUP_SLOTS)
		group = new_group(routes, slot);
	if (!group)
		return NULL;
	group->generation = routes->generation;
	group->installed = true;
	return group;
}

static void let_go(struct routes *routes, struct nexthop *nexthop)
{
	if (nexthop && --nexthop->users == 0)
		routes_nexthop_idle(routes, nexthop);
}

int routes_group_set(struct routes *routes, struct group *group, const struct group_member *members, size_t count)
{
	struct group_member *copy = NULL;
	size_t i;

	if (count > 0) {
		copy = malloc(count * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, members, count * sizeof(*copy));
	}
	for (i = 0; i < count; i++)
		if (copy[i].nexthop)
			copy[i].nexthop->users++;
	for (i = 0; i < group->member_count; i++)
		let_go(routes, group->members[i].nexthop);
	free(group->members);
	group->members = copy;
	group->member_count = count;
	return 0;
}

void routes_group_lost(struct routes *routes, struct group *group)
{
	routes_group_set(routes, group, NULL, 0);
	group->installed = false;
	group->epoch = ++routes->epoch;
	group->route_count = 0;
	if (!group->owner)
		routes_group_idle(routes, group);
	routes_kept_disturb(routes, group->owner);
}

bool routes_group_holds(const struct group *group, const struct group_member *members, size_t count)
{
	size_t i;

	if (group->member_count != count)
		return false;
	for (i = 0; i < count; i++)
		if (group->members[i].nexthop != members[i].nexthop || group->members[i].weight != members[i].weight)
			return false;
	return true;
}

static void prune(struct routes *routes, struct group *group)
{
	struct group_member left[MAX_MEMBERS];
	size_t i, count = 0;

	for (i = 0; i < group->member_count; i++)
		if (!group->members[i].nexthop || group->members[i].nexthop->installed)
			left[count++] = group->members[i];
	if (count == group->member_count)
		return;
	if (count == 0) {
		routes_group_lost(routes, group);
		return;
	}
	routes_group_set(routes, group, left, count);
	routes_kept_disturb(routes, group->owner);
}

void routes_group_prune(struct routes *routes)
{
	size_t slot;

	if (!routes->unpruned)
		return;
	routes->unpruned = false;
	for (slot = 0; slot < GROUP_SLOTS; slot++)
		if (routes->groups[slot] && routes->groups[slot]->installed)
			prune(routes, routes->groups[slot]);
}

void routes_group_own(struct routes *routes, struct group *group, struct route_owner *owner)
{
	if (group->owner)
		group->owner->groups[group->ipv6] = NULL;
	group->owner = owner;
	if (!owner) {
		routes_group_idle(routes, group);
		return;
	}
	if (owner->groups[group->ipv6])
		routes_group_own(routes, owner->groups[group->ipv6], NULL);
	owner->groups[group->ipv6] = group;
}

void routes_group_idle(struct routes *routes, struct group *group)
{
	if (group->idle)
		return;
	group->idle = true;
	group->next_idle = routes->idle_groups;
	routes->idle_groups = group;
}

void routes_group_free(struct routes *routes, struct group *group)
{
	routes_group_set(routes, group, NULL, 0);
	routes->groups[group->id - ROUTES_GROUP_BASE] = NULL;
	free(group);
}
