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

/* The one test of usability: all causes of health.h in one word each, less those that are forgiven. */
static __always_inline bool member_usable(const struct member *member, __u64 forgiven)
{
	__u32 tunnel = member->tunnel, instance = member->instance;
	const __u64 *tunnel_causes = bpf_map_lookup_elem(&tunnel_health, &tunnel);
	const __u64 *instance_causes = bpf_map_lookup_elem(&instance_health, &instance);

	return tunnel_causes && instance_causes && !(*(volatile const __u64 *)tunnel_causes & ~forgiven) &&
	       !(*(volatile const __u64 *)instance_causes & ~forgiven);
}

#endif
