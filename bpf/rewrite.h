/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a forwarder changes in the headers, on a frame without VLAN tags: hop count and MAC addresses. Pure; called by
 * both steering programs after the decision. Returns false, with nothing changed, where the header is not in linear
 * memory.
 */
#ifndef BPF_REWRITE_H
#define BPF_REWRITE_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

/* The checksum grows by what the TTL loses: one in the upper byte of a word (RFC 1624). */
static __always_inline bool rewrite_ttl_ipv4(void *frame, void *end)
{
	struct iphdr *ip = frame + ETH_HLEN;
	__u32 check;

	if ((void *)(ip + 1) > end)
		return false;
	check = ip->check + bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
	return true;
}

static __always_inline bool rewrite_ttl_ipv6(void *frame, void *end)
{
	struct ipv6hdr *ip = frame + ETH_HLEN;

	if ((void *)(ip + 1) > end)
		return false;
	ip->hop_limit--;
	return true;
}

static __always_inline bool rewrite_ttl(void *frame, void *end, bool is_ipv6)
{
	return is_ipv6 ? rewrite_ttl_ipv6(frame, end) : rewrite_ttl_ipv4(frame, end);
}

/* Each address is read as one word, because aa-steerd changes it while packets pass. */
static __always_inline bool rewrite_ethernet(void *frame, void *end, const __u8 *destination, const __u8 *source,
					     bool is_ipv6)
{
	__u64 destination_word = *(volatile const __u64 *)destination, source_word = *(volatile const __u64 *)source;
	struct ethhdr *ethernet = frame;

	if ((void *)(ethernet + 1) > end)
		return false;
	__builtin_memcpy(ethernet->h_dest, &destination_word, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, &source_word, ETH_ALEN);
	ethernet->h_proto = is_ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return true;
}

#endif
