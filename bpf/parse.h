/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet parser, the only one: Ethernet frame -> struct packet. Pure C, compiled into the BPF programs, into the
 * fuzzer and into unit tests alike. Called in softirq for every packet of an inside NIC; reads, never writes.
 *
 * Reads through a cursor that checks every access against the end of what is in linear memory, and goes no further than
 * PARSE_BYTES, so that XDP (all of it linear) and TC (pulls as much) see the same. Whatever has a sound IP header gets
 * a flow: where the headers behind it are cut off, unknown or of a fragment, the flow is (source, destination,
 * protocol). So nothing that the kernel would forward is called malformed and left to it in clear.
 *
 * The frame has to start 2 bytes past a multiple of 4 where the machine cares for alignment, as NICs place it
 * (NET_IP_ALIGN).
 */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

#include "cursor.h"
#include "flow.h"

#define PARSE_TAGS	 2 /* VLAN tags in the frame */
#define PARSE_EXTENSIONS 8 /* IPv6 extension headers of one packet */

enum parse_result {
	PARSE_OK,
	PARSE_NOT_IP,
	PARSE_MALFORMED, /* the IP header itself: the kernel drops it */
};

/* An IP packet, or the part of one that an ICMP error quotes. */
struct ip_packet {
	struct flow flow;
	__u32 ip_bytes;		/* header and payload, as the header says */
	__u32 transport_offset; /* of the header that flow.protocol names; 0: not there */
	__u8 ttl;		/* or hop limit */
	bool is_ipv6;
	bool is_fragment;
	bool is_icmp_error; /* the cursor stands at its quote */
};

struct packet {
	struct ip_packet ip;
	struct ip_packet quote; /* holds where quotes is set */
	__u32 ip_offset;
	bool quotes;	/* an ICMP error: its flow is its quote's */
	bool truncated; /* more would have been read, had it been in linear memory */
};

/* The IPv6 extension headers looked into all begin like this; struct ipv6_opt_hdr does not go far enough. */
struct ipv6_extension {
	__u8 next;
	__u8 length; /* unit and origin vary */
	__be16 fragment;
	__be32 identification;
};

/* ICMP and ICMPv6 alike (RFC 792, RFC 4443). <linux/icmp.h> cannot be had without the C library's headers. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be16 id; /* of an echo */
	__be16 sequence;
};

enum icmp_type {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACHABLE = 3,
	ICMP4_SOURCE_QUENCH = 4,
	ICMP4_REDIRECT = 5,
	ICMP4_ECHO_REQUEST = 8,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER_PROBLEM = 12,
	ICMP6_UNREACHABLE = 1,
	ICMP6_PARAMETER_PROBLEM = 4, /* with packet too big and time exceeded between */
	ICMP6_ECHO_REQUEST = 128,
	ICMP6_ECHO_REPLY = 129,
};

#define IPV4_FRAGMENT bpf_htons(0x3fff) /* more fragments, offset */
#define IPV6_FRAGMENT bpf_htons(0xfff9) /* offset, more fragments; none: an atomic fragment (RFC 6946) */

static __always_inline __be64 parse_half(__be32 first, __be32 second)
{
	return bpf_cpu_to_be64((__u64)bpf_ntohl(first) << 32 | bpf_ntohl(second));
}

static __always_inline struct address parse_mapped(__be32 ipv4)
{
	return (struct address){.half = {0, parse_half(bpf_htonl(0xffff), ipv4)}};
}

static __always_inline struct address parse_address(const struct in6_addr *ipv6)
{
	const __be32 *word = ipv6->s6_addr32;

	return (struct address){.half = {parse_half(word[0], word[1]), parse_half(word[2], word[3])}};
}

/* The length that the header says; the frame's where the field is too small for a packet not yet segmented (BIG TCP).
 */
static __always_inline __u32 parse_length(__u32 said_bytes, bool is_zero, __u32 room_bytes)
{
	return is_zero && room_bytes > 0xffff ? room_bytes : said_bytes;
}

static __always_inline bool parse_ipv4(struct cursor *cursor, __u32 room_bytes, struct ip_packet *ret)
{
	const struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 header_bytes;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return false;
	header_bytes = ip->ihl * 4;
	ret->flow.source = parse_mapped(ip->saddr);
	ret->flow.destination = parse_mapped(ip->daddr);
	ret->flow.protocol = ip->protocol;
	ret->ip_bytes = parse_length(bpf_ntohs(ip->tot_len), !ip->tot_len, room_bytes);
	ret->ttl = ip->ttl;
	ret->is_fragment = ip->frag_off & IPV4_FRAGMENT;
	cursor->offset += header_bytes - sizeof(*ip);
	return ret->ip_bytes >= header_bytes;
}

static __always_inline bool parse_is_extension(__u8 type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_DSTOPTS || type == IPPROTO_MH ||
	       type == IPPROTO_AH || type == IPPROTO_FRAGMENT;
}

/* Steps over one extension header. False: flow.protocol is the last. */
static __attribute__((noinline)) bool parse_extension(struct cursor *cursor, struct ip_packet *ret)
{
	const struct ipv6_extension *extension = cursor_take(cursor, sizeof(*extension));
	__u8 type = ret->flow.protocol;

	if (!extension)
		return false;
	ret->flow.protocol = extension->next;
	if (type == IPPROTO_FRAGMENT) {
		/* What follows the first fragment's other extension headers, the others cannot know. */
		ret->is_fragment = extension->fragment & IPV6_FRAGMENT;
		return !ret->is_fragment;
	}
	cursor->offset += extension->length * (type == IPPROTO_AH ? 4 : 8);
	return true;
}

/*
 * Steps over the extension headers of an IPv6 packet, and sets flow.protocol to what follows the last. The body is a
 * function of its own, for the loop then ends in a jump to its head: Linux 6.1 refuses one that falls through to it.
 */
static __always_inline void parse_extensions(struct cursor *cursor, struct ip_packet *ret)
{
	for (int i = 0; i < PARSE_EXTENSIONS; i++) {
		if (!parse_is_extension(ret->flow.protocol) || !parse_extension(cursor, ret))
			return;
	}
}

static __always_inline bool parse_ipv6(struct cursor *cursor, __u32 room_bytes, struct ip_packet *ret)
{
	const struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));

	if (!ip || ip->version != 6)
		return false;
	ret->flow.source = parse_address(&ip->saddr);
	ret->flow.destination = parse_address(&ip->daddr);
	ret->flow.protocol = ip->nexthdr;
	ret->ip_bytes = parse_length(sizeof(*ip) + bpf_ntohs(ip->payload_len), !ip->payload_len, room_bytes);
	ret->ttl = ip->hop_limit;
	return true;
}

static __always_inline bool parse_icmp_is_error(bool is_ipv6, __u8 type)
{
	if (is_ipv6)
		return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER_PROBLEM;
	return type == ICMP4_UNREACHABLE || type == ICMP4_SOURCE_QUENCH || type == ICMP4_REDIRECT ||
	       type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER_PROBLEM;
}

static __always_inline bool parse_icmp_is_echo(bool is_ipv6, __u8 type)
{
	if (is_ipv6)
		return type == ICMP6_ECHO_REQUEST || type == ICMP6_ECHO_REPLY;
	return type == ICMP4_ECHO_REQUEST || type == ICMP4_ECHO_REPLY;
}

static __always_inline void parse_icmp(struct cursor *cursor, struct ip_packet *ret)
{
	__u32 offset = cursor->offset;
	const struct icmp_header *icmp = cursor_take(cursor, sizeof(*icmp));

	if (!icmp)
		return;
	ret->transport_offset = offset;
	ret->is_icmp_error = parse_icmp_is_error(ret->is_ipv6, icmp->type);
	if (parse_icmp_is_echo(ret->is_ipv6, icmp->type))
		ret->flow.source_port = ret->flow.destination_port = icmp->id;
}

static __always_inline bool parse_ports(struct cursor *cursor, struct ip_packet *ret)
{
	__u32 offset = cursor->offset;
	const __be16 *port = cursor_take(cursor, 2 * sizeof(*port));

	if (!port)
		return false;
	ret->transport_offset = offset;
	ret->flow.source_port = port[0];
	ret->flow.destination_port = port[1];
	return true;
}

static __always_inline void parse_transport(struct cursor *cursor, struct ip_packet *ret)
{
	__u8 protocol = ret->flow.protocol;

	if (protocol == (ret->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		parse_icmp(cursor, ret);
	else if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP)
		parse_ports(cursor, ret);
}

/*
 * The header of an IP packet; room_bytes: what the frame has for it, PARSE_NO_ROOM_LIMIT for a quote, which is cut.
 * *ret is all zero but for is_ipv6. false: it is not sound.
 */
#define PARSE_NO_ROOM_LIMIT 0xffffffffu

static __always_inline bool parse_ip_header(struct cursor *cursor, __u32 room_bytes, struct ip_packet *ret)
{
	__u32 start = cursor->offset;

	if (!(ret->is_ipv6 ? parse_ipv6(cursor, room_bytes, ret) : parse_ipv4(cursor, room_bytes, ret)))
		return false;
	if (ret->ip_bytes > room_bytes)
		return false;
	/* Link layer padding is not payload. */
	if (ret->ip_bytes < cursor->limit - start)
		cursor->limit = start + ret->ip_bytes;
	return true;
}

/* The same, and what follows it. */
static __always_inline bool parse_ip(struct cursor *cursor, __u32 room_bytes, struct ip_packet *ret)
{
	if (!parse_ip_header(cursor, room_bytes, ret))
		return false;
	if (ret->is_ipv6)
		parse_extensions(cursor, ret);
	if (!ret->is_fragment)
		parse_transport(cursor, ret);
	return true;
}

/* What an ICMP error quotes. Rare: not worth a second copy of it all in line. */
static __attribute__((noinline)) bool parse_quote(struct cursor *cursor, struct ip_packet *ret)
{
	return parse_ip(cursor, PARSE_NO_ROOM_LIMIT, ret);
}

/* Ethernet header and VLAN tags: the ethertype of what follows, 0 if they are cut off. */
static __always_inline __be16 parse_ethernet(struct cursor *cursor)
{
	/* Two bytes each; struct ethhdr is packed, which compiles to loads of single bytes. */
	const __be16 *ethernet = cursor_take(cursor, ETH_HLEN);
	__be16 ethertype;

	if (!ethernet)
		return 0;
	ethertype = ethernet[6];
	for (int i = 0; i < PARSE_TAGS; i++) {
		const __be16 *tag;

		if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD))
			break;
		tag = cursor_take(cursor, 2 * sizeof(*tag));
		if (!tag)
			return 0;
		ethertype = tag[1];
	}
	return ethertype;
}

/*
 * What most packets are: TCP or UDP right behind an IP header right behind an Ethernet header. Short enough to be in
 * line in front of everything. True: *ret, all zero before, is as parse_packet() leaves it; else it is of no use.
 */
static __always_inline bool parse_plain(struct cursor *cursor, __u32 frame_bytes, struct packet *ret)
{
	const __be16 *ethernet = cursor_take(cursor, ETH_HLEN);

	if (!ethernet || (ethernet[6] != bpf_htons(ETH_P_IP) && ethernet[6] != bpf_htons(ETH_P_IPV6)))
		return false;
	ret->ip_offset = ETH_HLEN;
	ret->ip.is_ipv6 = ethernet[6] == bpf_htons(ETH_P_IPV6);
	if (!parse_ip_header(cursor, frame_bytes - ETH_HLEN, &ret->ip) || ret->ip.is_fragment)
		return false;
	if (ret->ip.flow.protocol != IPPROTO_TCP && ret->ip.flow.protocol != IPPROTO_UDP)
		return false;
	return parse_ports(cursor, &ret->ip);
}

/*
 * frame_bytes: all of the frame, which may go on beyond the cursor's end. *ret is all zero; holds after PARSE_OK, and
 * truncated holds always.
 */
static __always_inline enum parse_result parse_packet(struct cursor *cursor, __u32 frame_bytes, struct packet *ret)
{
	__be16 ethertype = parse_ethernet(cursor);
	enum parse_result result = PARSE_NOT_IP;

	if (ethertype == bpf_htons(ETH_P_IP) || ethertype == bpf_htons(ETH_P_IPV6)) {
		ret->ip_offset = cursor->offset;
		ret->ip.is_ipv6 = ethertype == bpf_htons(ETH_P_IPV6);
		result = parse_ip(cursor, frame_bytes - ret->ip_offset, &ret->ip) ? PARSE_OK : PARSE_MALFORMED;
	}
	if (ret->ip.is_icmp_error) {
		ret->quote.is_ipv6 = ret->ip.is_ipv6;
		ret->quotes = parse_quote(cursor, &ret->quote);
	}
	ret->truncated = cursor->truncated;
	return result;
}

/* The flow that the packet goes with. */
static __always_inline const struct flow *parse_flow(const struct packet *packet)
{
	const struct flow *flow = packet->quotes ? &packet->quote.flow : &packet->ip.flow;

	asm volatile("" : "+r"(flow)); /* else every use of it chooses anew */
	return flow;
}

#endif
