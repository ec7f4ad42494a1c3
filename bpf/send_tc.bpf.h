/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TC: makes a packet what its egress takes, and sends it there. Called once the decision stands.
 */
#ifndef BPF_SEND_TC_BPF_H
#define BPF_SEND_TC_BPF_H

#include <linux/pkt_cls.h>

#include "decision.bpf.h"
#include "maps.bpf.h"
#include "parse.h"
#include "rewrite.h"

#define SEND_FAILED (-1)

/*
 * At tc ingress the outermost tag is in the skb, the next one still in the frame. Each call takes the one in the skb
 * off and lifts the next one out of the frame; so that this takes one call more than tags, and one for a tag that is in
 * the frame with none outside.
 */
static __always_inline bool send_pop_tags(struct __sk_buff *skb)
{
	for (int i = 0; i <= PARSE_TAGS; i++) {
		if (!skb->vlan_present && skb->protocol != bpf_htons(ETH_P_8021Q) &&
		    skb->protocol != bpf_htons(ETH_P_8021AD))
			return true;
		if (bpf_skb_vlan_pop(skb))
			return false;
	}
	return !skb->vlan_present;
}

static __always_inline bool send_lower_ttl(struct __sk_buff *skb, bool is_ipv6)
{
	if (!rewrite_ttl((void *)(long)skb->data, (void *)(long)skb->data_end, is_ipv6))
		return false;
	/* IPv6 has no checksum that makes up for it, so a sum that the NIC took over the packet changes by one. */
	if (is_ipv6)
		bpf_csum_update(skb, ~(__u32)bpf_htons(1));
	return true;
}

static __always_inline bool send_address(struct __sk_buff *skb, const struct packet *packet,
					 const struct egress *egress)
{
	return rewrite_ethernet((void *)(long)skb->data, (void *)(long)skb->data_end, egress->next_hop_mac,
				egress->source_mac, packet->ip.is_ipv6);
}

/* What fills a short frame up is not to be encrypted as if it were payload. If it cannot be cut off, the peer will. */
static __always_inline void send_cut_padding(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 frame_bytes = ETH_HLEN + packet->ip.ip_bytes;

	if (skb->len > frame_bytes && !skb->gso_size)
		bpf_skb_change_tail(skb, frame_bytes, 0);
}

/* Returns the program's verdict, or SEND_FAILED with the packet no longer fit to be left to the kernel. */
static __always_inline int send_tc(struct __sk_buff *skb, const struct packet *packet, const struct egress *egress)
{
	__u32 kind = egress->kind;

	if (!send_pop_tags(skb))
		return SEND_FAILED;
	if (kind == EGRESS_LAYER3)
		send_cut_padding(skb, packet);
	if (!send_lower_ttl(skb, packet->ip.is_ipv6))
		return SEND_FAILED;
	if (kind == EGRESS_ETHERNET && !send_address(skb, packet, egress))
		return SEND_FAILED;
	return bpf_redirect(egress->ifindex, 0);
}

#endif
