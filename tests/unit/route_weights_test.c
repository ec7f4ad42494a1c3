/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weights of the kernel's next hops against the shares that were asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#include "../../loader/route_weights.h"

static void check_scaled(const uint32_t *weights, const uint16_t *expected, size_t count)
{
	uint16_t scaled[64];
	size_t i;

	route_weights_scale(weights, count, scaled);
	for (i = 0; i < count; i++)
		assert_int_equal(scaled[i], expected[i]);
}

static void test_weights__small_ones_are_exact(void **state)
{
	(void)state;
	check_scaled((uint32_t[]){100, 200, 500}, (uint16_t[]){1, 2, 5}, 3);
	check_scaled((uint32_t[]){100}, (uint16_t[]){1}, 1);
	check_scaled((uint32_t[]){1000, 1000}, (uint16_t[]){1, 1}, 2);
	check_scaled((uint32_t[]){256, 255}, (uint16_t[]){256, 255}, 2);
	check_scaled((uint32_t[]){750, 1000}, (uint16_t[]){3, 4}, 2);
}

static void test_weights__none_at_all_is_no_fault(void **state)
{
	(void)state;
	route_weights_scale(NULL, 0, NULL);
}

static void test_weights__none_becomes_zero(void **state)
{
	uint16_t scaled[2];

	(void)state;
	route_weights_scale((uint32_t[]){1, 1000}, 2, scaled);
	assert_int_equal(scaled[0], 1);
	assert_int_equal(scaled[1], ROUTE_WEIGHT_MAX);
}

/* Where no share is so small that 1 of 256 overstates it, every share is right to 2 %. */
static void test_weights__shares_are_near_what_was_asked(void **state)
{
	uint32_t weights[64];
	uint16_t scaled[64];
	double sum, scaled_sum, error;
	size_t count, i;
	int round;

	(void)state;
	srand(5);
	for (round = 0; round < 300; round++) {
		count = 2 + rand() % 63;
		sum = scaled_sum = 0;
		for (i = 0; i < count; i++)
			sum += weights[i] = 120 + rand() % 881;
		route_weights_scale(weights, count, scaled);
		for (i = 0; i < count; i++) {
			assert_in_range(scaled[i], 1, ROUTE_WEIGHT_MAX);
			scaled_sum += scaled[i];
		}
		for (i = 0; i < count; i++) {
			error = scaled[i] / scaled_sum / (weights[i] / sum) - 1;
			assert_true(error < 0.02 && error > -0.02);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights__small_ones_are_exact),
		cmocka_unit_test(test_weights__none_at_all_is_no_fault),
		cmocka_unit_test(test_weights__none_becomes_zero),
		cmocka_unit_test(test_weights__shares_are_near_what_was_asked),
	};

	return cmocka_run_group_tests_name("route weights", tests, NULL, NULL);
}
