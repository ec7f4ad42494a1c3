// SPDX-License-Identifier: GPL-2.0-only
/*
 * BFD packets between bytes and struct: each rule of RFC 5880, section 6.8.6, by the reason that it is counted under.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../bpf/bfd_packet.h"

/* A packet without fault: Up, discriminators 0x11223344 and 0x55667788, 50 ms, 60 ms. */
static const uint8_t sound[BFD_PACKET_MAX_BYTES] = {
	0x20, 0xc0, 3, 24, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0xc3, 0x50, 0, 0, 0xea, 0x60,
};

/* The sound packet with some bytes changed (a change of byte 0 to 0 is none), all of it or cut off. */
static const struct parse_case {
	const char *name;
	enum probe_reject expected;
	uint32_t payload_bytes;
	struct {
		uint8_t at, value;
	} change[5];
} parse_cases[] = {
	{"sound_is_accepted", PROBE_ACCEPTED, 24, {}},
	{"longer_payload_is_accepted", PROBE_ACCEPTED, 200, {}},
	{"23_bytes_are_truncated", PROBE_REJECT_truncated, 23, {}},
	{"nothing_is_truncated", PROBE_REJECT_truncated, 0, {}},
	{"longer_than_payload_is_truncated", PROBE_REJECT_truncated, 24, {{3, 25}}},
	{"version_0", PROBE_REJECT_version, 24, {{0, 0x1f}}},
	{"version_2", PROBE_REJECT_version, 24, {{0, 0x40}}},
	{"version_goes_before_length", PROBE_REJECT_version, 24, {{0, 0x40}, {3, 0}, {2, 0}}},
	{"length_23", PROBE_REJECT_length, 24, {{3, 23}}},
	{"length_0_goes_before_multiplier", PROBE_REJECT_length, 24, {{3, 0}, {2, 0}}},
	{"length_25_with_authentication", PROBE_REJECT_length, 52, {{1, 0xc4}, {3, 25}}},
	{"length_26_with_authentication_is_accepted", PROBE_ACCEPTED, 26, {{1, 0xc4}, {3, 26}}},
	{"truncated_goes_before_multiplier", PROBE_REJECT_truncated, 24, {{3, 52}, {2, 0}}},
	{"multiplier_0", PROBE_REJECT_multiplier, 24, {{2, 0}, {1, 0xc1}}},
	{"multipoint", PROBE_REJECT_multipoint, 24, {{1, 0xc1}, {4, 0}, {5, 0}, {6, 0}, {7, 0}}},
	{"my_discriminator_0", PROBE_REJECT_my_discriminator, 24, {{4, 0}, {5, 0}, {6, 0}, {7, 0}}},
	{"up_without_our_discriminator", PROBE_REJECT_your_discriminator, 24, {{8, 0}, {9, 0}, {10, 0}, {11, 0}}},
	{"init_without_our_discriminator",
	 PROBE_REJECT_your_discriminator,
	 24,
	 {{1, 0x80}, {8, 0}, {9, 0}, {10, 0}, {11, 0}}},
	{"down_without_our_discriminator_is_accepted",
	 PROBE_ACCEPTED,
	 24,
	 {{1, 0x40}, {8, 0}, {9, 0}, {10, 0}, {11, 0}}},
	{"admin_down_without_our_discriminator_is_accepted",
	 PROBE_ACCEPTED,
	 24,
	 {{1, 0x00}, {8, 0}, {9, 0}, {10, 0}, {11, 0}}},
	{"poll_is_accepted", PROBE_ACCEPTED, 24, {{1, 0xe0}}},
	{"final_is_accepted", PROBE_ACCEPTED, 24, {{1, 0xd0}}},
	{"poll_and_final", PROBE_REJECT_poll_final, 24, {{1, 0xf0}}},
	{"demand_is_accepted", PROBE_ACCEPTED, 24, {{1, 0xc2}}},
};

#define PARSE_CASES (sizeof(parse_cases) / sizeof(*parse_cases))

static void test_parse_case(void **state)
{
	const struct parse_case *parse_case = *state;
	uint8_t bytes[BFD_PACKET_MAX_BYTES];
	struct bfd_packet packet;

	memcpy(bytes, sound, sizeof(bytes));
	for (int i = 0; i < 5; i++)
		if (parse_case->change[i].at || parse_case->change[i].value)
			bytes[parse_case->change[i].at] = parse_case->change[i].value;
	if (parse_case->payload_bytes < sizeof(bytes))
		memset(bytes + parse_case->payload_bytes, 0, sizeof(bytes) - parse_case->payload_bytes);
	assert_int_equal(bfd_packet_parse(bytes, parse_case->payload_bytes, &packet), parse_case->expected);
}

static void test_bfd_packet__fields_are_read_in_host_order(void **state)
{
	struct bfd_packet packet;

	(void)state;
	assert_int_equal(bfd_packet_parse(sound, 24, &packet), PROBE_ACCEPTED);
	assert_int_equal(packet.version, 1);
	assert_int_equal(packet.diagnostic, 0);
	assert_int_equal(packet.state, BFD_UP);
	assert_int_equal(packet.multiplier, 3);
	assert_int_equal(packet.length, 24);
	assert_int_equal(packet.my_discriminator, 0x11223344);
	assert_int_equal(packet.your_discriminator, 0x55667788);
	assert_int_equal(packet.desired_tx_us, 50000);
	assert_int_equal(packet.required_rx_us, 60000);
	assert_int_equal(packet.required_echo_us, 0);
}

static void test_bfd_packet__each_flag_is_its_own(void **state)
{
	uint8_t bytes[BFD_PACKET_MAX_BYTES];

	(void)state;
	memcpy(bytes, sound, sizeof(bytes));
	for (int bit = 0; bit < 6; bit++) {
		struct bfd_packet packet;

		bytes[1] = 1 << bit;
		bfd_packet_read(bytes, &packet);
		assert_int_equal(packet.state, BFD_ADMIN_DOWN);
		assert_int_equal(packet.multipoint, bit == 0);
		assert_int_equal(packet.demand, bit == 1);
		assert_int_equal(packet.auth_present, bit == 2);
		assert_int_equal(packet.control_plane_independent, bit == 3);
		assert_int_equal(packet.final, bit == 4);
		assert_int_equal(packet.poll, bit == 5);
	}
}

static void test_bfd_packet__without_authentication_nothing_is_read_of_it(void **state)
{
	uint8_t bytes[BFD_PACKET_MAX_BYTES];
	struct bfd_packet packet;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, sound, BFD_PACKET_BYTES);
	assert_int_equal(bfd_packet_parse(bytes, 52, &packet), PROBE_ACCEPTED);
	assert_int_equal(packet.auth_type | packet.auth_length | packet.auth_key_id, 0);
	assert_int_equal(packet.auth_sequence, 0);
}

static void test_bfd_packet__what_is_written_is_read(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 1 << 6; flags++) {
		struct bfd_packet packet, again;
		uint8_t bytes[BFD_PACKET_MAX_BYTES], again_bytes[BFD_PACKET_MAX_BYTES];

		memcpy(bytes, sound, sizeof(bytes));
		bytes[0] = 0x27;
		bytes[1] = BFD_INIT << 6 | flags;
		memset(bytes + 20, 0x5a, 4);
		if (flags & BFD_FLAG_AUTH) {
			bytes[3] = BFD_PACKET_MAX_BYTES;
			memcpy(bytes + 24, (uint8_t[]){5, 28, 7, 0, 1, 2, 3, 4}, 8);
		}
		bfd_packet_read(bytes, &packet);
		memset(again_bytes, 0xee, sizeof(again_bytes));
		bfd_packet_write(&packet, again_bytes);
		assert_memory_equal(bytes, again_bytes, sizeof(bytes));
		bfd_packet_read(again_bytes, &again);
		assert_memory_equal(&packet, &again, sizeof(packet));
	}
}

int main(void)
{
	static struct CMUnitTest tests[PARSE_CASES + 4] = {
		cmocka_unit_test(test_bfd_packet__fields_are_read_in_host_order),
		cmocka_unit_test(test_bfd_packet__each_flag_is_its_own),
		cmocka_unit_test(test_bfd_packet__without_authentication_nothing_is_read_of_it),
		cmocka_unit_test(test_bfd_packet__what_is_written_is_read),
	};
	static char names[PARSE_CASES][80];

	for (size_t i = 0; i < PARSE_CASES; i++) {
		snprintf(names[i], sizeof(names[i]), "test_bfd_packet__%s", parse_cases[i].name);
		tests[4 + i] = (struct CMUnitTest){names[i], test_parse_case, NULL, NULL, (void *)&parse_cases[i]};
	}
	return cmocka_run_group_tests_name("bfd_packet", tests, NULL, NULL);
}
