/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting. Per CPU and without atomics; a counter that is not there changes no verdict.
 */
#ifndef BPF_COUNT_BPF_H
#define BPF_COUNT_BPF_H

#include "maps.bpf.h"

/* What a packet will be on the wire: a GSO packet is many. */
struct amount {
	__u32 packets;
	__u32 bytes; /* of their IP packets */
};

static __always_inline void count_tx(__u32 tunnel, struct amount amount, bool panics)
{
	struct counters *counter = bpf_map_lookup_elem(&counters, &tunnel);

	if (!counter)
		return;
	counter->tx_packets += amount.packets;
	counter->tx_bytes += amount.bytes;
	if (panics)
		counter->panic_packets += amount.packets;
}

/* own: for the gateway itself, by a tunnel that is drained. */
static __always_inline void count_rx(__u32 tunnel, struct amount amount, bool own)
{
	struct counters *counter = bpf_map_lookup_elem(&counters, &tunnel);

	if (!counter)
		return;
	counter->rx_packets += amount.packets;
	counter->rx_bytes += amount.bytes;
	if (!own)
		counter->rx_through_packets += amount.packets;
}

/* The structs are as many words as there are reasons, in the same order (maps/reasons.h). */
static __always_inline void count_drop(__u32 reason)
{
	__u32 zero = 0;
	__u64 *reasons = bpf_map_lookup_elem(&drops, &zero);

	if (reasons && reason < DROP_REASON_COUNT)
		reasons[reason]++;
}

static __always_inline void count_pass(__u32 reason)
{
	__u32 zero = 0;
	__u64 *reasons = bpf_map_lookup_elem(&passes, &zero);

	if (reasons && reason < PASS_REASON_COUNT)
		reasons[reason]++;
}

#endif
