/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Next hops out of a route's message: one by itself, or several in RTA_MULTIPATH. See routes_hops.h.
 */
#include "routes_hops.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "addresses_message.h"
#include "nl.h"

struct parse {
	routes_hops_fn *each;
	void *context;
	int family; /* of the route */
	struct route_hop hop;
};

static bool read_address(int family, const void *bytes, size_t length, struct config_address *ret_address)
{
	return length >= (family == AF_INET ? 4 : sizeof(ret_address->byte)) &&
	       addresses_message_address(family, bytes, ret_address) == 0;
}

static void parse_gateway(const struct nlattr *attribute, struct parse *parse)
{
	parse->hop.has_via = read_address(parse->family, mnl_attr_get_payload(attribute),
					  mnl_attr_get_payload_len(attribute), &parse->hop.via);
}

/* A next hop of the other family than the route's. */
static void parse_via(const struct nlattr *attribute, struct parse *parse)
{
	const struct rtvia *via = mnl_attr_get_payload(attribute);

	if (nl_attr_fits(attribute, sizeof(*via)))
		parse->hop.has_via = read_address(via->rtvia_family, via->rtvia_addr,
						  mnl_attr_get_payload_len(attribute) - sizeof(*via), &parse->hop.via);
}

static int parse_hop_attribute(const struct nlattr *attribute, void *data)
{
	struct parse *parse = data;

	if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
		parse_gateway(attribute, parse);
	else if (mnl_attr_get_type(attribute) == RTA_VIA)
		parse_via(attribute, parse);
	return MNL_CB_OK;
}

static void parse_multipath(const struct nlattr *attribute, const struct parse *parse)
{
	const uint8_t *at = mnl_attr_get_payload(attribute);
	size_t left = mnl_attr_get_payload_len(attribute), bytes;
	struct rtnexthop member;

	while (left >= sizeof(member)) {
		struct parse one = {.family = parse->family};

		memcpy(&member, at, sizeof(member));
		if (member.rtnh_len < sizeof(member) || member.rtnh_len > left)
			return;
		one.hop.ifindex = member.rtnh_ifindex;
		mnl_attr_parse_payload(at + sizeof(member), member.rtnh_len - sizeof(member), parse_hop_attribute,
				       &one);
		parse->each(&one.hop, parse->context);
		bytes = MNL_ALIGN(member.rtnh_len);
		if (bytes >= left)
			return;
		at += bytes;
		left -= bytes;
	}
}

static int parse_hops_attribute(const struct nlattr *attribute, void *data)
{
	struct parse *parse = data;

	if (mnl_attr_get_type(attribute) == RTA_OIF && nl_attr_fits(attribute, sizeof(uint32_t)))
		parse->hop.ifindex = (int)mnl_attr_get_u32(attribute);
	if (mnl_attr_get_type(attribute) == RTA_MULTIPATH)
		parse_multipath(attribute, parse);
	return parse_hop_attribute(attribute, data);
}

int routes_hops_each(const struct nlmsghdr *message, routes_hops_fn *each, void *context)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct parse parse = {.each = each, .context = context};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	parse.family = header->rtm_family;
	nl_attrs(message, sizeof(*header), parse_hops_attribute, &parse);
	if (parse.hop.ifindex)
		each(&parse.hop, context);
	return 0;
}
