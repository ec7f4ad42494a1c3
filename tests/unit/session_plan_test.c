/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions over reloads: which index a unit's session has, and whether it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../loader/session_plan.h"

static struct {
	struct session_config running[MAX_SESSIONS];
	struct config_probe probes[MAX_SESSIONS + 1];
	struct session_wish wishes[MAX_SESSIONS + 1];
	char names[MAX_SESSIONS + 1][NAME_BYTES];
	bool kept[MAX_SESSIONS];
} rig;

static struct config_probe bfd_to(uint8_t last)
{
	struct config_probe probe = {
		.kind = SESSION_BFD, .multiplier = 3, .interval_ns = 10000000, .hold_ns = 5, .hold_max_ns = 6};

	probe.peer =
		(struct config_address){.byte = {[10] = 0xff, 0xff, 10, 0, 0, last}, .length = 128, .is_ipv4 = true};
	return probe;
}

static void wish(size_t at, enum session_unit unit_kind, uint32_t unit, struct config_probe probe)
{
	snprintf(rig.names[at], NAME_BYTES, "%s-%u", unit_kind == SESSION_OF_TUNNEL ? "tunnel" : "instance", unit);
	rig.probes[at] = probe;
	rig.wishes[at] = (struct session_wish){
		.name = rig.names[at], .unit_kind = unit_kind, .unit = unit, .probe = &rig.probes[at]};
}

/* Plans, and does what sessions.c would. */
static void plan(size_t count)
{
	assert_int_equal(session_plan(rig.running, rig.wishes, count, rig.kept), 0);
	for (uint32_t s = 0; s < MAX_SESSIONS; s++)
		if (!rig.kept[s])
			rig.running[s] = (struct session_config){0};
	for (size_t w = 0; w < count; w++)
		if (rig.wishes[w].session != NO_SESSION && rig.wishes[w].fate == SESSION_BEGINS)
			rig.running[rig.wishes[w].session] = session_plan_config(&rig.wishes[w], 7);
}

static int set_up(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	wish(0, SESSION_OF_TUNNEL, 5, bfd_to(1));
	wish(1, SESSION_OF_INSTANCE, 5, bfd_to(2));
	wish(2, SESSION_OF_TUNNEL, 6, bfd_to(3));
	plan(3);
	return 0;
}

static void test_plan__first_sessions_begin_at_indexes_of_their_own(void **state)
{
	(void)state;
	for (uint32_t w = 0; w < 3; w++) {
		assert_int_equal(rig.wishes[w].fate, SESSION_BEGINS);
		assert_int_equal(rig.wishes[w].session, w);
	}
}

static void test_plan__unchanged_sessions_stay_in_any_order(void **state)
{
	(void)state;
	wish(0, SESSION_OF_TUNNEL, 6, bfd_to(3));
	wish(1, SESSION_OF_TUNNEL, 5, bfd_to(1));
	wish(2, SESSION_OF_INSTANCE, 5, bfd_to(2));
	plan(3);
	assert_int_equal(rig.wishes[0].session, 2);
	assert_int_equal(rig.wishes[1].session, 0);
	assert_int_equal(rig.wishes[2].session, 1);
	for (size_t w = 0; w < 3; w++)
		assert_int_equal(rig.wishes[w].fate, SESSION_STAYS);
}

static void test_plan__other_timing_retimes(void **state)
{
	(void)state;
	rig.probes[0].multiplier = 4;
	rig.probes[1].interval_ns = 1;
	rig.probes[2].hold_max_ns = 1;
	plan(3);
	for (uint32_t w = 0; w < 3; w++) {
		assert_int_equal(rig.wishes[w].fate, SESSION_RETIMES);
		assert_int_equal(rig.wishes[w].session, w);
	}
}

static void test_plan__another_peer_or_key_or_kind_begins_anew(void **state)
{
	(void)state;
	wish(0, SESSION_OF_TUNNEL, 5, bfd_to(9));
	rig.probes[1].auth = SESSION_AUTH_SHA1;
	rig.probes[2].kind = SESSION_ICMP;
	plan(3);
	/* At indexes that nobody had: events of the old ones may be on their way. */
	for (uint32_t w = 0; w < 3; w++) {
		assert_int_equal(rig.wishes[w].fate, SESSION_BEGINS);
		assert_int_equal(rig.wishes[w].session, 3 + w);
		assert_false(rig.kept[w]);
	}
}

static void test_plan__local_address_counts_where_it_is_configured(void **state)
{
	(void)state;
	/* Chosen by the daemon meanwhile. */
	memset(rig.running[0].local, 1, sizeof(rig.running[0].local));
	memset(rig.running[1].local, 1, sizeof(rig.running[1].local));
	rig.probes[1].has_local = true;
	plan(2);
	assert_int_equal(rig.wishes[0].fate, SESSION_STAYS);
	assert_int_equal(rig.wishes[1].fate, SESSION_BEGINS);
}

static void test_plan__another_name_on_the_same_unit_begins_anew(void **state)
{
	(void)state;
	snprintf(rig.names[0], NAME_BYTES, "other");
	plan(3);
	assert_int_equal(rig.wishes[0].fate, SESSION_BEGINS);
	assert_int_equal(rig.wishes[1].fate, SESSION_STAYS);
}

static void test_plan__vanished_sessions_are_not_kept(void **state)
{
	(void)state;
	plan(1);
	assert_true(rig.kept[0]);
	assert_false(rig.kept[1]);
	assert_false(rig.kept[2]);
}

static void test_plan__full_table_takes_indexes_of_those_that_go_and_no_more(void **state)
{
	(void)state;
	for (uint32_t w = 0; w < MAX_SESSIONS; w++)
		wish(w, SESSION_OF_TUNNEL, w, bfd_to((uint8_t)w));
	plan(MAX_SESSIONS);
	wish(7, SESSION_OF_TUNNEL, 7, bfd_to(99));
	wish(MAX_SESSIONS, SESSION_OF_TUNNEL, MAX_SESSIONS, bfd_to(1));
	plan(MAX_SESSIONS + 1);
	assert_int_equal(rig.wishes[7].fate, SESSION_BEGINS);
	assert_int_not_equal(rig.wishes[7].session, NO_SESSION);
	assert_int_equal(rig.wishes[MAX_SESSIONS].session, NO_SESSION);
}

static void test_discriminator__is_never_0_and_each_has_a_port_of_its_own(void **state)
{
	static bool taken[1 << 14];

	(void)state;
	for (uint32_t s = 0; s < MAX_SESSIONS; s++) {
		uint32_t discriminator = session_plan_discriminator(s, s * 2654435761u);

		assert_int_not_equal(discriminator, 0);
		assert_false(taken[discriminator & 0x3fff]);
		taken[discriminator & 0x3fff] = true;
	}
	assert_int_not_equal(session_plan_discriminator(0, 0), 0);
}

static void test_config__holds_what_the_probe_says(void **state)
{
	struct session_config config;

	(void)state;
	rig.probes[0].auth = SESSION_AUTH_METICULOUS_SHA1;
	rig.probes[0].key_id = 3;
	rig.probes[0].key_bytes = 2;
	memcpy(rig.probes[0].key, "ab", 2);
	rig.probes[0].multihop = true;
	config = session_plan_config(&rig.wishes[0], 1);
	assert_int_equal(config.kind, SESSION_BFD);
	assert_int_equal(config.unit, 5);
	assert_int_equal(config.is_ipv6, 0);
	assert_int_equal(config.is_multihop, 1);
	assert_int_equal(config.auth_type, 5);
	assert_int_equal(config.auth_key_id, 3);
	assert_int_equal(config.auth_key_bytes, 2);
	assert_int_equal(config.ifindex, 0);
	assert_int_equal(config.hold_ns, 5);
	assert_int_equal(config.hold_max_ns, 6);
	assert_string_equal(config.name, "tunnel-5");
	assert_memory_equal(config.auth_key, "ab\0", 3);
	assert_memory_equal(config.peer, rig.probes[0].peer.byte, 16);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plan__first_sessions_begin_at_indexes_of_their_own),
		TEST(test_plan__unchanged_sessions_stay_in_any_order),
		TEST(test_plan__other_timing_retimes),
		TEST(test_plan__another_peer_or_key_or_kind_begins_anew),
		TEST(test_plan__local_address_counts_where_it_is_configured),
		TEST(test_plan__another_name_on_the_same_unit_begins_anew),
		TEST(test_plan__vanished_sessions_are_not_kept),
		TEST(test_plan__full_table_takes_indexes_of_those_that_go_and_no_more),
		TEST(test_discriminator__is_never_0_and_each_has_a_port_of_its_own),
		TEST(test_config__holds_what_the_probe_says),
	};

	return cmocka_run_group_tests_name("session_plan", tests, NULL, NULL);
}
