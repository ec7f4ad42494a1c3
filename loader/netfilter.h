/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netfilter does to forwarded packets: asked by `check`, because path: fast passes it by. Reads, changes nothing.
 */
#ifndef LOADER_NETFILTER_H
#define LOADER_NETFILTER_H

#include <stddef.h>

/*
 * Counts the nftables base chains on the forward hook (ip, ip6, inet) that would do something to a packet: they hold
 * rules, or their policy is to drop. iptables-nft's are among them, the old iptables' are not. Returns 0 or -errno,
 * -EOPNOTSUPP where the kernel has no nftables.
 */
int netfilter_forward_rules(size_t *ret_count);

#endif
