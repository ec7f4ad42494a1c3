/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a member of a connection carries packets now (maps/health.h).
 */
#ifndef BPF_USABLE_BPF_H
#define BPF_USABLE_BPF_H

#include "maps.bpf.h"

/* The causes that are forgiven in panic, as a word of health. */
static __always_inline __u64 panic_causes(void)
{
	union {
		struct health health;
		__u64 word;
	} causes = {.word = 0};

#define X(field) causes.health.field = 0xff;
	HEALTH_PANIC_CAUSES(X)
#undef X
	return causes.word;
}

/* The cause that a flow which is there already does not mind. */
static __always_inline __u64 draining_cause(void)
{
	union {
		struct health health;
		__u64 word;
	} causes = {.word = 0};

	causes.health.admin_out = ADMIN_DRAINING;
	return causes.word;
}

/* What slow start sets in a word of health. */
static __always_inline __u64 slow_start_word(void)
{
	union {
		struct health health;
		__u64 word;
	} all = {.health = {.slow_start = 0xff}};

	return all.word;
}

/* What speaks against a member: all causes of health.h in one word, its tunnel's and its instance's, less those that
 * are forgiven. */
static __always_inline __u64 member_causes(const struct member *member, __u64 forgiven)
{
	__u32 tunnel = member->tunnel, instance = member->instance;
	const __u64 *tunnel_causes = bpf_map_lookup_elem(&tunnel_health, &tunnel);
	const __u64 *instance_causes = bpf_map_lookup_elem(&instance_health, &instance);

	if (!tunnel_causes || !instance_causes)
		return ~slow_start_word();
	return (*(volatile const __u64 *)tunnel_causes | *(volatile const __u64 *)instance_causes) & ~forgiven;
}

/* The one test of usability. Who starts slowly is usable for some flows: choose_otherwise() looks for which. */
static __always_inline bool member_usable(const struct member *member, __u64 forgiven)
{
	return !member_causes(member, forgiven);
}

/* Does slow start let this flow in? */
static __always_inline bool slow_start_admits(const struct member *member, __u32 hash)
{
	__u32 tunnel = member->tunnel, instance = member->instance;
	const struct health *of_tunnel = bpf_map_lookup_elem(&tunnel_health, &tunnel);
	const struct health *of_instance = bpf_map_lookup_elem(&instance_health, &instance);

	return of_tunnel && of_instance && hash >> 24 >= of_tunnel->slow_start && hash >> 24 >= of_instance->slow_start;
}

#endif
