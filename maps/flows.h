/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Map `flows`: which tunnel a flow of a sticky or symmetric connection keeps. BPF_MAP_TYPE_LRU_HASH of gateway.flows
 * entries, or of one where no connection has such an affinity. Writer: the BPF programs; aa-steerd takes out what has
 * been silent for its connection's idle time. A pin holds while it is not idle, its epoch is its tunnel's, the tunnel
 * belongs to the connection, and the tunnel carries packets.
 *
 * Map `tunnel_epochs`: BPF_MAP_TYPE_ARRAY of MAX_TUNNELS, by tunnel index, mapped into aa-steerd, its writer: to raise
 * one forgets every flow that is pinned to the tunnel, however many there are.
 *
 * Map `flow_marks`: BPF_MAP_TYPE_ARRAY of 1 + a power of two of entries, mapped into aa-steerd: marks of flow hashes,
 * in two halves. A flow that speaks marks its hash, by two bits of a word, in the half that is written now, which
 * half[0] of entry 0 names (0 or 1). At times further apart than any flow may be silent aa-steerd clears the other
 * half, and has that written from then on. So a flow with a mark in neither is in `flows` no more, or never was; one
 * with a mark may be. Writer of marks: the BPF programs.
 *
 * Map `flow_guard`: BPF_MAP_TYPE_ARRAY of one entry. Writer: the BPF programs. Each flow that is pinned anew moves the
 * time in it on by flow_interval_ns; none is pinned while it is further ahead than flow_burst_ns. So a flood of new
 * flows cannot put out of the table what has spoken within the idle time.
 *
 * Map `flow_counts`: BPF_MAP_TYPE_PERCPU_ARRAY of one entry. Writer: the BPF programs.
 */
#ifndef MAPS_FLOWS_H
#define MAPS_FLOWS_H

#include <linux/types.h>

#include "limits.h"

enum affinity {
	AFFINITY_HASH,	    /* no state */
	AFFINITY_STICKY,    /* pinned to the tunnel it was given first */
	AFFINITY_SYMMETRIC, /* and to the one that the peer sends it by */
};

/* As it leaves: what is inside is the source. IPv4 as ::ffff:a.b.c.d; ports are zero where the flow has none. */
struct flow_key {
	__u8 inside_address[16];
	__u8 remote_address[16];
	__be16 inside_port; /* both: the id of an ICMP echo */
	__be16 remote_port;
	__u8 protocol; /* IPPROTO_ */
	__u8 reserved[3];
};

/* X(name, sentence): how a flow came to its tunnel. */
#define FLOW_CAUSES(X)                                                                                                 \
	X(new, "chosen when the flow began")                                                                           \
	X(failure, "its tunnel before cannot carry it")                                                                \
	X(drain, "it paused while its tunnel before was drained")                                                      \
	X(peer, "the peer sends it by this tunnel")

enum flow_cause {
#define X(name, sentence) FLOW_##name,
	FLOW_CAUSES(X)
#undef X
		FLOW_CAUSE_COUNT
};

/* struct flow_pin.ends */
#define FLOW_ENDS_INSIDE 1 /* FIN from inside */
#define FLOW_ENDS_REMOTE 2 /* FIN from the peer */
#define FLOW_ENDS_BOTH	 3

struct flow_pin {
	__u64 seen_ns;	  /* monotonic: its latest packet; of a symmetric one, in either direction */
	__u64 pinned_ns;  /* monotonic: when it came to this tunnel */
	__u64 tx_packets; /* steered since it began */
	__u64 tx_bytes;
	__u32 epoch;  /* of the tunnel, when it came */
	__u16 tunnel; /* index in `tunnels` */
	__u8 cause;   /* enum flow_cause */
	__u8 ends;    /* FLOW_ENDS_ */
};

/* A flow that both ends have ended is forgotten after this long, not after the idle time. */
#define FLOW_ENDED_NS 2000000000ull

/*
 * What moved a flow here is not undone by what the peer sent before it noticed: its packets by another tunnel teach
 * nothing for this long.
 */
#define FLOW_SETTLE_NS 200000000ull

#define FLOW_MARKS	    32 /* bits of a half of an entry */
#define FLOW_MARKS_PER_FLOW 8  /* bits that there are in each half, at least */

struct flow_marks {
	__u32 half[2];
};

struct tunnel_epoch {
	__u32 epoch; /* what the pins of its flows have */
	__u32 reserved;
};

struct flow_counts {
	__u64 pinned;	/* flows that were given a tunnel */
	__u64 unpinned; /* packets of flows that were not, for there were too many new ones: steered by their hash */
	__u64 moved_failure; /* flows, by cause, that left a tunnel for another one */
	__u64 moved_drain;
	__u64 moved_peer;
	__u64 reset; /* flows forgotten for an RST */
};

_Static_assert(sizeof(struct flow_key) == 40, "flow_key");
_Static_assert(sizeof(struct flow_marks) == 8, "flow_marks");
_Static_assert(sizeof(struct tunnel_epoch) == 8, "tunnel_epoch");
_Static_assert(sizeof(struct flow_pin) == 40, "flow_pin");
_Static_assert(sizeof(struct flow_counts) == 48, "flow_counts");

#endif
