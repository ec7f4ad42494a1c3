/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What routes.c knows of the kernel. See routes_kept.h.
 */
#include "routes_kept.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

void routes_kept_disturb(struct routes *routes, struct route_owner *owner)
{
	if (!owner)
		return;
	owner->dirty = true;
	routes->disturbed = true;
}

static bool same_via(bool a_has, const struct config_address *a, bool b_has, const struct config_address *b)
{
	return a_has == b_has &&
	       (!a_has || (a->is_ipv4 == b->is_ipv4 && memcmp(a->byte, b->byte, sizeof(a->byte)) == 0));
}

static struct nexthop **device_bucket(struct routes *routes, int ifindex)
{
	return &routes->by_device[(unsigned int)ifindex % DEVICE_BUCKETS];
}

static struct nexthop *new_nexthop(struct routes *routes, size_t slot, int ifindex)
{
	struct nexthop **bucket = device_bucket(routes, ifindex);
	struct nexthop *nexthop = calloc(1, sizeof(*nexthop));

	if (!nexthop)
		return NULL;
	nexthop->id = ROUTES_NEXTHOP_BASE + slot;
	nexthop->ipv6 = slot % FAMILIES;
	nexthop->ifindex = ifindex;
	nexthop->next_on_device = *bucket;
	*bucket = nexthop;
	routes->nexthops[slot] = nexthop;
	return nexthop;
}

struct nexthop *routes_kept_nexthop(struct routes *routes, const struct route_egress *egress, bool ipv6)
{
	size_t first = (FAMILIES * (size_t)egress->number + ipv6) % NEXTHOP_SLOTS, slot = first;
	struct nexthop *nexthop;

	do {
		nexthop = routes->nexthops[slot];
		if (!nexthop)
			break;
		if (nexthop->ifindex == egress->ifindex &&
		    same_via(nexthop->has_via, &nexthop->via, egress->has_via, &egress->via))
			return nexthop;
		slot = (slot + FAMILIES) % NEXTHOP_SLOTS;
	} while (slot != first);
	if (nexthop)
		return NULL;
	nexthop = new_nexthop(routes, slot, egress->ifindex);
	if (!nexthop)
		return NULL;
	nexthop->has_via = egress->has_via;
	nexthop->via = egress->via;
	return nexthop;
}

struct nexthop *routes_kept_nexthop_by_id(const struct routes *routes, uint32_t id)
{
	uint32_t slot = id - ROUTES_NEXTHOP_BASE;

	return slot < NEXTHOP_SLOTS ? routes->nexthops[slot] : NULL;
}

struct nexthop *routes_kept_nexthop_adopt(struct routes *routes, const struct nexthop_message *message)
{
	struct nexthop *nexthop = routes_kept_nexthop_by_id(routes, message->id);
	uint32_t slot = message->id - ROUTES_NEXTHOP_BASE;

	if (slot >= NEXTHOP_SLOTS || slot % FAMILIES != message->ipv6)
		return NULL;
	if (!nexthop) {
		nexthop = new_nexthop(routes, slot, message->ifindex);
		if (!nexthop)
			return NULL;
		nexthop->has_via = message->has_via;
		nexthop->via = message->via;
	}
	nexthop->generation = routes->generation;
	/* Where somebody gave our id another content, ours is lost; the next synchronisation writes it again. */
	nexthop->installed = nexthop->ifindex == message->ifindex &&
			     same_via(nexthop->has_via, &nexthop->via, message->has_via, &message->via);
	return nexthop;
}

void routes_kept_nexthop_lost(struct routes *routes, struct nexthop *nexthop)
{
	if (!nexthop->installed)
		return;
	nexthop->installed = false;
	if (nexthop->users == 0)
		return;
	routes->unpruned = true;
	routes->disturbed = true;
}

void routes_kept_device_lost(struct routes *routes, int ifindex)
{
	struct nexthop *nexthop;

	for (nexthop = *device_bucket(routes, ifindex); nexthop; nexthop = nexthop->next_on_device)
		if (nexthop->ifindex == ifindex)
			routes_kept_nexthop_lost(routes, nexthop);
}

void routes_kept_nexthop_idle(struct routes *routes, struct nexthop *nexthop)
{
	if (nexthop->idle)
		return;
	nexthop->idle = true;
	nexthop->next_idle = routes->idle_nexthops;
	routes->idle_nexthops = nexthop;
}

void routes_kept_nexthop_free(struct routes *routes, struct nexthop *nexthop)
{
	struct nexthop **place = device_bucket(routes, nexthop->ifindex);

	while (*place != nexthop)
		place = &(*place)->next_on_device;
	*place = nexthop->next_on_device;
	routes->nexthops[nexthop->id - ROUTES_NEXTHOP_BASE] = NULL;
	free(nexthop);
}

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
	routes_kept_group_idle(routes, group);
	return group;
}

struct group *routes_kept_group_new(struct routes *routes, uint32_t number, bool ipv6)
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

struct group *routes_kept_group_by_id(const struct routes *routes, uint32_t id)
{
	uint32_t slot = id - ROUTES_GROUP_BASE;

	return slot < GROUP_SLOTS ? routes->groups[slot] : NULL;
}

struct group *routes_kept_group_adopt(struct routes *routes, uint32_t id)
{
	struct group *group = routes_kept_group_by_id(routes, id);
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
		routes_kept_nexthop_idle(routes, nexthop);
}

int routes_kept_group_set(struct routes *routes, struct group *group, const struct group_member *members, size_t count)
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

void routes_kept_group_lost(struct routes *routes, struct group *group)
{
	routes_kept_group_set(routes, group, NULL, 0);
	group->installed = false;
	group->epoch = ++routes->epoch;
	group->route_count = 0;
	if (!group->owner)
		routes_kept_group_idle(routes, group);
	routes_kept_disturb(routes, group->owner);
}

bool routes_kept_group_holds(const struct group *group, const struct group_member *members, size_t count)
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
		routes_kept_group_lost(routes, group);
		return;
	}
	routes_kept_group_set(routes, group, left, count);
	routes_kept_disturb(routes, group->owner);
}

void routes_kept_prune(struct routes *routes)
{
	size_t slot;

	if (!routes->unpruned)
		return;
	routes->unpruned = false;
	for (slot = 0; slot < GROUP_SLOTS; slot++)
		if (routes->groups[slot] && routes->groups[slot]->installed)
			prune(routes, routes->groups[slot]);
}

void routes_kept_group_own(struct routes *routes, struct group *group, struct route_owner *owner)
{
	if (group->owner)
		group->owner->groups[group->ipv6] = NULL;
	group->owner = owner;
	if (!owner) {
		routes_kept_group_idle(routes, group);
		return;
	}
	if (owner->groups[group->ipv6])
		routes_kept_group_own(routes, owner->groups[group->ipv6], NULL);
	owner->groups[group->ipv6] = group;
}

void routes_kept_group_idle(struct routes *routes, struct group *group)
{
	if (group->idle)
		return;
	group->idle = true;
	group->next_idle = routes->idle_groups;
	routes->idle_groups = group;
}

void routes_kept_group_free(struct routes *routes, struct group *group)
{
	routes_kept_group_set(routes, group, NULL, 0);
	routes->groups[group->id - ROUTES_GROUP_BASE] = NULL;
	free(group);
}

static int compare_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_route(const void *left, const void *right)
{
	const struct route_key *a = left, *b = right;
	int order = memcmp(a->prefix.byte, b->prefix.byte, sizeof(a->prefix.byte));

	if (order == 0)
		order = (int)a->prefix.length - (int)b->prefix.length;
	/* ::ffff:0:0/96 and 0.0.0.0/0 are written alike, and are not the same. */
	if (order == 0)
		order = (int)a->prefix.is_ipv4 - (int)b->prefix.is_ipv4;
	if (order == 0)
		order = compare_u32(a->metric, b->metric);
	return order ? order : compare_u32(a->table, b->table);
}

struct kept_route *routes_kept_route(const struct routes *routes, const struct route_key *key)
{
	void *node = tfind(key, &routes->tree, compare_route);

	return node ? *(struct kept_route **)node : NULL;
}

struct kept_route *routes_kept_route_new(struct routes *routes, const struct route_key *key)
{
	struct kept_route *route = calloc(1, sizeof(*route));

	if (!route)
		return NULL;
	route->key = *key;
	if (!tsearch(route, &routes->tree, compare_route)) {
		free(route);
		return NULL;
	}
	routes->route_count++;
	return route;
}

bool routes_kept_unreachable(const struct kept_route *route)
{
	return route->key.metric == ROUTES_UNREACHABLE_METRIC;
}

struct group *routes_kept_leads_to(const struct routes *routes, const struct kept_route *route)
{
	struct group *group;

	if (!route->in_kernel || routes_kept_unreachable(route))
		return NULL;
	group = routes_kept_group_by_id(routes, route->group_id);
	return group && group->epoch == route->epoch ? group : NULL;
}

static void leave_group(struct routes *routes, struct kept_route *route)
{
	struct group *group = routes_kept_leads_to(routes, route);

	if (group && --group->route_count == 0 && !group->owner)
		routes_kept_group_idle(routes, group);
}

void routes_kept_route_set(struct routes *routes, struct kept_route *route, struct group *group)
{
	leave_group(routes, route);
	route->in_kernel = true;
	route->was_ours = true;
	route->group_id = group ? group->id : 0;
	route->epoch = group ? group->epoch : 0;
	if (group)
		group->route_count++;
}

void routes_kept_route_lost(struct routes *routes, struct kept_route *route)
{
	leave_group(routes, route);
	route->in_kernel = false;
	routes_kept_disturb(routes, route->owner);
}

void routes_kept_route_free(struct routes *routes, struct kept_route *route)
{
	leave_group(routes, route);
	tdelete(route, &routes->tree, compare_route);
	routes->route_count--;
	free(route);
}

static void collect_route(const void *node, VISIT visit, void *closure)
{
	struct kept_route *route = *(struct kept_route *const *)node;
	struct routes *routes = closure;

	if (visit != postorder && visit != leaf)
		return;
	route->next = routes->walked;
	routes->walked = route;
}

struct kept_route *routes_kept_list(struct routes *routes)
{
	routes->walked = NULL;
	twalk_r(routes->tree, collect_route, routes);
	return routes->walked;
}

static bool same_rule(const struct rule_message *a, const struct rule_message *b)
{
	return a->ipv6 == b->ipv6 && a->priority == b->priority && a->mark == b->mark && a->table == b->table &&
	       a->not_from_box == b->not_from_box && a->no_default == b->no_default;
}

struct kept_rule *routes_kept_rule(struct routes *routes, const struct rule_message *rule)
{
	struct kept_rule *grown;
	size_t i;

	for (i = 0; i < routes->rule_count; i++)
		if (same_rule(&routes->rules[i].rule, rule))
			return &routes->rules[i];
	grown = reallocarray(routes->rules, routes->rule_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	routes->rules = grown;
	grown[routes->rule_count] = (struct kept_rule){.rule = *rule};
	return &grown[routes->rule_count++];
}

void routes_kept_owner_free(struct route_owner *owner)
{
	if (!owner)
		return;
	free(owner->prefixes);
	free(owner->egresses);
	free(owner->routes);
	free(owner);
}

void routes_kept_free(struct routes *routes)
{
	size_t slot;

	for (slot = 0; slot < CONNECTION_SLOTS; slot++)
		routes_kept_owner_free(routes->owners[slot]);
	for (slot = 0; slot < GROUP_SLOTS; slot++) {
		if (routes->groups[slot])
			free(routes->groups[slot]->members);
		free(routes->groups[slot]);
	}
	for (slot = 0; slot < NEXTHOP_SLOTS; slot++)
		free(routes->nexthops[slot]);
	tdestroy(routes->tree, free);
	free(routes->rules);
}
