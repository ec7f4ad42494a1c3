/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes out of a tunnel, decrypted: counted, and what is said to a session given to it (probe.bpf.h). Changes and
 * stops no other packet. At NICs before probed remote instances it looks for probes alone.
 *
 * On an xfrm interface data may begin with a stale Ethernet header of the lower device, counted in skb->len; so
 * everything is read from the network header on, by skb->protocol.
 */
#ifndef BPF_TUNNEL_TC_BPF_H
#define BPF_TUNNEL_TC_BPF_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "count.bpf.h"
#include "probe.bpf.h"

#define TUNNEL_FRAGMENT 0x3fff /* more of them, or an offset */

static __always_inline bool tunnel_load(struct __sk_buff *skb, __u32 offset, void *bytes, __u32 count)
{
	return !bpf_skb_load_bytes_relative(skb, offset, bytes, count, BPF_HDR_START_NET);
}

/* The headers that each segment of a GRO packet had. GRO makes them of TCP and UDP without extension headers. */
static __always_inline __u32 tunnel_headers(struct __sk_buff *skb, __u32 ip_header_bytes, __u8 protocol)
{
	__u8 data_offset;

	if (protocol == IPPROTO_UDP)
		return ip_header_bytes + 8;
	if (protocol != IPPROTO_TCP || !tunnel_load(skb, ip_header_bytes + 12, &data_offset, 1))
		return 0;
	return ip_header_bytes + (data_offset >> 4) * 4;
}

static __always_inline struct amount tunnel_amount(struct __sk_buff *skb, __u32 ip_bytes, __u32 ip_header_bytes,
						   __u8 protocol)
{
	struct amount amount = {1, ip_bytes};

	if (skb->gso_segs > 1) {
		amount.packets = skb->gso_segs;
		amount.bytes += (amount.packets - 1) * tunnel_headers(skb, ip_header_bytes, protocol);
	}
	return amount;
}

/* What the next header says, of a packet that is whole. */
static __always_inline int tunnel_probe(struct __sk_buff *skb, __u32 ip_header_bytes, __u8 protocol)
{
	__be16 ports[2];
	__u8 type;

	switch (protocol) {
	case IPPROTO_UDP:
		if (tunnel_load(skb, ip_header_bytes, ports, sizeof(ports)) &&
		    (ports[1] == bpf_htons(BFD_PORT) || ports[1] == bpf_htons(BFD_PORT_MULTIHOP)))
			return probe_receive_bfd(skb);
		return TC_ACT_UNSPEC;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (tunnel_load(skb, ip_header_bytes, &type, sizeof(type)) &&
		    type == (protocol == IPPROTO_ICMP ? PROBE_ICMP_REPLY : PROBE_ICMP6_REPLY) &&
		    probe_receive_echo(skb))
			return TC_ACT_SHOT;
		return TC_ACT_UNSPEC;
	default:
		return TC_ACT_UNSPEC;
	}
}

/* What sessions are told does not count: a tunnel that is drained falls silent, its probes do not. */
static __always_inline int tunnel_received(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	const struct device *device = bpf_map_lookup_elem(&devices, &ifindex);
	int verdict = TC_ACT_UNSPEC;
	struct iphdr ipv4;
	struct ipv6hdr ipv6;
	struct amount amount;

	if (!device)
		return TC_ACT_UNSPEC;
	if (skb->protocol == bpf_htons(ETH_P_IP) && tunnel_load(skb, 0, &ipv4, sizeof(ipv4))) {
		amount = tunnel_amount(skb, bpf_ntohs(ipv4.tot_len), ipv4.ihl * 4, ipv4.protocol);
		if (!(ipv4.frag_off & bpf_htons(TUNNEL_FRAGMENT)))
			verdict = tunnel_probe(skb, ipv4.ihl * 4, ipv4.protocol);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6) && tunnel_load(skb, 0, &ipv6, sizeof(ipv6))) {
		amount = tunnel_amount(skb, sizeof(ipv6) + bpf_ntohs(ipv6.payload_len), sizeof(ipv6), ipv6.nexthdr);
		verdict = tunnel_probe(skb, sizeof(ipv6), ipv6.nexthdr);
	} else {
		return TC_ACT_UNSPEC;
	}
	if (verdict == TC_ACT_UNSPEC && device->tunnel != NO_TUNNEL)
		count_rx(device->tunnel, amount);
	return verdict;
}

#endif
