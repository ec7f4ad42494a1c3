/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a flow is: the parser's result and the hash's argument. Types only.
 */
#ifndef BPF_FLOW_H
#define BPF_FLOW_H

#include <linux/types.h>

/*
 * IPv4 as ::ffff:a.b.c.d, so that nothing behind the parser knows two families. Written and read by halves: a load of
 * what two narrower stores have just written waits until both are in the cache.
 */
struct address {
	union {
		__be32 word[4];
		__be64 half[2];
	};
};

/*
 * The five-tuple of TCP, UDP and SCTP. Both ports are the id of an ICMP echo, and zero where the flow is
 * (source, destination, protocol) only: other protocols, fragments, transport headers that are cut off.
 */
struct flow {
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol; /* IPPROTO_ */
	__u8 reserved[3];
};

#endif
