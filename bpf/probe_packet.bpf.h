/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a session says, as bytes: a BFD packet in UDP, or an ICMP echo request, and the IP header before it. No lock is
 * held here.
 */
#ifndef BPF_PROBE_PACKET_BPF_H
#define BPF_PROBE_PACKET_BPF_H

#include <asm/byteorder.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "bfd_auth.h"
#include "bfd_packet.h"
#include "checksum.h"
#include "maps.bpf.h"

#define PROBE_HEADER_BYTES  8 /* UDP's, ICMP's and ICMPv6's alike */
#define PROBE_PORTS_BYTES   4 /* UDP's, the first of its header */
#define PROBE_ECHO_BYTES    16
#define PROBE_TTL	    255
#define PROBE_TOS	    0xc0 /* CS6, network control */
#define PROBE_DONT_FRAGMENT 0x4000
#define PROBE_ICMP_REPLY    0 /* <linux/icmp.h> is not for BPF */
#define PROBE_ICMP_REQUEST  8
#define PROBE_ICMP6_REQUEST 128
#define PROBE_ICMP6_REPLY   129
#define PROBE_FIRST_PORT    49152
#define PROBE_PORT_MASK	    0x3fff

/* What follows the IP header. */
struct probe {
	__u8 bytes[PROBE_HEADER_BYTES + BFD_PACKET_MAX_BYTES];
	__u32 count; /* of them in use; a multiple of 4 */
	__u8 protocol;
} __attribute__((aligned(8)));

struct probe_udp {
	__be16 source_port, destination_port, length, checksum;
};

struct probe_echo {
	__u8 type, code;
	__be16 checksum, identifier, sequence;
	__u64 sent_ns; /* host order: for ourselves */
	__u64 reserved;
};

/* An IPv4 address as ::ffff:a.b.c.d adds 0xffff to a sum, which is zero there: so one pseudo header serves both
 * families.
 */
static __always_inline __u16 probe_checksum(const struct session_config *config, struct probe *probe)
{
	__be32 pseudo[2] = {bpf_htonl(probe->count), bpf_htonl(probe->protocol)};
	__u32 count = probe->count;
	__s64 sum = 0;

	if (count > sizeof(probe->bytes))
		return 0;
	if (probe->protocol != IPPROTO_ICMP) {
		sum = bpf_csum_diff(NULL, 0, (__be32 *)config->local, 2 * sizeof(config->local), 0);
		sum = bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), sum);
	}
	sum = bpf_csum_diff(NULL, 0, (__be32 *)probe->bytes, count & 0x7c, sum);
	return checksum_fold(sum);
}

/* Unsigned, and with zero in the checksum, which is the caller's to compute: an answer changes the one that is there.
 */
static __always_inline void probe_bfd(const struct session_config *config, const struct bfd_packet *packet,
				      struct probe *probe)
{
	struct probe_udp *udp = (struct probe_udp *)probe->bytes;
	__u8 *payload = probe->bytes + PROBE_HEADER_BYTES;

	probe->protocol = IPPROTO_UDP;
	probe->count = PROBE_HEADER_BYTES + (packet->auth_present ? BFD_PACKET_MAX_BYTES : BFD_PACKET_BYTES);
	udp->source_port = bpf_htons(PROBE_FIRST_PORT + (config->discriminator & PROBE_PORT_MASK));
	udp->destination_port = bpf_htons(config->is_multihop ? BFD_PORT_MULTIHOP : BFD_PORT);
	udp->length = bpf_htons(probe->count);
	udp->checksum = 0;
	bfd_packet_write(packet, payload);
}

/* With authentication, the digest; without, nothing. */
static __always_inline void probe_bfd_sign(const struct session_config *config, struct probe *probe)
{
	if (probe->count == PROBE_HEADER_BYTES + BFD_PACKET_MAX_BYTES)
		bfd_auth_sign(probe->bytes + PROBE_HEADER_BYTES, config->auth_key);
}

static __always_inline void probe_echo(const struct session_config *config, __u16 sequence, __u64 now_ns,
				       struct probe *probe)
{
	struct probe_echo *echo = (struct probe_echo *)probe->bytes;

	probe->protocol = config->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	probe->count = sizeof(*echo);
	echo->type = config->is_ipv6 ? PROBE_ICMP6_REQUEST : PROBE_ICMP_REQUEST;
	echo->code = 0;
	echo->checksum = 0;
	echo->identifier = bpf_htons(config->discriminator & 0xffff);
	echo->sequence = bpf_htons(sequence);
	echo->sent_ns = now_ns;
	echo->reserved = 0;
	echo->checksum = probe_checksum(config, probe);
}

/* UDP: zero would mean that there is no checksum. */
static __always_inline void probe_udp_checksum(const struct session_config *config, struct probe *probe)
{
	struct probe_udp *udp = (struct probe_udp *)probe->bytes;

	udp->checksum = probe_checksum(config, probe) ?: 0xffff;
}

static __always_inline bool probe_store_ipv4(struct __sk_buff *skb, __u32 at, const struct session_config *config,
					     const struct probe *probe)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tos = PROBE_TOS,
		.tot_len = bpf_htons(sizeof(ip) + probe->count),
		.frag_off = bpf_htons(PROBE_DONT_FRAGMENT),
		.ttl = PROBE_TTL,
		.protocol = probe->protocol,
	};

	__builtin_memcpy(&ip.saddr, config->local + 12, 4);
	__builtin_memcpy(&ip.daddr, config->peer + 12, 4);
	ip.check = checksum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0));
	return !bpf_skb_store_bytes(skb, at, &ip, sizeof(ip), 0);
}

static __always_inline bool probe_store_ipv6(struct __sk_buff *skb, __u32 at, const struct session_config *config,
					     const struct probe *probe)
{
	struct ipv6hdr ip = {
		.version = 6,
		.priority = PROBE_TOS >> 4,
		.payload_len = bpf_htons(probe->count),
		.nexthdr = probe->protocol,
		.hop_limit = PROBE_TTL,
	};

	__builtin_memcpy(&ip.saddr, config->local, sizeof(ip.saddr));
	__builtin_memcpy(&ip.daddr, config->peer, sizeof(ip.daddr));
	return !bpf_skb_store_bytes(skb, at, &ip, sizeof(ip), 0);
}

/* What follows the header, of lengths that are constants to the verifier. */
static __always_inline bool probe_store_payload(struct __sk_buff *skb, __u32 at, const struct probe *probe)
{
	const __u8 *payload = probe->bytes + PROBE_HEADER_BYTES;

	switch (probe->count - PROBE_HEADER_BYTES) {
	case PROBE_ECHO_BYTES:
		return !bpf_skb_store_bytes(skb, at, payload, PROBE_ECHO_BYTES, 0);
	case BFD_PACKET_BYTES:
		return !bpf_skb_store_bytes(skb, at, payload, BFD_PACKET_BYTES, 0);
	case BFD_PACKET_MAX_BYTES:
		return !bpf_skb_store_bytes(skb, at, payload, BFD_PACKET_MAX_BYTES, 0);
	default:
		return false;
	}
}

static __always_inline __u32 probe_ip_bytes(const struct session_config *config)
{
	return config->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static __always_inline bool probe_store_ip(struct __sk_buff *skb, __u32 at, const struct session_config *config,
					   const struct probe *probe)
{
	return config->is_ipv6 ? probe_store_ipv6(skb, at, config, probe) : probe_store_ipv4(skb, at, config, probe);
}

#endif
