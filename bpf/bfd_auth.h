/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Authentication of BFD by keyed SHA-1, meticulous or not: RFC 5880, section 6.7.4.
 *
 * Pure. A packet counts when bfd_auth_check accepts it and its digest is right. The check reads what the session's lock
 * protects, and may run under it; the digest calls a subprogram, and must not. So whoever receives computes the digest
 * first, then takes the lock, checks, and gives the packet to bfd_receive, which remembers its sequence number.
 */
#ifndef BPF_BFD_AUTH_H
#define BPF_BFD_AUTH_H

#include "bfd_packet.h"
#include "sha1.h"

_Static_assert(SHA1_MESSAGE_BYTES == BFD_PACKET_MAX_BYTES, "the packet is hashed whole");
_Static_assert(SHA1_DIGEST_BYTES == BFD_DIGEST_BYTES && SESSION_KEY_BYTES == BFD_DIGEST_BYTES, "key and digest");

/* Word by word: of bytes, a BPF program would hold each in a place of its own on its small stack. */
static __always_inline void bfd_auth_copy(__u8 *to, const __u8 *from)
{
	for (int i = 0; i < BFD_DIGEST_BYTES; i += 4)
		__builtin_memcpy(__builtin_assume_aligned(to + i, 4), __builtin_assume_aligned(from + i, 4), 4);
}

/* Puts the digest into BFD_PACKET_MAX_BYTES, aligned to 4, that are otherwise as on the wire. So is the key aligned. */
static __always_inline void bfd_auth_sign(__u8 *bytes, const __u8 key[SESSION_KEY_BYTES])
{
	bfd_auth_copy(bytes + BFD_DIGEST_OFFSET, key);
	sha1(bytes, bytes + BFD_DIGEST_OFFSET);
}

/* Takes the same time wherever they differ. */
static __always_inline bool bfd_auth_digests_equal(const __u8 *one, const __u8 *other)
{
	__u32 difference = 0, one_word, other_word;

	for (int i = 0; i < BFD_DIGEST_BYTES; i += 4) {
		__builtin_memcpy(&one_word, __builtin_assume_aligned(one + i, 4), 4);
		__builtin_memcpy(&other_word, __builtin_assume_aligned(other + i, 4), 4);
		difference |= one_word ^ other_word;
	}
	return !difference;
}

/* Is the digest in BFD_PACKET_MAX_BYTES, aligned to 4, the one that the key makes? It is there afterwards. */
static __always_inline bool bfd_auth_holds(__u8 *bytes, const __u8 key[SESSION_KEY_BYTES])
{
	__u8 theirs[BFD_DIGEST_BYTES] __attribute__((aligned(4)));

	bfd_auth_copy(theirs, bytes + BFD_DIGEST_OFFSET);
	bfd_auth_sign(bytes, key);
	return bfd_auth_digests_equal(theirs, bytes + BFD_DIGEST_OFFSET);
}

/* Circular: a window of thrice the packet's multiplier from the last one accepted, without it where meticulous. */
static __always_inline bool bfd_auth_sequence_ok(const struct bfd *bfd, const struct bfd_packet *packet,
						 bool meticulous)
{
	__u32 ahead = packet->auth_sequence - bfd->rx_sequence;

	if (!bfd->rx_sequence_known)
		return true;
	return ahead <= 3u * packet->multiplier && (ahead || !meticulous);
}

/* Everything but the digest. */
static __always_inline enum probe_reject bfd_auth_check(const struct bfd *bfd, const struct bfd_packet *packet,
							const struct session_config *config)
{
	bool meticulous = config->auth_type == SESSION_AUTH_METICULOUS_SHA1;

	if (config->auth_type == SESSION_AUTH_NONE)
		return packet->auth_present ? PROBE_REJECT_auth_unexpected : PROBE_ACCEPTED;
	if (!packet->auth_present)
		return PROBE_REJECT_auth_missing;
	if (packet->auth_type != config->auth_type || packet->auth_key_id != config->auth_key_id ||
	    packet->auth_length != BFD_AUTH_SHA1_BYTES || packet->length != BFD_PACKET_MAX_BYTES)
		return PROBE_REJECT_auth_type;
	if (!bfd_auth_sequence_ok(bfd, packet, meticulous))
		return PROBE_REJECT_auth_sequence;
	return PROBE_ACCEPTED;
}

#endif
