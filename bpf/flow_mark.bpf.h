/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a flow can be in `flows` at all (flow_marks, maps/flows.h): told from one word, where a lookup in a large
 * table waits for memory several times. So a flood of new flows costs little more than it does without pins.
 */
#ifndef BPF_FLOW_MARK_BPF_H
#define BPF_FLOW_MARK_BPF_H

#include "maps.bpf.h"

static __always_inline struct flow_marks *flow_marks_at(__u32 number)
{
	return bpf_map_lookup_elem(&flow_marks, &number);
}

static __always_inline struct flow_marks *flow_marks_of(__u32 flow_hash)
{
	return flow_marks_at(1 + (flow_hash & flow_mark_mask) / FLOW_MARKS);
}

/* Two bits of one word: few flows have both of another one's. */
static __always_inline __u32 flow_mark_bits(__u32 flow_hash)
{
	return 1u << (flow_hash % FLOW_MARKS) | 1u << (flow_hash >> 27);
}

/* false: it is not in `flows`, or has been silent for longer than any flow may. */
static __always_inline bool flow_may_be_known(__u32 flow_hash)
{
	const struct flow_marks *marks = flow_marks_of(flow_hash);
	__u32 bits = flow_mark_bits(flow_hash);

	return !marks || (marks->half[0] & bits) == bits || (marks->half[1] & bits) == bits;
}

/* It speaks. Atomic, once for each half: the other marks of the word are other flows', of other CPUs. */
static __always_inline void flow_mark(__u32 flow_hash)
{
	const struct flow_marks *now = flow_marks_at(0);
	struct flow_marks *marks = flow_marks_of(flow_hash);
	__u32 bits = flow_mark_bits(flow_hash);

	if (now && marks && (marks->half[now->half[0] & 1] & bits) != bits)
		__sync_fetch_and_or(&marks->half[now->half[0] & 1], bits);
}

#endif
