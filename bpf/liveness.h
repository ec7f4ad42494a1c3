/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast down, slow up: from "it answers" and "it does not" to "it is used". Over struct liveness.
 *
 * Pure and inlined; runs under the session's lock. A unit that answers for the first time is used at once: nothing is
 * known against it. One that has failed waits for its hold, which doubles with each failure in close succession, up to
 * hold_max_ns, and begins anew when an answer is missed. After hold_max_ns in use its failures are forgotten.
 *
 * Nobody is told from here: who calls sets probe_dead and reports, where the answer is true.
 */
#ifndef BPF_LIVENESS_H
#define BPF_LIVENESS_H

#include <linux/stddef.h>
#include <linux/types.h>
#include <stdbool.h>

#include "../maps/sessions.h"

#define LIVENESS_DOUBLINGS 16 /* at most: 2^16 holds, if hold_max_ns lets them */

static __always_inline void liveness_init(struct liveness *liveness)
{
	__builtin_memset(liveness, 0, sizeof(*liveness));
}

/* When liveness_due is to be asked; 0: it does not wait. */
static __always_inline __u64 liveness_deadline_ns(const struct liveness *liveness)
{
	return liveness->live ? 0 : liveness->live_at_ns;
}

static __always_inline __u64 liveness_hold_ns(const struct liveness *liveness, __u64 hold_ns, __u64 hold_max_ns)
{
	__u32 doublings = liveness->flaps ? liveness->flaps - 1 : 0;
	__u64 doubled_ns;

	if (doublings > LIVENESS_DOUBLINGS)
		doublings = LIVENESS_DOUBLINGS;
	if (hold_ns >= hold_max_ns)
		return hold_max_ns;
	doubled_ns = hold_ns << doublings;
	return doubled_ns < hold_max_ns ? doubled_ns : hold_max_ns;
}

/* It does not answer. True: it was in use until now. */
static __always_inline bool liveness_down(struct liveness *liveness, __u64 now_ns, __u64 hold_max_ns)
{
	bool was_used = liveness->live;

	if (was_used) {
		if (now_ns > liveness->live_at_ns + hold_max_ns)
			liveness->flaps = 0;
		liveness->flaps++;
		liveness->dead_since_ns = now_ns;
	}
	liveness->live = 0;
	liveness->live_at_ns = 0;
	return was_used;
}

/* True: its hold is over, it is in use from now on. */
static __always_inline bool liveness_due(struct liveness *liveness, __u64 now_ns)
{
	if (liveness->live || !liveness->live_at_ns || now_ns < liveness->live_at_ns)
		return false;
	liveness->live = 1;
	liveness->was_live = 1;
	return true;
}

/* It answers: to be called with each answer. True: it is in use from now on. */
static __always_inline bool liveness_answers(struct liveness *liveness, __u64 now_ns, __u64 hold_ns, __u64 hold_max_ns)
{
	if (!liveness->live && !liveness->live_at_ns)
		liveness->live_at_ns =
			now_ns + (liveness->was_live ? liveness_hold_ns(liveness, hold_ns, hold_max_ns) : 0);
	return liveness_due(liveness, now_ns);
}

#endif
