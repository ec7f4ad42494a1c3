/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Neighbour messages. See neighbours_message.h.
 */
#include "neighbours_message.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "addresses_message.h"
#include "nl.h"

#define IPV4_BYTES  4
#define IPV4_OFFSET 12
#define IPV6_BYTES  16

/* States in which the kernel has a MAC address and uses it. */
#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

struct neighbour_parse {
	const struct nlattr *destination, *mac, *flags_ext;
};

static int parse_neighbour_attribute(const struct nlattr *attribute, void *data)
{
	struct neighbour_parse *parse = data;

	switch (mnl_attr_get_type(attribute)) {
	case NDA_DST:
		parse->destination = attribute;
		break;
	case NDA_LLADDR:
		parse->mac = attribute;
		break;
	case NDA_FLAGS_EXT:
		parse->flags_ext = attribute;
		break;
	}
	return MNL_CB_OK;
}

static enum neighbour_news news_of(const struct nlmsghdr *message, uint16_t state, bool has_mac)
{
	if (message->nlmsg_type == RTM_DELNEIGH || (state & NUD_FAILED))
		return NEIGHBOUR_ABSENT;
	return (state & NUD_USABLE) && has_mac ? NEIGHBOUR_PRESENT : NEIGHBOUR_NO_NEWS;
}

int neighbours_message_parse(const struct nlmsghdr *message, struct neighbour_message *ret_neighbour)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct neighbour_message neighbour = {0};
	struct neighbour_parse parse = {0};
	bool has_mac;
	int result = nl_attrs(message, sizeof(*header), parse_neighbour_attribute, &parse);

	if (result < 0)
		return result;
	if (header->ndm_family != AF_INET && header->ndm_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (!parse.destination ||
	    !nl_attr_fits(parse.destination, header->ndm_family == AF_INET ? IPV4_BYTES : IPV6_BYTES))
		return -EBADMSG;
	addresses_message_address(header->ndm_family, mnl_attr_get_payload(parse.destination), &neighbour.next_hop);
	neighbour.ifindex = header->ndm_ifindex;
	has_mac = parse.mac && mnl_attr_get_payload_len(parse.mac) == sizeof(neighbour.mac);
	if (has_mac)
		memcpy(neighbour.mac, mnl_attr_get_payload(parse.mac), sizeof(neighbour.mac));
	neighbour.news = news_of(message, header->ndm_state, has_mac);
	neighbour.managed = message->nlmsg_type == RTM_NEWNEIGH && parse.flags_ext &&
			    nl_attr_fits(parse.flags_ext, sizeof(uint32_t)) &&
			    (mnl_attr_get_u32(parse.flags_ext) & NTF_EXT_MANAGED);
	neighbour.fixed = message->nlmsg_type == RTM_NEWNEIGH && (header->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0;
	*ret_neighbour = neighbour;
	return 0;
}

static struct ndmsg *put_key(struct nlmsghdr *header, int ifindex, const struct config_address *next_hop)
{
	struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(header, sizeof(*neighbour));

	neighbour->ndm_family = next_hop->is_ipv4 ? AF_INET : AF_INET6;
	neighbour->ndm_ifindex = ifindex;
	if (next_hop->is_ipv4)
		mnl_attr_put(header, NDA_DST, IPV4_BYTES, next_hop->byte + IPV4_OFFSET);
	else
		mnl_attr_put(header, NDA_DST, IPV6_BYTES, next_hop->byte);
	return neighbour;
}

void neighbours_message_ask(struct nlmsghdr *header, int ifindex, const struct config_address *next_hop, bool manage)
{
	header->nlmsg_type = RTM_NEWNEIGH;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
	/* NTF_USE probes at once; before Linux 5.16 it is also all that is understood. */
	put_key(header, ifindex, next_hop)->ndm_flags = NTF_USE;
	mnl_attr_put_u32(header, NDA_FLAGS_EXT, manage ? NTF_EXT_MANAGED : 0);
}

void neighbours_message_get(struct nlmsghdr *header, int ifindex, const struct config_address *next_hop)
{
	header->nlmsg_type = RTM_GETNEIGH;
	header->nlmsg_flags = NLM_F_REQUEST;
	put_key(header, ifindex, next_hop);
}
