/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow hash: keyed by hash-seed, the same for both directions of a flow, the same on every machine.
 *
 * Pure; called by the choice of a tunnel (softirq), by `predict` and by tests. Not a cryptographic hash: who knows the
 * seed can aim flows at one tunnel, which one large flow does as well.
 *
 * Each endpoint (address, port) is mixed on its own, and the two results are added: addition does not care for order,
 * and unlike exclusive or it does not cancel out a flow whose endpoints are equal.
 */
#ifndef BPF_FLOW_HASH_H
#define BPF_FLOW_HASH_H

#include <linux/stddef.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>

#include "flow.h"

/* Odd constants without structure: the fractional bits of pi, e, and the square roots of 2, 3 and 5. */
#define FLOW_HASH_HIGH	   0x243f6a8885a308d3ull
#define FLOW_HASH_PORT	   0xb7e151628aed2a6bull
#define FLOW_HASH_FIRST	   0x6a09e667f3bcc909ull
#define FLOW_HASH_SECOND   0xbb67ae8584caa73bull
#define FLOW_HASH_PROTOCOL 0x3c6ef372fe94f82bull

static __always_inline __u64 flow_hash_mix(__u64 value)
{
	value ^= value >> 32;
	value *= FLOW_HASH_FIRST;
	value ^= value >> 29;
	value *= FLOW_HASH_SECOND;
	return value ^ value >> 32;
}

static __always_inline __u64 flow_hash_endpoint(const struct address *address, __be16 port, __u64 seed)
{
	__u64 high = bpf_be64_to_cpu(address->half[0]), low = bpf_be64_to_cpu(address->half[1]);

	return flow_hash_mix((low ^ seed) + high * FLOW_HASH_HIGH + bpf_ntohs(port) * FLOW_HASH_PORT);
}

static __always_inline __u32 flow_hash(const struct flow *flow, __u64 seed)
{
	__u64 both = flow_hash_endpoint(&flow->source, flow->source_port, seed) +
		     flow_hash_endpoint(&flow->destination, flow->destination_port, seed);

	return (__u32)flow_hash_mix(both + flow->protocol * FLOW_HASH_PROTOCOL);
}

#endif
