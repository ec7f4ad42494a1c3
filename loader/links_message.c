/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RTM_NEWLINK and RTM_DELLINK -> struct link. See links_message.h.
 *
 * One callback per nesting level: the link, its IFLA_LINKINFO, the IFLA_INFO_DATA of an xfrm interface.
 */
#include "links_message.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "nl.h"

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000 /* linux/if.h has it, but not beside net/if.h */
#endif

struct link_parse {
	struct link link;
	const struct nlattr *info_data; /* looked at last: what it means depends on the kind */
	bool lower_elsewhere;		/* IFLA_LINK is an index of another namespace */
};

static int parse_link_xfrm(const struct nlattr *attribute, void *data)
{
	struct link_parse *parse = data;

	if (mnl_attr_get_type(attribute) == IFLA_XFRM_IF_ID && nl_attr_fits(attribute, sizeof(uint32_t)))
		parse->link.if_id = mnl_attr_get_u32(attribute);
	return MNL_CB_OK;
}

static int parse_link_info(const struct nlattr *attribute, void *data)
{
	struct link_parse *parse = data;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_INFO_KIND:
		nl_attr_text(attribute, parse->link.kind, sizeof(parse->link.kind));
		break;
	case IFLA_INFO_DATA:
		parse->info_data = attribute;
		break;
	}
	return MNL_CB_OK;
}

static int parse_link(const struct nlattr *attribute, void *data)
{
	struct link_parse *parse = data;
	struct link *link = &parse->link;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		nl_attr_text(attribute, link->name, sizeof(link->name));
		break;
	case IFLA_MTU:
		if (nl_attr_fits(attribute, sizeof(uint32_t)))
			link->mtu_bytes = mnl_attr_get_u32(attribute);
		break;
	case IFLA_LINK:
		if (nl_attr_fits(attribute, sizeof(uint32_t)))
			link->lower_ifindex = (int)mnl_attr_get_u32(attribute);
		break;
	case IFLA_LINK_NETNSID:
		parse->lower_elsewhere = true;
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attribute) == sizeof(link->mac))
			memcpy(link->mac, mnl_attr_get_payload(attribute), sizeof(link->mac));
		break;
	case IFLA_LINKINFO:
		nl_attr_nested(attribute, parse_link_info, parse);
		break;
	}
	return MNL_CB_OK;
}

int links_message_parse(const struct nlmsghdr *message, struct link *ret_link)
{
	const unsigned int running = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct link_parse parse = {0};
	int result = nl_attrs(message, sizeof(*info), parse_link, &parse);

	if (result < 0)
		return result;
	if (info->ifi_family != AF_UNSPEC)
		return -EOPNOTSUPP;
	/* Wireless events are RTM_NEWLINK messages too, with an index and nothing else. */
	if (info->ifi_index <= 0 || (!parse.link.name[0] && message->nlmsg_type == RTM_NEWLINK))
		return -EBADMSG;
	if (parse.info_data && strcmp(parse.link.kind, "xfrm") == 0)
		nl_attr_nested(parse.info_data, parse_link_xfrm, &parse);
	/* An xfrm interface uses the SAs of the namespace that it was made in: a link elsewhere says that this is not
	 * it. */
	if (parse.lower_elsewhere)
		parse.link.if_id = 0;
	if (parse.lower_elsewhere || parse.link.lower_ifindex == info->ifi_index || parse.link.lower_ifindex < 0)
		parse.link.lower_ifindex = 0;
	parse.link.ifindex = info->ifi_index;
	parse.link.ethernet = info->ifi_type == ARPHRD_ETHER;
	parse.link.loopback = info->ifi_flags & IFF_LOOPBACK;
	/* Carrier without IFF_RUNNING is dormant. Tunnels have operstate unknown, for which the kernel sets
	 * IFF_RUNNING. */
	parse.link.up = (info->ifi_flags & running) == running;
	*ret_link = parse.link;
	return 0;
}
