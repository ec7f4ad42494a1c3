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
#include "count.bpf.h"
#include "flow_pin.bpf.h"
#include "parse.h"

struct decision {
	struct where_answer answer;
	__u32 mtu_bytes;	     /* of the connection: what each of its members takes; 0: not known */
	__u64 passed_causes;	     /* of members that were passed over */
	const struct egress *egress; /* holds from WHERE_TUNNEL on */
	struct pinned pinned;	     /* where the flow is pinned */
	struct amount amount;	     /* that is to be sent; none where somebody only asks */
	__u32 instance;
	bool pins;   /* flows of this connection are pinned */
	bool remote; /* egress is the instance's, not the tunnel's */
	bool asked;  /* by `where`: it takes the trouble to find the rank of a member that no row names */
};

/* Is it sent into a tunnel for want of a usable one? */
static __always_inline bool decision_panics(const struct decision *decision)
{
	return decision->answer.rank & WHERE_PANIC;
}

/*
 * A packet is being sent as decided. What an ICMP error quotes is not the flow's packet; and in panic no tunnel is
 * better than another, so that flows are to be found afterwards as they were.
 */
static __always_inline void decision_sent(const struct packet *packet, const struct decision *decision, __u8 tcp_flags)
{
	struct flow_use use = {.amount = decision->amount,
			       .tunnel = decision->answer.detail,
			       .flow_hash = decision->answer.flow_hash,
			       .fails = decision->pinned.fails,
			       .tcp_flags = tcp_flags};

	if (!flows_kept || !decision->pins || packet->quotes || decision_panics(decision))
		return;
	if (use.fails == FLOW_NO_PIN && (use.tcp_flags & FLOW_TCP_RST || flow_is_turned_away()))
		return;
	if (use.fails != FLOW_PIN_HOLDS || use.tcp_flags & FLOW_TCP_ENDS)
		flow_sent(&packet->ip.flow, &use);
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
