/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `where`: tells a packet that only asks (maps/where.h), and leaves it the answer.
 */
#ifndef BPF_WHERE_BPF_H
#define BPF_WHERE_BPF_H

#include "decision.bpf.h"
#include "maps.bpf.h"

#define WHERE_WORDS 5

static __always_inline bool where_is_asked(const struct __sk_buff *skb)
{
	const __u32 question[WHERE_WORDS] = WHERE_QUESTION;

	return skb->cb[0] == question[0] && skb->cb[1] == question[1] && skb->cb[2] == question[2] &&
	       skb->cb[3] == question[3] && skb->cb[4] == question[4];
}

static __always_inline void where_answer(struct __sk_buff *skb, const struct where_answer *answer)
{
	skb->cb[0] = answer->verdict;
	skb->cb[1] = answer->detail;
	skb->cb[2] = answer->connection;
	skb->cb[3] = answer->flow_hash;
	skb->cb[4] = answer->rank;
}

#endif
