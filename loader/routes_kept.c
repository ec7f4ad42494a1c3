/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What routes.c knows of the kernel. See routes_kept.h.
 */
#include "routes_kept.h"

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
	group = routes_group_by_id(routes, route->group_id);
	return group && group->epoch == route->epoch ? group : NULL;
}

bool routes_kept_may_replace(const struct routes *routes, const struct kept_route *route)
{
	return route->was_ours && (!route->group_id || routes_kept_leads_to(routes, route));
}

static void leave_group(struct routes *routes, struct kept_route *route)
{
	struct group *group = routes_kept_leads_to(routes, route);

	if (group && --group->route_count == 0 && !group->owner)
		routes_group_idle(routes, group);
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
	route->was_ours = false;
	route->group_id = 0;
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
