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
 * Map `prefix_chunks` (BPF_MAP_TYPE_ARRAY of PREFIX_CHUNKS, mapped into aa-steerd, its writer): what `prefixes` says of
 * IPv4 addresses, where one or two loads tell. The first 256 chunks are by an address's first byte, and their answers
 * by its second one; an answer may be that the third one decides, in a chunk of its own. What no 24 bits decide, and
 * what there is no chunk for, `prefixes` has to be asked. Memory of zeros asks for all.
 *
 * Each answer changes by one store, after `prefixes` has, so every packet finds what is or what was. Chunks are given
 * out and never taken back within a generation.
 */
#define PREFIX_ASK	   0u
#define PREFIX_CHUNK	   0x80000000u /* + the number of a chunk, below PREFIX_CHUNK_LIMIT */
#define PREFIX_CHUNK_LIMIT 0x01000000u

struct prefix_chunk {
	__u32 answer[256]; /* 1 + index of a connection, NO_CONNECTION, NO_PREFIX, PREFIX_ASK, or PREFIX_CHUNK + n */
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

_Static_assert(sizeof(struct prefix_chunk) == 1024, "prefix_chunk");
_Static_assert(sizeof(struct cached_prefix) == 24, "cached_prefix");
_Static_assert(sizeof(struct prefix_key) == 20, "prefix_key");
_Static_assert(sizeof(struct prefix) == 4, "prefix");

#endif
