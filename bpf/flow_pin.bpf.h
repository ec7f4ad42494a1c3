/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tunnel that a flow keeps (maps/flows.h). choose.bpf.h asks for it, and steer_tc and steer_xdp tell what they
 * sent; flow_peer.bpf.h tells of what came out of tunnels.
 *
 * Both are global functions: the verifier walks through each once, and its caller knows nothing of the pin but numbers.
 * So the packet path looks a flow up twice, the second time in its cache.
 *
 * A pin's words are written without a lock. A flow is one CPU's as a rule; where two write at once, the worst is a pin
 * with one tunnel and the other's epoch, which does not hold, so that the flow is given a tunnel anew.
 */
#ifndef BPF_FLOW_PIN_BPF_H
#define BPF_FLOW_PIN_BPF_H

#include "flow.h"
#include "maps.bpf.h"
#include "usable.bpf.h"

#define FLOW_TCP_FLAGS_AT 13
#define FLOW_TCP_FIN	  0x01
#define FLOW_TCP_RST	  0x04

#define FLOW_PIN_HOLDS 0xff
#define FLOW_NO_MEMBER 0xffffffffu

/* What is known of a flow's pin. */
struct pinned {
	__u32 ordinal; /* of the member that it is pinned to, whether that carries packets or not; or FLOW_NO_MEMBER */
	__u32 fails;   /* FLOW_PIN_HOLDS: it goes on there; else the enum flow_cause of its next pin */
};

/* A packet that is sent, or, as GSO has them, several. */
struct flow_use {
	__u32 tunnel; /* by which it is sent */
	__u32 fails;  /* struct pinned.fails */
	__u32 packets;
	__u32 bytes;
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

/*
 * flow: as it leaves, or, where reversed is set, as it came in: the quote of an ICMP error that leaves. A pin may
 * outlive what it was made for: its tunnel's index may be another connection's by now.
 */
__attribute__((noinline)) int flow_pinned(const struct flow *flow, __u32 number, __u32 reversed, struct pinned *ret)
{
	const struct connection *connection = bpf_map_lookup_elem(&connections, &number);
	const struct tunnel *tunnel;
	const struct flow_pin *pin;
	__u64 silence_ns;
	struct flow key;
	__u32 ordinal;

	if (!ret || !flow || !connection)
		return 0;
	*ret = (struct pinned){FLOW_NO_MEMBER, FLOW_new};
	key = reversed ? flow_reversed(flow) : *flow;
	pin = bpf_map_lookup_elem(&flows, &key);
	if (!pin)
		return 0;
	ordinal = pin->tunnel;
	tunnel = bpf_map_lookup_elem(&tunnels, &ordinal);
	silence_ns = flow_silence(pin, bpf_ktime_get_ns());
	if (!tunnel || tunnel->connection != number || !flow_holds(pin, silence_ns, connection->idle_ns))
		return 0;
	ordinal = tunnel->ordinal;
	asm volatile("" : "+r"(ordinal)); /* see choose_by_row() */
	if (ordinal >= MAX_MEMBERS)
		return 0;
	ret->fails = flow_fails(connection, &connection->member[ordinal], silence_ns);
	ret->ordinal = ordinal;
	return 0;
}

/* May one more flow be remembered? A race costs it nothing but exactness. */
static __always_inline bool flow_guard_admits(__u64 now_ns)
{
	__u32 zero = 0;
	__u64 *ahead_ns = bpf_map_lookup_elem(&flow_guard, &zero);

	if (!ahead_ns || *ahead_ns > now_ns + flow_burst_ns)
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

/* key: as it leaves. */
static __attribute__((noinline)) void flow_pin_new(const struct flow *key, __u32 tunnel, __u32 cause, __u32 packets,
						   __u32 bytes)
{
	const struct tunnel_epoch *now = bpf_map_lookup_elem(&tunnel_epochs, &tunnel);
	struct flow_counts *count = flow_counter();
	__u64 now_ns = bpf_ktime_get_ns();
	struct flow_pin pin = {.seen_ns = now_ns,
			       .pinned_ns = now_ns,
			       .tx_packets = packets,
			       .tx_bytes = bytes,
			       .tunnel = tunnel,
			       .cause = cause};

	if (!now || !count)
		return;
	pin.epoch = now->epoch;
	if (!flow_guard_admits(now_ns))
		count->unpinned++;
	else if (!bpf_map_update_elem(&flows, key, &pin, BPF_ANY))
		count->pinned++;
}

static __always_inline void flow_forget(const struct flow *key)
{
	struct flow_counts *count = flow_counter();

	if (!bpf_map_delete_elem(&flows, key) && count)
		count->reset++;
}

/* A packet of it is being sent. flow: as it leaves. */
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
	pin = bpf_map_lookup_elem(&flows, &key);
	if (!pin) {
		flow_pin_new(&key, use->tunnel, FLOW_new, use->packets, use->bytes);
		return 0;
	}
	now_ns = bpf_ktime_get_ns();
	if (use->fails == FLOW_new) {
		flow_renew(pin, use->tunnel, FLOW_new, now_ns);
	} else if (use->fails != FLOW_PIN_HOLDS) {
		flow_move(pin, use->tunnel, use->fails, now_ns);
		flow_count_move(use->fails);
	}
	if (use->tcp_flags & FLOW_TCP_FIN)
		pin->ends |= FLOW_ENDS_INSIDE;
	pin->seen_ns = now_ns;
	pin->tx_packets += use->packets;
	pin->tx_bytes += use->bytes;
	return 0;
}

#endif
