/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SHA-1 (FIPS 180-4, section 6.1.2) of a message of exactly SHA1_MESSAGE_BYTES: an authenticated BFD packet. With its
 * padding that is one block, so there is neither a context nor a second round.
 *
 * A BPF subprogram of its own: it must not be called under a lock. Its loop is bounded and walked by the verifier once
 * a step, some 5,500 instructions; the schedule rolls through 16 words since 80 would be most of a BPF stack.
 *
 * SHA-1 is what RFC 5880 prescribes; it is no choice of ours.
 */
#ifndef BPF_SHA1_H
#define BPF_SHA1_H

#include <linux/stddef.h>
#include <linux/types.h>

#define SHA1_MESSAGE_BYTES 52
#define SHA1_DIGEST_BYTES  20

static __always_inline __u32 sha1_rotate(__u32 word, __u32 bits)
{
	return word << bits | word >> (32 - bits);
}

static __always_inline __u32 sha1_get(const __u8 *bytes)
{
	return (__u32)bytes[0] << 24 | (__u32)bytes[1] << 16 | (__u32)bytes[2] << 8 | bytes[3];
}

static __always_inline void sha1_put(__u8 *bytes, __u32 word)
{
	bytes[0] = word >> 24;
	bytes[1] = word >> 16;
	bytes[2] = word >> 8;
	bytes[3] = word;
}

/* f and K of a step; b, c, d are the state's. */
static __always_inline __u32 sha1_mix(__u32 step, __u32 b, __u32 c, __u32 d)
{
	if (step < 20)
		return (d ^ (b & (c ^ d))) + 0x5a827999;
	if (step < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (step < 60)
		return ((b & c) | (d & (b | c))) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

/* `digest` may lie within `message`. */
static __attribute__((noinline, unused)) int sha1(const __u8 message[SHA1_MESSAGE_BYTES],
						  __u8 digest[SHA1_DIGEST_BYTES])
{
	__u32 a = 0x67452301, b = 0xefcdab89, c = 0x98badcfe, d = 0x10325476, e = 0xc3d2e1f0;
	__u32 schedule[16];

	for (__u32 i = 0; i < SHA1_MESSAGE_BYTES / 4; i++)
		schedule[i] = sha1_get(message + 4 * i);
	schedule[13] = 0x80000000;
	schedule[14] = 0;
	schedule[15] = 8 * SHA1_MESSAGE_BYTES;
	for (__u32 step = 0; step < 80; step++) {
		__u32 *word = &schedule[step & 15], next;

		if (step >= 16)
			*word = sha1_rotate(*word ^ schedule[(step + 2) & 15] ^ schedule[(step + 8) & 15] ^
						    schedule[(step + 13) & 15],
					    1);
		next = sha1_rotate(a, 5) + sha1_mix(step, b, c, d) + e + *word;
		e = d;
		d = c;
		c = sha1_rotate(b, 30);
		b = a;
		a = next;
	}
	sha1_put(digest, a + 0x67452301);
	sha1_put(digest + 4, b + 0xefcdab89);
	sha1_put(digest + 8, c + 0x98badcfe);
	sha1_put(digest + 12, d + 0x10325476);
	sha1_put(digest + 16, e + 0xc3d2e1f0);
	return 0;
}

#endif
