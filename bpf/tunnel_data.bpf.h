/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the IP packet is that came out of a tunnel. On an xfrm interface data may begin with a stale Ethernet header of
 * the lower device, counted in skb->len.
 */
#ifndef BPF_TUNNEL_DATA_BPF_H
#define BPF_TUNNEL_DATA_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#define TUNNEL_IP_WORDS	 5 /* of an IP header: enough to know it again */
#define TUNNEL_NO_OFFSET 0xffffffffu

/* offset: from the IP header on. */
static __always_inline bool tunnel_load(struct __sk_buff *skb, __u32 offset, void *bytes, __u32 count)
{
	return !bpf_skb_load_bytes_relative(skb, offset, bytes, count, BPF_HDR_START_NET);
}

static __always_inline bool tunnel_is_at(struct __sk_buff *skb, __u32 offset, const __u32 ip[TUNNEL_IP_WORDS])
{
	__u32 there[TUNNEL_IP_WORDS], difference = 0;

	if (bpf_skb_load_bytes(skb, offset, there, sizeof(there)))
		return false;
	for (int i = 0; i < TUNNEL_IP_WORDS; i++)
		difference |= there[i] ^ ip[i];
	return !difference;
}

/* Where in data the IP packet begins: behind an Ethernet header, its own or a stale one, or at once. */
static __always_inline __u32 tunnel_ip_offset(struct __sk_buff *skb)
{
	__u32 ip[TUNNEL_IP_WORDS];

	if (!tunnel_load(skb, 0, ip, sizeof(ip)))
		return TUNNEL_NO_OFFSET;
	if (tunnel_is_at(skb, ETH_HLEN, ip))
		return ETH_HLEN;
	return tunnel_is_at(skb, 0, ip) ? 0 : TUNNEL_NO_OFFSET;
}

#endif
