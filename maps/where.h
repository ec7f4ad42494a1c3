/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking the loaded steer_tc where it would send a packet: BPF_PROG_TEST_RUN with the five words of __sk_buff.cb set to
 * WHERE_QUESTION. The program then decides as ever, but counts nothing and sends nothing, and leaves its answer in the
 * same five words. A packet off the network that carries the same 160 bits there is not in question: cb is cleared by
 * the kernel or written by another program of this box.
 */
#ifndef MAPS_WHERE_H
#define MAPS_WHERE_H

#include <linux/types.h>

#define WHERE_QUESTION                                                                                                 \
	{                                                                                                              \
		0x61612d73, 0x74656572, 0x77686572, 0x65206973, 0x20697420                                             \
	}

enum where_verdict {
	WHERE_TUNNEL, /* detail: index in `tunnels` */
	WHERE_PASS,   /* detail: enum pass_reason */
	WHERE_DROP,   /* detail: enum drop_reason */
};

#define WHERE_PANIC  0x80000000u /* in rank: none was usable, and this one is out for HEALTH_PANIC_CAUSES alone */
#define WHERE_PINNED 0x40000000u /* in rank: the flow keeps the tunnel that it has */
#define WHERE_RANK   0x3fffffffu

struct where_answer {
	__u32 verdict;	  /* enum where_verdict */
	__u32 detail;	  /* see there */
	__u32 connection; /* index in `connections`, or NO_CONNECTION */
	__u32 flow_hash;  /* its low bits choose the row */
	__u32 rank;	  /* how many better candidates were passed over; 0: the flow's first choice; | WHERE_PANIC,
			     WHERE_PINNED */
};

_Static_assert(sizeof(struct where_answer) == 20, "the five words of __sk_buff.cb");

#endif
