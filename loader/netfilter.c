/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Chains as nfnetlink messages. See netfilter.h.
 *
 * A chain's use count tells whether it holds rules: nothing can jump to a base chain, so all that uses one are its own.
 */
#include "netfilter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "nl.h"

struct chain {
	bool is_base;
	uint32_t hook; /* NF_INET_* */
	uint32_t uses;
	uint32_t policy; /* NF_ACCEPT, NF_DROP */
};

static uint32_t get_be32(const struct nlattr *attribute)
{
	return nl_attr_fits(attribute, sizeof(uint32_t)) ? ntohl(mnl_attr_get_u32(attribute)) : 0;
}

static int parse_hook(const struct nlattr *attribute, void *data)
{
	struct chain *chain = data;

	if (mnl_attr_get_type(attribute) == NFTA_HOOK_HOOKNUM) {
		chain->is_base = true;
		chain->hook = get_be32(attribute);
	}
	return MNL_CB_OK;
}

static int parse_chain(const struct nlattr *attribute, void *data)
{
	struct chain *chain = data;

	switch (mnl_attr_get_type(attribute)) {
	case NFTA_CHAIN_HOOK:
		nl_attr_nested(attribute, parse_hook, chain);
		break;
	case NFTA_CHAIN_USE:
		chain->uses = get_be32(attribute);
		break;
	case NFTA_CHAIN_POLICY:
		chain->policy = get_be32(attribute);
		break;
	}
	return MNL_CB_OK;
}

bool netfilter_chain_acts(const struct nlmsghdr *message)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct chain chain = {.policy = NF_ACCEPT};

	if (nl_attrs(message, sizeof(*header), parse_chain, &chain) < 0)
		return false;
	/* Bridges and network devices number their hooks in other ways. */
	if (header->nfgen_family != NFPROTO_IPV4 && header->nfgen_family != NFPROTO_IPV6 &&
	    header->nfgen_family != NFPROTO_INET)
		return false;
	return chain.is_base && chain.hook == NF_INET_FORWARD && (chain.uses > 0 || chain.policy != NF_ACCEPT);
}

void netfilter_request_chains(struct nlmsghdr *header)
{
	struct nfgenmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
	body->nfgen_family = NFPROTO_UNSPEC;
	body->version = NFNETLINK_V0;
}

bool netfilter_is_absent(int error)
{
	return error == -EPROTONOSUPPORT || error == -EINVAL;
}
