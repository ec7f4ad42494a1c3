/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RTM_NEWADDR and RTM_DELADDR -> struct own_address. See addresses_message.h.
 */
#include "addresses_message.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "nl.h"

#define IPV4_BYTES  4
#define IPV4_OFFSET 12 /* of the four bytes in ::ffff:a.b.c.d */

struct address_parse {
	const struct nlattr *address; /* on a point-to-point link: the peer's, and its network */
	const struct nlattr *local;   /* the box's own, where it differs */
	const struct nlattr *flags;
};

static int parse_address_attribute(const struct nlattr *attribute, void *data)
{
	struct address_parse *parse = data;

	switch (mnl_attr_get_type(attribute)) {
	case IFA_ADDRESS:
		parse->address = attribute;
		break;
	case IFA_LOCAL:
		parse->local = attribute;
		break;
	case IFA_FLAGS:
		parse->flags = attribute;
		break;
	}
	return MNL_CB_OK;
}

int addresses_message_address(int family, const void *bytes, struct config_address *ret_address)
{
	struct config_address address = {.length = 128};

	switch (family) {
	case AF_INET:
		address.is_ipv4 = true;
		address.byte[10] = address.byte[11] = 0xff;
		memcpy(address.byte + IPV4_OFFSET, bytes, IPV4_BYTES);
		break;
	case AF_INET6:
		memcpy(address.byte, bytes, sizeof(address.byte));
		break;
	default:
		return -EAFNOSUPPORT;
	}
	*ret_address = address;
	return 0;
}

static bool same_payload(const struct nlattr *a, const struct nlattr *b)
{
	return mnl_attr_get_payload_len(a) == mnl_attr_get_payload_len(b) &&
	       memcmp(mnl_attr_get_payload(a), mnl_attr_get_payload(b), mnl_attr_get_payload_len(a)) == 0;
}

int addresses_message_parse(const struct nlmsghdr *message, struct own_address *ret_address, bool *ret_usable)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	struct own_address own = {0};
	struct address_parse parse = {0};
	const struct nlattr *value;
	uint32_t flags;
	size_t bytes;
	int result = nl_attrs(message, sizeof(*header), parse_address_attribute, &parse);

	if (result < 0)
		return result;
	if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
		return -EAFNOSUPPORT;
	value = parse.local ? parse.local : parse.address;
	bytes = header->ifa_family == AF_INET ? IPV4_BYTES : sizeof(own.address.byte);
	if (!value || !nl_attr_fits(value, bytes))
		return -EBADMSG;
	if (header->ifa_prefixlen > (header->ifa_family == AF_INET ? 32 : 128))
		return -EBADMSG;
	addresses_message_address(header->ifa_family, mnl_attr_get_payload(value), &own.address);
	own.network_length = header->ifa_prefixlen + (own.address.is_ipv4 ? 96 : 0);
	/* With a peer, the network is the peer's: the box's own address is on none. */
	if (parse.local && parse.address && !same_payload(parse.local, parse.address)) {
		own.network_length = 128;
		if (nl_attr_fits(parse.address, bytes))
			addresses_message_address(header->ifa_family, mnl_attr_get_payload(parse.address), &own.peer);
	}
	own.ifindex = (int)header->ifa_index;
	flags = parse.flags && nl_attr_fits(parse.flags, sizeof(flags)) ? mnl_attr_get_u32(parse.flags)
									: header->ifa_flags;
	own.dynamic = !(flags & IFA_F_PERMANENT);
	*ret_usable = !(flags & IFA_F_DADFAILED) && (!(flags & IFA_F_TENTATIVE) || (flags & IFA_F_OPTIMISTIC));
	*ret_address = own;
	return 0;
}
