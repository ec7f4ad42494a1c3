// SPDX-License-Identifier: GPL-2.0-only
/* Echo requests and replies: what counts, and when it is dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <string.h>

#include "../../bpf/echo.h"

#define MULTIPLIER  3
#define INTERVAL_NS 100
#define START_NS    1000000

/* Requests an interval apart, from START_NS on. */
static void send_requests(struct echo *echo, int requests)
{
	for (int i = 0; i < requests; i++)
		echo_request(echo, START_NS + (uint64_t)i * INTERVAL_NS, MULTIPLIER);
}

static void test_echo__sequence_counts_up_and_wraps(void **state)
{
	struct echo echo = {.sequence = 65534};

	(void)state;
	assert_int_equal(echo_request(&echo, 1, MULTIPLIER), 65534);
	assert_int_equal(echo_request(&echo, 2, MULTIPLIER), 65535);
	assert_int_equal(echo_request(&echo, 3, MULTIPLIER), 0);
	assert_true(echo_answer(&echo, 65535, MULTIPLIER));
	assert_int_equal(echo.unanswered, 1);
	assert_true(echo_answer(&echo, 0, MULTIPLIER));
	assert_int_equal(echo.unanswered, 0);
}

static void test_echo__dead_an_interval_after_the_last_miss(void **state)
{
	struct echo echo = {0};
	uint64_t third_ns = START_NS + 2 * INTERVAL_NS;

	(void)state;
	assert_int_equal(echo_deadline_ns(&echo, INTERVAL_NS), 0);
	send_requests(&echo, 2);
	assert_int_equal(echo_deadline_ns(&echo, INTERVAL_NS), 0);
	assert_false(echo_is_dead(&echo, UINT64_MAX, INTERVAL_NS));
	echo_request(&echo, third_ns, MULTIPLIER);
	assert_int_equal(echo_deadline_ns(&echo, INTERVAL_NS), third_ns + INTERVAL_NS);
	assert_false(echo_is_dead(&echo, third_ns + INTERVAL_NS - 1, INTERVAL_NS));
	assert_true(echo_is_dead(&echo, third_ns + INTERVAL_NS, INTERVAL_NS));
	/* Further requests do not put it off. */
	echo_request(&echo, third_ns + INTERVAL_NS, MULTIPLIER);
	assert_int_equal(echo_deadline_ns(&echo, INTERVAL_NS), third_ns + INTERVAL_NS);
}

static void test_echo__silence_without_requests_proves_nothing(void **state)
{
	struct echo echo = {0};

	(void)state;
	send_requests(&echo, 1);
	assert_true(echo_answer(&echo, 0, MULTIPLIER));
	send_requests(&echo, 2);
	assert_false(echo_is_dead(&echo, START_NS + 1000000 * INTERVAL_NS, INTERVAL_NS));
}

static void test_echo__answer_at_the_last_moment_saves_it(void **state)
{
	struct echo echo = {0};

	(void)state;
	send_requests(&echo, 3);
	assert_true(echo_answer(&echo, 0, MULTIPLIER));
	assert_int_equal(echo.unanswered, 2);
	assert_int_equal(echo_deadline_ns(&echo, INTERVAL_NS), 0);
	echo_request(&echo, START_NS + 3 * INTERVAL_NS, MULTIPLIER);
	assert_int_equal(echo_deadline_ns(&echo, INTERVAL_NS), START_NS + 4 * INTERVAL_NS);
}

static void test_echo__answer_to_one_of_many_leaves_it_dead(void **state)
{
	struct echo echo = {0};

	(void)state;
	send_requests(&echo, 10);
	assert_true(echo_answer(&echo, 6, MULTIPLIER)); /* 7, 8, 9 remain */
	assert_true(echo_is_dead(&echo, START_NS + 9 * INTERVAL_NS, INTERVAL_NS));
	assert_true(echo_answer(&echo, 7, MULTIPLIER));
	assert_false(echo_is_dead(&echo, START_NS + 9 * INTERVAL_NS, INTERVAL_NS));
}

static void test_echo__duplicates_and_older_replies_do_not_count(void **state)
{
	struct echo echo = {0};

	(void)state;
	send_requests(&echo, 5);
	assert_true(echo_answer(&echo, 3, MULTIPLIER));
	assert_false(echo_answer(&echo, 3, MULTIPLIER));
	assert_false(echo_answer(&echo, 2, MULTIPLIER));
	assert_true(echo_answer(&echo, 4, MULTIPLIER));
	assert_false(echo_answer(&echo, 4, MULTIPLIER));
}

static void test_echo__what_was_not_asked_does_not_count(void **state)
{
	struct echo echo = {0}, before;

	(void)state;
	assert_false(echo_answer(&echo, 0, MULTIPLIER));
	assert_false(echo_answer(&echo, 65535, MULTIPLIER));
	send_requests(&echo, 2);
	before = echo;
	assert_false(echo_answer(&echo, 2, MULTIPLIER));
	assert_false(echo_answer(&echo, 65535, MULTIPLIER));
	assert_false(echo_answer(&echo, 32768, MULTIPLIER));
	assert_memory_equal(&echo, &before, sizeof(echo));
}

static void test_echo__window_is_256_requests(void **state)
{
	struct echo echo = {0};

	(void)state;
	send_requests(&echo, 300);
	assert_false(echo_answer(&echo, 43, MULTIPLIER));
	assert_true(echo_answer(&echo, 44, MULTIPLIER));
	assert_int_equal(echo.unanswered, 255);
}

static void test_echo__unanswered_saturates(void **state)
{
	struct echo echo = {0};

	(void)state;
	send_requests(&echo, 200000);
	assert_int_equal(echo.unanswered, 65535);
	assert_int_equal(echo.missed_ns, START_NS + 2 * INTERVAL_NS);
	assert_true(echo_answer(&echo, (uint16_t)199999, MULTIPLIER));
	assert_int_equal(echo.unanswered, 0);
	assert_int_equal(echo.missed_ns, 0);
}

static void test_echo__in_a_row_counts_to_the_multiplier_without_a_miss(void **state)
{
	struct echo echo = {0};

	(void)state;
	for (uint16_t i = 0; i < 5; i++) {
		echo_request(&echo, START_NS, MULTIPLIER);
		assert_true(echo_answer(&echo, i, MULTIPLIER));
		assert_int_equal(echo.in_a_row, i < MULTIPLIER ? i + 1 : MULTIPLIER);
	}
	/* Several on their way are no miss, */
	send_requests(&echo, 2);
	assert_true(echo_answer(&echo, 5, MULTIPLIER));
	assert_int_equal(echo.in_a_row, MULTIPLIER);
	/* one passed over is. */
	send_requests(&echo, 1);
	assert_true(echo_answer(&echo, 7, MULTIPLIER));
	assert_int_equal(echo.in_a_row, 1);
}

static void test_echo__smaller_multiplier_holds_from_the_next_request(void **state)
{
	struct echo echo = {0};

	(void)state;
	send_requests(&echo, 2);
	echo_request(&echo, 5000000, 1);
	assert_int_equal(echo.missed_ns, 5000000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo__sequence_counts_up_and_wraps),
		cmocka_unit_test(test_echo__dead_an_interval_after_the_last_miss),
		cmocka_unit_test(test_echo__silence_without_requests_proves_nothing),
		cmocka_unit_test(test_echo__answer_at_the_last_moment_saves_it),
		cmocka_unit_test(test_echo__answer_to_one_of_many_leaves_it_dead),
		cmocka_unit_test(test_echo__duplicates_and_older_replies_do_not_count),
		cmocka_unit_test(test_echo__what_was_not_asked_does_not_count),
		cmocka_unit_test(test_echo__window_is_256_requests),
		cmocka_unit_test(test_echo__unanswered_saturates),
		cmocka_unit_test(test_echo__in_a_row_counts_to_the_multiplier_without_a_miss),
		cmocka_unit_test(test_echo__smaller_multiplier_holds_from_the_next_request),
	};

	return cmocka_run_group_tests_name("echo", tests, NULL, NULL);
}
