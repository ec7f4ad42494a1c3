/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes out of a tunnel, decrypted: counted, what is said to a session given to it (probe.bpf.h), the MSS of SYN
 * and SYN-ACK lowered (mss_tc.bpf.h), and what it says of pinned flows noted (flow_peer.bpf.h). Changes and stops no
 * other packet. At NICs before remote instances it looks for probes and pinned flows alone.
 *
 * Everything is read from the network header on, by skb->protocol: see tunnel_data.bpf.h.
 */
#ifndef BPF_TUNNEL_TC_BPF_H
#define BPF_TUNNEL_TC_BPF_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "count.bpf.h"
#include "flow_peer.bpf.h"
#include "mss_tc.bpf.h"
#include "parse.h"
#include "probe.bpf.h"
#include "tunnel_data.bpf.h"
#include "tunnel_own.bpf.h"

#define TUNNEL_FRAGMENT 0x3fff /* more of them, or an offset */

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

/* Behind extension headers: where in data TCP's header is; 0: nowhere. */
static __attribute__((noinline)) __u32 tunnel_tcp_offset(struct __sk_buff *skb, __u32 ip_offset)
{
	struct ip_packet ip = {.is_ipv6 = true};
	struct cursor cursor;

	if (bpf_skb_pull_data(skb, skb->len < PARSE_BYTES ? skb->len : PARSE_BYTES))
		return 0;
	cursor = cursor_over((void *)(long)skb->data, (void *)(long)skb->data_end);
	cursor.offset = ip_offset;
	return parse_quote(&cursor, &ip) && ip.flow.protocol == IPPROTO_TCP ? ip.transport_offset : 0;
}

/* ip_header_bytes: 0 where extension headers follow. */
__attribute__((noinline)) int tunnel_clamp(struct __sk_buff *skb, __u32 number, __u32 ip_header_bytes)
{
	const struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &number);
	bool is_ipv6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	const struct connection *connection;
	__u32 offset;

	if (!tunnel)
		return 0;
	number = tunnel->connection;
	connection = bpf_map_lookup_elem(&connections, &number);
	offset = tunnel_ip_offset(skb);
	if (!connection || offset == TUNNEL_NO_OFFSET)
		return 0;
	offset = ip_header_bytes ? offset + ip_header_bytes : tunnel_tcp_offset(skb, offset);
	if (offset)
		mss_clamp(skb, offset, mss_of(connection->mtu_bytes, is_ipv6));
	return 0;
}

/* A SYN is never part of a GRO packet. */
static __always_inline bool tunnel_is_syn(struct __sk_buff *skb, __u32 ip_header_bytes)
{
	__u8 flags;

	return !skb->gso_size && tunnel_load(skb, ip_header_bytes + MSS_FLAGS_AT, &flags, 1) && flags & MSS_FLAG_SYN;
}

/* May it end a flow of TCP? */
static __always_inline bool tunnel_may_end(struct __sk_buff *skb, __u32 ip_header_bytes, __u8 protocol)
{
	__u8 flags;

	if (protocol != IPPROTO_TCP)
		return parse_is_extension(protocol);
	return tunnel_load(skb, ip_header_bytes + FLOW_TCP_FLAGS_AT, &flags, 1) && flags & FLOW_TCP_ENDS;
}

static __always_inline void tunnel_flow(struct __sk_buff *skb, __u32 tunnel, __u32 ip_header_bytes, __u8 protocol)
{
	if (!flows_kept)
		return;
	if (tunnel == NO_TUNNEL)
		flow_from_instance(skb);
	else
		flow_from_tunnel(skb, tunnel, tunnel_may_end(skb, ip_header_bytes, protocol));
}

/* What the next header says, of a packet that is whole. */
static __always_inline int tunnel_next_header(struct __sk_buff *skb, __u32 tunnel, __u32 ip_header_bytes, __u8 protocol)
{
	__be16 ports[2];
	__u8 type;

	switch (protocol) {
	case IPPROTO_TCP:
		if (tunnel != NO_TUNNEL && tunnel_is_syn(skb, ip_header_bytes))
			tunnel_clamp(skb, tunnel, ip_header_bytes);
		return TC_ACT_UNSPEC;
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
	__u32 ifindex = skb->ifindex, tunnel;
	const struct device *device = bpf_map_lookup_elem(&devices, &ifindex);
	int verdict = TC_ACT_UNSPEC;
	struct iphdr ipv4;
	struct ipv6hdr ipv6;
	struct amount amount;

	if (!device)
		return TC_ACT_UNSPEC;
	tunnel = device->tunnel;
	if (skb->protocol == bpf_htons(ETH_P_IP) && tunnel_load(skb, 0, &ipv4, sizeof(ipv4))) {
		amount = tunnel_amount(skb, bpf_ntohs(ipv4.tot_len), ipv4.ihl * 4, ipv4.protocol);
		if (!(ipv4.frag_off & bpf_htons(TUNNEL_FRAGMENT)))
			verdict = tunnel_next_header(skb, tunnel, ipv4.ihl * 4, ipv4.protocol);
		if (verdict == TC_ACT_UNSPEC)
			tunnel_flow(skb, tunnel, ipv4.ihl * 4, ipv4.protocol);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6) && tunnel_load(skb, 0, &ipv6, sizeof(ipv6))) {
		amount = tunnel_amount(skb, sizeof(ipv6) + bpf_ntohs(ipv6.payload_len), sizeof(ipv6), ipv6.nexthdr);
		verdict = tunnel_next_header(skb, tunnel, sizeof(ipv6), ipv6.nexthdr);
		if (tunnel != NO_TUNNEL && parse_is_extension(ipv6.nexthdr))
			tunnel_clamp(skb, tunnel, 0);
		if (verdict == TC_ACT_UNSPEC)
			tunnel_flow(skb, tunnel, sizeof(ipv6), ipv6.nexthdr);
	} else {
		return TC_ACT_UNSPEC;
	}
	if (verdict == TC_ACT_UNSPEC && tunnel != NO_TUNNEL)
		count_rx(tunnel, amount, tunnel_is_drained(tunnel) && tunnel_is_own(skb));
	return verdict;
}

#endif
