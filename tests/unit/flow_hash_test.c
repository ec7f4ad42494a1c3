// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flow hash: symmetric, keyed, and even under the patterns that real traffic has. Evenness is Pearson's chi-squared
 * test at p = 0.001 for each pattern, seed and number of tunnels; all of it deterministic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../prog/parse_cases.h"

#include "../../bpf/flow_hash.h"

#define FLOWS 100000
#define ROWS  65536

static const uint64_t seeds[] = {0, 1, 0x5eed, 0xffffffffffffffff, 0x123456789abcdef0};

/* Critical values of the chi-squared distribution at p = 0.001 with tunnels - 1 degrees of freedom. */
static const struct {
	unsigned tunnels;
	double limit;
} folds[] = {{2, 10.828}, {3, 13.816}, {4, 16.266}, {8, 24.322}, {64, 103.442}};

#define SEEDS (sizeof(seeds) / sizeof(*seeds))
#define FOLDS (sizeof(folds) / sizeof(*folds))

static struct flow flow4(uint32_t from, unsigned from_port, uint32_t to, unsigned to_port)
{
	return (struct flow){.source = {.word = {0, 0, htonl(0xffff), htonl(from)}},
			     .destination = {.word = {0, 0, htonl(0xffff), htonl(to)}},
			     .source_port = htons(from_port),
			     .destination_port = htons(to_port),
			     .protocol = IPPROTO_TCP};
}

static struct flow flow6(uint32_t from_high, uint32_t from_low, unsigned from_port, uint32_t to_low, unsigned to_port)
{
	return (struct flow){.source = {.word = {htonl(0x20010db8), htonl(from_high), 0, htonl(from_low)}},
			     .destination = {.word = {htonl(0x20010db8), htonl(0x10000), 0, htonl(to_low)}},
			     .source_port = htons(from_port),
			     .destination_port = htons(to_port),
			     .protocol = IPPROTO_UDP};
}

/* The patterns: flow number i of each. Ports beyond 16 bits carry over into the address. */
static struct flow sequential_ports(uint32_t i)
{
	return flow4(0x0a000001 + i / 60000, 1024 + i % 60000, 0xc0a80709, 443);
}

static struct flow even_ports(uint32_t i) /* Linux gives connect() ports of one parity */
{
	return flow4(0x0a000001 + i / 14000, 32768 + 2 * (i % 14000), 0xc0a80709, 443);
}

static struct flow sequential_sources(uint32_t i)
{
	return flow4(0x0a000000 + i, 5000, 0xc0a80709, 5000);
}

static struct flow sequential_destinations(uint32_t i)
{
	return flow4(0x0a010203, 5000, 0xc0a80000 + i, 5000);
}

static struct flow sources_in_high_bits(uint32_t i)
{
	return flow4(i << 15, 5000, 0xc0a80709, 5000);
}

static struct flow both_ends_in_step(uint32_t i)
{
	return flow4(0x0a000000 + i, 5000, 0xc0a80000 + i, 5000);
}

static struct flow mesh(uint32_t i)
{
	return flow4(0x0a000000 + i % 317, 0, 0xc0a80000 + i / 317, 0);
}

static struct flow subnets(uint32_t i)
{
	return flow4(0x0a000001 + (i << 8), 68, 0xc0a80001 + (i % 200 << 8), 67);
}

static struct flow echo_ids(uint32_t i)
{
	return flow4(0x0a000001 + i / 65536, i, 0xc0a80709, i);
}

static struct flow sequential_ports_ipv6(uint32_t i)
{
	return flow6(0, 1 + i / 60000, 1024 + i % 60000, 9, 443);
}

static struct flow sequential_sources_ipv6(uint32_t i)
{
	return flow6(0, i, 5000, 9, 5000);
}

static struct flow sources_in_high_bits_ipv6(uint32_t i)
{
	return flow6(i << 8, 1, 5000, 9, 5000);
}

static struct flow both_ends_in_step_ipv6(uint32_t i)
{
	return flow6(0, i, 5000, i, 5000);
}

static const struct pattern {
	const char *name;
	struct flow (*flow)(uint32_t i);
} patterns[] = {
#define PATTERN(name)                                                                                                  \
	{                                                                                                              \
#name, name                                                                                            \
	}
	PATTERN(sequential_ports),
	PATTERN(even_ports),
	PATTERN(sequential_sources),
	PATTERN(sequential_destinations),
	PATTERN(sources_in_high_bits),
	PATTERN(both_ends_in_step),
	PATTERN(mesh),
	PATTERN(subnets),
	PATTERN(echo_ids),
	PATTERN(sequential_ports_ipv6),
	PATTERN(sequential_sources_ipv6),
	PATTERN(sources_in_high_bits_ipv6),
	PATTERN(both_ends_in_step_ipv6),
#undef PATTERN
};

#define PATTERNS (sizeof(patterns) / sizeof(*patterns))

static double chi_squared(const unsigned *rows, unsigned tunnels)
{
	double observed[64] = {0}, sum = 0;

	for (unsigned row = 0; row < ROWS; row++)
		observed[row % tunnels] += rows[row];
	for (unsigned i = 0; i < tunnels; i++) {
		/* Of 65,536 rows, some tunnels have one more than others. */
		double expected = (double)FLOWS * ((ROWS - i + tunnels - 1) / tunnels) / ROWS;

		sum += (observed[i] - expected) * (observed[i] - expected) / expected;
	}
	return sum;
}

static void test_pattern(void **state)
{
	const struct pattern *pattern = *state;
	static unsigned rows[ROWS];

	for (unsigned s = 0; s < SEEDS; s++) {
		memset(rows, 0, sizeof(rows));
		for (uint32_t i = 0; i < FLOWS; i++) {
			struct flow flow = pattern->flow(i);

			rows[flow_hash(&flow, seeds[s]) % ROWS]++;
		}
		for (unsigned f = 0; f < FOLDS; f++) {
			double value = chi_squared(rows, folds[f].tunnels);

			if (value > folds[f].limit)
				fail_msg("seed %#llx, %u tunnels: chi-squared %.1f over %.1f",
					 (unsigned long long)seeds[s], folds[f].tunnels, value, folds[f].limit);
		}
	}
}

static void test_flow_hash__both_directions_agree(void **state)
{
	(void)state;
	for (unsigned p = 0; p < PATTERNS; p++) {
		for (uint32_t i = 0; i < 1000; i++) {
			struct flow flow = patterns[p].flow(i), back = flow;

			back.source = flow.destination;
			back.destination = flow.source;
			back.source_port = flow.destination_port;
			back.destination_port = flow.source_port;
			assert_int_equal(flow_hash(&flow, seeds[2]), flow_hash(&back, seeds[2]));
		}
	}
}

static void test_flow_hash__ports_do_not_swap_alone(void **state)
{
	struct flow flow = flow4(0x0a000001, 1000, 0x0a000002, 2000), other = flow4(0x0a000001, 2000, 0x0a000002, 1000);

	(void)state;
	assert_int_not_equal(flow_hash(&flow, 1), flow_hash(&other, 1));
}

static void test_flow_hash__equal_endpoints_still_spread(void **state)
{
	uint32_t all = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct flow flow = flow4(0x0a000000 + i, 500, 0x0a000000 + i, 500);

		all |= flow_hash(&flow, 1);
	}
	assert_int_equal(all, 0xffffffff);
}

static void test_flow_hash__every_field_and_the_seed_count(void **state)
{
	struct flow flow = flow6(1, 2, 3, 4, 5), other;
	uint32_t hash = flow_hash(&flow, 1);

	(void)state;
	assert_int_not_equal(hash, flow_hash(&flow, 2));
	for (size_t i = 0; i < offsetof(struct flow, reserved); i++) {
		other = flow;
		((uint8_t *)&other)[i] ^= 0x10;
		assert_int_not_equal(hash, flow_hash(&other, 1));
	}
}

/* Gateways of different versions steer side by side: a change here moves every flow of every user. */
static void test_flow_hash__stays_what_it_is(void **state)
{
	struct flow ipv4 = case_flow(CLIENT, 1000, SERVER, 2000, IPPROTO_UDP);
	struct flow ipv6 = case_flow(CLIENT6, 1000, SERVER6, 2000, IPPROTO_TCP);

	(void)state;
	assert_int_equal(flow_hash(&ipv4, 0x5eed), 0x5ce28587);
	assert_int_equal(flow_hash(&ipv6, 0x5eed), 0x7c84f464);
}

int main(void)
{
	static struct CMUnitTest tests[PATTERNS + 5] = {
		cmocka_unit_test(test_flow_hash__both_directions_agree),
		cmocka_unit_test(test_flow_hash__ports_do_not_swap_alone),
		cmocka_unit_test(test_flow_hash__equal_endpoints_still_spread),
		cmocka_unit_test(test_flow_hash__every_field_and_the_seed_count),
		cmocka_unit_test(test_flow_hash__stays_what_it_is),
	};
	static char names[PATTERNS][80];

	for (unsigned i = 0; i < PATTERNS; i++) {
		snprintf(names[i], sizeof(names[i]), "test_flow_hash__%s_spread_evenly", patterns[i].name);
		tests[5 + i] = (struct CMUnitTest){names[i], test_pattern, NULL, NULL, (void *)&patterns[i]};
	}
	return cmocka_run_group_tests_name("flow_hash", tests, NULL, NULL);
}
