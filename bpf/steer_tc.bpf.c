// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer_tc, at tc ingress of the inside NICs: decides for every packet, and sends it into its tunnel or to its remote
 * instance. All of the work where there is no XDP, and what steer_xdp leaves otherwise.
 * tunnel_tc, at tc ingress of the tunnels' devices: see tunnel_tc.bpf.h.
 * session_control, attached nowhere, run by the daemon: see session_control.bpf.h.
 *
 * Context: softirq. Attached by TCX links, or by clsact below Linux 6.6. What is passed goes on to whatever program or
 * filter comes next. Two generations may be attached at once while one replaces the other: the first redirects, and the
 * second never sees the packet.
 */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>

#include "choose.bpf.h"
#include "count.bpf.h"
#include "flow_pin.bpf.h"
#include "maps.bpf.h"
#include "mss_tc.bpf.h"
#include "parse.h"
#include "route.bpf.h"
#include "send_tc.bpf.h"
#include "session_control.bpf.h"
#include "size.bpf.h"
#include "too_big.bpf.h"
#include "tunnel_tc.bpf.h"
#include "where.bpf.h"

/*
 * A global function, so that the verifier looks at the parser once, and behind it at any packet there may be, instead
 * of at each combination of headers all the way.
 */
__attribute__((noinline)) int parse_linear(struct __sk_buff *skb, struct packet *packet)
{
	struct cursor cursor = cursor_over((void *)(long)skb->data, (void *)(long)skb->data_end);

	return packet ? parse_packet(&cursor, skb->len, packet) : PARSE_MALFORMED;
}

/* Headers may lie in pages behind the linear part. */
static __always_inline int parse_skb(struct __sk_buff *skb, struct packet *packet)
{
	struct cursor cursor = cursor_over((void *)(long)skb->data, (void *)(long)skb->data_end);
	int result;

	if (parse_plain(&cursor, skb->len, packet))
		return PARSE_OK;
	__builtin_memset(packet, 0, sizeof(*packet));
	result = parse_linear(skb, packet);
	if (!packet->truncated || bpf_skb_pull_data(skb, skb->len < PARSE_BYTES ? skb->len : PARSE_BYTES))
		return result;
	__builtin_memset(packet, 0, sizeof(*packet));
	return parse_linear(skb, packet);
}

/* Of a tunnel that was chosen: can this packet go there? */
static __always_inline void decide_egress(struct __sk_buff *skb, struct packet *packet, struct decision *decision)
{
	const struct egress *egress = decision->egress;
	__u32 largest_bytes = size_largest(skb, packet);

	if (path_stack) {
		if (!egress->mark)
			decide_drop(decision, DROP_no_egress);
		else if (packet->ip.ttl > 1 && too_big(skb, packet, largest_bytes, decision->mtu_bytes))
			decide_drop(decision, DROP_too_big_answered);
		return;
	}
	if (packet->ip.ttl <= 1)
		decide_pass(decision, PASS_ttl_expires);
	else if (egress->kind != EGRESS_LAYER3 && egress->kind != EGRESS_ETHERNET)
		decide_drop(decision, DROP_no_egress);
	else if (too_big(skb, packet, largest_bytes, decision->mtu_bytes))
		decide_drop(decision, DROP_too_big_answered);
	else if (size_fits(skb, largest_bytes, egress))
		return;
	else if (route_is_protected(skb, packet))
		decide_pass(decision, PASS_too_big);
	else
		decide_drop(decision, DROP_no_protected_route);
}

static __always_inline void decide(struct __sk_buff *skb, struct packet *packet, struct decision *decision)
{
	if (skb->pkt_type != PACKET_HOST) {
		decide_pass(decision, PASS_not_for_gateway);
		return;
	}
	switch (parse_skb(skb, packet)) {
	case PARSE_OK:
		break;
	case PARSE_NOT_IP:
		decide_pass(decision, PASS_not_ip);
		return;
	default:
		/* Of one that is not segmented yet the kernel forwards what says to have no length. */
		if (skb->gso_size)
			decide_drop(decision, DROP_no_protected_route);
		else
			decide_pass(decision, PASS_malformed);
		return;
	}
	if (!decision->asked)
		decision->amount = size_amount(skb, packet);
	choose(packet, 0, decision);
	if (decision->answer.verdict == WHERE_TUNNEL)
		decide_egress(skb, packet, decision);
}

static __always_inline int drop(enum drop_reason reason)
{
	count_drop(reason);
	return TC_ACT_SHOT;
}

/* Before headers move. 0 where there are none, or nobody asks. */
static __always_inline __u8 flow_tcp_flags(struct __sk_buff *skb, const struct packet *packet,
					   const struct decision *decision)
{
	__u8 flags = 0;

	if (flows_kept && decision->pins && mss_is_tcp(&packet->ip))
		bpf_skb_load_bytes(skb, packet->ip.transport_offset + FLOW_TCP_FLAGS_AT, &flags, sizeof(flags));
	return flags;
}

static __always_inline int send(struct __sk_buff *skb, const struct packet *packet, const struct decision *decision)
{
	__u8 tcp_flags = flow_tcp_flags(skb, packet, decision);
	int action;

	mss_steered(skb, packet, decision->mtu_bytes);
	if (path_stack) {
		skb->mark = decision->egress->mark;
		count_pass(PASS_to_stack);
		action = TC_ACT_UNSPEC;
	} else {
		action = send_tc(skb, packet, decision->egress);
		if (action == SEND_FAILED)
			return drop(DROP_no_egress);
	}
	decision_sent(packet, decision, tcp_flags);
	count_tx(decision->answer.detail, decision->amount, decision_panics(decision));
	return action;
}

/* What cannot be made an answer is the kernel's to answer, as if no program were there. */
static __always_inline int leave_too_big(struct __sk_buff *skb, const struct packet *packet,
					 const struct egress *egress)
{
	if (path_stack && egress)
		skb->mark = egress->mark;
	else if (!route_is_protected(skb, packet))
		return drop(DROP_no_protected_route);
	count_pass(PASS_too_big);
	return TC_ACT_UNSPEC;
}

static __always_inline int answer(struct __sk_buff *skb, struct packet *packet, const struct decision *decision)
{
	if (!too_big_has_budget())
		return drop(DROP_too_big);
	switch (too_big_answer(skb, packet, decision->mtu_bytes)) {
	case TOO_BIG_ANSWERED:
		count_drop(DROP_too_big_answered);
		return bpf_redirect(skb->ifindex, 0);
	case TOO_BIG_UNTOUCHED:
		return leave_too_big(skb, packet, decision->egress);
	default:
		return drop(DROP_too_big);
	}
}

SEC("tc")
int steer_tc(struct __sk_buff *skb)
{
	struct decision decision = {.answer.connection = NO_CONNECTION, .asked = where_is_asked(skb)};
	struct packet packet = {};

	decide(skb, &packet, &decision);
	if (decision.asked) {
		where_answer(skb, &decision.answer);
		return TC_ACT_UNSPEC;
	}
	switch (decision.answer.verdict) {
	case WHERE_TUNNEL:
		/* It has one: said for verifiers that forget verdicts on the stack (Linux 6.1). */
		if (!decision.egress)
			return drop(DROP_no_egress);
		return send(skb, &packet, &decision);
	case WHERE_DROP:
		if (decision.answer.detail == DROP_too_big_answered)
			return answer(skb, &packet, &decision);
		return drop(decision.answer.detail);
	default:
		count_pass(decision.answer.detail);
		return TC_ACT_UNSPEC;
	}
}

SEC("tc")
int tunnel_tc(struct __sk_buff *skb)
{
	return tunnel_received(skb);
}

SEC("tc")
int session_control(struct __sk_buff *skb)
{
	session_command(skb);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
