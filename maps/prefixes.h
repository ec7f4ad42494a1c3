/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Map `prefixes`: destination address -> connection. BPF_MAP_TYPE_LPM_TRIE, PREFIXES_ENTRIES. Writer: aa-steerd, before
 * the generation it belongs to is attached, and later for the addresses of the box itself.
 */
#ifndef MAPS_PREFIXES_H
#define MAPS_PREFIXES_H

#include <linux/types.h>

#define IPV4_MAPPED_BITS 96 /* a.b.c.d/n stands as ::ffff:a.b.c.d/(96 + n) */

struct prefix_key {
	__u32 prefix_length_bits; /* 0..128, host order; 96 and more for IPv4 */
	__u8 address[16];         /* network order; IPv4 as ::ffff:a.b.c.d */
};

struct prefix {
	__u32 connection; /* index in `connections`, or NO_CONNECTION */
};

_Static_assert(sizeof(struct prefix_key) == 20, "prefix_key");
_Static_assert(sizeof(struct prefix) == 4, "prefix");

#endif
