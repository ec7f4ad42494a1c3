/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Destination address -> connection: the longest prefix. Of IPv4 it is in `prefix_chunks` as a rule; else it is found
 * by way of a cache of destinations seen lately on this CPU.
 *
 * A cache's entry is valid for as long as gateway.prefix_changes stands where it stood before the lookup that filled
 * it. Only softirq reads and writes entries, which nothing else of this CPU interrupts halfway; `where` runs in a
 * process, and goes without.
 */
#ifndef BPF_PREFIX_BPF_H
#define BPF_PREFIX_BPF_H

#include "flow.h"
#include "maps.bpf.h"

static __always_inline __u32 prefix_find(const struct address *address)
{
	struct prefix_key key = {.prefix_length_bits = 8 * sizeof(key.address)};
	const struct prefix *prefix;

	__builtin_memcpy(key.address, address, sizeof(key.address));
	prefix = bpf_map_lookup_elem(&prefixes, &key);
	return prefix ? prefix->connection : NO_PREFIX;
}

/* The value that an entry filled now has in valid_at. */
static __always_inline __u32 prefix_valid_now(void)
{
	__u32 zero = 0;
	const struct gateway *now = bpf_map_lookup_elem(&gateway, &zero);

	return now ? *(volatile const __u32 *)&now->prefix_changes + 1 : 1;
}

static __always_inline struct cached_prefix *prefix_entry(const struct address *destination)
{
	__u64 mixed = (destination->half[1] + destination->half[0] * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;
	__u32 number = mixed >> 40 & (PREFIX_CACHE_ENTRIES - 1);

	return bpf_map_lookup_elem(&cached_prefixes, &number);
}

static __always_inline __u32 prefix_answer(__u32 number, __u32 byte)
{
	const struct prefix_chunk *chunk = bpf_map_lookup_elem(&prefix_chunks, &number);

	byte &= 0xff;
	asm volatile(""
		     : "+r"(byte)); /* else the bound is checked on a copy, which Linux 6.1 does not know to be one */
	return chunk && byte < 256 ? *(volatile const __u32 *)&chunk->answer[byte] : PREFIX_ASK;
}

/* As in prefix_chunks, but for PREFIX_CHUNK. */
static __always_inline __u32 prefix_of_ipv4(__u32 ipv4)
{
	__u32 answer = prefix_answer(ipv4 >> 24, ipv4 >> 16);

	return answer / PREFIX_CHUNK_LIMIT == PREFIX_CHUNK / PREFIX_CHUNK_LIMIT
		       ? prefix_answer(answer % PREFIX_CHUNK_LIMIT, ipv4 >> 8)
		       : answer;
}

/* Index of a connection, NO_CONNECTION or NO_PREFIX, by what `prefixes` says. */
static __always_inline __u32 prefix_by_length(const struct address *address, bool asked)
{
	__u32 valid_at = prefix_valid_now();
	struct cached_prefix *entry;
	__u64 *cached;

	if (!prefix_cache || asked)
		return prefix_find(address);
	entry = prefix_entry(address);
	if (!entry)
		return prefix_find(address);
	cached = (__u64 *)entry->address;
	if (cached[0] == address->half[0] && cached[1] == address->half[1] && entry->valid_at == valid_at)
		return entry->connection;
	entry->connection = prefix_find(address);
	cached[0] = address->half[0];
	cached[1] = address->half[1];
	entry->valid_at = valid_at;
	return entry->connection;
}

/* Likewise. */
static __always_inline __u32 prefix_connection(const struct address *address, bool asked)
{
	__u64 low = bpf_be64_to_cpu(address->half[1]);
	__u32 answer;

	if (address->half[0] || low >> 32 != 0xffff)
		return prefix_by_length(address, asked);
	answer = prefix_of_ipv4((__u32)low);
	if (answer == PREFIX_ASK)
		return prefix_by_length(address, asked);
	return answer < NO_PREFIX ? answer - 1 : answer;
}

#endif
