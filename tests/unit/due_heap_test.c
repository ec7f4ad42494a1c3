/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions come out of the heap in the order in which they are due, however they were put in and moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "../../loader/due_heap.h"

static struct due_heap heap;

static int set_up(void **state)
{
	(void)state;
	due_heap_clear(&heap);
	return 0;
}

static void first_is(uint32_t session, uint64_t at_ns)
{
	const struct due *first = due_heap_first(&heap);

	assert_non_null(first);
	assert_int_equal(first->session, session);
	assert_int_equal(first->at_ns, at_ns);
}

static void test_heap__is_empty_when_clear(void **state)
{
	(void)state;
	assert_null(due_heap_first(&heap));
	due_heap_remove(&heap, 3);
	due_heap_set(&heap, 3, 1);
	due_heap_clear(&heap);
	assert_null(due_heap_first(&heap));
}

static void test_heap__moves_what_is_in(void **state)
{
	(void)state;
	due_heap_set(&heap, 1, 10);
	due_heap_set(&heap, 2, 20);
	due_heap_set(&heap, 3, 30);
	first_is(1, 10);
	due_heap_set(&heap, 1, 40);
	first_is(2, 20);
	due_heap_set(&heap, 3, 0);
	first_is(3, 0);
	assert_int_equal(heap.count, 3);
	due_heap_remove(&heap, 3);
	first_is(2, 20);
	due_heap_remove(&heap, 2);
	due_heap_remove(&heap, 1);
	assert_null(due_heap_first(&heap));
}

/* Against a plain array, over many random moves of as many sessions as there can be. */
static void test_heap__agrees_with_a_search_through_all(void **state)
{
	static uint64_t at_ns[MAX_SESSIONS];
	static bool in[MAX_SESSIONS];
	uint64_t random = 88172645463325252ull;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint32_t session;
		uint64_t least = UINT64_MAX;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		session = random % MAX_SESSIONS;
		in[session] = random >> 32 & 3;
		at_ns[session] = random >> 40;
		if (in[session])
			due_heap_set(&heap, session, at_ns[session]);
		else
			due_heap_remove(&heap, session);
		if (i % 50)
			continue;
		for (uint32_t s = 0; s < MAX_SESSIONS; s++)
			if (in[s] && at_ns[s] < least)
				least = at_ns[s];
		assert_int_equal(due_heap_first(&heap)->at_ns, least);
	}
	for (uint64_t before = 0; due_heap_first(&heap); due_heap_remove(&heap, due_heap_first(&heap)->session)) {
		assert_true(due_heap_first(&heap)->at_ns >= before);
		assert_int_equal(due_heap_first(&heap)->at_ns, at_ns[due_heap_first(&heap)->session]);
		before = due_heap_first(&heap)->at_ns;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_heap__is_empty_when_clear, set_up),
		cmocka_unit_test_setup(test_heap__moves_what_is_in, set_up),
		cmocka_unit_test_setup(test_heap__agrees_with_a_search_through_all, set_up),
	};

	return cmocka_run_group_tests_name("due_heap", tests, NULL, NULL);
}
