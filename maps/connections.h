/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps `connections` and `rows`: a connection's members, and which of them a flow ranks first. Both BPF_MAP_TYPE_ARRAY,
 * sized by the configuration and mapped into aa-steerd. Writer: aa-steerd, before the generation that they belong to is
 * attached; later mtu_bytes changes, as links do, and copies are added that nothing led to before: connections through
 * some of their tunnels only, whose other members name a tunnel that is always out.
 *
 * A member's ordinal is its place in the configuration, so two gateways with the same seed and the same order agree on
 * it.
 */
#ifndef MAPS_CONNECTIONS_H
#define MAPS_CONNECTIONS_H

#include <linux/types.h>

#include "limits.h"

struct member {
	__u16 tunnel;  /* index in `tunnels` and `tunnel_health` */
	__u8 instance; /* index in `instances` and `instance_health` */
	__u8 remote;   /* 1: leaves by the instance's egress, not by the tunnel's */
};

struct member_rank {
	__u16 weight;  /* MIN_WEIGHT..MAX_WEIGHT */
	__u8 tier;     /* lower is taken first; all 0 in mode active-active */
	__u8 reserved; /* 0 */
};

/* The first cache line holds all that a connection of up to eight members needs per packet. */
struct connection {
	__u32 first_row;  /* index in `rows` of its profile's row 0, or NO_ROWS */
	__u32 row_mask;	  /* rows of its profile - 1 */
	__u32 members;	  /* 1..MAX_MEMBERS */
	__u32 mtu_bytes;  /* largest IP packet that every member's device takes, as last known; 0: none is known */
	__u64 idle_ns;	  /* sticky, symmetric: a flow silent for longer is forgotten */
	__u32 flowlet_us; /* sticky, symmetric: a flow silent for longer leaves a tunnel that is drained; 0: none does
			   */
	__u32 affinity;	  /* enum affinity */
	struct member member[MAX_MEMBERS];    /* by ordinal */
	struct member_rank rank[MAX_MEMBERS]; /* by ordinal */
	char name[NAME_BYTES];		      /* zero-terminated */
};

/* The ranked choice of the flows whose hash falls on this row. Read and written as one 64-bit word. */
struct row {
	__u8 candidate[ROW_CANDIDATES]; /* ordinals, best first, NO_CANDIDATE behind the last */
} __attribute__((aligned(8)));

_Static_assert(sizeof(struct member) == 4, "member");
_Static_assert(sizeof(struct member_rank) == 4, "member_rank");
_Static_assert(sizeof(struct connection) == 576, "connection");
_Static_assert(__builtin_offsetof(struct connection, member) == 32, "eight members share the first cache line");
_Static_assert(sizeof(struct row) == 8, "row");

#endif
