/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netfilter does to forwarded packets, as a dump of its chains tells it: path: fast passes it by. Pure; called by
 * audit_gather.c, which runs the dump, by tests and by the fuzzer.
 *
 * nftables' chains are seen, those of iptables-nft among them; the old iptables' are not.
 */
#ifndef LOADER_NETFILTER_H
#define LOADER_NETFILTER_H

#include <libmnl/libmnl.h>
#include <stdbool.h>

/* Fills in the request for all chains (NETLINK_NETFILTER). */
void netfilter_request_chains(struct nlmsghdr *header);

/*
 * Is this a base chain on the forward hook (ip, ip6, inet) that would do something to a packet: it holds rules, or its
 * policy is to drop?
 */
bool netfilter_chain_acts(const struct nlmsghdr *message);

/* Is this how a dump ends where the kernel has no netfilter netlink, or no nftables? */
bool netfilter_is_absent(int error);

#endif
