/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows: shares exact to 1 %, nobody twice in a row, and when a member fails its flows alone move, spread by weight.
 * Flows are hashed as the packet path hashes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/rows.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#include "../../bpf/flow_hash.h"

#define FLOWS 100000

struct profile {
	struct member_rank member[MAX_MEMBERS];
	size_t members, rows;
	uint32_t total;
	struct row *row;
};

static const size_t sizes[] = {2, 3, 4, 8, 64};
static const uint16_t patterns[][3] = {{100, 100, 100}, {1, 2, 5}, {100, 200, 500}};

/* Critical values of the chi-squared distribution at p = 0.001, by degrees of freedom. */
static double critical(size_t degrees)
{
	static const struct {
		size_t degrees;
		double value;
	} table[] = {{1, 10.83}, {2, 13.82}, {3, 16.27}, {6, 22.46}, {7, 24.32}, {62, 101.97}, {63, 103.44}};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].degrees == degrees)
			return table[i].value;
	fail_msg("no critical value for %zu degrees", degrees);
	return 0;
}

static struct profile profile_of(size_t members, const uint16_t weights[3])
{
	struct profile profile = {.members = members};

	for (size_t i = 0; i < members; i++) {
		profile.member[i].weight = weights[i % 3];
		profile.total += weights[i % 3];
	}
	profile.rows = rows_needed(profile.member, members);
	profile.row = calloc(profile.rows, sizeof(*profile.row));
	assert_int_equal(rows_build(profile.member, members, profile.row, profile.rows), 0);
	return profile;
}

static void each_profile(void (*check)(const struct profile *))
{
	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++)
		for (size_t p = 0; p < sizeof(patterns) / sizeof(*patterns); p++) {
			struct profile profile = profile_of(sizes[s], patterns[p]);

			check(&profile);
			free(profile.row);
		}
}

static void check_shares(const struct profile *profile)
{
	size_t held[MAX_MEMBERS] = {0};

	for (size_t r = 0; r < profile->rows; r++)
		held[profile->row[r].candidate[0]]++;
	for (size_t i = 0; i < profile->members; i++) {
		double due = (double)profile->rows * profile->member[i].weight / profile->total;

		assert_true((double)held[i] > 0.99 * due && (double)held[i] < 1.01 * due);
	}
}

static void test_rows__shares_are_exact_to_one_per_cent(void **state)
{
	static const uint16_t extreme[3] = {1000, 1, 500};

	(void)state;
	each_profile(check_shares);
	for (size_t members = 2; members <= 3; members++) {
		struct profile profile = profile_of(members, extreme);

		if (members == 2)
			check_shares(&profile);
		free(profile.row);
	}
}

static void check_distinct(const struct profile *profile)
{
	size_t expected = profile->members < ROW_CANDIDATES ? profile->members : ROW_CANDIDATES;

	for (size_t r = 0; r < profile->rows; r++) {
		uint64_t seen = 0;

		for (size_t i = 0; i < ROW_CANDIDATES; i++) {
			uint8_t ordinal = profile->row[r].candidate[i];

			if (i >= expected) {
				assert_int_equal(ordinal, NO_CANDIDATE);
				continue;
			}
			assert_true(ordinal < profile->members);
			assert_false(seen >> ordinal & 1);
			seen |= 1ull << ordinal;
		}
	}
}

static void test_rows__nobody_stands_twice_in_a_row(void **state)
{
	(void)state;
	each_profile(check_distinct);
}

/* TCP-like flows: a few clients, ports that count up. */
static uint32_t hash_of(unsigned i, uint64_t seed)
{
	struct flow flow = {.protocol = 6};

	flow.source.word[2] = flow.destination.word[2] = __builtin_bswap32(0xffff);
	flow.source.word[3] = __builtin_bswap32(0x0a010002 + i % 50);
	flow.destination.word[3] = __builtin_bswap32(0xc0a80001 + i % 7);
	flow.source_port = __builtin_bswap16((uint16_t)(32768 + i / 50));
	flow.destination_port = __builtin_bswap16(443);
	return flow_hash(&flow, seed);
}

/* The first candidate that is not `out`; 64: none is. */
static uint8_t first_of(const struct row *row, size_t out)
{
	for (size_t i = 0; i < ROW_CANDIDATES; i++)
		if (row->candidate[i] != out)
			return row->candidate[i];
	return NO_CANDIDATE;
}

static double chi_squared(const struct profile *profile, const unsigned *flows, unsigned total, size_t out)
{
	uint32_t weights = profile->total - (out < profile->members ? profile->member[out].weight : 0);
	double sum = 0;

	for (size_t i = 0; i < profile->members; i++) {
		double due = (double)total * profile->member[i].weight / weights;

		if (i != out)
			sum += (flows[i] - due) * (flows[i] - due) / due;
	}
	return sum;
}

static void check_flows(const struct profile *profile)
{
	static const uint64_t seeds[] = {0, 0x5eed, 0x123456789abcdef0ull};

	for (size_t s = 0; s < sizeof(seeds) / sizeof(*seeds); s++) {
		unsigned flows[MAX_MEMBERS] = {0}, moved[MAX_MEMBERS] = {0}, victims = 0;

		for (unsigned i = 0; i < FLOWS; i++) {
			const struct row *row = &profile->row[hash_of(i, seeds[s]) & (profile->rows - 1)];
			uint8_t before = first_of(row, MAX_MEMBERS), after = first_of(row, 0);

			flows[before]++;
			if (before != 0)
				assert_int_equal(after, before); /* not the victim's: it stays */
			else if (profile->members > 1)
				victims++, moved[after]++;
		}
		assert_true(chi_squared(profile, flows, FLOWS, MAX_MEMBERS) < critical(profile->members - 1));
		if (profile->members > 2)
			assert_true(chi_squared(profile, moved, victims, 0) < critical(profile->members - 2));
	}
}

static void test_rows__flows_spread_by_weight_and_only_the_victims_move(void **state)
{
	(void)state;
	each_profile(check_flows);
}

static void test_rows__better_tiers_come_first(void **state)
{
	struct member_rank members[4] = {{100, 1, 0}, {100, 0, 0}, {300, 1, 0}, {100, 2, 0}};
	struct row *row = calloc(MIN_ROWS, sizeof(*row));
	size_t seconds = 0;

	(void)state;
	assert_int_equal(rows_build(members, 4, row, MIN_ROWS), 0);
	for (size_t r = 0; r < MIN_ROWS; r++) {
		assert_int_equal(row[r].candidate[0], 1);
		assert_int_equal(row[r].candidate[3], 3);
		seconds += row[r].candidate[1] == 2;
	}
	assert_int_equal(seconds, MIN_ROWS * 3 / 4);
	free(row);
}

/* Tiers by instance: members take turns. What a change of the mode and back leaves alone. */
static void check_tiers(size_t members, const uint16_t weights[3])
{
	struct profile active = profile_of(members, weights), standby = active;
	size_t held[MAX_MEMBERS] = {0};
	uint32_t total = 0;

	for (size_t i = 0; i < members; i++) {
		standby.member[i].tier = (__u8)(i % 2);
		total += i % 2 ? 0 : weights[i % 3];
	}
	assert_int_equal(rows_needed(standby.member, members), active.rows);
	standby.row = calloc(active.rows, sizeof(*standby.row));
	assert_int_equal(rows_build(standby.member, members, standby.row, active.rows), 0);
	for (size_t r = 0; r < active.rows; r++) {
		uint8_t before = active.row[r].candidate[0], after = standby.row[r].candidate[0];

		assert_int_equal(after % 2, 0);
		if (before % 2 == 0)
			assert_int_equal(after, before);
		held[after]++;
	}
	for (size_t i = 0; i < members; i += 2) {
		double due = (double)active.rows * weights[i % 3] / total;

		assert_true((double)held[i] > 0.99 * due && (double)held[i] < 1.01 * due);
	}
	check_distinct(&standby);
	free(active.row);
	free(standby.row);
}

static void test_rows__tiers_move_no_flow_whose_tunnel_is_of_the_best(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++)
		for (size_t p = 0; p < sizeof(patterns) / sizeof(*patterns); p++)
			check_tiers(sizes[s], patterns[p]);
}

static void test_rows__another_member_takes_its_share_and_little_more(void **state)
{
	static const uint16_t equal[3] = {100, 100, 100};
	struct profile eight = profile_of(8, equal), seven = profile_of(7, equal);
	size_t moved = 0;

	(void)state;
	assert_int_equal(eight.rows, seven.rows);
	for (size_t r = 0; r < eight.rows; r++)
		moved += eight.row[r].candidate[0] != seven.row[r].candidate[0];
	assert_true(moved >= eight.rows / 8 - 1 && moved < eight.rows / 8 * 3 / 2);
	free(eight.row);
	free(seven.row);
}

static void test_rows__sizes_out_of_range_are_refused(void **state)
{
	struct member_rank member = {100, 0, 0};
	struct row row[1];

	(void)state;
	assert_int_equal(rows_build(&member, 0, row, MIN_ROWS), -EINVAL);
	assert_int_equal(rows_build(&member, MAX_MEMBERS + 1, row, MIN_ROWS), -EINVAL);
	assert_int_equal(rows_build(&member, 1, row, MIN_ROWS + 1), -EINVAL);
	assert_int_equal(rows_build(&member, 1, row, 2 * MAX_ROWS), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows__shares_are_exact_to_one_per_cent),
		cmocka_unit_test(test_rows__nobody_stands_twice_in_a_row),
		cmocka_unit_test(test_rows__flows_spread_by_weight_and_only_the_victims_move),
		cmocka_unit_test(test_rows__better_tiers_come_first),
		cmocka_unit_test(test_rows__tiers_move_no_flow_whose_tunnel_is_of_the_best),
		cmocka_unit_test(test_rows__another_member_takes_its_share_and_little_more),
		cmocka_unit_test(test_rows__sizes_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
