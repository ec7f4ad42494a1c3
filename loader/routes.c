/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fail-safe path. See routes.h; how its parts hang together is told in routes_kept.h.
 */
#include "routes.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "routes_kept.h"

#define REPAIR_PAUSE_US	     (200 * 1000) /* between repairs of what others undo */
#define REPAIR_DELAY_US	     (20 * 1000) /* what is lost comes in bursts, and the daemon often acts on the cause itself */
#define REFUSED_PAUSE_US     (1000 * 1000)	/* first pause before the kernel is asked again; then doubled ... */
#define REFUSED_PAUSE_MAX_US (60 * 1000 * 1000) /* ... up to here */

#define MAX_PLACES 3 /* of one prefix */

static int on_repair(sd_event_source *source, uint64_t now_us, void *userdata);

static void schedule_repair(struct routes *routes, uint64_t due_us)
{
	int enabled = SD_EVENT_OFF;
	uint64_t set_us = 0;

	if (!routes->repair) {
		sd_event_add_time(routes->loop, &routes->repair, CLOCK_MONOTONIC, due_us, 1, on_repair, routes);
		return;
	}
	sd_event_source_get_enabled(routes->repair, &enabled);
	sd_event_source_get_time(routes->repair, &set_us);
	if (enabled != SD_EVENT_OFF && set_us <= due_us)
		return;
	sd_event_source_set_time(routes->repair, due_us);
	sd_event_source_set_enabled(routes->repair, SD_EVENT_ONESHOT);
}

void routes_repair_soon(struct routes *routes)
{
	uint64_t now_us = 0, due_us;

	sd_event_now(routes->loop, CLOCK_MONOTONIC, &now_us);
	due_us = routes->repaired_us + REPAIR_PAUSE_US;
	if (due_us < now_us + REPAIR_DELAY_US)
		due_us = now_us + REPAIR_DELAY_US;
	schedule_repair(routes, due_us);
}

static void repair_later(struct routes *routes)
{
	uint64_t now_us = 0;

	sd_event_now(routes->loop, CLOCK_MONOTONIC, &now_us);
	schedule_repair(routes, now_us + routes->pause_us);
}

/* Reads what waits in the socket, so that what the kernel took away meanwhile is known. */
static void catch_up(struct routes *routes)
{
	nl_watch_drain(routes->watch);
	routes_kept_prune(routes);
}

static int on_repair(sd_event_source *source, uint64_t now_us, void *userdata)
{
	struct routes *routes = userdata;
	bool tried = false, dirty = false;
	size_t i;

	(void)source;
	catch_up(routes);
	for (i = 0; i < CONNECTION_SLOTS; i++) {
		if (!routes->owners[i] || !routes->owners[i]->dirty)
			continue;
		tried = true;
		routes_sync_owner(routes, routes->owners[i]);
		dirty |= routes->owners[i]->dirty;
	}
	routes_sync_rules(routes);
	if (routes->orphans)
		routes_sync_orphans(routes, false);
	routes->orphans = false;
	routes_sync_collect(routes);
	routes->repaired_us = now_us;
	if (!dirty)
		routes->pause_us = REFUSED_PAUSE_US;
	else if (tried)
		repair_later(routes);
	if (dirty && routes->pause_us < REFUSED_PAUSE_MAX_US)
		routes->pause_us *= 2;
	return 0;
}

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

static struct route_owner *owner_of(struct routes *routes, uint32_t number, uint32_t table)
{
	struct route_owner *owner = routes->owners[number];

	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->number = number;
	owner->table = table;
	owner->dirty = true;
	routes->owners[number] = owner;
	return owner;
}

static int apply(struct routes *routes, const struct route_set *set, uint32_t table)
{
	struct route_owner *owner = owner_of(routes, set->number, table);
	bool reclaim;
	int error;

	if (!owner)
		return -ENOMEM;
	catch_up(routes);
	owner->round = routes->round;
	reclaim = !owner->routes || !same_prefixes(owner, set);
	if (!reclaim && !owner->dirty && same_egresses(owner, set))
		return 0;
	owner->dirty = true;
	error = copy_set(owner, set);
	if (error == 0 && reclaim)
		error = claim_all(routes, owner) ?: want_rules(routes, owner);
	if (error == 0)
		error = routes_sync_owner(routes, owner);
	if (error == 0)
		error = routes_sync_rules(routes);
	if (error == 0)
		error = routes_sync_collect(routes);
	if (owner->dirty)
		repair_later(routes);
	else if (routes->orphans)
		routes_repair_soon(routes);
	return error;
}

int routes_apply(struct routes *routes, const struct route_set *set)
{
	if (set->number >= MAX_CONNECTIONS || set->egress_count > MAX_MEMBERS)
		return -EINVAL;
	return apply(routes, set, 0);
}

int routes_apply_mark(struct routes *routes, const struct route_egress *egress)
{
	const struct config_address any[] = {{.length = 96, .is_ipv4 = true, .byte = {[10] = 0xff, [11] = 0xff}},
					     {.length = 0}};
	struct route_set set = {
		.number = MAX_CONNECTIONS + (egress->mark - ROUTES_STACK_TABLE),
		.prefixes = any,
		.prefix_count = 2,
		.egresses = egress,
		.egress_count = 1,
	};

	if (egress->mark - ROUTES_STACK_TABLE >= MAX_STACK_TUNNELS)
		return -EINVAL;
	return apply(routes, &set, egress->mark);
}

static void drop_owner(struct routes *routes, struct route_owner *owner)
{
	int ipv6;

	owner->stamp = ++routes->stamp;
	disown(routes, owner, owner->routes, owner->route_count);
	for (ipv6 = 0; ipv6 < FAMILIES; ipv6++) {
		if (owner->groups[ipv6])
			routes_kept_group_own(routes, owner->groups[ipv6], NULL);
		if (owner->has_default[ipv6])
			want_default_rules(routes, ipv6, false);
	}
	if (owner->table)
		want_mark_rules(routes, owner->table, false);
	routes->missing -= owner->missing;
	routes->owners[owner->number] = NULL;
	routes_kept_owner_free(owner);
}

/* Rules go before the routes that they lead to, groups and next hops after the routes that need them. */
static int clean(struct routes *routes, bool adopted_too)
{
	int error = routes_sync_rules(routes), orphans = routes_sync_orphans(routes, adopted_too);
	int unused = routes_sync_collect(routes);

	routes->orphans = false;
	return error ? error : orphans ? orphans : unused;
}

static int remove_owner(struct routes *routes, uint32_t number)
{
	catch_up(routes);
	if (!routes->owners[number])
		return 0;
	drop_owner(routes, routes->owners[number]);
	return clean(routes, false);
}

int routes_remove(struct routes *routes, uint32_t connection_number)
{
	return connection_number < MAX_CONNECTIONS ? remove_owner(routes, connection_number) : -EINVAL;
}

int routes_remove_mark(struct routes *routes, uint32_t mark)
{
	uint32_t index = mark - ROUTES_STACK_TABLE;

	return index < MAX_STACK_TUNNELS ? remove_owner(routes, MAX_CONNECTIONS + index) : -EINVAL;
}

void routes_begin(struct routes *routes)
{
	routes->round++;
	routes->in_round = true;
}

static void disown_adopted(struct routes *routes)
{
	size_t i;

	for (i = 0; i < routes->rule_count; i++)
		routes->rules[i].adopted = false;
	for (i = 0; i < GROUP_SLOTS; i++)
		if (routes->groups[i] && !routes->groups[i]->owner)
			routes_kept_group_idle(routes, routes->groups[i]);
	for (i = 0; i < NEXTHOP_SLOTS; i++)
		if (routes->nexthops[i] && !routes->nexthops[i]->users)
			routes_kept_nexthop_idle(routes, routes->nexthops[i]);
}

int routes_sweep(struct routes *routes)
{
	size_t i;

	catch_up(routes);
	for (i = 0; i < CONNECTION_SLOTS && routes->in_round; i++)
		if (routes->owners[i] && routes->owners[i]->round != routes->round)
			drop_owner(routes, routes->owners[i]);
	routes->in_round = false;
	disown_adopted(routes);
	return clean(routes, true);
}

int routes_flush(struct routes *routes)
{
	routes_begin(routes);
	return routes_sweep(routes);
}

size_t routes_errors(const struct routes *routes)
{
	return routes->missing;
}

int routes_open(sd_event *loop, struct routes **ret_routes)
{
	struct routes *routes = calloc(1, sizeof(*routes));
	int error;

	if (!routes)
		return -ENOMEM;
	routes->loop = loop;
	routes->pause_us = REFUSED_PAUSE_US;
	error = nl_requests_open(NETLINK_ROUTE, routes_sync_failed, routes, &routes->requests);
	if (error == 0)
		error = nl_watch_open(loop, &routes_watch_ops, routes, &routes->watch);
	if (error < 0) {
		routes_close(routes);
		return error;
	}
	*ret_routes = routes;
	return 0;
}

void routes_close(struct routes *routes)
{
	if (!routes)
		return;
	nl_watch_close(routes->watch);
	nl_requests_close(routes->requests);
	sd_event_source_disable_unref(routes->repair);
	routes_kept_free(routes);
	free(routes);
}
