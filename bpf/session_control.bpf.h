/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands to a session, by BPF_PROG_TEST_RUN from aa-steerd (maps/sessions.h). Sending is one of them: the daemon's
 * thread says when, and here is decided whether, what, and when next; so that timing, Poll and Final, and the numbers
 * of authentication have one owner, whoever makes a packet leave.
 *
 * Context: the daemon's threads, in their network namespace; the test run's packet becomes the probe.
 */
#ifndef BPF_SESSION_CONTROL_BPF_H
#define BPF_SESSION_CONTROL_BPF_H

#include "probe_packet.bpf.h"
#include "session.bpf.h"

#define SESSION_EBUSY  16
#define SESSION_ENOENT 2
#define SESSION_ENODEV 19
#define SESSION_NOSYS  38

static __always_inline __u32 session_interval_us(const struct session_config *config)
{
	return config->interval_ns / 1000;
}

static __always_inline long session_start(const struct session_refs *refs, bool in_use)
{
	const struct session_config *config = refs->config;
	__u32 sequence = bpf_get_prandom_u32();
	struct session *state = refs->state;
	long err = bpf_timer_init(&refs->timer->timer, &session_timers, SESSION_CLOCK);

	if (!err || err == -SESSION_EBUSY)
		err = bpf_timer_set_callback(&refs->timer->timer, session_timer_fired);
	if (err)
		return err;
	bpf_spin_lock(&state->lock);
	state->grants = 0;
	state->deadline_ns = state->timer_due_ns = 0;
	state->sent_ns = state->send_at_ns = state->answered_ns = state->silent_from_ns = 0;
	state->rtt_ns = state->gap_max_ns = state->blind_ns = 0;
	state->tx_at_answer_packets = 0;
	state->sent_packets = state->answered_packets = state->replied_packets = 0;
	bfd_init(&state->bfd, config->discriminator, config->multiplier, session_interval_us(config), sequence);
	__builtin_memset(&state->echo, 0, sizeof(state->echo));
	liveness_init(&state->liveness);
	state->liveness.live = state->liveness.was_live = in_use;
	*(volatile __u8 *)refs->probe_dead = !in_use;
	bpf_spin_unlock(&state->lock);
	return 0;
}

static __always_inline long session_retime(const struct session_refs *refs)
{
	const struct session_config *config = refs->config;
	struct session *state = refs->state;

	bpf_spin_lock(&state->lock);
	bfd_retime(&state->bfd, config->multiplier, session_interval_us(config));
	state->send_at_ns = 0;
	bpf_spin_unlock(&state->lock);
	return 0;
}

/* Of an earlier generation of programs, or of a daemon that died before it said SESSION_START. */
static __always_inline long session_adopt(const struct session_refs *refs)
{
	struct session_outcome outcome = {.news = SESSION_NEWS_COUNT};
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 now_ns = bpf_ktime_get_ns();
	struct session *state = refs->state;
	long err = bpf_timer_set_callback(&refs->timer->timer, session_timer_fired);

	if (err)
		return err;
	bpf_spin_lock(&state->lock);
	state->timer_due_ns = 0;
	/* An earlier generation may have had another map of health (loader/datapath_state.h), and told that one. */
	*(volatile __u8 *)refs->probe_dead = !state->liveness.live;
	session_arm(state, now_ns, cpu, &outcome);
	bpf_spin_unlock(&state->lock);
	session_act(refs, &outcome, now_ns);
	return 0;
}

static __always_inline long session_stop(const struct session_refs *refs)
{
	struct session *state = refs->state;

	bpf_spin_lock(&state->lock);
	state->deadline_ns = state->timer_due_ns = 0;
	*(volatile __u8 *)refs->probe_dead = 0;
	bpf_spin_unlock(&state->lock);
	bpf_timer_cancel(&refs->timer->timer);
	return 0;
}

static __always_inline long session_leave(const struct session_refs *refs)
{
	struct session *state = refs->state;

	bpf_spin_lock(&state->lock);
	bfd_leave(&state->bfd);
	state->deadline_ns = 0;
	state->send_at_ns = 0;
	bpf_spin_unlock(&state->lock);
	return 0;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

/* What the lock's holder decided to send. */
struct session_due {
	bool is_due;
	__u16 sequence; /* ICMP */
	__u64 wait_ns;	/* until the next one */
	struct bfd_packet packet;
};

static __always_inline void session_sent(struct session *state, __u64 now_ns, __u64 gap_ns)
{
	state->sent_ns = now_ns;
	state->sent_packets++;
	state->send_at_ns = now_ns + gap_ns;
}

static __always_inline void session_due_bfd(const struct session_refs *refs, __u64 now_ns, __u32 random,
					    struct session_due *due)
{
	struct session *state = refs->state;

	if (!bfd_transmit_us(&state->bfd))
		return;
	if (now_ns >= state->send_at_ns) {
		due->is_due = true;
		bfd_make(&state->bfd, refs->config, false, &due->packet);
		session_sent(state, now_ns, bfd_transmit_gap_ns(&state->bfd, random));
	}
	due->wait_ns = state->send_at_ns - now_ns;
}

/* A sender that slept through a whole detection time leaves the session blind for so long. */
static __always_inline void session_due_echo(const struct session_refs *refs, __u64 now_ns, __u32 cpu,
					     struct session_due *due, struct session_outcome *outcome)
{
	const struct session_config *config = refs->config;
	struct session *state = refs->state;
	__u64 interval_ns = config->interval_ns, asleep_ns = state->sent_ns ? now_ns - state->sent_ns : 0;

	if (now_ns >= state->send_at_ns) {
		__u64 kept_pace_ns = state->send_at_ns + interval_ns;

		if (asleep_ns > interval_ns * config->multiplier) {
			state->blind_ns += asleep_ns;
			outcome->news = SESSION_NEWS_blind;
			outcome->silence_ns = asleep_ns;
			if (state->silent_from_ns)
				state->silent_from_ns = now_ns;
		}
		due->is_due = true;
		due->sequence = echo_request(&state->echo, now_ns, config->multiplier);
		session_sent(state, now_ns, kept_pace_ns > now_ns ? kept_pace_ns - now_ns : interval_ns);
		if (state->echo.missed_ns == now_ns) {
			state->deadline_ns = echo_deadline_ns(&state->echo, interval_ns);
			session_arm(state, now_ns, cpu, outcome);
		}
	}
	due->wait_ns = state->send_at_ns - now_ns;
}

static __always_inline long session_emit(struct __sk_buff *skb, const struct session_config *config,
					 const struct probe *probe)
{
	const struct egress *egress = session_egress(config);
	__u32 ip_bytes = probe_ip_bytes(config);

	if (!egress || egress->kind == EGRESS_NONE)
		return -SESSION_ENODEV;
	if (bpf_skb_change_tail(skb, ETH_HLEN + ip_bytes + probe->count, 0))
		return -SESSION_EINVAL;
	if (egress->kind == EGRESS_ETHERNET && (bpf_skb_store_bytes(skb, 0, egress->next_hop_mac, ETH_ALEN, 0) ||
						bpf_skb_store_bytes(skb, ETH_ALEN, egress->source_mac, ETH_ALEN, 0)))
		return -SESSION_EINVAL;
	if (!probe_store_ip(skb, ETH_HLEN, config, probe) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + ip_bytes, probe->bytes, PROBE_HEADER_BYTES, 0) ||
	    !probe_store_payload(skb, ETH_HLEN + ip_bytes + PROBE_HEADER_BYTES, probe))
		return -SESSION_EINVAL;
	return bpf_clone_redirect(skb, config->ifindex, 0);
}

static __always_inline long session_send(struct __sk_buff *skb, const struct session_refs *refs, __u64 *ret_wait_ns)
{
	struct session_outcome outcome = {.news = SESSION_NEWS_COUNT};
	__u32 cpu = bpf_get_smp_processor_id(), random = bpf_get_prandom_u32();
	const struct session_config *config = refs->config;
	struct session *state = refs->state;
	__u64 now_ns = bpf_ktime_get_ns();
	struct session_due due = {};
	struct probe probe = {};

	if (!config->ifindex)
		return 0;
	bpf_spin_lock(&state->lock);
	if (config->kind == SESSION_BFD)
		session_due_bfd(refs, now_ns, random, &due);
	else
		session_due_echo(refs, now_ns, cpu, &due, &outcome);
	bpf_spin_unlock(&state->lock);
	session_act(refs, &outcome, now_ns);
	*ret_wait_ns = due.wait_ns;
	if (!due.is_due)
		return 0;
	if (config->kind == SESSION_BFD) {
		probe_bfd(config, &due.packet, &probe);
		probe_bfd_sign(config, &probe);
		probe_udp_checksum(config, &probe);
	} else {
		probe_echo(config, due.sequence, now_ns, &probe);
	}
	return session_emit(skb, config, &probe);
}

static __always_inline void session_command(struct __sk_buff *skb)
{
	__u32 number = skb->cb[0], command = skb->cb[1];
	struct session_refs refs = {};
	__u64 wait_ns = 0;
	long result;

	if (!session_find(number, &refs) || refs.config->kind == SESSION_NONE) {
		skb->cb[2] = -SESSION_ENOENT;
		return;
	}
	switch (command) {
	case SESSION_START:
	case SESSION_JOIN:
		result = session_start(&refs, command == SESSION_JOIN);
		break;
	case SESSION_RETIME:
		result = session_retime(&refs);
		break;
	case SESSION_ADOPT:
		result = session_adopt(&refs);
		break;
	case SESSION_STOP:
		result = session_stop(&refs);
		break;
	case SESSION_LEAVE:
		result = session_leave(&refs);
		break;
	case SESSION_SEND:
		result = session_send(skb, &refs, &wait_ns);
		break;
	default:
		result = -SESSION_NOSYS;
	}
	skb->cb[2] = result;
	skb->cb[3] = wait_ns;
	skb->cb[4] = wait_ns >> 32;
}

#endif
