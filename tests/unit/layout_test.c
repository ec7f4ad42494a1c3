/* SPDX-License-Identifier: GPL-2.0-only */
/* Layouts of two builds: the same, or carried over by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../../loader/layout.h"

/* A build's types: struct counted { ... } of 64-bit fields, and struct inner within struct outer. */
struct types {
	struct btf *btf;
	int u32, u64;
};

static struct types types_begin(void)
{
	struct types types = {.btf = btf__new_empty()};

	assert_non_null(types.btf);
	types.u32 = btf__add_typedef(types.btf, "__u32", btf__add_int(types.btf, "unsigned int", 4, 0));
	types.u64 = btf__add_typedef(types.btf, "__u64", btf__add_int(types.btf, "unsigned long long", 8, 0));
	assert_true(types.u32 > 0 && types.u64 > 0);
	return types;
}

static uint32_t words(const struct types *types, const char *first, const char *second, const char *third)
{
	const char *names[] = {first, second, third};
	uint32_t count = third ? 3 : 2;
	int type = btf__add_struct(types->btf, "counted", count * 8);

	assert_true(type > 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(btf__add_field(types->btf, names[i], types->u64, i * 64, 0), 0);
	return (uint32_t)type;
}

static bool same(const struct types *a, uint32_t a_type, const struct types *b, uint32_t b_type)
{
	struct layout a_layout = {.btf = a->btf, .key = (uint32_t)a->u32, .value = a_type};
	struct layout b_layout = {.btf = b->btf, .key = (uint32_t)b->u32, .value = b_type};

	return layout_same(&a_layout, &b_layout);
}

static void test_same__goes_by_names_and_places(void **state)
{
	struct types a = types_begin(), b = types_begin();
	uint32_t one = words(&a, "tx", "rx", NULL);

	(void)state;
	words(&b, "other", "types", "first");
	assert_true(same(&a, one, &b, words(&b, "tx", "rx", NULL)));
	assert_false(same(&a, one, &b, words(&b, "rx", "tx", NULL)));
	assert_false(same(&a, one, &b, words(&b, "tx", "lost", NULL)));
	assert_false(same(&a, one, &b, words(&b, "tx", "rx", "lost")));
	assert_false(same(&a, one, &b, (uint32_t)b.u64));
	assert_false(same(&a, one, &b, 0));
	btf__free(a.btf);
	btf__free(b.btf);
}

static uint32_t nested(const struct types *types, uint32_t inner, const char *outer, uint32_t elements)
{
	int array = btf__add_array(types->btf, types->u32, (int)inner, (int)elements);
	int type = btf__add_struct(types->btf, outer, 16 * elements);

	assert_int_equal(btf__add_field(types->btf, "inner", array, 0, 0), 0);
	return (uint32_t)type;
}

static void test_same__looks_into_arrays_and_structs(void **state)
{
	struct types a = types_begin(), b = types_begin();
	uint32_t one = nested(&a, words(&a, "tx", "rx", NULL), "outer", 2);

	(void)state;
	assert_true(same(&a, one, &b, nested(&b, words(&b, "tx", "rx", NULL), "outer", 2)));
	assert_false(same(&a, one, &b, nested(&b, words(&b, "tx", "rx", NULL), "outer", 3)));
	assert_false(same(&a, one, &b, nested(&b, words(&b, "rx", "tx", NULL), "outer", 2)));
	btf__free(a.btf);
	btf__free(b.btf);
}

/* The kernel's headers name the fields of these differently from release to release. */
static void test_same__a_timer_is_a_timer(void **state)
{
	struct types a = types_begin(), b = types_begin();
	int opaque = btf__add_struct(a.btf, "bpf_timer", 16), named = btf__add_struct(b.btf, "bpf_timer", 16);

	(void)state;
	assert_int_equal(btf__add_field(b.btf, "__opaque", b.u64, 0, 0), 0);
	assert_true(same(&a, (uint32_t)opaque, &b, (uint32_t)named));
	btf__free(a.btf);
	btf__free(b.btf);
}

static void test_field__is_found_by_name(void **state)
{
	struct types a = types_begin();
	uint32_t type = words(&a, "tx", "rx", "lost"), offset = 1, size = 1;

	(void)state;
	assert_int_equal(layout_field(a.btf, type, "lost", &offset, &size), 0);
	assert_int_equal(offset, 16);
	assert_int_equal(size, 8);
	assert_int_equal(layout_field(a.btf, type, "found", &offset, &size), -ENOENT);
	assert_int_equal(layout_field(a.btf, (uint32_t)a.u64, "tx", &offset, &size), -ENOENT);
	assert_int_equal(offset, 16);
	btf__free(a.btf);
}

static void test_copy__fields_go_where_their_name_is(void **state)
{
	struct types a = types_begin(), b = types_begin();
	uint32_t old = words(&a, "tx", "rx", "gone"), new = words(&b, "fresh", "rx", "tx");
	uint64_t from[] = {1, 2, 3}, to[] = {10, 20, 30};

	(void)state;
	assert_int_equal(layout_copy(a.btf, old, from, b.btf, new, to), 2);
	assert_int_equal(to[0], 10);
	assert_int_equal(to[1], 2);
	assert_int_equal(to[2], 1);
	btf__free(a.btf);
	btf__free(b.btf);
}

static void test_copy__a_field_of_another_size_is_not_the_same(void **state)
{
	struct types a = types_begin(), b = types_begin();
	uint32_t old = words(&a, "tx", "rx", NULL);
	int new = btf__add_struct(b.btf, "counted", 8);
	uint32_t to[] = {7, 8};
	uint64_t from[] = {1, 2};

	(void)state;
	assert_int_equal(btf__add_field(b.btf, "tx", b.u32, 0, 0), 0);
	assert_int_equal(btf__add_field(b.btf, "other", b.u32, 32, 0), 0);
	assert_int_equal(layout_copy(a.btf, old, from, b.btf, (uint32_t) new, to), 0);
	assert_int_equal(to[0], 7);
	btf__free(a.btf);
	btf__free(b.btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same__goes_by_names_and_places),
		cmocka_unit_test(test_same__looks_into_arrays_and_structs),
		cmocka_unit_test(test_same__a_timer_is_a_timer),
		cmocka_unit_test(test_field__is_found_by_name),
		cmocka_unit_test(test_copy__fields_go_where_their_name_is),
		cmocka_unit_test(test_copy__a_field_of_another_size_is_not_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
