// SPDX-License-Identifier: GPL-2.0-only
/* The MSS option: found wherever TCP allows it, lowered and never raised, its checksum right without being summed anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../lib/mss_reference.h"

/* Ends at the first byte that is not given, which is an end of options. */
#define OPTIONS(...) ((const uint8_t[MSS_OPTIONS_BYTES]){__VA_ARGS__})
#define NOP	     1
#define WINDOW	     3, 3, 7
#define SACK	     4, 2
#define TIMESTAMPS   8, 10, 2, 4, 5, 0xb4, 2, 4, 5, 0xb4 /* which hold what looks like the option */
#define MSS_1460     2, 4, 5, 0xb4

static void test_mss__first_option_is_found(void **state)
{
	(void)state;
	assert_int_equal(mss_find(OPTIONS(MSS_1460), 4), 2);
	assert_int_equal(mss_find(OPTIONS(MSS_1460, SACK, TIMESTAMPS, NOP, WINDOW), 20), 2);
}

static void test_mss__option_is_found_in_any_order(void **state)
{
	(void)state;
	assert_int_equal(mss_find(OPTIONS(TIMESTAMPS, SACK, MSS_1460), 16), 14);
	assert_int_equal(mss_find(OPTIONS(NOP, MSS_1460, WINDOW), 8), 3);
	assert_int_equal(mss_find(OPTIONS(NOP, NOP, NOP, WINDOW, MSS_1460), 12), 8);
	assert_int_equal(mss_find(OPTIONS(WINDOW, MSS_1460, 0), 8), 5);
	assert_int_equal(mss_find(OPTIONS(253, 6, 2, 4, 5, 0xb4, MSS_1460), 12), 8); /* behind one that is not known */
}

static void test_mss__option_is_found_at_the_very_end(void **state)
{
	uint8_t options[MSS_OPTIONS_BYTES];

	(void)state;
	memset(options, NOP, sizeof(options));
	memcpy(options + 36, OPTIONS(MSS_1460), 4);
	assert_int_equal(mss_find(options, 40), 38);
	assert_int_equal(mss_find(options, 36), 0);
	options[0] = 254;
	options[1] = 36;
	assert_int_equal(mss_find(options, 40), 38);
	options[1] = 37;
	assert_int_equal(mss_find(options, 40), 0);
}

static void test_mss__nothing_is_found_where_there_is_none(void **state)
{
	(void)state;
	assert_int_equal(mss_find(OPTIONS(0), 0), 0);
	assert_int_equal(mss_find(OPTIONS(SACK, TIMESTAMPS), 12), 0);
	assert_int_equal(mss_find(OPTIONS(0, MSS_1460), 8), 0); /* behind the end of options */
	assert_int_equal(mss_find(OPTIONS(NOP, NOP, NOP, NOP), 4), 0);
}

static void test_mss__broken_options_hold_nothing(void **state)
{
	(void)state;
	assert_int_equal(mss_find(OPTIONS(8, 0, MSS_1460), 8), 0); /* lengths that cannot be */
	assert_int_equal(mss_find(OPTIONS(8, 1, MSS_1460), 8), 0);
	assert_int_equal(mss_find(OPTIONS(8, 255, MSS_1460), 8), 0); /* longer than all of them */
	assert_int_equal(mss_find(OPTIONS(2, 3, 5, NOP), 4), 0);
	assert_int_equal(mss_find(OPTIONS(2, 5, 5, 0xb4, 0), 8), 0);
	assert_int_equal(mss_find(OPTIONS(2, 2, MSS_1460), 8), 4); /* of no use, and stepped over */
	for (uint32_t count = 0; count < 4; count++)
		assert_int_equal(mss_find(OPTIONS(MSS_1460), count), 0);
	for (uint32_t count = 4; count < 8; count++)
		assert_int_equal(mss_find(OPTIONS(NOP, NOP, SACK, MSS_1460), count), 0);
}

static void test_mss__options_have_the_length_that_the_header_says(void **state)
{
	uint8_t tcp[MSS_TCP_BYTES] = {0};

	(void)state;
	for (unsigned words = 0; words < 16; words++) {
		tcp[MSS_LENGTH_AT] = words << 4 | 0xf;
		assert_int_equal(mss_options_bytes(tcp), words < 6 ? 0 : words * 4 - 20);
	}
}

static void test_mss__is_what_the_mtu_leaves(void **state)
{
	(void)state;
	assert_int_equal(mss_of(1500, false), 1460);
	assert_int_equal(mss_of(1500, true), 1440);
	assert_int_equal(mss_of(1280, false), 1240);
	assert_int_equal(mss_of(1280, true), 1220);
	assert_int_equal(mss_of(1200, true), 1220); /* IPv6 goes no lower */
	assert_int_equal(mss_of(68, false), 28);
	assert_int_equal(mss_of(67, false), 0);
	assert_int_equal(mss_of(0, false), 0);
	assert_int_equal(mss_of(0, true), 0);
}

static void test_mss__is_lowered_and_never_raised(void **state)
{
	const uint8_t *options = OPTIONS(MSS_1460);

	(void)state;
	assert_int_equal(mss_lower(options, 4, 1459).place, 2);
	assert_int_equal(ntohs(mss_lower(options, 4, 1459).after), 1459);
	assert_int_equal(mss_lower(options, 4, 1460).place, 0);
	assert_int_equal(mss_lower(options, 4, 1461).place, 0);
	assert_int_equal(mss_lower(options, 4, 8960).place, 0);
	assert_int_equal(mss_lower(options, 4, 70000).place, 0);
	assert_int_equal(mss_lower(options, 4, 0).place, 0); /* not known */
	assert_int_equal(mss_lower(OPTIONS(2, 4, 0xff, 0xff), 4, 1240).place, 2);
	assert_int_equal(mss_lower(OPTIONS(2, 4, 0, 0), 4, 1240).place, 0);
}

static void test_mss__checksum_stays_right_at_even_and_odd_places(void **state)
{
	(void)state;
	for (uint32_t pad = 0; pad <= 36; pad++) {
		for (uint32_t seed = 0; seed < 65536; seed += 257) {
			uint8_t options[MSS_OPTIONS_BYTES];

			memset(options, NOP, sizeof(options));
			memcpy(options + pad, OPTIONS(MSS_1460), 4);
			assert_int_equal(mss_reference_check(options, 40, seed, 1 + seed % 1459).place, pad + 2);
		}
	}
}

/* A sum that is not all of it (CHECKSUM_PARTIAL), or is wrong, stays so by as much: nothing is made good here. */
static void test_mss__checksum_that_is_wrong_stays_wrong(void **state)
{
	struct mss_change change = mss_lower(OPTIONS(MSS_1460), 4, 1240);

	(void)state;
	for (uint32_t checksum = 0; checksum < 65535; checksum++) {
		uint32_t expected = (checksum + 1460 - 1240) % 65535;

		assert_int_equal(ntohs(mss_checksum(htons(checksum), &change)) % 65535, expected);
	}
}

#define TCP_AT 34

static struct cursor at_tcp(const uint8_t *frame, size_t bytes, uint32_t offset)
{
	struct cursor cursor = cursor_over(frame, frame + bytes);

	cursor.offset = offset;
	return cursor;
}

static void test_mss__syn_is_told_from_others(void **state)
{
	static const struct {
		uint8_t flags;
		bool syn;
	} cases[] = {{0x02, true},  {0x12, true},  {0xc2, true}, {0x10, false},
		     {0x18, false}, {0x11, false}, {0x04, false}};
	uint8_t frame[TCP_AT + 20] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		frame[TCP_AT + MSS_FLAGS_AT] = cases[i].flags;
		assert_int_equal(mss_may_be_syn(at_tcp(frame, sizeof(frame), TCP_AT)), cases[i].syn);
	}
}

static void test_mss__what_cannot_be_seen_may_be_a_syn(void **state)
{
	uint8_t frame[TCP_AT + 20] = {0};

	(void)state;
	assert_true(mss_may_be_syn(at_tcp(frame, TCP_AT + MSS_FLAGS_AT, TCP_AT)));
	/* Deeper than any header is looked for. */
	assert_false(mss_may_be_syn(at_tcp(frame, sizeof(frame), PARSE_BYTES)));
}

static void test_mss__only_tcp_with_its_header_is_looked_at(void **state)
{
	(void)state;
	assert_true(mss_is_tcp(&(struct ip_packet){.flow.protocol = IPPROTO_TCP, .transport_offset = TCP_AT}));
	assert_false(mss_is_tcp(&(struct ip_packet){.flow.protocol = IPPROTO_UDP, .transport_offset = TCP_AT}));
	assert_false(mss_is_tcp(&(struct ip_packet){.flow.protocol = IPPROTO_TCP})); /* a fragment */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mss__first_option_is_found),
		cmocka_unit_test(test_mss__option_is_found_in_any_order),
		cmocka_unit_test(test_mss__option_is_found_at_the_very_end),
		cmocka_unit_test(test_mss__nothing_is_found_where_there_is_none),
		cmocka_unit_test(test_mss__broken_options_hold_nothing),
		cmocka_unit_test(test_mss__options_have_the_length_that_the_header_says),
		cmocka_unit_test(test_mss__is_what_the_mtu_leaves),
		cmocka_unit_test(test_mss__is_lowered_and_never_raised),
		cmocka_unit_test(test_mss__checksum_stays_right_at_even_and_odd_places),
		cmocka_unit_test(test_mss__checksum_that_is_wrong_stays_wrong),
		cmocka_unit_test(test_mss__syn_is_told_from_others),
		cmocka_unit_test(test_mss__what_cannot_be_seen_may_be_a_syn),
		cmocka_unit_test(test_mss__only_tcp_with_its_header_is_looked_at),
	};

	return cmocka_run_group_tests_name("mss", tests, NULL, NULL);
}
