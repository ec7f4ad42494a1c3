/* SPDX-License-Identifier: GPL-2.0-only */
/* What traffic_report makes of a flow's packets: the source is included, its logs and phases are written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define main traffic_report_main
int traffic_report_main(int argc, char **argv);
#include "../lib/traffic_report.c"
#undef main

#define MS 1000000ull

enum { STEADY, CUT };

static int setup(void **state)
{
	(void)state;
	memset(phases, 0, sizeof(phases));
	phases[STEADY] = (struct phase){.name = "steady", .start_ns = 100 * MS, .end_ns = 200 * MS};
	phases[CUT] = (struct phase){.name = "cut", .start_ns = 200 * MS, .end_ns = UINT64_MAX};
	phase_count = 2;
	return 0;
}

/* On its way for 1 ms. */
static struct packet through(uint8_t tunnel, uint64_t sent_ms)
{
	return (struct packet){
		.sent_ns = sent_ms * MS,
		.received_ns = (sent_ms + 1) * MS,
		.seen_ns = (sent_ms + 1) * MS,
		.tunnel = tunnel,
	};
}

static struct packet lost(uint64_t sent_ms)
{
	return (struct packet){.sent_ns = sent_ms * MS, .tunnel = UNSEEN};
}

static void test_move__gap_is_from_the_last_in_the_old_tunnel_to_the_first_in_the_new(void **state)
{
	struct packet packets[] = {through(0, 150), through(0, 195), lost(205),
				   lost(215),	    through(1, 225), through(1, 290)};
	const struct flow flow = {.packets = packets, .count = 6};

	(void)state;
	count_flow(&flow);
	assert_int_equal(phases[CUT].moved_from[0], 1);
	assert_int_equal(phases[CUT].moved_gap_ns[0], 30 * MS);
	assert_int_equal(phases[CUT].lost, 2);
	assert_int_equal(phases[STEADY].moved_from[0], 0);
	assert_int_equal(phases[STEADY].moved_gap_ns[0], 0);
}

static void test_move__gap_is_that_of_the_slowest_flow(void **state)
{
	struct packet quick[] = {through(0, 195), through(1, 205)};
	struct packet slow[] = {through(0, 190), lost(205), through(1, 260)};
	struct packet healthy[] = {through(1, 150), through(1, 350)};
	const struct flow all[] = {{quick, 2}, {slow, 3}, {healthy, 2}};

	(void)state;
	for (int i = 0; i < 3; i++)
		count_flow(&all[i]);
	assert_int_equal(phases[CUT].moved_from[0], 2);
	assert_int_equal(phases[CUT].moved_gap_ns[0], 70 * MS);
	assert_int_equal(phases[CUT].moved_from[1], 0);
	assert_int_equal(phases[CUT].moved_gap_ns[1], 0);
}

static void test_move__there_and_back_counts_once(void **state)
{
	struct packet packets[] = {through(1, 195), through(0, 205), through(1, 215), through(0, 290)};
	const struct flow flow = {.packets = packets, .count = 4};

	(void)state;
	count_flow(&flow);
	assert_int_equal(phases[CUT].moved_from[1], 1);
	assert_int_equal(phases[CUT].moved_gap_ns[1], 10 * MS);
	assert_int_equal(phases[CUT].moves[1][0], 2);
}

static void test_sent_gap__is_the_senders_whatever_was_lost(void **state)
{
	struct packet packets[] = {through(0, 150), lost(205), lost(215), through(1, 255), through(1, 270)};
	const struct flow flow = {.packets = packets, .count = 5};

	(void)state;
	count_flow(&flow);
	assert_int_equal(phases[STEADY].sent_gap_ns, 0);
	assert_int_equal(phases[CUT].sent_gap_ns, 55 * MS);
}

static struct traffic_record by(uint8_t tunnel, uint16_t flow, uint64_t ms)
{
	return (struct traffic_record){.time_ns = ms * MS, .flow = flow, .tunnel = tunnel};
}

static void see_both_ways(struct traffic_record *there, uint32_t there_count, struct traffic_record *back,
			  uint32_t back_count)
{
	note_directions(&(struct traffic_log){.records = there, .count = there_count}, THERE);
	note_directions(&(struct traffic_log){.records = back, .count = back_count}, BACK);
}

static void assert_both(int phase, int both_flows, int same_tunnel, double apart_ms)
{
	json_t *both = both_json(&phases[phase]);

	assert_int_equal(json_integer_value(json_object_get(both, "flows")), both_flows);
	assert_int_equal(json_integer_value(json_object_get(both, "same_tunnel")), same_tunnel);
	assert_true(json_real_value(json_object_get(both, "apart_ms_max")) == apart_ms);
	json_decref(both);
}

static void test_both__a_flow_in_two_tunnels_is_not_in_the_same(void **state)
{
	struct traffic_record there[] = {by(0, 1, 150), by(1, 2, 151), by(0, 3, 152)};
	struct traffic_record back[] = {by(0, 1, 150), by(0, 2, 151), by(1, 4, 152)};

	(void)state;
	see_both_ways(there, 3, back, 3);
	assert_both(STEADY, 2, 1, 0);
	assert_both(CUT, 0, 0, 0);
}

static void test_both__directions_change_as_far_apart_as_the_slowest_flow(void **state)
{
	struct traffic_record there[] = {by(0, 1, 150), by(0, 2, 150), by(1, 1, 210), by(1, 2, 250)};
	struct traffic_record back[] = {by(0, 1, 150), by(0, 2, 150), by(0, 1, 205), by(1, 2, 240), by(1, 1, 235)};

	(void)state;
	see_both_ways(there, 4, back, 5);
	assert_both(STEADY, 2, 2, 0);
	assert_both(CUT, 2, 2, 25);
}

static void test_both__one_direction_alone_that_changes_is_not_in_the_same(void **state)
{
	struct traffic_record there[] = {by(0, 1, 150), by(1, 1, 210)};
	struct traffic_record back[] = {by(0, 1, 150), by(0, 1, 290)};

	(void)state;
	see_both_ways(there, 2, back, 2);
	assert_both(CUT, 1, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sent_gap__is_the_senders_whatever_was_lost, setup),
		cmocka_unit_test_setup(test_both__a_flow_in_two_tunnels_is_not_in_the_same, setup),
		cmocka_unit_test_setup(test_both__directions_change_as_far_apart_as_the_slowest_flow, setup),
		cmocka_unit_test_setup(test_both__one_direction_alone_that_changes_is_not_in_the_same, setup),
		cmocka_unit_test_setup(test_move__gap_is_from_the_last_in_the_old_tunnel_to_the_first_in_the_new,
				       setup),
		cmocka_unit_test_setup(test_move__gap_is_that_of_the_slowest_flow, setup),
		cmocka_unit_test_setup(test_move__there_and_back_counts_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
