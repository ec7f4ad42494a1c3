/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Routes, nexthop objects and rules as rtnetlink messages. See routes_message.h.
 */
#include "routes_message.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "addresses_message.h"
#include "nl.h"
#include "routes.h"

#define IPV4_BYTES  4
#define IPV4_OFFSET 12
#define IPV4_LENGTH 96 /* prefix length of ::ffff:0:0 */
#define IPV6_BYTES  16

static uint8_t family_of(bool ipv6)
{
	return ipv6 ? AF_INET6 : AF_INET;
}

static void put_address(struct nlmsghdr *header, uint16_t type, const struct config_address *address)
{
	if (address->is_ipv4)
		mnl_attr_put(header, type, IPV4_BYTES, address->byte + IPV4_OFFSET);
	else
		mnl_attr_put(header, type, IPV6_BYTES, address->byte);
}

static bool get_address(const struct nlattr *attribute, int family, struct config_address *ret_address)
{
	if (!nl_attr_fits(attribute, family == AF_INET ? IPV4_BYTES : IPV6_BYTES))
		return false;
	return addresses_message_address(family, mnl_attr_get_payload(attribute), ret_address) == 0;
}

static uint32_t get_u32(const struct nlattr *attribute)
{
	return nl_attr_fits(attribute, sizeof(uint32_t)) ? mnl_attr_get_u32(attribute) : 0;
}

struct parse_route {
	struct route_message route;
	int family;
};

static int parse_route_attribute(const struct nlattr *attribute, void *data)
{
	struct parse_route *parse = data;

	switch (mnl_attr_get_type(attribute)) {
	case RTA_DST:
		get_address(attribute, parse->family, &parse->route.key.prefix);
		break;
	case RTA_TABLE:
		parse->route.key.table = get_u32(attribute);
		break;
	case RTA_PRIORITY:
		parse->route.key.metric = get_u32(attribute);
		break;
	case RTA_NH_ID:
		parse->route.nexthop_id = get_u32(attribute);
		break;
	}
	return MNL_CB_OK;
}

int routes_message_parse_route(const struct nlmsghdr *message, struct route_message *ret_route)
{
	static const uint8_t any[IPV6_BYTES];
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct parse_route parse = {0};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	parse.family = header->rtm_family;
	if (addresses_message_address(parse.family, any, &parse.route.key.prefix) < 0)
		return -EAFNOSUPPORT;
	if (header->rtm_dst_len > (parse.family == AF_INET ? 32 : 128))
		return -EBADMSG;
	parse.route.key.table = header->rtm_table;
	nl_attrs(message, sizeof(*header), parse_route_attribute, &parse);
	parse.route.key.prefix.length = header->rtm_dst_len + (parse.family == AF_INET ? IPV4_LENGTH : 0);
	parse.route.protocol = header->rtm_protocol;
	parse.route.ours = header->rtm_protocol == ROUTES_PROTOCOL;
	parse.route.unreachable = header->rtm_type == RTN_UNREACHABLE;
	parse.route.unicast = header->rtm_type == RTN_UNICAST;
	parse.route.special = header->rtm_tos || header->rtm_src_len || header->rtm_flags & RTM_F_CLONED;
	*ret_route = parse.route;
	return 0;
}

void routes_message_put_route(struct nlmsghdr *header, const struct route_message *route)
{
	const struct config_address *prefix = &route->key.prefix;
	bool deletion = header->nlmsg_type == RTM_DELROUTE;
	struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	body->rtm_family = family_of(!prefix->is_ipv4);
	body->rtm_dst_len = prefix->is_ipv4 ? prefix->length - IPV4_LENGTH : prefix->length;
	body->rtm_protocol = ROUTES_PROTOCOL;
	/* A deletion names place and protocol, and takes what of ours it finds there. */
	body->rtm_scope = deletion ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
	if (!deletion)
		body->rtm_type = route->unreachable ? RTN_UNREACHABLE : RTN_UNICAST;
	put_address(header, RTA_DST, prefix);
	mnl_attr_put_u32(header, RTA_TABLE, route->key.table);
	mnl_attr_put_u32(header, RTA_PRIORITY, route->key.metric);
	if (!deletion && !route->unreachable)
		mnl_attr_put_u32(header, RTA_NH_ID, route->nexthop_id);
}

void routes_message_put_question(struct nlmsghdr *header, const struct config_address *address)
{
	struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	header->nlmsg_type = RTM_GETROUTE;
	body->rtm_family = family_of(!address->is_ipv4);
	body->rtm_dst_len = address->is_ipv4 ? 32 : 128;
	body->rtm_flags = RTM_F_FIB_MATCH;
	put_address(header, RTA_DST, address);
}

struct parse_nexthop {
	struct nexthop_message nexthop;
	int family;
};

static void parse_members(const struct nlattr *attribute, struct nexthop_message *nexthop)
{
	size_t count = mnl_attr_get_payload_len(attribute) / sizeof(struct nexthop_grp), i;
	struct nexthop_grp entry;

	for (i = 0; i < count && i < MAX_MEMBERS; i++) {
		memcpy(&entry, (const uint8_t *)mnl_attr_get_payload(attribute) + i * sizeof(entry), sizeof(entry));
		nexthop->members[i].id = entry.id;
		nexthop->members[i].weight = entry.weight + 1;
	}
	nexthop->member_count = i;
}

static int parse_nexthop_attribute(const struct nlattr *attribute, void *data)
{
	struct parse_nexthop *parse = data;

	switch (mnl_attr_get_type(attribute)) {
	case NHA_ID:
		parse->nexthop.id = get_u32(attribute);
		break;
	case NHA_OIF:
		parse->nexthop.ifindex = (int)get_u32(attribute);
		break;
	case NHA_GATEWAY:
		parse->nexthop.has_via = get_address(attribute, parse->family, &parse->nexthop.via);
		break;
	case NHA_GROUP:
		parse_members(attribute, &parse->nexthop);
		break;
	}
	return MNL_CB_OK;
}

int routes_message_parse_nexthop(const struct nlmsghdr *message, struct nexthop_message *ret_nexthop)
{
	const struct nhmsg *header = mnl_nlmsg_get_payload(message);
	struct parse_nexthop parse = {0};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	parse.family = header->nh_family;
	nl_attrs(message, sizeof(*header), parse_nexthop_attribute, &parse);
	if (!parse.nexthop.id)
		return -EBADMSG;
	parse.nexthop.ours = header->nh_protocol == ROUTES_PROTOCOL;
	parse.nexthop.ipv6 = header->nh_family == AF_INET6;
	*ret_nexthop = parse.nexthop;
	return 0;
}

static void put_members(struct nlmsghdr *header, const struct nexthop_message *nexthop)
{
	struct nexthop_grp entries[MAX_MEMBERS] = {0};
	size_t i;

	for (i = 0; i < nexthop->member_count; i++) {
		entries[i].id = nexthop->members[i].id;
		entries[i].weight = nexthop->members[i].weight - 1;
	}
	mnl_attr_put(header, NHA_GROUP, nexthop->member_count * sizeof(entries[0]), entries);
}

void routes_message_put_nexthop(struct nlmsghdr *header, const struct nexthop_message *nexthop)
{
	bool deletion = header->nlmsg_type == RTM_DELNEXTHOP;
	struct nhmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	mnl_attr_put_u32(header, NHA_ID, nexthop->id);
	if (deletion)
		return;
	body->nh_protocol = ROUTES_PROTOCOL;
	if (nexthop->member_count > 0) {
		put_members(header, nexthop);
		return;
	}
	body->nh_family = family_of(nexthop->ipv6);
	mnl_attr_put_u32(header, NHA_OIF, nexthop->ifindex);
	if (!nexthop->has_via)
		return;
	/* The configuration says that the next hop is behind this device; an address there may still be to come. */
	body->nh_flags = RTNH_F_ONLINK;
	put_address(header, NHA_GATEWAY, &nexthop->via);
}

static int parse_rule_attribute(const struct nlattr *attribute, void *data)
{
	struct rule_message *rule = data;
	char name[IFNAMSIZ];

	switch (mnl_attr_get_type(attribute)) {
	case FRA_PRIORITY:
		rule->priority = get_u32(attribute);
		break;
	case FRA_FWMARK:
		rule->mark = get_u32(attribute);
		break;
	case FRA_TABLE:
		rule->table = get_u32(attribute);
		break;
	case FRA_SUPPRESS_PREFIXLEN:
		rule->no_default = get_u32(attribute) == 0;
		break;
	case FRA_IIFNAME:
		nl_attr_text(attribute, name, sizeof(name));
		rule->not_from_box = rule->not_from_box && strcmp(name, "lo") == 0;
		break;
	case FRA_PROTOCOL:
		rule->ours = nl_attr_fits(attribute, sizeof(uint8_t)) && mnl_attr_get_u8(attribute) == ROUTES_PROTOCOL;
		break;
	}
	return MNL_CB_OK;
}

int routes_message_parse_rule(const struct nlmsghdr *message, struct rule_message *ret_rule)
{
	const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
	struct rule_message rule = {0};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	if (header->family != AF_INET && header->family != AF_INET6)
		return -EAFNOSUPPORT;
	rule.ipv6 = header->family == AF_INET6;
	rule.table = header->table;
	rule.not_from_box = header->flags & FIB_RULE_INVERT;
	nl_attrs(message, sizeof(*header), parse_rule_attribute, &rule);
	*ret_rule = rule;
	return 0;
}

void routes_message_put_rule(struct nlmsghdr *header, const struct rule_message *rule)
{
	struct fib_rule_hdr *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	body->family = family_of(rule->ipv6);
	body->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(header, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u32(header, FRA_TABLE, rule->table);
	mnl_attr_put_u8(header, FRA_PROTOCOL, ROUTES_PROTOCOL);
	if (rule->mark) {
		mnl_attr_put_u32(header, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(header, FRA_FWMASK, UINT32_MAX);
	}
	if (rule->no_default)
		mnl_attr_put_u32(header, FRA_SUPPRESS_PREFIXLEN, 0);
	/* What the box itself sends has lo as its incoming interface. */
	if (rule->not_from_box) {
		body->flags = FIB_RULE_INVERT;
		mnl_attr_put_strz(header, FRA_IIFNAME, "lo");
	}
}

void routes_message_dump_nexthops(struct nlmsghdr *header)
{
	header->nlmsg_type = RTM_GETNEXTHOP;
	mnl_nlmsg_put_extra_header(header, sizeof(struct nhmsg));
}

static void dump_routes(struct nlmsghdr *header, uint8_t family)
{
	struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	header->nlmsg_type = RTM_GETROUTE;
	body->rtm_family = family;
	body->rtm_protocol = ROUTES_PROTOCOL;
}

void routes_message_dump_ipv4(struct nlmsghdr *header)
{
	dump_routes(header, AF_INET);
}

void routes_message_dump_ipv6(struct nlmsghdr *header)
{
	dump_routes(header, AF_INET6);
}

static void dump_rules(struct nlmsghdr *header, uint8_t family)
{
	struct fib_rule_hdr *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	header->nlmsg_type = RTM_GETRULE;
	body->family = family;
}

void routes_message_dump_ipv4_rules(struct nlmsghdr *header)
{
	dump_rules(header, AF_INET);
}

void routes_message_dump_ipv6_rules(struct nlmsghdr *header)
{
	dump_rules(header, AF_INET6);
}
