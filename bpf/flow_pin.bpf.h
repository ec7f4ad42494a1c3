/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tunnel that a flow keeps (maps/flows.h). choose.bpf.h asks for it, and steer_tc and steer_xdp tell what they
 * sent; flow_peer.bpf.h tells of what came out of tunnels.
 *
 * Both are global functions: the verifier walks through each once, and its caller knows nothing of the pin but numbers.
 * So a packet of a flow that goes on where it is is counted when it is looked up, before it is sent: one lookup, one
 * look at the clock. What is then answered instead (TTL, size) is in the pin's count all the same; twice, where
 * steer_xdp leaves it to steer_tc for its size.
 *
 * A pin's words are written without a lock. A flow is one CPU's as a rule; where two write at once, the worst is a pin
 * with one tunnel and the other's epoch, which does not hold, so that the flow is given a tunnel anew.
 */
#ifndef BPF_FLOW_PIN_BPF_H
#define BPF_FLOW_PIN_BPF_H

#include "count.bpf.h"
#include "flow.h"
#include "flow_mark.bpf.h"
#include "maps.bpf.h"
#include "usable.bpf.h"

#define FLOW_TCP_FLAGS_AT 13
#define FLOW_TCP_FIN	  0x01
#define FLOW_TCP_RST	  0x04
#define FLOW_TCP_ENDS	  (FLOW_TCP_FIN | FLOW_TCP_RST)

#define FLOW_PIN_HOLDS 0xff
#define FLOW_NO_PIN    0xfe
#define FLOW_NO_MEMBER 0xffffffffu

/* What is known of a flow's pin. */
struct pinned {
	__u32 ordinal; /* of the member that it is pinned to, whether that carries packets or not; or FLOW_NO_MEMBER */
	__u32 fails;   /* FLOW_PIN_HOLDS: it goes on there; FLOW_NO_PIN; else the enum flow_cause of its next pin */
};

/* How a flow is looked up. */
#define FLOW_REVERSED	 1 /* it is given as it comes in: the quote of an ICMP error that leaves */
#define FLOW_REMOTE_ONLY 2 /* a packet is counted only where a remote instance gets it */

/* A packet that is sent, or, as GSO has them, several. */
struct flow_use {
	struct amount amount;
	__u32 tunnel; /* by which it is sent */
	__u32 flow_hash;
	__u32 fails;	 /* struct pinned.fails */
	__u32 tcp_flags; /* 0 where it has none */
};

_Static_assert(sizeof(struct flow_key) == sizeof(struct flow) &&
		       __builtin_offsetof(struct flow_key, protocol) == __builtin_offsetof(struct flow, protocol),
	       "a flow that leaves is its own key");

/* As the key of one that comes in. */
static __always_inline struct flow flow_reversed(const struct flow *flow)
{
	return (struct flow){.source = flow->destination,
			     .destination = flow->source,
			     .source_port = flow->destination_port,
			     .destination_port = flow->source_port,
			     .protocol = flow->protocol};
}

/* Clocks of CPUs may differ by a little. */
static __always_inline __u64 flow_silence(const struct flow_pin *pin, __u64 now_ns)
{
	__u64 seen_ns = pin->seen_ns;

	return now_ns > seen_ns ? now_ns - seen_ns : 0;
}

/* Is it the tunnel's still, and of a flow that goes on? */
static __always_inline bool flow_holds(const struct flow_pin *pin, __u64 silence_ns, __u64 idle_ns)
{
	__u32 number = pin->tunnel;
	const struct tunnel_epoch *now = bpf_map_lookup_elem(&tunnel_epochs, &number);

	return now && now->epoch == pin->epoch && silence_ns <= (pin->ends == FLOW_ENDS_BOTH ? FLOW_ENDED_NS : idle_ns);
}

/* What becomes of a pin to this member, which is of the connection. */
static __always_inline __u32 flow_fails(const struct connection *connection, const struct member *member,
					__u64 silence_ns)
{
	if (member_usable(member, slow_start_word()))
		return FLOW_PIN_HOLDS;
	if (!member_usable(member, draining_cause() | slow_start_word()))
		return FLOW_failure;
	/* What it sent before has arrived by now, whichever way its next packet goes. */
	if (connection->flowlet_us && silence_ns > connection->flowlet_us * 1000ull)
		return FLOW_drain;
	return FLOW_PIN_HOLDS;
}

static __always_inline void flow_count(struct flow_pin *pin, const struct amount *amount, __u64 now_ns)
{
	pin->seen_ns = now_ns;
	pin->tx_packets += amount->packets;
	pin->tx_bytes += amount->bytes;
}

/*
 * how: FLOW_. amount: what is about to be sent; none where somebody only asks. A pin may outlive what it was made for:
 * its tunnel's index may be another connection's by now, or the flow's destination no longer be behind it.
 */
__attribute__((noinline)) int flow_pinned(const struct flow *flow, __u32 number, __u32 how, const struct amount *amount,
					  struct pinned *ret)
{
	const struct connection *connection = bpf_map_lookup_elem(&connections, &number);
	const struct tunnel *tunnel;
	const struct member *member;
	__u64 silence_ns, now_ns;
	struct flow_pin *pin;
	struct flow key;
	__u32 ordinal;

	if (!ret || !flow || !amount || !connection)
		return 0;
	*ret = (struct pinned){FLOW_NO_MEMBER, FLOW_NO_PIN};
	key = how & FLOW_REVERSED ? flow_reversed(flow) : *flow;
	pin = bpf_map_lookup_elem(&flows, &key);
	if (!pin)
		return 0;
	ret->fails = FLOW_new;
	ordinal = pin->tunnel;
	tunnel = bpf_map_lookup_elem(&tunnels, &ordinal);
	now_ns = bpf_ktime_get_ns();
	silence_ns = flow_silence(pin, now_ns);
	if (!tunnel || !flow_holds(pin, silence_ns, connection->idle_ns))
		return 0;
	ordinal = tunnel->ordinal;
	asm volatile("" : "+r"(ordinal)); /* see choose_by_row() */
	if (ordinal >= MAX_MEMBERS)
		return 0;
	member = &connection->member[ordinal];
	if (member->tunnel != pin->tunnel)
		return 0;
	ret->fails = flow_fails(connection, member, silence_ns);
	ret->ordinal = ordinal;
	if (ret->fails == FLOW_PIN_HOLDS && amount->packets && !(how & FLOW_REVERSED) &&
	    (member->remote || !(how & FLOW_REMOTE_ONLY)))
		flow_count(pin, amount, now_ns);
	return 0;
}

/* A clock of 4 ms is exact enough for it. */
static __always_inline bool flow_guard_is_shut(const __u64 *ahead_ns, __u64 now_ns)
{
	return *ahead_ns > now_ns + flow_burst_ns;
}

static __always_inline __u64 *flow_guard_ahead_ns(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flow_guard, &zero);
}

/* May one more flow be remembered? A race costs it nothing but exactness. */
static __always_inline bool flow_guard_admits(void)
{
	__u64 *ahead_ns = flow_guard_ahead_ns(), now_ns = bpf_ktime_get_coarse_ns();

	if (!ahead_ns || flow_guard_is_shut(ahead_ns, now_ns))
		return false;
	if (*ahead_ns < now_ns)
		*ahead_ns = now_ns;
	__sync_fetch_and_add(ahead_ns, flow_interval_ns);
	return true;
}

static __always_inline struct flow_counts *flow_counter(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flow_counts, &zero);
}

/*
 * What becomes of most packets of a flood, told without a copy of the flow, so that they cost little more than those of
 * a connection that pins none. Counted here if so.
 */
static __always_inline bool flow_is_turned_away(void)
{
	const __u64 *ahead_ns = flow_guard_ahead_ns();
	struct flow_counts *count = flow_counter();

	if (!ahead_ns || !count || !flow_guard_is_shut(ahead_ns, bpf_ktime_get_coarse_ns()))
		return false;
	count->unpinned++;
	return true;
}

static __always_inline void flow_count_move(__u32 cause)
{
	struct flow_counts *count = flow_counter();

	if (!count)
		return;
	if (cause == FLOW_failure)
		count->moved_failure++;
	else if (cause == FLOW_drain)
		count->moved_drain++;
	else if (cause == FLOW_peer)
		count->moved_peer++;
}

static __always_inline void flow_move(struct flow_pin *pin, __u32 tunnel, __u32 cause, __u64 now_ns)
{
	const struct tunnel_epoch *now = bpf_map_lookup_elem(&tunnel_epochs, &tunnel);

	if (!now)
		return;
	pin->tunnel = tunnel;
	pin->epoch = now->epoch;
	pin->cause = cause;
	pin->pinned_ns = now_ns;
}

/* An idle flow that speaks again is a new one. */
static __always_inline void flow_renew(struct flow_pin *pin, __u32 tunnel, __u32 cause, __u64 now_ns)
{
	flow_move(pin, tunnel, cause, now_ns);
	pin->tx_packets = 0;
	pin->tx_bytes = 0;
	pin->ends = 0;
}

/* key: as it leaves. Returns whether it is pinned. */
static __attribute__((noinline)) bool flow_pin_new(const struct flow *key, __u32 tunnel, __u32 cause,
						   const struct amount *amount)
{
	struct flow_counts *count = flow_counter();
	const struct tunnel_epoch *now;
	struct flow_pin pin;
	__u64 now_ns;

	if (!count)
		return false;
	if (!flow_guard_admits()) {
		count->unpinned++;
		return false;
	}
	now = bpf_map_lookup_elem(&tunnel_epochs, &tunnel);
	if (!now)
		return false;
	now_ns = bpf_ktime_get_ns();
	pin = (struct flow_pin){.seen_ns = now_ns,
				.pinned_ns = now_ns,
				.tx_packets = amount->packets,
				.tx_bytes = amount->bytes,
				.epoch = now->epoch,
				.tunnel = tunnel,
				.cause = cause};
	if (bpf_map_update_elem(&flows, key, &pin, BPF_ANY))
		return false;
	count->pinned++;
	return true;
}

static __always_inline void flow_forget(const struct flow *key)
{
	struct flow_counts *count = flow_counter();

	if (!bpf_map_delete_elem(&flows, key) && count)
		count->reset++;
}

/* A packet is being sent, of a flow that has no pin which holds, or that it ends. flow: as it leaves. */
__attribute__((noinline)) int flow_sent(const struct flow *flow, const struct flow_use *use)
{
	struct flow_pin *pin;
	struct flow key;
	__u64 now_ns;

	if (!flow || !use)
		return 0;
	key = *flow; /* Linux 6.1 takes no key that is not on the stack */
	if (use->tcp_flags & FLOW_TCP_RST) {
		flow_forget(&key);
		return 0;
	}
	pin = use->fails == FLOW_NO_PIN ? NULL : bpf_map_lookup_elem(&flows, &key);
	if (!pin) {
		if (flow_pin_new(&key, use->tunnel, FLOW_new, &use->amount))
			flow_mark(use->flow_hash);
		return 0;
	}
	if (use->tcp_flags & FLOW_TCP_FIN)
		pin->ends |= FLOW_ENDS_INSIDE;
	if (use->fails == FLOW_PIN_HOLDS)
		return 0;
	flow_mark(use->flow_hash);
	now_ns = bpf_ktime_get_ns();
	if (use->fails == FLOW_new) {
		flow_renew(pin, use->tunnel, FLOW_new, now_ns);
	} else {
		flow_move(pin, use->tunnel, use->fails, now_ns);
		flow_count_move(use->fails);
	}
	flow_count(pin, &use->amount, now_ns);
	return 0;
}

#endif
