// SPDX-License-Identifier: GPL-2.0-only
/* Fast down, slow up: first use, the hold and how it grows and is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../../bpf/liveness.h"

#define HOLD_NS	    100
#define HOLD_MAX_NS 1000

static bool answers(struct liveness *liveness, uint64_t now_ns)
{
	return liveness_answers(liveness, now_ns, HOLD_NS, HOLD_MAX_NS);
}

static struct liveness live_since(uint64_t now_ns)
{
	struct liveness liveness;

	liveness_init(&liveness);
	assert_true(answers(&liveness, now_ns));
	return liveness;
}

static void test_liveness__first_answer_is_enough(void **state)
{
	struct liveness liveness;

	(void)state;
	liveness_init(&liveness);
	assert_false(liveness_down(&liveness, 10, HOLD_MAX_NS));
	assert_int_equal(liveness.dead_since_ns, 0);
	assert_int_equal(liveness.flaps, 0);
	assert_true(answers(&liveness, 20));
	assert_true(liveness.live && liveness.was_live);
	assert_false(answers(&liveness, 30));
	assert_int_equal(liveness_deadline_ns(&liveness), 0);
}

static void test_liveness__down_is_at_once_and_told_once(void **state)
{
	struct liveness liveness = live_since(20);

	(void)state;
	assert_true(liveness_down(&liveness, 50, HOLD_MAX_NS));
	assert_false(liveness.live);
	assert_int_equal(liveness.dead_since_ns, 50);
	assert_int_equal(liveness.flaps, 1);
	assert_false(liveness_down(&liveness, 60, HOLD_MAX_NS));
	assert_int_equal(liveness.dead_since_ns, 50);
	assert_int_equal(liveness.flaps, 1);
}

static void test_liveness__returns_after_the_hold(void **state)
{
	struct liveness liveness = live_since(20);

	(void)state;
	liveness_down(&liveness, 50, HOLD_MAX_NS);
	assert_false(liveness_due(&liveness, 1000000));
	assert_false(answers(&liveness, 500));
	assert_false(answers(&liveness, 550));
	assert_int_equal(liveness_deadline_ns(&liveness), 600);
	assert_false(liveness_due(&liveness, 599));
	assert_true(liveness_due(&liveness, 600));
	assert_true(liveness.live);
	assert_false(liveness_due(&liveness, 601));
	assert_int_equal(liveness_deadline_ns(&liveness), 0);
}

static void test_liveness__answer_after_the_hold_does_it_too(void **state)
{
	struct liveness liveness = live_since(20);

	(void)state;
	liveness_down(&liveness, 50, HOLD_MAX_NS);
	assert_false(answers(&liveness, 500));
	assert_true(answers(&liveness, 600));
	assert_false(liveness_due(&liveness, 600));
}

static void test_liveness__miss_during_the_hold_begins_it_anew(void **state)
{
	struct liveness liveness = live_since(20);

	(void)state;
	liveness_down(&liveness, 50, HOLD_MAX_NS);
	answers(&liveness, 500);
	assert_false(liveness_down(&liveness, 550, HOLD_MAX_NS));
	assert_int_equal(liveness_deadline_ns(&liveness), 0);
	assert_int_equal(liveness.flaps, 1);
	answers(&liveness, 580);
	assert_int_equal(liveness_deadline_ns(&liveness), 680);
}

static void test_liveness__each_flap_doubles_the_hold(void **state)
{
	static const uint64_t holds_ns[] = {100, 200, 400, 800, 1000, 1000};
	struct liveness liveness = live_since(1);
	uint64_t now_ns = 10;

	(void)state;
	for (int i = 0; i < 6; i++) {
		assert_true(liveness_down(&liveness, now_ns, HOLD_MAX_NS));
		assert_false(answers(&liveness, now_ns));
		assert_int_equal(liveness_deadline_ns(&liveness), now_ns + holds_ns[i]);
		now_ns += holds_ns[i];
		assert_true(liveness_due(&liveness, now_ns));
		now_ns += HOLD_MAX_NS; /* in use for that long is not longer */
	}
}

static void test_liveness__flaps_are_forgotten_after_long_use_only(void **state)
{
	struct liveness liveness = live_since(1);

	(void)state;
	liveness_down(&liveness, 10, HOLD_MAX_NS);
	/* Dead for long, then in use for a moment: a flap more. */
	answers(&liveness, 100000);
	assert_true(liveness_due(&liveness, 100100));
	liveness_down(&liveness, 100110, HOLD_MAX_NS);
	assert_int_equal(liveness.flaps, 2);
	answers(&liveness, 100110);
	assert_true(liveness_due(&liveness, 100310));
	liveness_down(&liveness, 100310 + HOLD_MAX_NS + 1, HOLD_MAX_NS);
	assert_int_equal(liveness.flaps, 1);
}

static void test_liveness__hold_of_0_is_none(void **state)
{
	struct liveness liveness = live_since(1);

	(void)state;
	liveness_down(&liveness, 10, 0);
	assert_true(liveness_answers(&liveness, 20, 0, 0));
}

static void test_liveness__many_flaps_do_not_overflow(void **state)
{
	struct liveness liveness = {.flaps = UINT32_MAX};
	uint64_t hour_ns = 3600ull * 1000000000;

	(void)state;
	assert_int_equal(liveness_hold_ns(&liveness, hour_ns, 24 * hour_ns), 24 * hour_ns);
	assert_int_equal(liveness_hold_ns(&liveness, 2 * hour_ns, hour_ns), hour_ns);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_liveness__first_answer_is_enough),
		cmocka_unit_test(test_liveness__down_is_at_once_and_told_once),
		cmocka_unit_test(test_liveness__returns_after_the_hold),
		cmocka_unit_test(test_liveness__answer_after_the_hold_does_it_too),
		cmocka_unit_test(test_liveness__miss_during_the_hold_begins_it_anew),
		cmocka_unit_test(test_liveness__each_flap_doubles_the_hold),
		cmocka_unit_test(test_liveness__flaps_are_forgotten_after_long_use_only),
		cmocka_unit_test(test_liveness__hold_of_0_is_none),
		cmocka_unit_test(test_liveness__many_flaps_do_not_overflow),
	};

	return cmocka_run_group_tests_name("liveness", tests, NULL, NULL);
}
