/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits and special values of the map contract.
 *
 * Read by the BPF programs, by aa-steerd and by the tools. A change to any number here, or to any struct of this
 * folder, is a new map ABI: raise MAP_ABI_VERSION in the same commit. What outlives a daemon is carried over from one
 * ABI to another by names of fields (README.md): a field that comes to mean something else gets another name.
 */
#ifndef MAPS_LIMITS_H
#define MAPS_LIMITS_H

#define MAP_ABI_VERSION 7

#define MAX_INSTANCES	 64
#define MAX_CONNECTIONS	 10000
#define MAX_MEMBERS	 64    /* tunnels of one connection */
#define MAX_TUNNELS	 65536 /* tunnels of one gateway, over all connections */
#define MAX_PREFIXES	 65536 /* configured; the box's own addresses come on top, see PREFIXES_ENTRIES */
#define MAX_INSIDE_NICS	 16
#define MAX_OUTSIDE_NICS 16
#define MAX_SESSIONS	 4096
#define MIN_FLOWS	 1024
#define MAX_FLOWS	 (1 << 26)
#define NAME_BYTES	 32 /* names in the maps, their terminating zero included */

#define MIN_WEIGHT 1
#define MAX_WEIGHT 1000

/* Rows of one profile: a power of two, chosen by the weights so that each member's share is exact to 1 %. */
#define MIN_ROWS       4096
#define MAX_ROWS       65536
#define ROW_CANDIDATES 8

#define PREFIXES_ENTRIES     (MAX_PREFIXES + 4096) /* 4,096 for the addresses and networks of the box itself */
#define PREFIX_CHUNKS	     (256 + 2048) /* by the first byte of an IPv4 address, and for as many networks of 16 bits */
#define PREFIX_CACHE_ENTRIES 4096	  /* destinations remembered, by CPU; a power of two */
#define DEVICES_ENTRIES	     (2 * MAX_TUNNELS)

#define NO_CANDIDATE  0xff	  /* a row's place that names no member */
#define NO_ROWS	      0xffffffffu /* connection.first_row: ranked packet by packet, it has no rows */
#define NO_TUNNEL     0xffffffffu
#define NO_SESSION    0xffffffffu
#define NO_CONNECTION 0xffffffffu /* a prefix that is not steered: the kernel routes it */
#define NO_PREFIX     0xfffffffeu /* a destination that no prefix holds */

/*
 * path: stack. The mark that sends a packet to a routing table of the same number, which leads to its tunnel or remote
 * instance: the base and its index. All 32 bits are written and matched.
 */
#define STACK_MARK_TUNNEL   0xaa570000u
#define STACK_MARK_INSTANCE 0xaa560000u
#define MAX_STACK_TUNNELS   256 /* of both together: the kernel walks its rules one by one */

#endif
