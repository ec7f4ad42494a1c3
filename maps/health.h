/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps `tunnel_health` (BPF_MAP_TYPE_ARRAY of MAX_TUNNELS, by tunnel index) and `instance_health` (of MAX_INSTANCES, by
 * instance index), both mapped into aa-steerd.
 *
 * Each cause is a byte with one writer, so that causes are set and cleared by plain stores and none hides another. The
 * packet path reads all eight as one word: a tunnel is usable when its word and its instance's are both zero, or set in
 * nothing but slow_start, which then says for which flows. Failing or draining an instance is one such store, whatever
 * the number of its tunnels, connections and flows.
 *
 * Both outlive the daemon and every generation of programs.
 */
#ifndef MAPS_HEALTH_H
#define MAPS_HEALTH_H

#include <linux/types.h>

/* X(field, word shown to users, writer). Order is the order in which a single reason is named. */
#define HEALTH_CAUSES(X)                                                                                               \
	X(admin_out, "administratively out", aa_steerd)                                                                \
	X(device_missing, "no such device", aa_steerd)                                                                 \
	X(link_down, "link down", aa_steerd)                                                                           \
	X(sa_missing, "no SA", aa_steerd)                                                                              \
	X(sa_expiring, "SA expires and has no successor", aa_steerd)                                                   \
	X(next_hop_missing, "next hop does not answer", aa_steerd)                                                     \
	X(probe_dead, "probe unanswered", bpf)

/*
 * X(field): causes under which a tunnel may still carry packets. When a connection has no usable tunnel, the best of
 * those that are out for these alone is taken all the same: panic.
 */
#define HEALTH_PANIC_CAUSES(X)                                                                                         \
	X(sa_expiring)                                                                                                 \
	X(probe_dead)

/* What admin_out says. */
enum admin_out {
	ADMIN_DRAINING = 1, /* new flows stay away; those that are pinned to it (flows.h) may go on */
	ADMIN_OUT = 2,	    /* nobody uses it */
};

struct health {
#define X(field, word, writer) __u8 field; /* not 0: out for this cause */
	HEALTH_CAUSES(X)
#undef X
	/*
	 * No cause: 1..255 keeps away flows whose hash's highest byte is less, for as long as another is usable; 0
	 * keeps away none. Writer: aa-steerd.
	 */
	__u8 slow_start;
} __attribute__((aligned(8)));

_Static_assert(sizeof(struct health) == 8, "health is one word");

#endif
