// SPDX-License-Identifier: GPL-2.0-only
/*
 * Panic: no member of a connection is usable, and some are out for HEALTH_PANIC_CAUSES alone. The best of those is
 * taken, in the order of the row, else of the scan; its packets are counted, and `where` says so.
 */
#include "prog.h"

#include "../../bpf/rank.h"

#define FLOWS 200

static uint64_t panic_packets(uint32_t tunnel)
{
	return rig_count(rig.tc->maps.counters, tunnel, offsetof(struct counters, panic_packets) / 8);
}

static void assert_panics_into(const struct frame *frame, uint32_t tunnel, uint32_t rank)
{
	struct where_answer answer = ask(frame).answer;

	assert_int_equal(answer.verdict, WHERE_TUNNEL);
	assert_int_equal(answer.detail, tunnel);
	assert_int_equal(answer.rank, rank | WHERE_PANIC);
}

static void assert_is_dropped(const struct frame *frame)
{
	struct where_answer answer = ask(frame).answer;

	assert_int_equal(answer.verdict, WHERE_DROP);
	assert_int_equal(answer.detail, DROP_no_usable_tunnel);
	assert_false(answer.rank & WHERE_PANIC);
}

static void probes_fail(void)
{
	for (unsigned i = 0; i < HQ_MEMBERS; i++)
		rig.tunnel_health[i].probe_dead = 1;
	for (unsigned i = 0; i < MAX_MEMBERS; i++)
		rig.tunnel_health[WIDE_TUNNEL + i].probe_dead = 1;
}

static void test_panic__all_dead_by_probe_keep_their_flows(void **state)
{
	(void)state;
	probes_fail();
	for (unsigned member = 0; member < HQ_MEMBERS; member++) {
		struct frame frame = frame_to(member), frame6 = frame6_to(member);

		assert_panics_into(&frame, member, 0);
		assert_panics_into(&frame6, member, 0);
	}
}

static void test_panic__is_counted_beside_what_is_sent(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct run run;

	(void)state;
	run = run_tc(&frame);
	assert_sent_to(run, LAYER3);
	assert_int_equal(panic_packets(LAYER3), 0);
	probes_fail();
	reset_counters();
	ask(&frame);
	assert_int_equal(panic_packets(LAYER3), 0);
	run = run_tc(&frame);
	assert_sent_to(run, LAYER3);
	assert_int_equal(panic_packets(LAYER3), 1);
	assert_int_equal(tx_bytes(LAYER3), frame.length - ETH_HLEN);
}

static void test_panic__usable_one_wins_whatever_its_rank(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct where_answer answer;
	struct run run;

	(void)state;
	probes_fail();
	rig.tunnel_health[ETHERNET].probe_dead = 0;
	answer = ask(&frame).answer;
	assert_int_equal(answer.detail, ETHERNET);
	assert_int_equal(answer.rank, 1);
	run = run_tc(&frame);
	assert_sent_to(run, ETHERNET);
	assert_int_equal(panic_packets(ETHERNET), 0);
}

static void test_panic__other_causes_are_not_forgiven(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	probes_fail();
	for (size_t cause = 0; cause < offsetof(struct health, slow_start); cause++) {
		uint8_t *tunnel = (uint8_t *)&rig.tunnel_health[LAYER3] + cause;
		uint8_t *instance = (uint8_t *)&rig.instance_health[LAYER3] + cause;
		bool forgiven =
			cause == offsetof(struct health, probe_dead) || cause == offsetof(struct health, sa_expiring);

		*tunnel = 1;
		assert_panics_into(&frame, forgiven ? LAYER3 : ETHERNET, !forgiven);
		*tunnel = 0;
		rig.tunnel_health[LAYER3].probe_dead = 1;
		*instance = 0x80;
		assert_panics_into(&frame, forgiven ? LAYER3 : ETHERNET, !forgiven);
		*instance = 0;
	}
}

static void test_panic__nothing_left_is_a_drop(void **state)
{
	struct frame frame = frame_to(LAYER3), wide = frame_for_row(CLIENT, WIDE_SERVER, 0, MAX_MEMBERS),
		     rowless = frame_for_row(CLIENT, ROWLESS_SERVER, 0, MAX_MEMBERS);
	struct run run;

	(void)state;
	probes_fail();
	for (unsigned i = 0; i < MAX_INSTANCES; i++)
		rig.instance_health[i].link_down = 1;
	assert_is_dropped(&frame);
	assert_is_dropped(&wide);
	assert_is_dropped(&rowless);
	run = run_tc(&frame);
	assert_dropped(run, DROP_no_usable_tunnel);
}

static void test_panic__remote_instance_is_sent_to_by_xdp(void **state)
{
	struct frame frame = frame_to(REMOTE);
	struct run run;

	(void)state;
	for (unsigned i = 0; i < HQ_MEMBERS; i++)
		rig.instance_health[i].probe_dead = 1;
	assert_panics_into(&frame, REMOTE, 0);
	run = run_xdp(&frame);
	assert_int_equal(run.verdict, XDP_REDIRECT);
	assert_int_equal(tx_packets(REMOTE), 1);
	assert_int_equal(panic_packets(REMOTE), 1);
	/* The next hop of an instance is no probe's matter: a local tunnel is then steer_tc's. */
	rig.instance_health[REMOTE].next_hop_missing = 1;
	assert_panics_into(&frame, LAYER3, 1);
	reset_counters();
	run = run_xdp(&frame);
	assert_int_equal(run.verdict, XDP_PASS);
	assert_int_equal(panic_packets(LAYER3), 0);
}

static void test_panic__expiring_sa_is_taken_too(void **state)
{
	struct frame frame = frame_to(ETHERNET);

	(void)state;
	rig.tunnel_health[ETHERNET].sa_expiring = 1;
	assert_int_equal(ask(&frame).answer.detail, REMOTE);
	assert_int_equal(ask(&frame).answer.rank, 1);
	rig.tunnel_health[REMOTE].link_down = rig.tunnel_health[LAYER3].sa_missing = 1;
	assert_panics_into(&frame, ETHERNET, 0);
	rig.instance_health[ETHERNET].probe_dead = 1;
	assert_panics_into(&frame, ETHERNET, 0);
}

/* The best of all members that are not out for link_down, written down anew. */
static void assert_best_of_scan(const struct frame *frame, uint32_t key_mask)
{
	uint32_t key = ask(frame).answer.flow_hash & key_mask, rank = 0;
	unsigned best = MAX_MEMBERS;

	for (unsigned i = 0; i < MAX_MEMBERS; i++) {
		if (rig.instance_health[i].link_down)
			continue;
		if (best == MAX_MEMBERS || rank_score(key, i, 100) > rank_score(key, best, 100))
			best = i;
	}
	for (unsigned i = 0; i < MAX_MEMBERS; i++)
		rank += rig.instance_health[i].link_down && rank_score(key, i, 100) > rank_score(key, best, 100);
	assert_panics_into(frame, WIDE_TUNNEL + best, rank);
}

static void test_panic__wide_connection_goes_by_row_then_by_scan(void **state)
{
	struct frame frame = frame_for_row(CLIENT, WIDE_SERVER, 5, MAX_MEMBERS);

	(void)state;
	probes_fail();
	assert_panics_into(&frame, WIDE_TUNNEL + 5, 0);
	for (unsigned place = 0; place < ROW_CANDIDATES - 1; place++)
		rig.instance_health[5 + place].link_down = 1;
	assert_panics_into(&frame, WIDE_TUNNEL + 5 + ROW_CANDIDATES - 1, ROW_CANDIDATES - 1);
	rig.instance_health[5 + ROW_CANDIDATES - 1].link_down = 1;
	assert_best_of_scan(&frame, RIG_ROW_MASK);
	/* One that is usable, though no row names it, ends the panic. */
	rig.tunnel_health[WIDE_TUNNEL + 40].probe_dead = 0;
	assert_int_equal(ask(&frame).answer.detail, WIDE_TUNNEL + 40);
	assert_false(ask(&frame).answer.rank & WHERE_PANIC);
}

static void test_panic__rowless_connection_goes_by_scan(void **state)
{
	(void)state;
	probes_fail();
	for (unsigned i = 0; i < MAX_MEMBERS; i += 2)
		rig.instance_health[i].link_down = 1;
	for (unsigned i = 0; i < FLOWS; i++) {
		struct frame frame = frame_of_udp(CLIENT, 1024 + i, ROWLESS_SERVER, 2000);

		assert_best_of_scan(&frame, UINT32_MAX);
	}
}

static void test_panic__ends_with_the_first_probe_that_is_answered(void **state)
{
	struct frame frame = frame_to(REMOTE);

	(void)state;
	probes_fail();
	assert_panics_into(&frame, REMOTE, 0);
	rig.tunnel_health[LAYER3].probe_dead = 0;
	assert_int_equal(ask(&frame).answer.detail, LAYER3);
	assert_int_equal(ask(&frame).answer.rank, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_panic__##name, rig_reset)
	static const struct CMUnitTest tests[] = {
		TEST(all_dead_by_probe_keep_their_flows),
		TEST(is_counted_beside_what_is_sent),
		TEST(usable_one_wins_whatever_its_rank),
		TEST(other_causes_are_not_forgiven),
		TEST(nothing_left_is_a_drop),
		TEST(remote_instance_is_sent_to_by_xdp),
		TEST(expiring_sa_is_taken_too),
		TEST(wide_connection_goes_by_row_then_by_scan),
		TEST(rowless_connection_goes_by_scan),
		TEST(ends_with_the_first_probe_that_is_answered),
	};
#undef TEST

	return cmocka_run_group_tests_name("panic", tests, rig_set_up, rig_tear_down);
}
