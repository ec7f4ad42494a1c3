/* SPDX-License-Identifier: GPL-2.0-only */
/* From which of our addresses the packets of an inside NIC are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "../../loader/answer_source.h"

#define NIC   5
#define OTHER 6

struct ours {
	const char *address;
	int ifindex, lower_ifindex;
};

static struct own_address own(const struct ours *ours)
{
	struct own_address own = {.ifindex = ours->ifindex};

	if (inet_pton(AF_INET, ours->address, own.address.byte + 12) == 1) {
		memset(own.address.byte + 10, 0xff, 2);
		own.address.is_ipv4 = true;
	} else {
		assert_int_equal(inet_pton(AF_INET6, ours->address, own.address.byte), 1);
	}
	return own;
}

/* NULL expected: there is none. */
static void source_is(const struct ours *list, size_t count, const char *expected)
{
	struct answer_source source = {.fitness = 0};
	struct own_address wanted = {.ifindex = 0};

	for (size_t i = 0; i < count; i++) {
		struct own_address address = own(&list[i]);

		answer_source_consider(&source, &address, NIC, list[i].lower_ifindex);
	}
	if (expected)
		wanted = own(&(struct ours){.address = expected});
	assert_memory_equal(source.address, wanted.address.byte, sizeof(source.address));
}

#define SOURCE_IS(list, expected) source_is(list, sizeof(list) / sizeof(*(list)), expected)

static void test_source__nics_own_comes_before_its_vlans_and_those_before_others(void **state)
{
	static const struct ours ipv4[] = {
		{"192.0.2.1", OTHER, 0}, {"10.7.0.1", 7, NIC}, {"10.0.0.1", NIC, 0}, {"10.8.0.1", 8, NIC}};
	static const struct ours ipv6[] = {
		{"2001:db8:2::1", OTHER, 0}, {"2001:db8:7::1", 7, NIC}, {"2001:db8::1", NIC, 0}};

	(void)state;
	source_is(ipv4, 1, "192.0.2.1");
	source_is(ipv4, 2, "10.7.0.1");
	SOURCE_IS(ipv4, "10.0.0.1");
	source_is(ipv6, 1, "2001:db8:2::1");
	source_is(ipv6, 2, "2001:db8:7::1");
	SOURCE_IS(ipv6, "2001:db8::1");
}

static void test_source__first_of_equals_is_taken(void **state)
{
	static const struct ours list[] = {{"10.0.0.1", NIC, 0}, {"10.0.0.2", NIC, 0}};

	(void)state;
	SOURCE_IS(list, "10.0.0.1");
}

static void test_source__addresses_of_one_link_or_host_are_none(void **state)
{
	static const struct ours ipv4[] = {{"169.254.0.1", NIC, 0}, {"127.0.0.1", 1, 0}, {"0.0.0.0", NIC, 0}};
	static const struct ours ipv6[] = {{"fe80::1", NIC, 0}, {"::1", 1, 0}};

	(void)state;
	SOURCE_IS(ipv4, NULL);
	SOURCE_IS(ipv6, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source__nics_own_comes_before_its_vlans_and_those_before_others),
		cmocka_unit_test(test_source__first_of_equals_is_taken),
		cmocka_unit_test(test_source__addresses_of_one_link_or_host_are_none),
	};

	return cmocka_run_group_tests_name("answer_source", tests, NULL, NULL);
}
