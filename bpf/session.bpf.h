/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session's life in the kernel: what an answer, a silence and a command do to it, and to its unit's health.
 *
 * Everything that changes a session happens under its lock, where no helper may be called: so a function that is called
 * with the lock held notes in struct session_outcome what is to follow, and session_act() does it once the lock is
 * gone. The one exception is the failover itself, the store of probe_dead: made under the lock, so that of a failure
 * and a return on two CPUs the later one stands.
 *
 * The detection timer is lazy: an answer moves deadline_ns alone, and the timer, when it calls back too early, sleeps
 * for the rest. It is started on the CPU where answers come in (where the kernel can: Linux 6.7), since there its
 * softirq comes behind that of reception: an answer that is already here is never overtaken by its own deadline.
 *
 * Context: softirq (answers, timer) and BPF_PROG_TEST_RUN (commands). Called by probe.bpf.h and session_control.bpf.h.
 */
#ifndef BPF_SESSION_BPF_H
#define BPF_SESSION_BPF_H

#include "bfd.h"
#include "echo.h"
#include "liveness.h"
#include "maps.bpf.h"

#define SESSION_CLOCK	   1 /* CLOCK_MONOTONIC, what bpf_ktime_get_ns() tells */
#define SESSION_PIN	   2 /* BPF_F_TIMER_CPU_PIN */
#define SESSION_EINVAL	   22
#define SESSION_GRANTS_MAX 4
#define SESSION_CPUS_MAX   4096

struct session_refs {
	__u32 number;
	struct session *state;
	struct session_timer *timer;
	const struct session_config *config;
	__u8 *probe_dead; /* of its unit's health */
};

/* What follows from one look at a session. */
struct session_outcome {
	__u32 news;   /* SESSION_NEWS_COUNT: none */
	__u64 arm_ns; /* start the timer for this long; 0: leave it as it is */
	__u64 silence_ns;
	__u64 tx_at_answer_packets;
};

static __always_inline bool session_find(__u32 number, struct session_refs *refs)
{
	const struct session_config *config = bpf_map_lookup_elem(&session_configs, &number);
	struct health *health;
	__u32 unit;

	refs->number = number;
	refs->config = config;
	refs->state = bpf_map_lookup_elem(&sessions, &number);
	refs->timer = bpf_map_lookup_elem(&session_timers, &number);
	if (!config || !refs->state || !refs->timer)
		return false;
	unit = config->unit;
	if (config->unit_kind == SESSION_OF_INSTANCE)
		health = bpf_map_lookup_elem(&instance_health, &unit);
	else
		health = bpf_map_lookup_elem(&tunnel_health, &unit);
	if (!health)
		return false;
	refs->probe_dead = &health->probe_dead;
	return true;
}

/* The unit's way out, which is the way to its peer. */
static __always_inline const struct egress *session_egress(const struct session_config *config)
{
	__u32 unit = config->unit;

	if (config->unit_kind == SESSION_OF_INSTANCE) {
		const struct instance *instance = bpf_map_lookup_elem(&instances, &unit);

		asm volatile("" : "+r"(instance));
		return instance ? &instance->egress : NULL;
	}
	const struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &unit);

	return tunnel ? &tunnel->egress : NULL;
}

struct session_sum {
	__u32 tunnel;
	__u64 packets;
};

static long session_add_cpu(__u32 cpu, void *context)
{
	struct session_sum *sum = context;
	const struct counters *counter = bpf_map_lookup_percpu_elem(&counters, &sum->tunnel, cpu);

	if (!counter)
		return 1; /* there are no more CPUs */
	sum->packets += counter->tx_packets;
	return 0;
}

/* Packets steered into the unit so far; what an instance is given is not counted apart. */
static __always_inline __u64 session_tx_packets(const struct session_config *config)
{
	struct session_sum sum = {.tunnel = config->unit};

	if (config->unit_kind == SESSION_OF_TUNNEL)
		bpf_loop(SESSION_CPUS_MAX, session_add_cpu, &sum, 0);
	return sum.packets;
}

static __always_inline void session_tell(const struct session_refs *refs, const struct session_outcome *outcome,
					 __u64 now_ns)
{
	bool fell = outcome->news == SESSION_NEWS_silent || outcome->news == SESSION_NEWS_peer_down;
	__u64 packets = fell ? session_tx_packets(refs->config) : 0;
	struct session_event *event = bpf_ringbuf_reserve(&session_events, sizeof(*event), 0);

	if (!event)
		return;
	event->time_ns = now_ns;
	event->session = refs->number;
	event->news = outcome->news;
	event->silence_ns = outcome->silence_ns;
	event->lost_packets = packets > outcome->tx_at_answer_packets ? packets - outcome->tx_at_answer_packets : 0;
	event->discriminator = refs->config->discriminator;
	event->reserved = 0;
	bpf_ringbuf_submit(event, 0);
}

/* After the lock: the timer first, since all else can wait. */
static __always_inline void session_act(const struct session_refs *refs, const struct session_outcome *outcome,
					__u64 now_ns)
{
	if (outcome->arm_ns && bpf_timer_start(&refs->timer->timer, outcome->arm_ns, SESSION_PIN) == -SESSION_EINVAL)
		bpf_timer_start(&refs->timer->timer, outcome->arm_ns, 0);
	if (outcome->news < SESSION_NEWS_COUNT)
		session_tell(refs, outcome, now_ns);
}

/* --- with the lock held ------------------------------------------------------------------------------------------- */

/* The deadline stands or moved: is the timer to be started? Not where it will call back in time, here. */
static __always_inline void session_arm(struct session *state, __u64 now_ns, __u32 cpu, struct session_outcome *outcome)
{
	if (!state->deadline_ns)
		return;
	if (state->timer_due_ns && state->timer_due_ns <= state->deadline_ns && state->timer_cpu == cpu)
		return;
	state->timer_due_ns = state->deadline_ns;
	state->timer_cpu = cpu;
	outcome->arm_ns = state->deadline_ns > now_ns ? state->deadline_ns - now_ns : 1;
}

/* The failover. */
static __always_inline void session_fail(const struct session_refs *refs, __u32 news, __u64 now_ns,
					 struct session_outcome *outcome)
{
	struct session *state = refs->state;

	if (!liveness_down(&state->liveness, now_ns, refs->config->hold_max_ns))
		return;
	*(volatile __u8 *)refs->probe_dead = 1;
	outcome->news = news;
	outcome->silence_ns = state->silent_from_ns ? now_ns - state->silent_from_ns : 0;
	outcome->tx_at_answer_packets = state->tx_at_answer_packets;
}

/* One more good answer, while the protocol says that the peer hears us. */
static __always_inline void session_answers(const struct session_refs *refs, __u64 now_ns,
					    struct session_outcome *outcome)
{
	struct liveness *liveness = &refs->state->liveness;
	bool waited = liveness->live_at_ns != 0;

	if (liveness_answers(liveness, now_ns, refs->config->hold_ns, refs->config->hold_max_ns)) {
		*(volatile __u8 *)refs->probe_dead = 0;
		outcome->news = SESSION_NEWS_live;
	} else if (!liveness->live && !waited) {
		outcome->news = SESSION_NEWS_holding;
	}
}

static __always_inline void session_measure(struct session *state, __u64 now_ns, __u64 tx_packets)
{
	__u64 from_ns = state->silent_from_ns;

	if (state->liveness.live && from_ns && now_ns > from_ns && now_ns - from_ns > state->gap_max_ns)
		state->gap_max_ns = now_ns - from_ns;
	state->answered_ns = state->silent_from_ns = now_ns;
	state->answered_packets++;
	state->tx_at_answer_packets = tx_packets;
	state->grants = 0;
}

static __always_inline void session_silent(const struct session_refs *refs, __u64 now_ns, __u32 cpu,
					   struct session_outcome *outcome)
{
	struct session *state = refs->state;

	state->deadline_ns = 0;
	if (refs->config->kind == SESSION_ICMP) {
		if (!echo_is_dead(&state->echo, now_ns, refs->config->interval_ns)) {
			state->deadline_ns = echo_deadline_ns(&state->echo, refs->config->interval_ns);
			session_arm(state, now_ns, cpu, outcome);
			return;
		}
		state->echo.in_a_row = 0;
		if (state->answered_ns) /* else it joined, and the peer may be none that answers */
			session_fail(refs, SESSION_NEWS_silent, now_ns, outcome);
		return;
	}
	outcome->news = SESSION_NEWS_state;
	/* Who said that it leaves may fall silent. */
	if (state->bfd.remote_state != BFD_ADMIN_DOWN)
		session_fail(refs, SESSION_NEWS_silent, now_ns, outcome);
	bfd_expire(&state->bfd);
}

/* --- the timer ---------------------------------------------------------------------------------------------------- */

/*
 * A callback that comes late says that this CPU did nothing for a while: then answers may wait unread behind it, and
 * silence is no proof of anything yet. It is given one more interval, a few times at most.
 */
static __always_inline bool session_is_stalled(const struct session_refs *refs, __u64 late_ns)
{
	return late_ns > refs->config->interval_ns / 2 && refs->state->grants < SESSION_GRANTS_MAX &&
	       refs->state->liveness.live;
}

static int session_timer_fired(void *map, __u32 *number, struct session_timer *timer)
{
	struct session_outcome outcome = {.news = SESSION_NEWS_COUNT};
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 now_ns = bpf_ktime_get_ns(), late_ns;
	struct session_refs refs;
	struct session *state;

	(void)map, (void)timer;
	if (!session_find(*number, &refs))
		return 0;
	state = refs.state;
	bpf_spin_lock(&state->lock);
	late_ns = state->timer_due_ns && now_ns > state->timer_due_ns ? now_ns - state->timer_due_ns : 0;
	state->timer_due_ns = 0;
	if (state->deadline_ns > now_ns) {
		session_arm(state, now_ns, cpu, &outcome);
	} else if (state->deadline_ns && session_is_stalled(&refs, late_ns)) {
		state->grants++;
		state->deadline_ns = now_ns + refs.config->interval_ns;
		session_arm(state, now_ns, cpu, &outcome);
	} else if (state->deadline_ns) {
		session_silent(&refs, now_ns, cpu, &outcome);
	}
	bpf_spin_unlock(&state->lock);
	session_act(&refs, &outcome, now_ns);
	return 0;
}

#endif
