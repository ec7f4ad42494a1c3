/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a key ranks the members of a connection: weighted rendezvous hashing (Thaler and Ravishankar 1998; weighted by
 * Schindelhauer and Schomaker 2005). Each (key, ordinal) draws u, uniform in (0, 1); the member with the greatest
 * weight / -log(u) comes first, which is each member with its weight's share of the keys. A member that leaves or
 * changes its weight changes the order of the others for no key.
 *
 * For BPF and C alike: integers only, no loop, no memory, one unsigned division by a number that is never 0. The same
 * on every machine, so two gateways agree. Called by rows_build() for each row, and by the packet path for the
 * connections that have no rows and for members behind a row's eighth. Knows nothing of tiers and health.
 */
#ifndef BPF_RANK_H
#define BPF_RANK_H

#include <linux/types.h>

#define RANK_LOG2_BITS	  30  /* fraction bits of rank_minus_log2() */
#define RANK_ORDINAL_MASK 63u /* MAX_MEMBERS - 1 */

/* 64 bits that look random, a different 64 for each (key, ordinal). The finalizer is splitmix64's (Steele et al. 2014).
 */
static inline __u64 rank_mix(__u32 key, __u32 ordinal)
{
	__u64 x = (((__u64)ordinal << 32) | key) + 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Zeroes above the highest one. Written out: BPF has no such instruction, and clang 14 cannot make one
 * of __builtin_clzll(). x is not 0.
 */
static inline __u32 rank_leading_zeroes(__u64 x)
{
	__u32 zeroes = 0;

	if (!(x >> 32)) {
		zeroes += 32;
		x <<= 32;
	}
	if (!(x >> 48)) {
		zeroes += 16;
		x <<= 16;
	}
	if (!(x >> 56)) {
		zeroes += 8;
		x <<= 8;
	}
	if (!(x >> 60)) {
		zeroes += 4;
		x <<= 4;
	}
	if (!(x >> 62)) {
		zeroes += 2;
		x <<= 2;
	}
	return zeroes + !(x >> 63);
}

/*
 * -log2(x / 2^64) in units of 2^-RANK_LOG2_BITS, 0..64; x is not 0.
 *
 * With x = 2^(64 - zeroes) * (1 - g/2), g in (0, 1], that is zeroes - log2(1 - g/2). The second part is g * P(g), with
 * P of degree 4 fitted at Chebyshev nodes and P(1) = 1, so that the whole is continuous. Relative error at most 2.3e-4,
 * also where x nears 2^64: that is where a small weight wins against a great one.
 */
static inline __u64 rank_minus_log2(__u64 x)
{
	__u32 zeroes = rank_leading_zeroes(x);
	__s64 g = 0x100000000ll - (__s64)((x << zeroes << 1) >> 32); /* 32 fraction bits */
	__s64 p = 48183043;

	p = ((p * g) >> 32) - 31098381;
	p = ((p * g) >> 32) + 93654078;
	p = ((p * g) >> 32) + 188298150;
	p = ((p * g) >> 32) + 774704934;
	return ((__u64)zeroes << RANK_LOG2_BITS) + (__u64)((p * g) >> 32);
}

/*
 * The member's score for this key: the greatest of a connection's members comes first. ordinal is 0..63, weight
 * 0..1023; a weight of 0 comes last. Two members never tie: the lowest six bits tell them apart, the lower ordinal
 * first.
 */
static inline __u64 rank_score(__u32 key, __u32 ordinal, __u32 weight)
{
	__u64 log = rank_minus_log2(rank_mix(key, ordinal) | 1) | 1; /* of a u that is neither 0 nor 1 */
	__u64 score = ((__u64)weight << 54) / log;

	return (score & ~(__u64)RANK_ORDINAL_MASK) | (RANK_ORDINAL_MASK - (ordinal & RANK_ORDINAL_MASK));
}

#endif
