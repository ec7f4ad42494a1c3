/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel says of routes. See routes_kept.h.
 *
 * A dump tells all that bears our protocol: at the start this adopts what an earlier daemon left, after an overrun it
 * shows what was lost. In between, deletions and replacements by others are heard, and devices going down: with these
 * the kernel takes next hops, groups and routes away without a word. A socket filter keeps out the rest, our own
 * requests' echo above all: 100,000 messages at a start.
 */
#include "routes_kept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000
#endif

#define TYPE_OFFSET		offsetof(struct nlmsghdr, nlmsg_type)
#define FLAGS_OFFSET		offsetof(struct nlmsghdr, nlmsg_flags)
#define PORT_OFFSET		offsetof(struct nlmsghdr, nlmsg_pid)
#define ROUTE_PROTOCOL_OFFSET	(NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol))
#define NEXTHOP_PROTOCOL_OFFSET (NLMSG_HDRLEN + offsetof(struct nhmsg, nh_protocol))

/* The filter loads in network order what the header holds in the host's. */
static int attach_filter(struct mnl_socket *socket, void *context)
{
	struct routes *routes = context;
	struct sock_filter code[] = {
		/* 0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PORT_OFFSET),
		/* 1: answers to our dumps */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(mnl_socket_get_portid(socket)), 15, 0),
		/* 2: what our own requests did */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(nl_requests_port(routes->requests)), 13, 0),
		/* 3 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE_OFFSET),
		/* 4 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 12, 0),
		/* 5 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 11, 0),
		/* 6 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELRULE), 10, 0),
		/* 7 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 2, 0),
		/* 8 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 5, 0),
		/* 9 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEXTHOP), 2, 6),
		/* 10: a new route, in another's place? */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, FLAGS_OFFSET),
		/* 11 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NLM_F_REPLACE), 5, 4),
		/* 12 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NEXTHOP_PROTOCOL_OFFSET),
		/* 13 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ROUTES_PROTOCOL, 3, 2),
		/* 14 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ROUTE_PROTOCOL_OFFSET),
		/* 15 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ROUTES_PROTOCOL, 1, 0),
		/* 16 */ BPF_STMT(BPF_RET | BPF_K, 0),
		/* 17 */ BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

static bool handle_nexthop(struct routes *routes, const struct nexthop_message *message)
{
	struct group_member members[MAX_MEMBERS];
	struct group *group;
	size_t i;

	if (!message->ours)
		return false;
	if (message->member_count == 0)
		return routes_nexthop_adopt(routes, message) != NULL;
	group = routes_group_adopt(routes, message->id);
	if (!group)
		return false;
	for (i = 0; i < message->member_count; i++) {
		members[i].nexthop = routes_nexthop_by_id(routes, message->members[i].id);
		members[i].weight = message->members[i].weight;
	}
	if (!routes_group_holds(group, members, message->member_count))
		routes_kept_disturb(routes, group->owner);
	routes_group_set(routes, group, members, message->member_count);
	return true;
}

/* Somebody deleted it, or wrote over it: then the place is theirs. */
static bool route_gone(struct routes *routes, const struct route_message *message)
{
	struct kept_route *route = routes_kept_route(routes, &message->key);

	if (!route || !route->in_kernel)
		return false;
	routes_kept_route_lost(routes, route);
	return true;
}

static bool handle_route(struct routes *routes, const struct route_message *message)
{
	struct kept_route *route;
	struct group *before;

	if (!message->ours)
		return false;
	route = routes_kept_route(routes, &message->key);
	if (!route) {
		route = routes_kept_route_new(routes, &message->key);
		if (!route)
			return false;
		route->adopted = true;
	}
	route->generation = routes->generation;
	route->taken = false;
	/* One that leads elsewhere than it should is kept as standing, without a group: it will be replaced or deleted.
	 */
	if (routes_kept_unreachable(route) != message->unreachable) {
		routes_kept_route_lost(routes, route);
		route->was_ours = true;
		return true;
	}
	before = routes_kept_leads_to(routes, route);
	routes_kept_route_set(routes, route,
			      message->unreachable ? NULL : routes_group_by_id(routes, message->nexthop_id));
	if (routes_kept_leads_to(routes, route) != before)
		routes_kept_disturb(routes, route->owner);
	return true;
}

static bool handle_rule(struct routes *routes, const struct rule_message *message)
{
	struct kept_rule *rule = message->ours ? routes_kept_rule(routes, message) : NULL;

	if (!rule)
		return false;
	rule->adopted = rule->adopted || rule->users == 0;
	rule->installed = true;
	rule->generation = routes->generation;
	return true;
}

static bool nexthop_deleted(struct routes *routes, const struct nexthop_message *message)
{
	struct nexthop *nexthop = routes_nexthop_by_id(routes, message->id);
	struct group *group = routes_group_by_id(routes, message->id);

	if (group && group->installed)
		routes_group_lost(routes, group);
	if (nexthop)
		routes_nexthop_lost(routes, nexthop);
	return group || nexthop;
}

static bool rule_deleted(struct routes *routes, const struct rule_message *message)
{
	struct kept_rule *rule = message->ours ? routes_kept_rule(routes, message) : NULL;

	if (!rule || !rule->installed)
		return false;
	rule->installed = false;
	routes->disturbed |= rule->users > 0;
	return true;
}

/* As the kernel's own flush decides: down, or carrier and running both gone. */
static bool flushes_nexthops(const struct nlmsghdr *message, const struct ifinfomsg *link)
{
	return message->nlmsg_type == RTM_DELLINK || !(link->ifi_flags & IFF_UP) ||
	       !(link->ifi_flags & (IFF_RUNNING | IFF_LOWER_UP));
}

static bool handle_link(struct routes *routes, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*link) || link->ifi_family != AF_UNSPEC)
		return false;
	if (flushes_nexthops(message, link)) {
		routes_nexthop_device_lost(routes, link->ifi_index);
		return routes->disturbed;
	}
	/* What was refused for this device may be possible now. */
	routes->disturbed = true;
	return false;
}

static bool handle_object(struct routes *routes, const struct nlmsghdr *message)
{
	struct nexthop_message nexthop;
	struct route_message route;
	struct rule_message rule;

	switch (message->nlmsg_type) {
	case RTM_NEWNEXTHOP:
		return routes_message_parse_nexthop(message, &nexthop) == 0 && handle_nexthop(routes, &nexthop);
	case RTM_DELNEXTHOP:
		return routes_message_parse_nexthop(message, &nexthop) == 0 && nexthop_deleted(routes, &nexthop);
	case RTM_NEWROUTE:
		if (routes_message_parse_route(message, &route) < 0)
			return false;
		if (!route.ours && (message->nlmsg_flags & NLM_F_REPLACE))
			return route_gone(routes, &route);
		return handle_route(routes, &route);
	case RTM_DELROUTE:
		return routes_message_parse_route(message, &route) == 0 && route_gone(routes, &route);
	case RTM_NEWRULE:
		return routes_message_parse_rule(message, &rule) == 0 && handle_rule(routes, &rule);
	case RTM_DELRULE:
		return routes_message_parse_rule(message, &rule) == 0 && rule_deleted(routes, &rule);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return handle_link(routes, message);
	}
	return false;
}

static bool handle_message(const struct nlmsghdr *message, void *context)
{
	struct routes *routes = context;
	bool concerned = handle_object(routes, message);

	if (routes->disturbed)
		routes_repair_soon(routes);
	routes->disturbed = false;
	return concerned;
}

static void begin_dump(void *context)
{
	struct routes *routes = context;

	routes_group_prune(routes);
	routes->generation++;
}

static void lose_unseen_nexthops(struct routes *routes)
{
	size_t slot;

	for (slot = 0; slot < NEXTHOP_SLOTS; slot++)
		if (routes->nexthops[slot] && routes->nexthops[slot]->generation != routes->generation)
			routes_nexthop_lost(routes, routes->nexthops[slot]);
	for (slot = 0; slot < GROUP_SLOTS; slot++)
		if (routes->groups[slot] && routes->groups[slot]->installed &&
		    routes->groups[slot]->generation != routes->generation)
			routes_group_lost(routes, routes->groups[slot]);
	routes_group_prune(routes);
}

static void end_dump(void *context)
{
	struct routes *routes = context;
	struct kept_route *route;
	size_t i;

	lose_unseen_nexthops(routes);
	for (route = routes_kept_list(routes); route; route = route->next)
		if (route->in_kernel && route->generation != routes->generation)
			routes_kept_route_lost(routes, route);
	for (i = 0; i < routes->rule_count; i++) {
		struct kept_rule *rule = &routes->rules[i];

		if (rule->generation != routes->generation) {
			routes->disturbed |= rule->installed && rule->users > 0;
			rule->installed = false;
		}
	}
	if (routes->disturbed)
		routes_repair_soon(routes);
	routes->disturbed = false;
}

const struct nl_watch_ops routes_watch_ops = {
	.protocol = NETLINK_ROUTE,
	.groups = {RTNLGRP_LINK, RTNLGRP_NEXTHOP, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
		   RTNLGRP_IPV6_RULE},
	.dumps = {routes_message_dump_nexthops, routes_message_dump_ipv4, routes_message_dump_ipv6,
		  routes_message_dump_ipv4_rules, routes_message_dump_ipv6_rules},
	.prepare = attach_filter,
	.begin = begin_dump,
	.message = handle_message,
	.end = end_dump,
};
