/* SPDX-License-Identifier: GPL-2.0-only */
/* Chains and rules by nfnetlink: a chain's use count tells whether it holds rules. See netfilter.h. */
#include "netfilter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static int attribute_find(const struct nlattr *attribute, void *context)
{
	const struct nlattr **table = context;

	if (mnl_attr_get_type(attribute) <= NFTA_CHAIN_MAX)
		table[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

static bool is_forward(const struct nlattr *hook)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, hook)
		if (mnl_attr_get_type(attribute) == NFTA_HOOK_HOOKNUM && mnl_attr_get_payload_len(attribute) >= 4)
			return ntohl(mnl_attr_get_u32(attribute)) == NF_INET_FORWARD;
	return false;
}

static int chain_read(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[NFTA_CHAIN_MAX + 1] = {0};
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	size_t *count = context;

	if (header->nfgen_family != NFPROTO_IPV4 && header->nfgen_family != NFPROTO_IPV6 &&
	    header->nfgen_family != NFPROTO_INET)
		return MNL_CB_OK;
	mnl_attr_parse(message, sizeof(*header), attribute_find, table);
	if (table[NFTA_CHAIN_HOOK] && is_forward(table[NFTA_CHAIN_HOOK]) && table[NFTA_CHAIN_USE] &&
	    mnl_attr_get_payload_len(table[NFTA_CHAIN_USE]) >= 4)
		*count += ntohl(mnl_attr_get_u32(table[NFTA_CHAIN_USE])) > 0;
	return MNL_CB_OK;
}

static int chains_dump(struct mnl_socket *socket, size_t *count)
{
	char buffer[32768];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;
	int result = MNL_CB_OK;

	message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = (uint32_t)time(NULL);
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = NFPROTO_UNSPEC;
	header->version = NFNETLINK_V0;
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (result > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (length < 0)
			return -errno;
		result = mnl_cb_run(buffer, (size_t)length, 0, mnl_socket_get_portid(socket), chain_read, count);
	}
	return result < 0 ? -errno : 0;
}

int netfilter_forward_rules(size_t *ret_count)
{
	struct mnl_socket *socket = mnl_socket_open(NETLINK_NETFILTER);
	size_t count = 0;
	int err;

	if (!socket)
		return errno == EPROTONOSUPPORT ? -EOPNOTSUPP : -errno;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ? -errno : chains_dump(socket, &count);
	mnl_socket_close(socket);
	if (err == -EINVAL)
		err = -EOPNOTSUPP;
	if (!err)
		*ret_count = count;
	return err;
}
