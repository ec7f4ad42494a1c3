// SPDX-License-Identifier: GPL-2.0-only
/* SHA-1 of 52 bytes; what is expected was computed by sha1sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../bpf/sha1.h"

static void assert_sha1(const uint8_t message[SHA1_MESSAGE_BYTES], const char *expected)
{
	uint8_t digest[SHA1_DIGEST_BYTES];
	char hex[2 * SHA1_DIGEST_BYTES + 1];

	sha1(message, digest);
	for (int i = 0; i < SHA1_DIGEST_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, expected);
}

static void test_sha1__of_constant_bytes(void **state)
{
	uint8_t message[SHA1_MESSAGE_BYTES] = {0};

	(void)state;
	assert_sha1(message, "2f1050adf64f33298ff0ce423eb86d4728441b21");
	memset(message, 0xff, sizeof(message));
	assert_sha1(message, "2f086ceb5b9e7c9da819ac249eee8d5084ca9ee7");
}

static void test_sha1__of_different_bytes(void **state)
{
	uint8_t message[SHA1_MESSAGE_BYTES];

	(void)state;
	for (int i = 0; i < SHA1_MESSAGE_BYTES; i++)
		message[i] = i;
	assert_sha1(message, "fd5ee7588cd129e12b886974621fd29facc78e19");
	memcpy(message, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", sizeof(message));
	assert_sha1(message, "db16441c4b330570a9ac83b0e0b006fcd74cc32b");
}

static void test_sha1__digest_may_lie_in_the_message(void **state)
{
	uint8_t message[SHA1_MESSAGE_BYTES] = {0}, digest[SHA1_DIGEST_BYTES];

	(void)state;
	sha1(message, digest);
	sha1(message, message + 32);
	assert_memory_equal(message + 32, digest, sizeof(digest));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha1__of_constant_bytes),
		cmocka_unit_test(test_sha1__of_different_bytes),
		cmocka_unit_test(test_sha1__digest_may_lie_in_the_message),
	};

	return cmocka_run_group_tests_name("sha1", tests, NULL, NULL);
}
