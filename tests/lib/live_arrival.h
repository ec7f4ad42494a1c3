/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What live_watch (live.bpf.c) notes of the packets that came in by a device, and live.c reads. Times are of
 * CLOCK_MONOTONIC.
 */
#ifndef TESTS_LIB_LIVE_ARRIVAL_H
#define TESTS_LIB_LIVE_ARRIVAL_H

#include <linux/types.h>

#define LIVE_STAMP_WORD 6 /* of a frame's 64-bit words: when it was sent; behind the headers of IPv4 and UDP */

struct live_arrival {
	__u64 packets;
	__u64 last_ns, last_sent_ns;
	__u64 first_ns;	     /* of the first packet after this was 0; the last field written of a packet */
	__u64 first_sent_ns; /* when that packet was sent */
};

#endif
