/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a connection's routes, or a mark's, should be: from a route_set to an owner's places and rules. See
 * routes_kept.h.
 *
 * Changes what is wanted only; routes_sync.c then makes it so.
 */
#include "routes_kept.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLACES 3 /* of one prefix */

static bool is_default(const struct config_address *prefix)
{
	return prefix->length == (prefix->is_ipv4 ? 96 : 0);
}

/* Where a prefix of this owner stands in the kernel's tables. Returns the number of places. */
static size_t places_of(const struct route_owner *owner, const struct config_address *prefix,
			struct route_key places[MAX_PLACES])
{
	bool apart = owner->table == 0 && is_default(prefix);
	uint32_t table = apart ? ROUTES_DEFAULT_TABLE : owner->table ? owner->table : RT_TABLE_MAIN;

	places[0] = (struct route_key){.prefix = *prefix, .table = table, .metric = ROUTES_UNREACHABLE_METRIC};
	places[1] = (struct route_key){.prefix = *prefix, .table = table, .metric = ROUTES_METRIC};
	places[2] = (struct route_key){.prefix = *prefix, .table = RT_TABLE_MAIN, .metric = ROUTES_LAST_METRIC};
	return apart ? 3 : 2;
}

/* Gives up those routes that the latest claim did not renew. They stand until another owner or a sweep. */
static void disown(struct routes *routes, struct route_owner *owner, struct kept_route **list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (list[i]->owner != owner || list[i]->stamp == owner->stamp)
			continue;
		list[i]->owner = NULL;
		routes->orphans = true;
	}
}

static void take_from(struct route_owner *owner, struct kept_route *route)
{
	struct kept_route *last = owner->routes[--owner->route_count];

	owner->routes[route->place] = last;
	last->place = route->place;
	owner->dirty = true;
}

/* Makes the route at this place the owner's, whoever had it. Returns 0 or -ENOMEM. */
static int claim(struct routes *routes, struct route_owner *owner, const struct route_key *key,
		 struct kept_route **list, size_t *count)
{
	struct kept_route *route = routes_kept_route(routes, key);

	if (!route)
		route = routes_kept_route_new(routes, key);
	if (!route)
		return -ENOMEM;
	if (route->owner == owner && route->stamp == owner->stamp)
		return 0;
	if (route->owner && route->owner != owner)
		take_from(route->owner, route);
	route->owner = owner;
	route->adopted = false;
	route->stamp = owner->stamp;
	route->place = *count;
	list[(*count)++] = route;
	return 0;
}

static int claim_all(struct routes *routes, struct route_owner *owner)
{
	struct kept_route **list = reallocarray(NULL, owner->prefix_count + 1, MAX_PLACES * sizeof(*list));
	struct route_key places[MAX_PLACES];
	size_t count = 0, i, p, place_count;
	int error = 0;

	if (!list)
		return -ENOMEM;
	owner->stamp = ++routes->stamp;
	for (i = 0; i < owner->prefix_count; i++) {
		place_count = places_of(owner, &owner->prefixes[i], places);
		for (p = 0; p < place_count && error == 0; p++)
			error = claim(routes, owner, &places[p], list, &count);
	}
	disown(routes, owner, owner->routes, owner->route_count);
	free(owner->routes);
	owner->routes = list;
	owner->route_count = count;
	return error;
}

static bool same_address(const struct config_address *a, const struct config_address *b)
{
	return a->length == b->length && a->is_ipv4 == b->is_ipv4 && memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

static bool same_prefixes(const struct route_owner *owner, const struct route_set *set)
{
	size_t i;

	if (owner->prefix_count != set->prefix_count)
		return false;
	for (i = 0; i < set->prefix_count; i++)
		if (!same_address(&owner->prefixes[i], &set->prefixes[i]))
			return false;
	return true;
}

static bool same_egresses(const struct route_owner *owner, const struct route_set *set)
{
	size_t i;

	if (owner->egress_count != set->egress_count)
		return false;
	for (i = 0; i < set->egress_count; i++) {
		const struct route_egress *a = &owner->egresses[i], *b = &set->egresses[i];

		if (a->ifindex != b->ifindex || a->weight != b->weight || a->has_via != b->has_via ||
		    (a->has_via && !same_address(&a->via, &b->via)))
			return false;
	}
	return true;
}

static void *copy_of(const void *values, size_t count, size_t bytes)
{
	void *copy = reallocarray(NULL, count + 1, bytes);

	return copy && count ? memcpy(copy, values, count * bytes) : copy;
}

static int copy_set(struct route_owner *owner, const struct route_set *set)
{
	struct config_address *prefixes = copy_of(set->prefixes, set->prefix_count, sizeof(*prefixes));
	struct route_egress *egresses = copy_of(set->egresses, set->egress_count, sizeof(*egresses));

	if (!prefixes || !egresses) {
		free(prefixes);
		free(egresses);
		return -ENOMEM;
	}
	free(owner->prefixes);
	free(owner->egresses);
	owner->prefixes = prefixes;
	owner->prefix_count = set->prefix_count;
	owner->egresses = egresses;
	owner->egress_count = set->egress_count;
	return 0;
}

/* The two rules by which forwarded packets, and only these, come to a default connection. */
static int want_default_rules(struct routes *routes, bool ipv6, bool want)
{
	struct rule_message rules[] = {
		{.priority = ROUTES_MAIN_PRIORITY, .not_from_box = true, .no_default = true, .table = RT_TABLE_MAIN},
		{.priority = ROUTES_DEFAULT_PRIORITY, .not_from_box = true, .table = ROUTES_DEFAULT_TABLE},
	};
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct kept_rule *rule;

		rules[i].ipv6 = ipv6;
		rule = routes_kept_rule(routes, &rules[i]);
		if (!rule)
			return -ENOMEM;
		rule->users += want ? 1 : -1;
		rule->adopted = false;
	}
	return 0;
}

static int want_mark_rules(struct routes *routes, uint32_t mark, bool want)
{
	int ipv6;

	for (ipv6 = 0; ipv6 < FAMILIES; ipv6++) {
		struct rule_message message = {
			.ipv6 = ipv6, .priority = ROUTES_MARK_PRIORITY, .mark = mark, .table = mark};
		struct kept_rule *rule = routes_kept_rule(routes, &message);

		if (!rule)
			return -ENOMEM;
		rule->users = want;
		rule->adopted = false;
	}
	return 0;
}

static int want_rules(struct routes *routes, struct route_owner *owner)
{
	bool has[FAMILIES] = {false};
	int ipv6, error = 0;
	size_t i;

	if (owner->table)
		return want_mark_rules(routes, owner->table, true);
	for (i = 0; i < owner->prefix_count; i++)
		has[!owner->prefixes[i].is_ipv4] |= is_default(&owner->prefixes[i]);
	for (ipv6 = 0; ipv6 < FAMILIES && error == 0; ipv6++) {
		if (has[ipv6] != owner->has_default[ipv6])
			error = want_default_rules(routes, ipv6, has[ipv6]);
		owner->has_default[ipv6] = has[ipv6];
	}
	return error;
}

int routes_want(struct routes *routes, struct route_owner *owner, const struct route_set *set)
{
	bool claimed = owner->claimed && same_prefixes(owner, set);
	int error;

	if (claimed && same_egresses(owner, set))
		return 0;
	error = copy_set(owner, set);
	if (error == 0 && !claimed) {
		owner->claimed = false;
		error = claim_all(routes, owner);
		if (error == 0)
			error = want_rules(routes, owner);
		owner->claimed = error == 0;
	}
	return error < 0 ? error : 1;
}

void routes_want_nothing(struct routes *routes, struct route_owner *owner)
{
	int ipv6;

	owner->stamp = ++routes->stamp;
	disown(routes, owner, owner->routes, owner->route_count);
	for (ipv6 = 0; ipv6 < FAMILIES; ipv6++)
		if (owner->has_default[ipv6])
			want_default_rules(routes, ipv6, false);
	if (owner->table)
		want_mark_rules(routes, owner->table, false);
}
