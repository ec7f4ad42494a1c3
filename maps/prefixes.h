/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Map `prefixes`: destination address -> connection. BPF_MAP_TYPE_LPM_TRIE, PREFIXES_ENTRIES. Writer: aa-steerd, before
 * the generation it belongs to is attached, and later for the addresses of the box itself and for the kernel's routes.
 */
#ifndef MAPS_PREFIXES_H
#define MAPS_PREFIXES_H

#include <linux/types.h>

#define IPV4_MAPPED_BITS 96 /* a.b.c.d/n stands as ::ffff:a.b.c.d/(96 + n) */

struct prefix_key {
	__u32 prefix_length_bits; /* 0..128, host order; 96 and more for IPv4 */
	__u8 address[16];	  /* network order; IPv4 as ::ffff:a.b.c.d */
};

struct prefix {
	__u32 connection; /* index in `connections`, whose last ones may be copies with fewer tunnels; NO_CONNECTION; or
			     NO_PREFIX: as if there were no such prefix */
};

/*
 * Map `cached_prefixes` (BPF_MAP_TYPE_PERCPU_ARRAY of PREFIX_CACHE_ENTRIES, by a hash of the address): what was looked
 * up in `prefixes` lately, since a lookup there costs more than the rest of a decision. Writer: the BPF programs.
 */
struct cached_prefix {
	__u8 address[16]; /* a whole destination address, as in prefix_key */
	__u32 connection; /* index in `connections`, NO_CONNECTION or NO_PREFIX */
	__u32 valid_at;	  /* 1 + gateway.prefix_changes before the lookup; another value: void */
} __attribute__((aligned(8)));

_Static_assert(sizeof(struct cached_prefix) == 24, "cached_prefix");
_Static_assert(sizeof(struct prefix_key) == 20, "prefix_key");
_Static_assert(sizeof(struct prefix) == 4, "prefix");

#endif
