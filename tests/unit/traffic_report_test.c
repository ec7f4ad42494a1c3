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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_move__gap_is_from_the_last_in_the_old_tunnel_to_the_first_in_the_new,
				       setup),
		cmocka_unit_test_setup(test_move__gap_is_that_of_the_slowest_flow, setup),
		cmocka_unit_test_setup(test_move__there_and_back_counts_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
