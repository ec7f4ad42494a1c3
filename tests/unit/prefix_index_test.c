/* SPDX-License-Identifier: GPL-2.0-only */
/* Which prefixes share addresses with a network: against a look at each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../loader/prefix_index.h"

#define RANDOM_PREFIXES 300
#define RANDOM_NETWORKS 2000

static struct config_address network(bool is_ipv4, uint32_t bits, unsigned length)
{
	struct config_address address = {.length = (uint8_t)length, .is_ipv4 = is_ipv4};
	unsigned first = is_ipv4 ? 12 : 0;

	if (is_ipv4)
		address.byte[10] = address.byte[11] = 0xff;
	for (unsigned i = 0; i < 4; i++)
		address.byte[first + i] = (uint8_t)(bits >> (24 - 8 * i));
	if (is_ipv4)
		address.length = (uint8_t)(length + 96);
	for (unsigned bit = address.length; bit < 128; bit++)
		address.byte[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return address;
}

/* Few distinct bits and all lengths, so that much is nested. */
static struct config_address random_network(void)
{
	return network(random() % 2, (uint32_t)random() & 0xe0800100, (unsigned)random() % 33);
}

static void test_prefix_holds__to_the_bit(void **state)
{
	struct config_address outer = network(true, 0x0a000000, 9), inner = network(true, 0x0a7f0000, 16);

	(void)state;
	assert_true(prefix_holds(&outer, &inner));
	assert_true(prefix_holds(&outer, &outer));
	assert_false(prefix_holds(&inner, &outer));
	inner = network(true, 0x0a800000, 16);
	assert_false(prefix_holds(&outer, &inner));
	outer = network(true, 0, 0);
	assert_true(prefix_holds(&outer, &inner));
}

static void test_prefix_holds__no_ipv4_in_ipv6(void **state)
{
	struct config_address outer = network(false, 0, 0), inner = network(true, 0x0a000000, 8);

	(void)state;
	assert_false(prefix_holds(&outer, &inner));
}

struct seen {
	bool entry[RANDOM_PREFIXES];
	const struct prefix_index *index;
	size_t count;
};

static void note(const struct prefix_entry *entry, void *context)
{
	struct seen *seen = context;
	size_t at = (size_t)(entry - seen->index->entry);

	assert_true(at < seen->index->count);
	assert_false(seen->entry[at]);
	seen->entry[at] = true;
	seen->count++;
}

static struct prefix_index *random_index(void)
{
	static struct config_address remote[RANDOM_PREFIXES];
	struct config_connection connections[2] = {{.remote = remote, .remote_count = 0}};
	struct config config = {.connections = connections, .connection_count = 2};
	struct prefix_index *index = NULL;

	/* No prefix stands twice: the file's reader sees to that. */
	for (size_t count = 0, twin; count < RANDOM_PREFIXES / 2;) {
		remote[count] = random_network();
		for (twin = 0; memcmp(&remote[twin], &remote[count], sizeof(remote[0])); twin++)
			continue;
		count += twin == count;
		connections[0].remote_count = count;
	}
	connections[1].remote = remote + RANDOM_PREFIXES / 4;
	connections[1].remote_count = connections[0].remote_count - RANDOM_PREFIXES / 4;
	connections[0].remote_count = RANDOM_PREFIXES / 4;
	assert_int_equal(prefix_index_new(&config, &index), 0);
	assert_int_equal(index->count, RANDOM_PREFIXES / 2);
	return index;
}

static void test_prefix_index__finds_what_shares_addresses(void **state)
{
	struct prefix_index *index = random_index();
	size_t found = 0;

	(void)state;
	for (size_t n = 0; n < RANDOM_NETWORKS; n++) {
		struct config_address asked = random_network();
		struct seen seen = {.index = index};

		prefix_index_sharing(index, &asked, note, &seen);
		for (size_t i = 0; i < index->count; i++)
			assert_int_equal(seen.entry[i], prefix_holds(&asked, &index->entry[i].prefix) ||
								prefix_holds(&index->entry[i].prefix, &asked));
		found += seen.count;
	}
	assert_true(found > RANDOM_NETWORKS);
	prefix_index_free(index);
}

static void test_prefix_index__parent_is_the_longest_that_holds(void **state)
{
	struct prefix_index *index = random_index();
	size_t parents = 0;

	(void)state;
	for (size_t i = 0; i < index->count; i++) {
		size_t best = PREFIX_NO_PARENT;

		for (size_t j = 0; j < index->count; j++)
			if (j != i && prefix_holds(&index->entry[j].prefix, &index->entry[i].prefix) &&
			    (best == PREFIX_NO_PARENT ||
			     index->entry[j].prefix.length > index->entry[best].prefix.length))
				best = j;
		assert_true(index->entry[i].parent == best);
		parents += best != PREFIX_NO_PARENT;
	}
	assert_true(parents > 0);
	prefix_index_free(index);
}

static void test_prefix_index__holder_is_the_longest_that_holds(void **state)
{
	struct prefix_index *index = random_index();
	size_t itself = 0, others = 0;

	(void)state;
	for (size_t n = 0; n < RANDOM_NETWORKS; n++) {
		struct config_address asked = n % 2 ? random_network() : index->entry[n % index->count].prefix;
		const struct prefix_entry *holder = prefix_index_holder(index, &asked), *best = NULL;

		for (size_t i = 0; i < index->count; i++)
			if (prefix_holds(&index->entry[i].prefix, &asked) &&
			    (!best || index->entry[i].prefix.length > best->prefix.length))
				best = &index->entry[i];
		assert_ptr_equal(holder, best);
		itself += best && best->prefix.length == asked.length;
		others += best && best->prefix.length < asked.length;
	}
	assert_true(itself > 0 && others > 0);
	prefix_index_free(index);
}

static void test_prefix_index__of_nothing_finds_nothing(void **state)
{
	struct config config = {0};
	struct config_address any = network(true, 0, 0);
	struct prefix_index *index = NULL;
	struct seen seen = {0};

	(void)state;
	assert_int_equal(prefix_index_new(&config, &index), 0);
	seen.index = index;
	prefix_index_sharing(index, &any, note, &seen);
	assert_int_equal(seen.count, 0);
	assert_null(prefix_index_holder(index, &any));
	prefix_index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix_holds__to_the_bit),
		cmocka_unit_test(test_prefix_holds__no_ipv4_in_ipv6),
		cmocka_unit_test(test_prefix_index__finds_what_shares_addresses),
		cmocka_unit_test(test_prefix_index__parent_is_the_longest_that_holds),
		cmocka_unit_test(test_prefix_index__holder_is_the_longest_that_holds),
		cmocka_unit_test(test_prefix_index__of_nothing_finds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
