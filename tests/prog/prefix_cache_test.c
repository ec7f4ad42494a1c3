// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache before `prefixes`: it is used, it is never wrong, and a changed prefix voids it.
 */
#include "prog.h"

#define DESTINATIONS (3 * PREFIX_CACHE_ENTRIES)

/* Entries filled, over all CPUs. */
static unsigned entries_filled(void)
{
	static struct cached_prefix values[1024];
	unsigned filled = 0;

	for (uint32_t i = 0; i < PREFIX_CACHE_ENTRIES; i++) {
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(rig.tc->maps.cached_prefixes), &i, values), 0);
		for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
			filled += values[cpu].valid_at != 0;
	}
	return filled;
}

static int reset(void **state)
{
	rig_clear_percpu(rig.tc->maps.cached_prefixes);
	return rig_reset(state);
}

static void test_prefix_cache__second_packet_goes_where_the_first_went(void **state)
{
	struct frame steered = frame_to(LAYER3), steered6 = frame6_to(LAYER3), remote = frame_to(REMOTE);
	struct frame stranger = frame_of_udp(CLIENT, 1, STRANGER, 1), own = frame_of_udp(CLIENT, 1, NEIGHBOR, 1);

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(run_tc(&steered).verdict, TC_ACT_REDIRECT);
		assert_int_equal(run_tc(&steered6).verdict, TC_ACT_REDIRECT);
		assert_int_equal(run_tc(&stranger).verdict, TC_ACT_UNSPEC);
		assert_int_equal(run_tc(&own).verdict, TC_ACT_UNSPEC);
		assert_int_equal(run_xdp(&remote).verdict, XDP_REDIRECT);
		assert_int_equal(tx_packets(LAYER3), 2 * i);
		assert_int_equal(tx_packets(REMOTE), i);
		assert_int_equal(passes_of(PASS_no_connection), i);
		assert_int_equal(passes_of(PASS_own_network), i);
	}
	/* Four destinations, on one or more CPUs. */
	assert_true(entries_filled() >= 4);
}

static void test_prefix_cache__changed_prefix_counts_at_once(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(run_tc(&frame).verdict, TC_ACT_REDIRECT);
		rig_prefix(SERVER, 32, NO_CONNECTION);
		assert_int_equal(run_tc(&frame).verdict, TC_ACT_UNSPEC);
		rig_prefix(SERVER, 32, HQ);
	}
	assert_int_equal(passes_of(PASS_own_network), 20);
}

static void test_prefix_cache__more_destinations_than_entries_stay_apart(void **state)
{
	uint64_t hq = 0, wide = 0;
	char to[32];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < DESTINATIONS; i++) {
			struct frame frame;

			snprintf(to, sizeof(to), "%s.%u.%u", i % 2 ? "192.168" : "172.16", i >> 8 & 255, i & 255);
			frame = frame_of_udp(CLIENT, 1000, to, 2000);
			run_tc(&frame);
		}
	}
	for (unsigned i = 0; i < HQ_MEMBERS; i++)
		hq += tx_packets(i);
	for (unsigned i = 0; i < MAX_MEMBERS; i++)
		wide += tx_packets(WIDE_TUNNEL + i);
	assert_int_equal(hq, DESTINATIONS);
	assert_int_equal(wide, DESTINATIONS);
}

static void test_prefix_cache__unspecified_address_is_not_cached_from_the_start(void **state)
{
	/* An entry never filled is all zero, as are this address and the index of "hq". */
	struct frame frame = frame_of_udp(CLIENT6, 1000, "::", 2000);

	(void)state;
	rig.gateway->prefix_changes = 0;
	assert_passed(run_tc(&frame), PASS_no_connection);
}

static void test_prefix_cache__where_goes_without(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	assert_int_equal(ask(&frame).answer.verdict, WHERE_TUNNEL);
	assert_int_equal(entries_filled(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_prefix_cache__##name, reset)
	static const struct CMUnitTest tests[] = {
		TEST(second_packet_goes_where_the_first_went),
		TEST(changed_prefix_counts_at_once),
		TEST(more_destinations_than_entries_stay_apart),
		TEST(unspecified_address_is_not_cached_from_the_start),
		TEST(where_goes_without),
	};
#undef TEST

	return cmocka_run_group_tests_name("prefix_cache", tests, rig_set_up, rig_tear_down);
}
