/* SPDX-License-Identifier: GPL-2.0-only */
/* IPv4 prefixes as a table: every answer, after every change, against a look at each prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/prefix_flat.h"
#include "../../maps/limits.h"

#define PREFIXES 400
#define CHANGES	 4000
#define LOOKS	 40

struct reference {
	uint32_t address, connection;
	unsigned length;
	bool there;
};

static struct prefix_chunk chunks[256 + 64];
static struct reference reference[PREFIXES];

static struct config_address ipv4(uint32_t address, unsigned length)
{
	struct config_address prefix = {
		.byte = {[10] = 0xff, [11] = 0xff}, .length = (uint8_t)(IPV4_MAPPED_BITS + length), .is_ipv4 = true};

	address = htonl(address);
	memcpy(prefix.byte + 12, &address, 4);
	return prefix;
}

static uint32_t mask_of(unsigned length)
{
	return length ? ~0u << (32 - length) : 0;
}

/* As the programs do it (bpf/prefix.bpf.h). */
static uint32_t answer(uint32_t address)
{
	uint32_t is = __atomic_load_n(&chunks[address >> 24].answer[address >> 16 & 0xff], __ATOMIC_ACQUIRE);

	if (is / PREFIX_CHUNK_LIMIT == PREFIX_CHUNK / PREFIX_CHUNK_LIMIT)
		is = __atomic_load_n(&chunks[is % PREFIX_CHUNK_LIMIT].answer[address >> 8 & 0xff], __ATOMIC_ACQUIRE);
	return is == PREFIX_ASK || is >= NO_PREFIX ? is : is - 1;
}

static uint32_t longest(uint32_t address)
{
	const struct reference *best = NULL;

	for (const struct reference *r = reference; r < reference + PREFIXES; r++)
		if (r->there && !((address ^ r->address) & mask_of(r->length)) && (!best || r->length > best->length))
			best = r;
	return best ? best->connection : NO_PREFIX;
}

static bool is_within(const struct reference *prefix, uint32_t address, unsigned length)
{
	return prefix->there && prefix->length > length && !((address ^ prefix->address) & mask_of(length));
}

/* May it be asked for? Only what has longer prefixes within may; and without chunks to spare networks of 16 bits do. */
static bool may_ask(uint32_t address, bool chunks_suffice)
{
	for (const struct reference *r = reference; r < reference + PREFIXES; r++)
		if (is_within(r, address, chunks_suffice ? 24 : 16))
			return true;
	return false;
}

static void look(uint32_t address, bool chunks_suffice)
{
	uint32_t is = answer(address);

	if (is == PREFIX_ASK)
		assert_true(may_ask(address, chunks_suffice));
	else
		assert_int_equal(is, longest(address));
}

static struct prefix_flat *begin(uint32_t count)
{
	struct prefix_flat *flat;

	memset(chunks, 0, sizeof(chunks));
	memset(reference, 0, sizeof(reference));
	flat = prefix_flat_new(chunks, count);
	assert_non_null(flat);
	return flat;
}

/* Few distinct bits and all lengths, so that much is nested, in no more than 32 networks of 16 bits. */
static void reference_draw(void)
{
	for (size_t i = 0; i < PREFIXES; i++) {
		struct reference *r = &reference[i];
		bool again;

		do {
			r->length = (unsigned)random() % 33;
			r->address = (uint32_t)random() & 0xc0c10383 & mask_of(r->length);
			again = false;
			for (const struct reference *other = reference; other < r; other++)
				again |= other->length == r->length && other->address == r->address;
		} while (again && random() % 64);
		if (again) /* all of this length are there: an odd one */
			r->address = (uint32_t)random() & mask_of(r->length = 32);
	}
}

static void change(struct prefix_flat *flat, struct reference *r)
{
	struct config_address prefix = ipv4(r->address, r->length);

	r->there = !r->there || random() % 4 == 0;
	r->connection = random() % 8 ? (uint32_t)random() % 10000 : random() % 2 ? NO_CONNECTION : NO_PREFIX;
	if (r->there)
		prefix_flat_set(flat, &prefix, r->connection);
	else
		prefix_flat_remove(flat, &prefix);
}

static void changes(struct prefix_flat *flat, bool chunks_suffice)
{
	reference_draw();
	for (unsigned i = 0; i < CHANGES; i++) {
		struct reference *r = &reference[random() % PREFIXES];

		change(flat, r);
		for (unsigned j = 0; j < LOOKS; j++) {
			look((uint32_t)random() & 0xc0c103ff, chunks_suffice);
			look(r->address | ((uint32_t)random() & ~mask_of(r->length)), chunks_suffice);
		}
	}
	prefix_flat_free(flat);
}

static void test_prefix_flat__answers_by_longest_prefix(void **state)
{
	(void)state;
	changes(begin(256 + 64), true);
}

static void test_prefix_flat__asks_where_chunks_are_used_up(void **state)
{
	(void)state;
	changes(begin(256 + 3), false);
}

static void test_prefix_flat__without_prefixes_nothing_is_held(void **state)
{
	struct prefix_flat *flat = begin(256 + 1);
	struct config_address ipv6 = {.byte = {0x20, 1}, .length = 32};

	(void)state;
	prefix_flat_set(flat, &ipv6, 7);
	prefix_flat_remove(flat, &ipv6);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(answer((uint32_t)random()), NO_PREFIX);
	prefix_flat_free(flat);
}

/* --- a reader at any instant
 * ------------------------------------------------------------------------------------------ */

#define FIRST	1u /* 10.0.0.0/8, always */
#define SECOND	2u /* 10.1.0.0/16, comes and goes */
#define THIRD	3u /* 10.1.2.0/24, likewise */
#define ADDRESS 0x0a010203u

static bool ends;

struct looks {
	uint64_t right, wrong;
};

static void *read_on(void *context)
{
	struct looks *looks = context;

	while (!__atomic_load_n(&ends, __ATOMIC_RELAXED)) {
		uint32_t is = answer(ADDRESS), beside = answer(ADDRESS + 256);

		if (is >= FIRST && is <= THIRD && beside >= FIRST && beside <= SECOND)
			looks->right++;
		else
			looks->wrong++;
	}
	return NULL;
}

static void test_prefix_flat__reader_finds_what_is_or_what_was(void **state)
{
	struct config_address eight = ipv4(ADDRESS, 8), sixteen = ipv4(ADDRESS, 16), most = ipv4(ADDRESS, 24);
	struct looks looks = {0};
	pthread_t reader;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		struct prefix_flat *flat = begin(256 + 8);

		prefix_flat_set(flat, &eight, FIRST);
		ends = false;
		assert_int_equal(pthread_create(&reader, NULL, read_on, &looks), 0);
		for (unsigned i = 0; i < 100; i++) {
			prefix_flat_set(flat, &most, THIRD);
			prefix_flat_set(flat, &sixteen, SECOND);
			prefix_flat_remove(flat, &most);
			prefix_flat_remove(flat, &sixteen);
		}
		__atomic_store_n(&ends, true, __ATOMIC_RELAXED);
		pthread_join(reader, NULL);
		prefix_flat_free(flat);
	}
	assert_true(looks.right > 0);
	assert_int_equal(looks.wrong, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test(test_prefix_flat__##name)
	static const struct CMUnitTest tests[] = {
		TEST(without_prefixes_nothing_is_held),
		TEST(answers_by_longest_prefix),
		TEST(asks_where_chunks_are_used_up),
		TEST(reader_finds_what_is_or_what_was),
	};
#undef TEST

	return cmocka_run_group_tests_name("prefix_flat", tests, NULL, NULL);
}
