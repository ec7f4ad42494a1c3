/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IPsec policies as XFRM messages. See policies_message.h.
 */
#include "policies_message.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>

#include "addresses_message.h"
#include "nl.h"

#define IPV4_LENGTH 96 /* prefix length of ::ffff:0:0 */

static int parse_attribute(const struct nlattr *attribute, void *data)
{
	struct policy *policy = data;
	struct xfrm_mark mark;

	switch (mnl_attr_get_type(attribute)) {
	case XFRMA_TMPL:
		policy->encrypts = nl_attr_fits(attribute, sizeof(struct xfrm_user_tmpl));
		break;
	case XFRMA_IF_ID:
		if (nl_attr_fits(attribute, sizeof(uint32_t)))
			policy->if_id = mnl_attr_get_u32(attribute);
		break;
	case XFRMA_MARK:
		if (!nl_attr_fits(attribute, sizeof(mark)))
			break;
		memcpy(&mark, mnl_attr_get_payload(attribute), sizeof(mark));
		policy->narrow |= (mark.v & mark.m) != 0;
		break;
	}
	return MNL_CB_OK;
}

/* A selector's half; host bits, which the kernel passes over, become zero. */
static int parse_network(uint16_t family, const xfrm_address_t *address, uint8_t length,
			 struct config_address *ret_network)
{
	struct config_address network;
	int result = addresses_message_address(family, address, &network);

	if (result < 0)
		return result;
	if (length > (network.is_ipv4 ? 32 : 128))
		return -EBADMSG;
	network.length = length + (network.is_ipv4 ? IPV4_LENGTH : 0);
	for (unsigned bit = network.length; bit < 128; bit++)
		network.byte[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	*ret_network = network;
	return 0;
}

int policies_message_parse(const struct nlmsghdr *message, struct policy *ret_policy)
{
	struct xfrm_userpolicy_info info;
	struct policy policy = {0};
	int result;

	if (message->nlmsg_type != XFRM_MSG_NEWPOLICY)
		return -EOPNOTSUPP;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(info))
		return -EBADMSG;
	/* It holds 64-bit fields, and messages stand at multiples of four bytes. */
	memcpy(&info, mnl_nlmsg_get_payload(message), sizeof(info));
	result = parse_network(info.sel.family, &info.sel.saddr, info.sel.prefixlen_s, &policy.source);
	if (result == 0)
		result = parse_network(info.sel.family, &info.sel.daddr, info.sel.prefixlen_d, &policy.destination);
	if (result < 0)
		return result;
	policy.out = info.dir == XFRM_POLICY_OUT;
	policy.blocks = info.action == XFRM_POLICY_BLOCK;
	policy.narrow = info.sel.ifindex != 0;
	nl_attrs(message, sizeof(info), parse_attribute, &policy);
	*ret_policy = policy;
	return 0;
}

/* One without template lets pass what it matches, to where the route leads. */
bool policies_message_diverts(const struct policy *policy)
{
	return policy->out && !policy->if_id && !policy->narrow && (policy->encrypts || policy->blocks);
}

void policies_message_dump(struct nlmsghdr *header)
{
	header->nlmsg_type = XFRM_MSG_GETPOLICY;
}
