// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinned flows: a sticky flow keeps its tunnel through drains and returns, a symmetric one follows its peer; what ends
 * a pin, and that a flood of new flows ends none.
 */
#include <time.h>

#include "prog.h"

#define ROOM	   4096
#define IDLE_NS	   60000000000ull
#define FLOWLET_US 5000
#define NS_PER_MS  1000000ull
#define NIC	   LOOPBACK
#define SYN	   0x02
#define ACK	   0x10
#define FIN	   0x01
#define RST	   0x04

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void flows_empty(void)
{
	struct flow_key key;
	uint64_t zero = 0;
	uint32_t guard = 0;

	while (!bpf_map_get_next_key(bpf_map__fd(rig.tc->maps.flows), NULL, &key))
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(rig.tc->maps.flows), &key), 0);
	rig_update(rig.tc->maps.flow_guard, &guard, &zero);
	rig_clear_percpu(rig.tc->maps.flow_counts);
	memset(rig.flow_marks, 0, (1 + RIG_MARK_ENTRIES) * sizeof(*rig.flow_marks));
}

/* As aa-steerd does, no sooner than a flow may have been silent. */
static void marks_turn(void)
{
	uint32_t other = !rig.flow_marks[0].half[0];

	for (unsigned i = 1; i <= RIG_MARK_ENTRIES; i++)
		rig.flow_marks[i].half[other] = 0;
	rig.flow_marks[0].half[0] = other;
}

static void with_affinity(enum affinity affinity)
{
	rig.connections[HQ].affinity = affinity;
	rig.connections[HQ].idle_ns = IDLE_NS;
	rig.connections[HQ].flowlet_us = 0;
}

static int reset(void **state)
{
	rig_reset(state);
	for (uint32_t t = 0; t < HQ_MEMBERS; t++) {
		rig.tunnels[t].connection = HQ;
		rig.tunnels[t].ordinal = t;
		rig.tunnels[t].instance = t;
	}
	rig_device(LOOPBACK, LAYER3);
	flows_empty();
	with_affinity(AFFINITY_STICKY);
	return 0;
}

static int reset_symmetric(void **state)
{
	reset(state);
	with_affinity(AFFINITY_SYMMETRIC);
	return 0;
}

static int set_up(void **state)
{
	rig_flows = ROOM;
	rig_flow_burst_ns = IDLE_NS;
	rig_flow_interval_ns = IDLE_NS / (ROOM / 2);
	return rig_set_up(state);
}

/* Sent by steer_tc: the tunnel that it was counted for. */
static uint32_t sent_by(const struct frame *frame)
{
	uint64_t before[HQ_MEMBERS];

	for (uint32_t t = 0; t < HQ_MEMBERS; t++)
		before[t] = tx_packets(t);
	assert_int_equal(run_tc(frame).verdict, TC_ACT_REDIRECT);
	for (uint32_t t = 0; t < HQ_MEMBERS; t++)
		if (tx_packets(t) != before[t])
			return t;
	fail_msg("counted for no tunnel");
	abort();
}

static void received_by(const struct frame *frame, uint32_t tunnel)
{
	struct __sk_buff context = {.mark = 0};

	rig_device(LOOPBACK, tunnel);
	assert_int_equal(run_tc_with(bpf_program__fd(rig.tc->progs.tunnel_tc), frame, &context).verdict, TC_ACT_UNSPEC);
}

static struct flow_key key_of(const char *inside, unsigned inside_port, const char *remote, unsigned remote_port,
			      uint8_t protocol)
{
	struct flow flow = case_flow(inside, inside_port, remote, remote_port, protocol);
	struct flow_key key;

	memcpy(&key, &flow, sizeof(key));
	return key;
}

static bool pin_read(const struct flow_key *key, struct flow_pin *pin)
{
	return !bpf_map_lookup_elem(bpf_map__fd(rig.tc->maps.flows), key, pin);
}

/* The key of a frame that leaves with ports right behind a plain IP header. */
static struct flow_key key_of_frame(const struct frame *frame)
{
	const uint8_t *ip = frame->data + frame->ip[0];
	bool ipv6 = ip[0] >> 4 == 6;
	struct flow_key key = {.protocol = ip[ipv6 ? 6 : 9]};

	if (ipv6) {
		memcpy(key.inside_address, ip + 8, 32);
	} else {
		memset(key.inside_address + 10, 0xff, 2);
		memcpy(key.inside_address + 12, ip + 12, 4);
		memset(key.remote_address + 10, 0xff, 2);
		memcpy(key.remote_address + 12, ip + 16, 4);
	}
	memcpy(&key.inside_port, ip + (ipv6 ? 40 : 20), 4);
	return key;
}

/* As if its latest packet, and its pin, were so much older. */
static void flow_ages(const struct frame *frame, uint64_t ns)
{
	struct flow_key key = key_of_frame(frame);
	struct flow_pin pin;

	assert_true(pin_read(&key, &pin));
	pin.seen_ns -= ns;
	pin.pinned_ns -= ns;
	rig_update(rig.tc->maps.flows, &key, &pin);
}

static uint64_t counts_of(size_t offset)
{
	return rig_count(rig.tc->maps.flow_counts, 0, offset / 8);
}

#define COUNT(name) counts_of(offsetof(struct flow_counts, name))

static void test_flows__sticky_stays_while_its_tunnel_is_drained(void **state)
{
	(void)state;
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame frame = ipv6 ? frame6_to(LAYER3) : frame_to(LAYER3);
		struct frame other = frame_for_row(ipv6 ? CLIENT6 : CLIENT, ipv6 ? SERVER6 : SERVER, 4091, 4096);

		assert_int_equal(sent_by(&frame), LAYER3);
		rig.tunnel_health[LAYER3].admin_out = ADMIN_DRAINING;
		assert_int_equal(sent_by(&frame), LAYER3);
		assert_int_not_equal(sent_by(&other), LAYER3);
		rig.tunnel_health[LAYER3].admin_out = 0;
		rig.instance_health[LAYER3].admin_out = ADMIN_DRAINING;
		assert_int_equal(sent_by(&frame), LAYER3);
		rig.instance_health[LAYER3].admin_out = ADMIN_OUT;
		assert_int_equal(sent_by(&frame), ETHERNET);
		rig.instance_health[LAYER3].admin_out = 0;
		assert_int_equal(sent_by(&frame), ETHERNET);
	}
	assert_int_equal(COUNT(moved_failure), 2);
}

static void test_flows__sticky_stays_when_a_better_tunnel_returns(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	rig.tunnel_health[LAYER3].link_down = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	rig.tunnel_health[LAYER3].link_down = 0;
	assert_int_equal(sent_by(&frame), ETHERNET);
	with_affinity(AFFINITY_HASH);
	assert_int_equal(sent_by(&frame), LAYER3);
}

static void test_flows__other_causes_than_a_drain_move_at_once(void **state)
{
	(void)state;
	for (unsigned cause = 0; cause < sizeof(struct health); cause++) {
		struct frame frame = frame_to(LAYER3);
		uint8_t *byte = (uint8_t *)&rig.tunnel_health[LAYER3] + cause;

		if (cause == offsetof(struct health, admin_out) || cause == offsetof(struct health, slow_start))
			continue;
		reset(state);
		assert_int_equal(sent_by(&frame), LAYER3);
		rig.tunnel_health[LAYER3].admin_out = ADMIN_DRAINING;
		*byte = 1;
		assert_int_equal(sent_by(&frame), ETHERNET);
		*byte = 0;
		rig.tunnel_health[LAYER3].admin_out = 0;
	}
}

static void test_flows__pause_longer_than_the_flowlet_leaves_a_drained_tunnel(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	rig.connections[HQ].flowlet_us = FLOWLET_US;
	assert_int_equal(sent_by(&frame), LAYER3);
	flow_ages(&frame, 2 * FLOWLET_US * 1000);
	assert_int_equal(sent_by(&frame), LAYER3); /* nobody drains */
	rig.tunnel_health[LAYER3].admin_out = ADMIN_DRAINING;
	assert_int_equal(sent_by(&frame), LAYER3); /* no pause */
	flow_ages(&frame, FLOWLET_US * 1000);
	assert_int_equal(sent_by(&frame), ETHERNET);
	assert_int_equal(COUNT(moved_drain), 1);
	rig.tunnel_health[LAYER3].admin_out = 0;
	assert_int_equal(sent_by(&frame), ETHERNET);
}

static void test_flows__idle_flow_is_a_new_one(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct flow_key key = key_of_frame(&frame);
	struct flow_pin pin;

	(void)state;
	rig.tunnel_health[LAYER3].link_down = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	rig.tunnel_health[LAYER3].link_down = 0;
	flow_ages(&frame, IDLE_NS - 1000 * NS_PER_MS);
	assert_int_equal(sent_by(&frame), ETHERNET);
	flow_ages(&frame, IDLE_NS);
	assert_int_equal(sent_by(&frame), LAYER3);
	assert_true(pin_read(&key, &pin));
	assert_int_equal(pin.tx_packets, 1);
	assert_int_equal(pin.cause, FLOW_new);
}

static void test_flows__epoch_forgets_all_of_a_tunnel(void **state)
{
	struct frame frame = frame_to(LAYER3), other = frame_to(REMOTE);

	(void)state;
	rig.tunnel_health[LAYER3].link_down = rig.tunnel_health[REMOTE].link_down = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	assert_int_equal(sent_by(&other), ETHERNET);
	rig.tunnel_health[LAYER3].link_down = rig.tunnel_health[REMOTE].link_down = 0;
	rig.tunnel_epochs[LAYER3].epoch++;
	assert_int_equal(sent_by(&frame), ETHERNET);
	rig.tunnel_epochs[ETHERNET].epoch++;
	assert_int_equal(sent_by(&frame), LAYER3);
	assert_int_equal(sent_by(&other), REMOTE);
}

static void test_flows__pin_to_a_tunnel_that_is_anothers_by_now_does_not_hold(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	rig.tunnel_health[LAYER3].link_down = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	rig.tunnel_health[LAYER3].link_down = 0;
	rig.connections[HQ].member[ETHERNET].tunnel = WIDE_TUNNEL;
	assert_int_equal(sent_by(&frame), LAYER3);
	rig.connections[HQ].member[ETHERNET].tunnel = ETHERNET;
}

/* A destination that is not behind all tunnels: its connection is a copy (loader/subsets.h), its pins hold all the
 * same. */
static void test_flows__pins_hold_in_a_copy_with_fewer_tunnels(void **state)
{
	const struct connection rowless = rig.connections[ROWLESS];
	struct frame frame = frame_to(LAYER3);
	struct flow_key key = key_of_frame(&frame);
	struct flow_pin pin;

	(void)state;
	rig.connections[ROWLESS] = rig.connections[HQ];
	rig.connections[ROWLESS].member[LAYER3].tunnel = RIG_TUNNELS - 1;
	rig.tunnel_health[RIG_TUNNELS - 1].device_missing = 1;
	assert_int_equal(sent_by(&frame), LAYER3);
	rig_prefix("192.168.0.0", 16, ROWLESS);
	assert_int_equal(sent_by(&frame), ETHERNET); /* its pin is to the tunnel that is missing */
	assert_int_equal(sent_by(&frame), ETHERNET);
	assert_true(pin_read(&key, &pin));
	assert_int_equal(pin.tunnel, ETHERNET);
	assert_int_equal(pin.tx_packets, 2);
	rig_prefix("192.168.0.0", 16, HQ);
	assert_int_equal(sent_by(&frame), ETHERNET); /* it is the whole connection's, too */
	assert_true(pin_read(&key, &pin));
	assert_int_equal(pin.tx_packets, 3);
	rig.tunnel_health[RIG_TUNNELS - 1].device_missing = 0;
	rig.connections[ROWLESS] = rowless;
}

/* --- TCP -----------------------------------------------------------------------------------------------------------
 */

static struct frame segment(bool from_inside, uint8_t flags)
{
	struct frame frame = frame_start(ETH_P_IP);

	frame_ipv4(&frame, from_inside ? CLIENT : SERVER, from_inside ? SERVER : CLIENT, IPPROTO_TCP);
	frame_tcp(&frame, from_inside ? 5000 : 443, from_inside ? 443 : 5000);
	frame.data[frame.length - 20 + 13] = flags;
	frame_end(&frame);
	return frame;
}

static bool segment_pin(struct flow_pin *pin)
{
	struct flow_key key = key_of(CLIENT, 5000, SERVER, 443, IPPROTO_TCP);

	return pin_read(&key, pin);
}

static void test_flows__rst_forgets_at_once(void **state)
{
	struct frame syn = segment(true, SYN), ours = segment(true, RST | ACK), theirs = segment(false, RST);
	uint32_t tunnel = sent_by(&syn);
	struct flow_pin pin;

	(void)state;
	assert_true(segment_pin(&pin));
	assert_int_equal(sent_by(&ours), tunnel);
	assert_false(segment_pin(&pin));
	sent_by(&syn);
	received_by(&theirs, tunnel);
	assert_false(segment_pin(&pin));
	assert_int_equal(COUNT(reset), 2);
	/* What is not there is not made for it. */
	sent_by(&ours);
	assert_false(segment_pin(&pin));
}

static void test_flows__fin_both_ways_forgets_shortly_after(void **state)
{
	struct frame syn = segment(true, SYN), ours = segment(true, FIN | ACK), theirs = segment(false, FIN | ACK),
		     ack = segment(true, ACK);
	uint32_t tunnel = sent_by(&syn);
	struct flow_pin pin;

	(void)state;
	rig.tunnel_health[tunnel].admin_out = ADMIN_DRAINING;
	sent_by(&ours);
	flow_ages(&syn, FLOW_ENDED_NS + NS_PER_MS);
	assert_int_equal(sent_by(&ack), tunnel); /* half open */
	received_by(&theirs, tunnel);
	assert_true(segment_pin(&pin));
	assert_int_equal(pin.ends, FLOW_ENDS_BOTH);
	assert_int_equal(sent_by(&ack), tunnel);
	flow_ages(&syn, FLOW_ENDED_NS + NS_PER_MS);
	assert_int_not_equal(sent_by(&syn), tunnel);
	assert_true(segment_pin(&pin));
	assert_int_equal(pin.ends, 0);
}

/* --- what belongs to a flow ----------------------------------------------------------------------------------------
 */

static void test_flows__icmp_error_goes_with_the_flow_that_it_quotes(void **state)
{
	struct frame frame = frame_to(LAYER3), error = frame_start(ETH_P_IP);
	struct flow_key key = key_of_frame(&frame);
	struct flow_pin before, after;

	(void)state;
	rig.tunnel_health[LAYER3].link_down = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	rig.tunnel_health[LAYER3].link_down = 0;
	/* CLIENT's port is closed: it quotes what SERVER sent. */
	frame_ipv4(&error, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(&error, 3, 0);
	frame_ipv4(&error, SERVER, CLIENT, IPPROTO_UDP);
	frame_udp(&error, 2000, ntohs(key.inside_port));
	frame_end(&error);
	assert_true(pin_read(&key, &before));
	assert_int_equal(sent_by(&error), ETHERNET);
	assert_true(pin_read(&key, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(COUNT(pinned), 1);
}

static void test_flows__where_changes_nothing(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct flow_key key = key_of_frame(&frame);
	struct flow_pin before, after;
	struct where_answer answer;

	(void)state;
	assert_int_equal(ask(&frame).answer.rank, 0);
	assert_false(pin_read(&key, &before));
	sent_by(&frame);
	assert_true(pin_read(&key, &before));
	rig.tunnel_health[LAYER3].admin_out = ADMIN_DRAINING;
	answer = ask(&frame).answer;
	assert_int_equal(answer.detail, LAYER3);
	assert_int_equal(answer.rank, WHERE_PINNED);
	assert_true(pin_read(&key, &after));
	assert_memory_equal(&before, &after, sizeof(before));
}

static void test_flows__panic_leaves_flows_where_they_are(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct flow_key key = key_of_frame(&frame);
	struct flow_pin before, after;

	(void)state;
	rig.tunnel_health[LAYER3].link_down = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	assert_true(pin_read(&key, &before));
	rig.tunnel_health[LAYER3].link_down = 0;
	for (uint32_t t = 0; t < HQ_MEMBERS; t++)
		rig.tunnel_health[t].probe_dead = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	assert_true(ask(&frame).answer.rank & WHERE_PANIC);
	assert_true(pin_read(&key, &after));
	assert_memory_equal(&before, &after, sizeof(before));
}

static void test_flows__what_counts_is_in_the_pin(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct flow_key key = key_of_frame(&frame);
	struct flow_pin pin;
	uint64_t began_ns = now_ns();

	(void)state;
	sent_by(&frame);
	sent_by(&frame);
	assert_int_equal(run_tc_gso(&frame, 16, 4).verdict, TC_ACT_REDIRECT);
	assert_true(pin_read(&key, &pin));
	assert_int_equal(pin.tx_packets, 6);
	assert_int_equal(pin.tx_bytes, 2 * 92 + 4 * 28 + 64);
	assert_true(pin.seen_ns >= began_ns && pin.seen_ns <= now_ns());
	assert_true(pin.pinned_ns >= began_ns && pin.pinned_ns < pin.seen_ns);
}

/* --- XDP and remote instances --------------------------------------------------------------------------------------
 */

static void test_flows__xdp_pins_what_it_sends(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct flow_key key = key_of_frame(&frame);
	struct flow_pin pin;

	(void)state;
	rig.tunnel_health[LAYER3].link_down = rig.tunnel_health[ETHERNET].link_down = 1;
	assert_int_equal(run_xdp(&frame).verdict, XDP_REDIRECT);
	assert_int_equal(tx_packets(REMOTE), 1);
	rig.tunnel_health[LAYER3].link_down = rig.tunnel_health[ETHERNET].link_down = 0;
	rig.instance_health[REMOTE].admin_out = ADMIN_DRAINING;
	assert_int_equal(run_xdp(&frame).verdict, XDP_REDIRECT);
	assert_int_equal(tx_packets(REMOTE), 2);
	assert_true(pin_read(&key, &pin));
	assert_int_equal(pin.tunnel, REMOTE);
	assert_int_equal(pin.tx_packets, 2);
	/* Left to steer_tc: not counted twice. */
	rig.instance_health[REMOTE].admin_out = ADMIN_OUT;
	assert_int_equal(run_xdp(&frame).verdict, XDP_PASS);
	assert_true(pin_read(&key, &pin));
	assert_int_equal(pin.tx_packets, 2);
}

static void test_flows__xdp_counts_nothing_that_it_leaves_to_tc(void **state)
{
	struct frame frame = frame_to(LAYER3), expiring = frame_to(REMOTE), of_others = frame_to(REMOTE);
	struct flow_key key = key_of_frame(&frame), remote_key = key_of_frame(&expiring);
	struct flow_pin before, after;

	(void)state;
	assert_int_equal(run_tc(&frame).verdict, TC_ACT_REDIRECT);
	assert_true(pin_read(&key, &before));
	assert_int_equal(before.tunnel, LAYER3);
	assert_int_equal(run_xdp(&frame).verdict, XDP_PASS);
	assert_true(pin_read(&key, &after));
	assert_memory_equal(&before, &after, sizeof(before));

	assert_int_equal(run_xdp(&expiring).verdict, XDP_REDIRECT);
	assert_true(pin_read(&remote_key, &before));
	frame_set_ttl(&expiring, 1);
	of_others.data[5] ^= 1; /* another host's MAC address */
	assert_int_equal(run_xdp(&expiring).verdict, XDP_PASS);
	assert_int_equal(run_xdp(&of_others).verdict, XDP_PASS);
	assert_true(pin_read(&remote_key, &after));
	assert_memory_equal(&before, &after, sizeof(before));
}

static void test_flows__symmetric_learns_from_a_remote_instance(void **state)
{
	struct frame frame = frame_to(LAYER3), answer, stranger;
	struct flow_key key = key_of_frame(&frame);

	(void)state;
	answer = stranger = frame_of_udp(SERVER, 2000, CLIENT, ntohs(key.inside_port));
	memcpy(answer.data + ETH_ALEN, REMOTE_HOP_MAC, ETH_ALEN);
	rig.instances[REMOTE].egress.ifindex = NIC;
	received_by(&stranger, NO_TUNNEL);
	assert_int_equal(sent_by(&frame), LAYER3);
	received_by(&answer, NO_TUNNEL);
	assert_int_equal(sent_by(&frame), REMOTE);
	assert_int_equal(COUNT(moved_peer), 1);
	/* The same frame by another NIC is somebody else's. */
	flows_empty();
	rig.instances[REMOTE].egress.ifindex = NIC + 1;
	received_by(&answer, NO_TUNNEL);
	assert_int_equal(sent_by(&frame), LAYER3);
}

/* --- symmetric -----------------------------------------------------------------------------------------------------
 */

/* What SERVER sends on this flow. */
static struct frame answer_to(const struct frame *frame)
{
	struct flow_key key = key_of_frame(frame);
	bool ipv6 = frame->data[frame->ip[0]] >> 4 == 6;

	return frame_of_udp(ipv6 ? SERVER6 : SERVER, ntohs(key.remote_port), ipv6 ? CLIENT6 : CLIENT,
			    ntohs(key.inside_port));
}

static void test_flows__symmetric_answers_where_it_was_asked(void **state)
{
	(void)state;
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame frame = ipv6 ? frame6_to(LAYER3) : frame_to(LAYER3), asked = answer_to(&frame);

		received_by(&asked, ETHERNET);
		assert_int_equal(sent_by(&frame), ETHERNET);
		flow_ages(&frame, FLOW_SETTLE_NS);
		received_by(&asked, LAYER3);
		assert_int_equal(sent_by(&frame), LAYER3);
	}
	assert_int_equal(COUNT(moved_peer), 2);
}

static void test_flows__sticky_does_not_follow_its_peer(void **state)
{
	struct frame frame = frame_to(LAYER3), asked = answer_to(&frame);

	(void)state;
	with_affinity(AFFINITY_STICKY);
	received_by(&asked, ETHERNET);
	assert_int_equal(sent_by(&frame), LAYER3);
	received_by(&asked, ETHERNET);
	assert_int_equal(sent_by(&frame), LAYER3);
}

static void test_flows__symmetric_flow_that_began_here_follows_the_first_answer(void **state)
{
	struct frame frame = frame_to(LAYER3), answer = answer_to(&frame);

	(void)state;
	assert_int_equal(sent_by(&frame), LAYER3);
	received_by(&answer, ETHERNET);
	assert_int_equal(sent_by(&frame), ETHERNET);
}

/* Both ends follow each other: what was on its way when one moved must not move it back, or they swap for ever. */
static void test_flows__symmetric_ignores_what_was_on_its_way(void **state)
{
	struct frame frame = frame_to(LAYER3), answer = answer_to(&frame);

	(void)state;
	assert_int_equal(sent_by(&frame), LAYER3);
	received_by(&answer, LAYER3);
	rig.tunnel_health[LAYER3].link_down = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	rig.tunnel_health[LAYER3].link_down = 0;
	received_by(&answer, LAYER3);
	assert_int_equal(sent_by(&frame), ETHERNET);
	flow_ages(&frame, FLOW_SETTLE_NS + NS_PER_MS);
	received_by(&answer, LAYER3);
	assert_int_equal(sent_by(&frame), LAYER3);
}

static void test_flows__symmetric_does_not_follow_to_what_carries_nothing(void **state)
{
	struct frame frame = frame_to(LAYER3), answer = answer_to(&frame);

	(void)state;
	assert_int_equal(sent_by(&frame), LAYER3);
	rig.tunnel_health[ETHERNET].sa_missing = 1;
	received_by(&answer, ETHERNET);
	assert_int_equal(sent_by(&frame), LAYER3);
	rig.tunnel_health[ETHERNET].sa_missing = 0;
	rig.tunnel_health[ETHERNET].admin_out = ADMIN_DRAINING;
	received_by(&answer, ETHERNET);
	assert_int_equal(sent_by(&frame), LAYER3);
	/* But what the peer opens there is answered there. */
	flows_empty();
	received_by(&answer, ETHERNET);
	assert_int_equal(sent_by(&frame), ETHERNET);
}

static void test_flows__symmetric_flow_is_kept_by_what_comes_in(void **state)
{
	struct frame frame = frame_to(LAYER3), answer = answer_to(&frame);
	struct flow_key key = key_of_frame(&frame);
	struct flow_pin pin;

	(void)state;
	sent_by(&frame);
	flow_ages(&frame, IDLE_NS / 2);
	received_by(&answer, LAYER3);
	assert_true(pin_read(&key, &pin));
	assert_true(now_ns() - pin.seen_ns < IDLE_NS / 4);
}

static void test_flows__symmetric_finds_flows_behind_stale_headers_and_extensions(void **state)
{
	struct frame frame = frame_start(ETH_P_IPV6), answer = frame_start(ETH_P_IPV6);
	struct flow_key key = key_of(CLIENT6, 1000, SERVER6, 2000, IPPROTO_UDP);
	struct flow_pin pin;

	(void)state;
	(void)frame;
	frame_ipv6(&answer, SERVER6, CLIENT6, IPPROTO_DSTOPTS);
	frame_extension(&answer, IPPROTO_UDP, 1);
	frame_udp(&answer, 2000, 1000);
	frame_payload(&answer, 20);
	frame_end(&answer);
	received_by(&answer, ETHERNET);
	assert_true(pin_read(&key, &pin));
	assert_int_equal(pin.tunnel, ETHERNET);
	assert_int_equal(pin.cause, FLOW_peer);
	assert_int_equal(pin.tx_packets, 0);
}

/* --- marks ---------------------------------------------------------------------------------------------------------
 */

/* Pinned to another tunnel than its hash would have it in. */
static void pin_to_ethernet(const struct frame *frame)
{
	rig.tunnel_health[LAYER3].link_down = 1;
	assert_int_equal(sent_by(frame), ETHERNET);
	rig.tunnel_health[LAYER3].link_down = 0;
	assert_int_equal(sent_by(frame), ETHERNET);
}

static void test_flows__without_a_mark_nobody_looks(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	pin_to_ethernet(&frame);
	marks_turn();
	marks_turn();
	assert_int_equal(sent_by(&frame), LAYER3);
	assert_int_equal(COUNT(pinned), 2);
}

static void test_flows__who_speaks_is_marked(void **state)
{
	struct frame frame = frame_to(LAYER3), other = frame6_to(LAYER3);

	(void)state;
	pin_to_ethernet(&frame);
	pin_to_ethernet(&other);
	for (unsigned i = 0; i < 5; i++) {
		marks_turn();
		assert_int_equal(sent_by(&frame), ETHERNET);
		assert_int_equal(sent_by(&other), ETHERNET);
	}
	assert_int_equal(COUNT(pinned), 2);
}

static void test_flows__who_is_moved_is_marked(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	assert_int_equal(sent_by(&frame), LAYER3);
	marks_turn();
	rig.tunnel_health[LAYER3].link_down = 1;
	assert_int_equal(sent_by(&frame), ETHERNET);
	rig.tunnel_health[LAYER3].link_down = 0;
	marks_turn();
	assert_int_equal(sent_by(&frame), ETHERNET);
}

static void test_flows__who_asks_marks_nothing(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	pin_to_ethernet(&frame);
	marks_turn();
	ask(&frame);
	marks_turn();
	assert_int_equal(sent_by(&frame), LAYER3);
}

static void test_flows__what_comes_in_is_a_mark(void **state)
{
	struct frame frame = frame_to(LAYER3), answer = answer_to(&frame);

	(void)state;
	received_by(&answer, ETHERNET);
	for (unsigned i = 0; i < 5; i++) {
		marks_turn();
		received_by(&answer, ETHERNET);
	}
	marks_turn();
	assert_int_equal(sent_by(&frame), ETHERNET);
}

/* --- the guard -----------------------------------------------------------------------------------------------------
 */

#define ESTABLISHED 1000
#define FLOOD	    (1 << 16)

static void test_flows__flood_puts_no_flow_out_that_speaks(void **state)
{
	struct flow_pin pin;
	unsigned kept = 0;

	(void)state;
	rig.tunnel_health[LAYER3].link_down = 1;
	for (unsigned i = 0; i < ESTABLISHED; i++) {
		struct frame frame = frame_of_udp(CLIENT, 1024 + i, SERVER, 2000);

		assert_int_equal(run_tc(&frame).verdict, TC_ACT_REDIRECT);
	}
	rig.tunnel_health[LAYER3].link_down = 0;
	for (unsigned i = 0; i < FLOOD; i++) {
		char source[16];

		snprintf(source, sizeof(source), "10.%u.%u.%u", 64 + (i >> 16), i >> 8 & 255, i & 255);
		struct frame frame = frame_of_udp(source, 7, SERVER, 7);

		assert_int_equal(run_tc(&frame).verdict, TC_ACT_REDIRECT);
	}
	assert_int_equal(COUNT(pinned) + COUNT(unpinned), ESTABLISHED + FLOOD);
	assert_in_range(COUNT(pinned), ROOM / 2 - 64, ROOM / 2 + ROOM / 8);
	for (unsigned i = 0; i < ESTABLISHED; i++) {
		struct frame frame = frame_of_udp(CLIENT, 1024 + i, SERVER, 2000);
		struct flow_key key = key_of_frame(&frame);

		kept += pin_read(&key, &pin) && pin.tunnel != LAYER3 && sent_by(&frame) == pin.tunnel;
	}
	assert_int_equal(kept, ESTABLISHED);
}

int main(void)
{
#define STICKY(name)	cmocka_unit_test_setup(test_flows__##name, reset)
#define SYMMETRIC(name) cmocka_unit_test_setup(test_flows__##name, reset_symmetric)
	static const struct CMUnitTest tests[] = {
		STICKY(sticky_stays_while_its_tunnel_is_drained),
		STICKY(sticky_stays_when_a_better_tunnel_returns),
		STICKY(other_causes_than_a_drain_move_at_once),
		STICKY(pause_longer_than_the_flowlet_leaves_a_drained_tunnel),
		STICKY(idle_flow_is_a_new_one),
		STICKY(epoch_forgets_all_of_a_tunnel),
		STICKY(pin_to_a_tunnel_that_is_anothers_by_now_does_not_hold),
		STICKY(without_a_mark_nobody_looks),
		STICKY(who_speaks_is_marked),
		STICKY(who_is_moved_is_marked),
		STICKY(who_asks_marks_nothing),
		SYMMETRIC(what_comes_in_is_a_mark),
		STICKY(pins_hold_in_a_copy_with_fewer_tunnels),
		STICKY(rst_forgets_at_once),
		STICKY(fin_both_ways_forgets_shortly_after),
		STICKY(icmp_error_goes_with_the_flow_that_it_quotes),
		STICKY(where_changes_nothing),
		STICKY(panic_leaves_flows_where_they_are),
		STICKY(what_counts_is_in_the_pin),
		STICKY(xdp_pins_what_it_sends),
		STICKY(xdp_counts_nothing_that_it_leaves_to_tc),
		SYMMETRIC(symmetric_learns_from_a_remote_instance),
		SYMMETRIC(symmetric_answers_where_it_was_asked),
		SYMMETRIC(sticky_does_not_follow_its_peer),
		SYMMETRIC(symmetric_flow_that_began_here_follows_the_first_answer),
		SYMMETRIC(symmetric_ignores_what_was_on_its_way),
		SYMMETRIC(symmetric_does_not_follow_to_what_carries_nothing),
		SYMMETRIC(symmetric_flow_is_kept_by_what_comes_in),
		SYMMETRIC(symmetric_finds_flows_behind_stale_headers_and_extensions),
		STICKY(flood_puts_no_flow_out_that_speaks),
	};
#undef STICKY
#undef SYMMETRIC

	return cmocka_run_group_tests_name("flows", tests, set_up, rig_tear_down);
}
