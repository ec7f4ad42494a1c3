/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes the kernel's routes the wanted ones. See routes_kept.h.
 *
 * All requests of one owner go in one batch, in an order in which each stands on those before it: unreachable routes,
 * nexthop objects, the group, routes that lead to it. State is changed when a request is gathered, and changed back by
 * routes_sync_failed(), which runs inside nl_requests_commit(); a second pass then does what can be done without what
 * failed.
 */
#include "routes_kept.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "route_weights.h"

#define SYNC_ATTEMPTS 3

enum tag_kind { TAG_DELETION, TAG_NEXTHOP, TAG_GROUP, TAG_ROUTE, TAG_ROUTE_REPLACED, TAG_RULE };

/* Sends what was gathered. What the kernel did of what it was not heard about is unknown: a dump will tell. */
static int commit(struct routes *routes)
{
	int error = nl_requests_commit(routes->requests);

	if (error < 0)
		nl_watch_refresh(routes->watch);
	return error;
}

static void group_failed(struct routes *routes, struct group *group)
{
	size_t i;

	/* A member that the kernel lost unseen is a reason; writing all anew does no harm. */
	for (i = 0; i < group->member_count; i++)
		if (group->members[i].nexthop)
			group->members[i].nexthop->installed = false;
	routes_group_lost(routes, group);
}

/* -EEXIST: somebody's route stands where we took the place for free. Were it ours after all, a dump would tell; once.
 */
static void route_failed(struct routes *routes, struct kept_route *route, bool replaced, int error)
{
	routes_kept_route_lost(routes, route);
	route->was_ours = replaced;
	if (error == -EEXIST && !route->taken)
		nl_watch_refresh(routes->watch);
	route->taken = error == -EEXIST;
}

void routes_sync_failed(const struct nl_tag *tag, int error, void *context)
{
	struct routes *routes = context;
	struct nexthop *nexthop = tag->object;
	struct kept_rule *rule;

	switch ((enum tag_kind)tag->kind) {
	case TAG_DELETION:
		return; /* it is gone already */
	case TAG_NEXTHOP:
		nexthop->installed = false;
		nexthop->refused_in = routes->pass;
		routes->refused = true;
		break;
	case TAG_GROUP:
		group_failed(routes, tag->object);
		break;
	case TAG_ROUTE:
	case TAG_ROUTE_REPLACED:
		route_failed(routes, tag->object, tag->kind == TAG_ROUTE_REPLACED, error);
		break;
	case TAG_RULE:
		rule = tag->object;
		/* A family that this kernel has not got needs no rule. */
		rule->installed = error == -EEXIST || error == -EAFNOSUPPORT;
		break;
	}
	routes->failed = true;
}

static void request_nexthop(struct routes *routes, struct nexthop *nexthop)
{
	struct nexthop_message message = {
		.id = nexthop->id,
		.ipv6 = nexthop->ipv6,
		.ifindex = nexthop->ifindex,
		.has_via = nexthop->has_via,
		.via = nexthop->via,
	};

	routes_message_put_nexthop(nl_requests_add(routes->requests, RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE,
						   (struct nl_tag){TAG_NEXTHOP, nexthop}),
				   &message);
	nexthop->installed = true;
}

static int request_group(struct routes *routes, struct group *group, const struct group_member *members, size_t count)
{
	struct nexthop_message message = {.id = group->id, .ipv6 = group->ipv6, .member_count = count};
	/* One that we take to be there must be: were it made anew, its routes would be missing and nobody would know.
	 */
	uint16_t flags = NLM_F_REPLACE | (group->installed ? 0 : NLM_F_CREATE);
	size_t i;
	int error = routes_group_set(routes, group, members, count);

	if (error < 0)
		return error;
	for (i = 0; i < count; i++) {
		message.members[i].id = members[i].nexthop->id;
		message.members[i].weight = members[i].weight;
	}
	routes_message_put_nexthop(
		nl_requests_add(routes->requests, RTM_NEWNEXTHOP, flags, (struct nl_tag){TAG_GROUP, group}), &message);
	group->installed = true;
	return 0;
}

static void request_route(struct routes *routes, struct kept_route *route, struct group *group)
{
	struct route_message message = {.key = route->key};
	bool replace = routes_kept_may_replace(routes, route);
	uint16_t flags = NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL);
	struct nl_tag tag = {replace ? TAG_ROUTE_REPLACED : TAG_ROUTE, route};

	message.unreachable = routes_kept_unreachable(route);
	message.nexthop_id = group ? group->id : 0;
	routes_message_put_route(nl_requests_add(routes->requests, RTM_NEWROUTE, flags, tag), &message);
	routes_kept_route_set(routes, route, group);
}

static void request_deletion(struct routes *routes, const struct kept_route *route)
{
	struct route_message message = {.key = route->key};

	routes_message_put_route(
		nl_requests_add(routes->requests, RTM_DELROUTE, 0, (struct nl_tag){.kind = TAG_DELETION}), &message);
}

static void request_nexthop_deletion(struct routes *routes, uint32_t id)
{
	struct nexthop_message message = {.id = id};

	routes_message_put_nexthop(
		nl_requests_add(routes->requests, RTM_DELNEXTHOP, 0, (struct nl_tag){.kind = TAG_DELETION}), &message);
}

/* The members that this family's group should have, each nexthop once. Returns their number, or -ENOMEM. */
static int wanted_members(struct routes *routes, struct route_owner *owner, bool ipv6,
			  struct group_member members[MAX_MEMBERS])
{
	uint32_t weights[MAX_MEMBERS];
	uint16_t scaled[MAX_MEMBERS];
	size_t count = 0, i, m;

	for (i = 0; i < owner->egress_count; i++) {
		const struct route_egress *egress = &owner->egresses[i];
		struct nexthop *nexthop;

		/* A next hop of the other family: this egress cannot carry it. */
		if (egress->has_via && egress->via.is_ipv4 == ipv6)
			continue;
		nexthop = routes_nexthop_of(routes, egress, ipv6);
		if (!nexthop)
			return -ENOMEM;
		if (!nexthop->installed && !nexthop->users)
			routes_nexthop_idle(routes, nexthop);
		owner->carried[ipv6] = true;
		if (nexthop->refused_in == routes->pass)
			continue;
		for (m = 0; m < count && members[m].nexthop != nexthop; m++)
			;
		if (m == count) {
			members[count].nexthop = nexthop;
			weights[count++] = 0;
		}
		weights[m] += egress->weight ? egress->weight : 1;
	}
	route_weights_scale(weights, count, scaled);
	for (i = 0; i < count; i++)
		members[i].weight = scaled[i];
	return (int)count;
}

/* May this owner rewrite the group: do all routes that lead to it belong to the owner? */
static bool is_exclusive(const struct routes *routes, const struct route_owner *owner, const struct group *group)
{
	size_t i, count = 0;

	for (i = 0; i < owner->route_count; i++)
		count += routes_kept_leads_to(routes, owner->routes[i]) == group;
	return count == group->route_count;
}

/* A new group for the owner; the old one goes when its last route has left. NULL without memory. */
static struct group *replace_group(struct routes *routes, struct route_owner *owner, bool ipv6)
{
	struct group *group = routes_group_new(routes, owner->number, ipv6);

	if (group)
		routes_group_own(routes, group, owner);
	return group;
}

/* The owner's own group; else the one that its routes lead to already; else a new one. NULL without memory. */
static struct group *choose_group(struct routes *routes, struct route_owner *owner, bool ipv6)
{
	struct group *group = owner->groups[ipv6];
	size_t i;

	if (group && is_exclusive(routes, owner, group))
		return group;
	group = NULL;
	for (i = 0; i < owner->route_count && !group; i++)
		if (owner->routes[i]->key.prefix.is_ipv4 != ipv6)
			group = routes_kept_leads_to(routes, owner->routes[i]);
	if (!group || !is_exclusive(routes, owner, group))
		return replace_group(routes, owner, ipv6);
	routes_group_own(routes, group, owner);
	return group;
}

/*
 * Are this group's routes to be led to a new one, rather than that it be rewritten under them?
 *
 * IPv6: rewriting a group, the kernel takes away every cached destination of its members, those that stay among them
 * (fib6_nh_release_dsts()), while packets on other processors still use them. Such a packet meets an MTU of 68 bytes
 * and is lost. A route that is led elsewhere leaves cached destinations to those who hold them.
 *
 * IPv4: with net.ipv4.nexthop_compat_mode, the default, the kernel walks all its routes for each group that is
 * rewritten: 1.3 ms with 100,000 of them, where a route takes 3 us.
 */
static bool is_to_be_left(const struct routes *routes, const struct group *group)
{
	if (!group->installed || !group->route_count)
		return false;
	return group->ipv6 || group->route_count * 200 < routes->route_count;
}

static void sync_unreachable(struct routes *routes, const struct route_owner *owner, bool ipv6)
{
	size_t i;

	for (i = 0; i < owner->route_count; i++) {
		struct kept_route *route = owner->routes[i];

		if (route->key.prefix.is_ipv4 != ipv6 && routes_kept_unreachable(route) && !route->in_kernel)
			request_route(routes, route, NULL);
	}
}

/* Leads the family's routes to group; NULL: takes them off, so that the unreachable ones show. */
static void sync_multipath(struct routes *routes, const struct route_owner *owner, bool ipv6, struct group *group)
{
	size_t i;

	for (i = 0; i < owner->route_count; i++) {
		struct kept_route *route = owner->routes[i];

		if (route->key.prefix.is_ipv4 == ipv6 || routes_kept_unreachable(route))
			continue;
		if (group && routes_kept_leads_to(routes, route) != group) {
			request_route(routes, route, group);
		} else if (!group && route->in_kernel) {
			request_deletion(routes, route);
			routes_kept_route_lost(routes, route);
		}
	}
}

static bool has_family(const struct route_owner *owner, bool ipv6)
{
	size_t i;

	for (i = 0; i < owner->prefix_count; i++)
		if (owner->prefixes[i].is_ipv4 != ipv6)
			return true;
	return false;
}

static int sync_family(struct routes *routes, struct route_owner *owner, bool ipv6)
{
	struct group_member members[MAX_MEMBERS];
	struct group *group = NULL;
	int count, i, error = 0;

	owner->carried[ipv6] = false;
	sync_unreachable(routes, owner, ipv6);
	count = has_family(owner, ipv6) ? wanted_members(routes, owner, ipv6, members) : 0;
	if (count < 0)
		return count;
	if (count > 0) {
		group = choose_group(routes, owner, ipv6);
		if (group && is_to_be_left(routes, group) && !routes_group_holds(group, members, count))
			group = replace_group(routes, owner, ipv6);
		if (!group)
			return -ENOMEM;
		for (i = 0; i < count; i++)
			if (!members[i].nexthop->installed)
				request_nexthop(routes, members[i].nexthop);
		if (!group->installed || !routes_group_holds(group, members, count))
			error = request_group(routes, group, members, count);
		if (error < 0)
			return error;
	}
	sync_multipath(routes, owner, ipv6, group);
	if (!group && owner->groups[ipv6])
		routes_group_own(routes, owner->groups[ipv6], NULL);
	return 0;
}

/* Routes that should stand and do not. A family that no egress can carry asks for unreachable routes only. */
static size_t count_missing(const struct route_owner *owner)
{
	size_t i, missing = 0;

	for (i = 0; i < owner->route_count; i++) {
		const struct kept_route *route = owner->routes[i];

		missing += !route->in_kernel &&
			   (routes_kept_unreachable(route) || owner->carried[!route->key.prefix.is_ipv4]);
	}
	return missing;
}

int routes_sync_owner(struct routes *routes, struct route_owner *owner)
{
	int attempt = 0, ipv6, error = 0, sent;

	routes->pass++;
	routes->refused = false;
	do {
		routes->failed = false;
		for (ipv6 = 0; ipv6 < FAMILIES && error == 0; ipv6++)
			error = sync_family(routes, owner, ipv6);
		sent = commit(routes);
		if (error == 0)
			error = sent;
	} while (error == 0 && routes->failed && ++attempt < SYNC_ATTEMPTS);
	routes->missing -= owner->missing;
	owner->missing = count_missing(owner);
	routes->missing += owner->missing;
	owner->dirty = error < 0 || routes->failed || routes->refused;
	return error;
}

int routes_sync_rules(struct routes *routes)
{
	size_t i;

	for (i = 0; i < routes->rule_count; i++) {
		struct kept_rule *rule = &routes->rules[i];

		if (rule->users > 0 && !rule->installed) {
			rule->installed = true;
			routes_message_put_rule(nl_requests_add(routes->requests, RTM_NEWRULE,
								NLM_F_CREATE | NLM_F_EXCL,
								(struct nl_tag){TAG_RULE, rule}),
						&rule->rule);
		} else if (rule->users == 0 && rule->installed && !rule->adopted) {
			rule->installed = false;
			routes_message_put_rule(nl_requests_add(routes->requests, RTM_DELRULE, 0,
								(struct nl_tag){.kind = TAG_DELETION}),
						&rule->rule);
		}
	}
	return commit(routes);
}

size_t routes_sync_rules_missing(const struct routes *routes, uint32_t table)
{
	size_t missing = 0, i;

	for (i = 0; i < routes->rule_count; i++) {
		const struct kept_rule *rule = &routes->rules[i];

		missing += rule->users > 0 && !rule->installed && (!table || rule->rule.table == table);
	}
	return missing;
}

int routes_sync_orphans(struct routes *routes, bool adopted_too)
{
	struct kept_route *route, *next;

	for (route = routes_kept_list(routes); route; route = next) {
		next = route->next;
		if (route->owner || (route->adopted && !adopted_too))
			continue;
		if (route->in_kernel)
			request_deletion(routes, route);
		routes_kept_route_free(routes, route);
	}
	return commit(routes);
}

int routes_sync_collect(struct routes *routes)
{
	struct nexthop *nexthop;
	struct group *group;

	while ((group = routes->idle_groups)) {
		routes->idle_groups = group->next_idle;
		group->idle = false;
		if (group->owner || group->route_count > 0)
			continue;
		if (group->installed)
			request_nexthop_deletion(routes, group->id);
		routes_group_free(routes, group);
	}
	while ((nexthop = routes->idle_nexthops)) {
		routes->idle_nexthops = nexthop->next_idle;
		nexthop->idle = false;
		if (nexthop->users > 0)
			continue;
		if (nexthop->installed)
			request_nexthop_deletion(routes, nexthop->id);
		routes_nexthop_free(routes, nexthop);
	}
	return commit(routes);
}
