// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slow start: who is put back takes its flows in the order of their hashes' highest byte, each moves to it once and no
 * other moves at all; and where nobody else is usable it takes them all, before anything panics.
 */
#include "prog.h"

#define FLOWS 600

static struct where_answer answer_for(const char *server, unsigned i)
{
	struct frame frame = frame_of_udp(CLIENT, 1024 + i, server, 2000);

	return ask(&frame).answer;
}

static void answers_read(const char *server, struct where_answer answers[FLOWS])
{
	for (unsigned i = 0; i < FLOWS; i++) {
		answers[i] = answer_for(server, i);
		assert_int_equal(answers[i].verdict, WHERE_TUNNEL);
		assert_false(answers[i].rank & WHERE_PANIC);
	}
}

static bool is_admitted(uint32_t hash, unsigned level)
{
	return hash >> 24 >= level;
}

/* Those that are let in are where they would be without slow start, the others where they would be without the slow
 * one. */
static void assert_spread(const char *server, uint32_t slow, unsigned level, const struct where_answer all[FLOWS],
			  const struct where_answer without[FLOWS], double share)
{
	struct where_answer answers[FLOWS];
	unsigned its = 0, taken = 0;

	answers_read(server, answers);
	for (unsigned i = 0; i < FLOWS; i++) {
		bool admitted = is_admitted(all[i].flow_hash, level);

		assert_int_equal(answers[i].detail, (admitted ? all : without)[i].detail);
		assert_int_equal(answers[i].rank, (admitted ? all : without)[i].rank);
		its += all[i].detail == slow;
		taken += answers[i].detail == slow;
	}
	assert_true(its > 0);
	if (share >= 0)
		assert_true(taken > its * (share - 0.1) && taken < its * (share + 0.1));
}

static void test_slow_start__level_128_lets_in_half(void **state)
{
	struct where_answer all[FLOWS], without[FLOWS];

	(void)state;
	answers_read(SERVER, all);
	rig.instance_health[ETHERNET].admin_out = ADMIN_DRAINING;
	answers_read(SERVER, without);
	rig.instance_health[ETHERNET].admin_out = 0;
	rig.instance_health[ETHERNET].slow_start = 128;
	assert_spread(SERVER, ETHERNET, 128, all, without, 0.5);
	rig.instance_health[ETHERNET].slow_start = 0;
	rig.tunnel_health[ETHERNET].slow_start = 64;
	assert_spread(SERVER, ETHERNET, 64, all, without, 0.75);
	/* The greater of both counts. */
	rig.instance_health[ETHERNET].slow_start = 192;
	assert_spread(SERVER, ETHERNET, 192, all, without, 0.25);
}

static void test_slow_start__moves_each_flow_once_and_to_the_slow_one_alone(void **state)
{
	struct where_answer before[FLOWS], now[FLOWS];
	unsigned moves[FLOWS] = {0};

	(void)state;
	rig.instance_health[ETHERNET].admin_out = ADMIN_OUT;
	answers_read(SERVER, before);
	rig.instance_health[ETHERNET].slow_start = 255;
	rig.instance_health[ETHERNET].admin_out = 0;
	for (int level = 255; level >= 0; level -= 15) {
		rig.instance_health[ETHERNET].slow_start = (uint8_t)level;
		answers_read(SERVER, now);
		for (unsigned i = 0; i < FLOWS; i++) {
			if (now[i].detail == before[i].detail)
				continue;
			assert_int_equal(now[i].detail, ETHERNET);
			moves[i]++;
			before[i] = now[i];
		}
	}
	for (unsigned i = 0; i < FLOWS; i++) {
		assert_true(moves[i] <= 1);
		assert_int_equal(moves[i], before[i].detail == ETHERNET);
	}
}

static void test_slow_start__takes_all_where_nobody_else_is_usable(void **state)
{
	struct where_answer answers[FLOWS];
	struct frame frame = frame_to(LAYER3);
	struct run run;

	(void)state;
	rig.instance_health[ETHERNET].slow_start = 255;
	rig.instance_health[LAYER3].link_down = 1;
	rig.tunnel_health[REMOTE].probe_dead = 1; /* panic would take it */
	answers_read(SERVER, answers);
	for (unsigned i = 0; i < FLOWS; i++)
		assert_int_equal(answers[i].detail, ETHERNET);
	run = run_tc(&frame);
	assert_sent_to(run, ETHERNET);
	assert_int_equal(rig_count(rig.tc->maps.counters, ETHERNET, offsetof(struct counters, panic_packets) / 8), 0);
	/* Of two that start slowly, the flow's own comes first. */
	rig.instance_health[LAYER3].link_down = 0;
	rig.instance_health[LAYER3].slow_start = 255;
	frame = frame_to(LAYER3);
	if (!is_admitted(ask(&frame).answer.flow_hash, 255))
		assert_int_equal(ask(&frame).answer.detail, LAYER3);
}

static void test_slow_start__does_not_hide_a_cause(void **state)
{
	struct where_answer answers[FLOWS];

	(void)state;
	rig.tunnel_health[ETHERNET].slow_start = 1;
	rig.instance_health[ETHERNET].sa_missing = 1;
	answers_read(SERVER, answers);
	for (unsigned i = 0; i < FLOWS; i++)
		assert_int_not_equal(answers[i].detail, ETHERNET);
	rig.instance_health[ETHERNET].sa_missing = 0;
	rig.tunnel_health[ETHERNET].probe_dead = 1;
	answers_read(SERVER, answers);
	for (unsigned i = 0; i < FLOWS; i++)
		assert_int_not_equal(answers[i].detail, ETHERNET);
}

static void test_slow_start__holds_in_panic_for_nobody(void **state)
{
	struct frame frame = frame_to(ETHERNET);

	(void)state;
	for (unsigned i = 0; i < HQ_MEMBERS; i++)
		rig.tunnel_health[i].probe_dead = 1;
	rig.instance_health[ETHERNET].slow_start = 255;
	assert_int_equal(ask(&frame).answer.detail, ETHERNET);
	assert_int_equal(ask(&frame).answer.rank, WHERE_PANIC);
}

static void assert_scan_is_slow(const char *server)
{
	struct where_answer all[FLOWS], without[FLOWS];
	uint32_t slow;

	answers_read(server, all);
	slow = all[0].detail;
	rig.tunnel_health[slow].link_down = 1;
	answers_read(server, without);
	rig.tunnel_health[slow].link_down = 0;
	rig.tunnel_health[slow].slow_start = 100;
	assert_spread(server, slow, 100, all, without, -1);
	rig.tunnel_health[slow].slow_start = 0;
}

static void test_slow_start__holds_where_members_are_ranked_here_and_now(void **state)
{
	(void)state;
	assert_scan_is_slow(WIDE_SERVER);
	assert_scan_is_slow(ROWLESS_SERVER);
	/* Rows that are exhausted: 50 of 64 members are out. */
	for (unsigned i = 0; i < 50; i++)
		rig.instance_health[i].link_down = 1;
	assert_scan_is_slow(WIDE_SERVER);
	assert_scan_is_slow(ROWLESS_SERVER);
}

static void test_slow_start__of_a_remote_instance_is_heeded_by_xdp(void **state)
{
	struct frame frame = frame_to(REMOTE);
	uint32_t hash = ask(&frame).answer.flow_hash;
	struct run run;

	(void)state;
	rig.instance_health[REMOTE].slow_start = (uint8_t)(hash >> 24);
	if (rig.instance_health[REMOTE].slow_start) {
		run = run_xdp(&frame);
		assert_int_equal(run.verdict, XDP_REDIRECT);
	}
	assert_true(hash >> 24 < 255);
	rig.instance_health[REMOTE].slow_start = (uint8_t)(hash >> 24) + 1;
	run = run_xdp(&frame);
	assert_int_equal(run.verdict, XDP_PASS); /* a local tunnel is steer_tc's */
	assert_int_equal(ask(&frame).answer.rank, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_slow_start__##name, rig_reset)
	static const struct CMUnitTest tests[] = {
		TEST(level_128_lets_in_half),
		TEST(moves_each_flow_once_and_to_the_slow_one_alone),
		TEST(takes_all_where_nobody_else_is_usable),
		TEST(does_not_hide_a_cause),
		TEST(holds_in_panic_for_nobody),
		TEST(holds_where_members_are_ranked_here_and_now),
		TEST(of_a_remote_instance_is_heeded_by_xdp),
	};
#undef TEST

	return cmocka_run_group_tests_name("slow_start", tests, rig_set_up, rig_tear_down);
}
