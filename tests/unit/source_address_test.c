/* SPDX-License-Identifier: GPL-2.0-only */
/* From which of our addresses a peer is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "../../loader/source_address.h"

#define DEVICE 5

static struct config_address address(const char *text)
{
	struct config_address address = {.length = 128};

	if (inet_pton(AF_INET, text, address.byte + 12) == 1) {
		memset(address.byte + 10, 0xff, 2);
		address.is_ipv4 = true;
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, address.byte), 1);
	}
	return address;
}

static struct own_address own(const char *text, unsigned network_length, int ifindex)
{
	struct own_address own = {.address = address(text), .ifindex = ifindex};

	own.network_length = (uint8_t)(network_length + (own.address.is_ipv4 ? 96 : 0));
	return own;
}

static struct own_address end_of(const char *text, const char *other_end)
{
	struct own_address ours = own(text, strchr(text, ':') ? 128 : 32, DEVICE);

	ours.peer = address(other_end);
	return ours;
}

/* NULL expected: none is chosen. */
static void chosen_is(const struct own_address *list, size_t count, const char *peer, const char *current,
		      const char *expected)
{
	struct config_address to = address(peer), now = current ? address(current) : (struct config_address){0}, ours;
	bool found = source_address_choose(list, count, DEVICE, &to, current ? &now : NULL, &ours);

	assert_int_equal(found, expected != NULL);
	if (expected) {
		struct config_address wanted = address(expected);

		assert_memory_equal(ours.byte, wanted.byte, 16);
		assert_int_equal(ours.is_ipv4, wanted.is_ipv4);
	}
}

#define CHOSEN_IS(list, ...) chosen_is(list, sizeof(list) / sizeof(*(list)), __VA_ARGS__)

static void test_choose__takes_the_network_that_holds_the_peer(void **state)
{
	const struct own_address list[] = {own("10.0.0.1", 24, DEVICE), own("10.0.5.1", 24, DEVICE),
					   own("10.0.6.1", 8, DEVICE)};

	(void)state;
	CHOSEN_IS(list, "10.0.5.9", NULL, "10.0.5.1");
	CHOSEN_IS(list, "10.9.9.9", NULL, "10.0.6.1");
	CHOSEN_IS(list, "10.0.5.9", "10.0.0.1", "10.0.5.1");
}

static void test_choose__takes_the_other_end_of_a_point_to_point_link(void **state)
{
	const struct own_address list[] = {own("169.254.1.1", 16, DEVICE), end_of("172.16.0.1", "169.254.1.2")};

	(void)state;
	CHOSEN_IS(list, "169.254.1.2", NULL, "172.16.0.1");
	CHOSEN_IS(list, "169.254.1.3", NULL, "169.254.1.1");
}

static void test_choose__takes_any_of_the_device_and_family_else(void **state)
{
	const struct own_address list[] = {own("2001:db8::1", 64, DEVICE), own("192.0.2.1", 32, DEVICE),
					   own("192.0.2.2", 32, DEVICE), own("198.51.100.7", 24, 6)};

	(void)state;
	CHOSEN_IS(list, "198.51.100.9", NULL, "192.0.2.1");
	CHOSEN_IS(list, "2001:db8:9::1", NULL, "2001:db8::1");
}

static void test_choose__keeps_what_is_as_good(void **state)
{
	const struct own_address list[] = {own("10.0.0.1", 24, DEVICE), own("10.0.0.2", 24, DEVICE),
					   own("192.0.2.1", 24, DEVICE)};

	(void)state;
	CHOSEN_IS(list, "10.0.0.9", "10.0.0.2", "10.0.0.2");
	CHOSEN_IS(list, "10.0.0.9", "10.0.0.3", "10.0.0.1");
	CHOSEN_IS(list, "203.0.113.1", "192.0.2.1", "192.0.2.1");
}

static void test_choose__link_local_asks_link_local_alone(void **state)
{
	const struct own_address both[] = {own("2001:db8::1", 64, DEVICE), own("fe80::1", 64, DEVICE)};
	const struct own_address global[] = {own("2001:db8::1", 64, DEVICE)};
	const struct own_address local[] = {own("fe80::1", 64, DEVICE)};

	(void)state;
	CHOSEN_IS(both, "fe80::2", NULL, "fe80::1");
	CHOSEN_IS(both, "2001:db8:1::2", NULL, "2001:db8::1");
	CHOSEN_IS(global, "fe80::2", NULL, NULL);
	CHOSEN_IS(local, "2001:db8::2", NULL, NULL);
}

static void test_choose__finds_none_on_other_devices_or_of_the_other_family(void **state)
{
	const struct own_address list[] = {own("10.0.0.1", 24, 6), own("2001:db8::1", 64, DEVICE)};

	(void)state;
	CHOSEN_IS(list, "10.0.0.2", NULL, NULL);
	chosen_is(NULL, 0, "10.0.0.2", NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose__takes_the_network_that_holds_the_peer),
		cmocka_unit_test(test_choose__takes_the_other_end_of_a_point_to_point_link),
		cmocka_unit_test(test_choose__takes_any_of_the_device_and_family_else),
		cmocka_unit_test(test_choose__keeps_what_is_as_good),
		cmocka_unit_test(test_choose__link_local_asks_link_local_alone),
		cmocka_unit_test(test_choose__finds_none_on_other_devices_or_of_the_other_family),
	};

	return cmocka_run_group_tests_name("source_address", tests, NULL, NULL);
}
