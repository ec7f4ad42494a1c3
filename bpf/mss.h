/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a SYN promises to take in one segment (the MSS option, RFC 9293, section 3.7.1): where it stands, and what it is
 * lowered to. Pure; compiled into the BPF programs, into unit tests and into the fuzzer. Called for SYN and SYN-ACK
 * alone; for all others, mss_may_be_syn() is all that it costs.
 *
 * A segment without the option is left as it is: 536 or 1,220 bytes, which its absence means, fit any tunnel.
 */
#ifndef BPF_MSS_H
#define BPF_MSS_H

#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

#include "parse.h"

#define MSS_TCP_BYTES	  20 /* TCP's header without options */
#define MSS_OPTIONS_BYTES 40 /* at most */
#define MSS_LENGTH_AT	  12 /* in TCP's header: its length in words, in the upper half of this byte */
#define MSS_FLAGS_AT	  13
#define MSS_CHECKSUM_AT	  16
#define MSS_FLAG_SYN	  0x02

#define MSS_KIND_END	 0
#define MSS_KIND_NOTHING 1
#define MSS_KIND_MSS	 2
#define MSS_OPTION_BYTES 4 /* kind, length, value */

#define MSS_IPV4_HEADERS   40 /* IP's and TCP's, without options: what a promise leaves out of account (RFC 6691) */
#define MSS_IPV6_HEADERS   60
#define MSS_IPV4_MTU_LEAST 68	/* RFC 791 */
#define MSS_IPV6_MTU_LEAST 1280 /* RFC 8200, section 5 */

/* What fits an MTU; 0: it is none. */
static __always_inline __u32 mss_of(__u32 mtu_bytes, bool is_ipv6)
{
	if (mtu_bytes < MSS_IPV4_MTU_LEAST)
		return 0;
	if (!is_ipv6)
		return mtu_bytes - MSS_IPV4_HEADERS;
	return (mtu_bytes < MSS_IPV6_MTU_LEAST ? MSS_IPV6_MTU_LEAST : mtu_bytes) - MSS_IPV6_HEADERS;
}

/* Has it TCP's header, whose place is known? */
static __always_inline bool mss_is_tcp(const struct ip_packet *ip)
{
	return ip->flow.protocol == IPPROTO_TCP && ip->transport_offset;
}

/* The cursor at TCP's header: is it a SYN, or can that not be seen in linear memory? */
static __always_inline bool mss_may_be_syn(struct cursor cursor)
{
	__u32 offset = cursor.offset;
	const __u8 *flags;

	/* Else this bound and the caller's become one, checked on a copy, which Linux 6.1 does not know to be one. */
	asm volatile("" : "+r"(offset));
	if (offset > PARSE_BYTES)
		return false;
	asm volatile("" : "+r"(offset));
	cursor.offset = offset + MSS_FLAGS_AT;
	flags = cursor_take(&cursor, 1);
	return flags ? *flags & MSS_FLAG_SYN : cursor.truncated;
}

/* How many bytes of options TCP's header has; 0 where the MSS option has no room in them. */
static __always_inline __u32 mss_options_bytes(const __u8 tcp[MSS_TCP_BYTES])
{
	__u32 bytes = (tcp[MSS_LENGTH_AT] >> 4) * 4;

	return bytes >= MSS_TCP_BYTES + MSS_OPTION_BYTES ? bytes - MSS_TCP_BYTES : 0;
}

/*
 * Where in the options the value of the MSS option stands; 0: nowhere. Goes by places rather than by options, so that
 * each place is a constant where the loop is unrolled, and what the verifier walks through grows with their number
 * alone. An option that ends behind the last byte is none, nor is what follows one whose length cannot be.
 */
static __always_inline __u32 mss_find(const __u8 options[MSS_OPTIONS_BYTES], __u32 count)
{
	__u32 skip = 0; /* bytes that are left of an option */

	for (__u32 at = 0; at + MSS_OPTION_BYTES <= MSS_OPTIONS_BYTES && at + MSS_OPTION_BYTES <= count; at++) {
		__u8 kind = options[at], length = options[at + 1];

		if (skip) {
			skip--;
			continue;
		}
		if (kind == MSS_KIND_END)
			return 0;
		if (kind == MSS_KIND_NOTHING)
			continue;
		if (kind == MSS_KIND_MSS && length == MSS_OPTION_BYTES)
			return at + 2;
		if (length < 2)
			return 0;
		skip = length - 1;
	}
	return 0;
}

struct mss_change {
	__u32 place; /* in the options; 0: nothing is to change */
	__be16 before, after;
};

/* options: zero behind the count. */
static __always_inline struct mss_change mss_lower(const __u8 options[MSS_OPTIONS_BYTES], __u32 count, __u32 mss_bytes)
{
	struct mss_change change = {.place = mss_find(options, count)};

	if (!change.place)
		return change;
	__builtin_memcpy(&change.before, options + change.place, sizeof(change.before));
	change.after = bpf_htons(mss_bytes);
	if (!mss_bytes || bpf_ntohs(change.before) <= mss_bytes)
		change.place = 0;
	return change;
}

/* A value as the checksum sums it, by words that begin at even places. */
static __always_inline __be16 mss_word(const struct mss_change *change, __be16 value)
{
	return change->place & 1 ? __builtin_bswap16(value) : value;
}

/* RFC 1624, equation 3. */
static __always_inline __u16 mss_checksum(__u16 checksum, const struct mss_change *change)
{
	__u32 sum = (__u16)~checksum + (__u16)~mss_word(change, change->before) + mss_word(change, change->after);

	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

#endif
