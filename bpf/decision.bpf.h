/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is to happen to a packet, and why; the answer to `where` as it stands. Filled step by step, acted upon at the
 * end, so that who only asks goes the whole way of a packet that is sent.
 */
#ifndef BPF_DECISION_BPF_H
#define BPF_DECISION_BPF_H

#include <linux/stddef.h>
#include <linux/types.h>
#include <stdbool.h>

#include "../maps/reasons.h"
#include "../maps/tunnels.h"
#include "../maps/where.h"

struct decision {
	struct where_answer answer;
	__u32 mtu_bytes;	     /* of the connection: what each of its members takes; 0: not known */
	const struct egress *egress; /* holds from WHERE_TUNNEL on */
	__u32 instance;
	bool remote; /* egress is the instance's, not the tunnel's */
	bool asked;  /* by `where`: it takes the trouble to find the rank of a member that no row names */
};

/* Is it sent into a tunnel for want of a usable one? */
static __always_inline bool decision_panics(const struct decision *decision)
{
	return decision->answer.rank & WHERE_PANIC;
}

static __always_inline void decide_pass(struct decision *decision, enum pass_reason reason)
{
	decision->answer.verdict = WHERE_PASS;
	decision->answer.detail = reason;
}

static __always_inline void decide_drop(struct decision *decision, enum drop_reason reason)
{
	decision->answer.verdict = WHERE_DROP;
	decision->answer.detail = reason;
}

#endif
