// SPDX-License-Identifier: GPL-2.0-only
/*
 * Authentication of BFD, RFC 5880, section 6.7.4. The digest that is expected was computed by sha1sum over the packet
 * and the key padded to 20 bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <string.h>

#include "../../bpf/bfd.h"
#include "../../bpf/bfd_auth.h"

static const struct session_config keyed = {
	.auth_type = SESSION_AUTH_SHA1, .auth_key_id = 7, .auth_key_bytes = 6, .auth_key = "secret"};
static const struct session_config meticulous = {
	.auth_type = SESSION_AUTH_METICULOUS_SHA1, .auth_key_id = 7, .auth_key_bytes = 6, .auth_key = "secret"};
static const struct session_config open_to_all = {.auth_type = SESSION_AUTH_NONE};

static struct bfd_packet packet_of(enum session_auth type, uint32_t sequence)
{
	return (struct bfd_packet){
		.version = 1,
		.state = BFD_UP,
		.auth_present = type != SESSION_AUTH_NONE,
		.multiplier = 3,
		.length = type == SESSION_AUTH_NONE ? 24 : 52,
		.auth_type = type,
		.auth_length = type == SESSION_AUTH_NONE ? 0 : 28,
		.auth_key_id = type == SESSION_AUTH_NONE ? 0 : 7,
		.my_discriminator = 0x11223344,
		.your_discriminator = 0x55667788,
		.desired_tx_us = 50000,
		.required_rx_us = 60000,
		.auth_sequence = sequence,
	};
}

static struct bfd bfd_that_heard(uint32_t sequence)
{
	struct bfd bfd;

	bfd_init(&bfd, 0x55667788, 3, 50000, 1);
	bfd.rx_sequence = sequence;
	bfd.rx_sequence_known = 1;
	return bfd;
}

static void test_bfd_auth__digest_is_of_packet_and_key(void **state)
{
	static const uint8_t expected[] = {0xe4, 0xa2, 0xcb, 0xcc, 0xf4, 0x72, 0x33, 0x31, 0x50, 0x3c,
					   0xdb, 0x9a, 0xab, 0x2c, 0x41, 0x5a, 0x3a, 0x9a, 0x06, 0x21};
	struct bfd_packet packet = packet_of(SESSION_AUTH_METICULOUS_SHA1, 0x01020304);
	uint8_t bytes[BFD_PACKET_MAX_BYTES] __attribute__((aligned(4)));

	(void)state;
	bfd_packet_write(&packet, bytes);
	assert_false(bfd_auth_holds(bytes, meticulous.auth_key));
	bfd_packet_write(&packet, bytes);
	bfd_auth_sign(bytes, meticulous.auth_key);
	assert_memory_equal(bytes + BFD_DIGEST_OFFSET, expected, sizeof(expected));
	/* What the field held does not matter. */
	bfd_auth_sign(bytes, meticulous.auth_key);
	assert_memory_equal(bytes + BFD_DIGEST_OFFSET, expected, sizeof(expected));
	assert_true(bfd_auth_holds(bytes, meticulous.auth_key));
}

static void test_bfd_auth__digests_differ_in_any_bit(void **state)
{
	uint8_t one[BFD_DIGEST_BYTES] __attribute__((aligned(4))) = {1, 2, 3};
	uint8_t other[BFD_DIGEST_BYTES] __attribute__((aligned(4))) = {1, 2, 3};

	(void)state;
	assert_true(bfd_auth_digests_equal(one, other));
	for (int bit = 0; bit < 8 * BFD_DIGEST_BYTES; bit++) {
		other[bit / 8] ^= 1 << bit % 8;
		assert_false(bfd_auth_digests_equal(one, other));
		other[bit / 8] ^= 1 << bit % 8;
	}
}

static void test_bfd_auth__presence_is_as_configured(void **state)
{
	struct bfd_packet bare = packet_of(SESSION_AUTH_NONE, 0), signed_ = packet_of(SESSION_AUTH_SHA1, 1);
	struct bfd bfd;

	(void)state;
	bfd_init(&bfd, 1, 3, 50000, 1);
	assert_int_equal(bfd_auth_check(&bfd, &bare, &open_to_all), PROBE_ACCEPTED);
	assert_int_equal(bfd_auth_check(&bfd, &signed_, &keyed), PROBE_ACCEPTED);
	assert_int_equal(bfd_auth_check(&bfd, &bare, &keyed), PROBE_REJECT_auth_missing);
	assert_int_equal(bfd_auth_check(&bfd, &bare, &meticulous), PROBE_REJECT_auth_missing);
	assert_int_equal(bfd_auth_check(&bfd, &signed_, &open_to_all), PROBE_REJECT_auth_unexpected);
}

static void test_bfd_auth__type_key_and_lengths_are_as_configured(void **state)
{
	struct bfd_packet other_type = packet_of(SESSION_AUTH_METICULOUS_SHA1, 1);
	struct bfd_packet other_key = packet_of(SESSION_AUTH_SHA1, 1), other_section = other_key, longer = other_key;
	struct bfd bfd;

	(void)state;
	bfd_init(&bfd, 1, 3, 50000, 1);
	other_key.auth_key_id = 8;
	other_section.auth_length = 24;
	longer.length = 53;
	assert_int_equal(bfd_auth_check(&bfd, &other_type, &keyed), PROBE_REJECT_auth_type);
	assert_int_equal(bfd_auth_check(&bfd, &other_key, &keyed), PROBE_REJECT_auth_type);
	assert_int_equal(bfd_auth_check(&bfd, &other_section, &keyed), PROBE_REJECT_auth_type);
	assert_int_equal(bfd_auth_check(&bfd, &longer, &keyed), PROBE_REJECT_auth_type);
}

static void check_window(uint32_t last, int ahead, bool in_keyed, bool in_meticulous)
{
	struct bfd bfd = bfd_that_heard(last);
	struct bfd_packet packet = packet_of(SESSION_AUTH_SHA1, last + ahead);

	assert_int_equal(bfd_auth_check(&bfd, &packet, &keyed), in_keyed ? PROBE_ACCEPTED : PROBE_REJECT_auth_sequence);
	packet.auth_type = SESSION_AUTH_METICULOUS_SHA1;
	assert_int_equal(bfd_auth_check(&bfd, &packet, &meticulous),
			 in_meticulous ? PROBE_ACCEPTED : PROBE_REJECT_auth_sequence);
}

static void test_bfd_auth__sequence_window_is_circular(void **state)
{
	static const uint32_t lasts[] = {0, 1, 5, 1000, 0x7fffffff, 0x80000000, 0xfffffff7, 0xfffffffe, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(lasts) / sizeof(*lasts); i++) {
		check_window(lasts[i], -1, false, false);
		check_window(lasts[i], 0, true, false);
		for (int ahead = 1; ahead <= 9; ahead++)
			check_window(lasts[i], ahead, true, true);
		check_window(lasts[i], 10, false, false);
		check_window(lasts[i], INT32_MIN, false, false);
	}
}

static void test_bfd_auth__any_sequence_after_expiry(void **state)
{
	struct bfd_packet packet = packet_of(SESSION_AUTH_METICULOUS_SHA1, 5000);
	struct bfd bfd = bfd_that_heard(100);
	struct bfd_outcome outcome;

	(void)state;
	assert_int_equal(bfd_auth_check(&bfd, &packet, &meticulous), PROBE_REJECT_auth_sequence);
	bfd_expire(&bfd);
	assert_int_equal(bfd_auth_check(&bfd, &packet, &meticulous), PROBE_ACCEPTED);
	assert_int_equal(bfd_receive(&bfd, &packet, &outcome), PROBE_ACCEPTED);
	/* And now it is a replay. */
	assert_int_equal(bfd_auth_check(&bfd, &packet, &meticulous), PROBE_REJECT_auth_sequence);
}

static void test_bfd_auth__each_packet_of_ours_is_in_the_peers_window(void **state)
{
	struct bfd ours, peers = bfd_that_heard(0xfffffffd);

	(void)state;
	bfd_init(&ours, 0x11223344, 3, 50000, 0xfffffffe);
	for (int i = 0; i < 5; i++) {
		struct bfd_packet packet;
		struct bfd_outcome outcome;

		bfd_make(&ours, &meticulous, i & 1, &packet);
		assert_int_equal(packet.auth_sequence, 0xfffffffe + i);
		assert_int_equal(packet.length, BFD_PACKET_MAX_BYTES);
		assert_int_equal(bfd_auth_check(&peers, &packet, &meticulous), PROBE_ACCEPTED);
		assert_int_equal(bfd_receive(&peers, &packet, &outcome), PROBE_ACCEPTED);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bfd_auth__digest_is_of_packet_and_key),
		cmocka_unit_test(test_bfd_auth__digests_differ_in_any_bit),
		cmocka_unit_test(test_bfd_auth__presence_is_as_configured),
		cmocka_unit_test(test_bfd_auth__type_key_and_lengths_are_as_configured),
		cmocka_unit_test(test_bfd_auth__sequence_window_is_circular),
		cmocka_unit_test(test_bfd_auth__any_sequence_after_expiry),
		cmocka_unit_test(test_bfd_auth__each_packet_of_ours_is_in_the_peers_window),
	};

	return cmocka_run_group_tests_name("bfd_auth", tests, NULL, NULL);
}
