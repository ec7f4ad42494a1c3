/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables and quantities as people read them: tools/table.c, tools/text.c.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/table.h"
#include "../../tools/text.h"

static const struct table_column columns[] = {{"NAME", false}, {"N", true}, {"WHY", false}, {NULL, false}};

static void assert_table(struct table *table, bool coloured, const char *expected)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_int_equal(table_print(table, file, coloured), 0);
	fclose(file);
	assert_string_equal(text, expected);
	free(text);
	table_free(table);
}

static void test_table__aligns_text_left_and_numbers_right(void **state)
{
	struct table *table = table_new(columns);

	(void)state;
	table_cell(table, TABLE_PLAIN, "in0");
	table_cellf(table, "%d", 7);
	table_cell(table, TABLE_PLAIN, "no SA");
	table_cell(table, TABLE_PLAIN, "instance-1");
	table_cellf(table, "%d", 12345);
	table_cell(table, TABLE_PLAIN, "link down");
	assert_table(table, false,
		     "NAME            N  WHY\n"
		     "in0             7  no SA\n"
		     "instance-1  12345  link down\n");
}

static void test_table__leaves_no_space_at_a_line_s_end(void **state)
{
	struct table *table = table_new(columns);

	(void)state;
	table_cell(table, TABLE_PLAIN, "in0");
	table_cell(table, TABLE_PLAIN, "");
	table_cell(table, TABLE_PLAIN, "");
	table_cell(table, TABLE_PLAIN, "");
	table_cellf(table, "%d", 1);
	table_cell(table, TABLE_PLAIN, "");
	assert_table(table, false, "NAME  N  WHY\nin0\n      1\n");
}

static void test_table__colours_do_not_shift_columns(void **state)
{
	struct table *table = table_new(columns);

	(void)state;
	table_cell(table, TABLE_RED, "down");
	table_cellf(table, "%d", 1);
	table_cell(table, TABLE_PLAIN, "x");
	assert_table(table, true, "NAME  N  WHY\n\033[31mdown\033[0m  1  x\n");
}

static void test_table__without_colour_prints_none(void **state)
{
	struct table *table = table_new(columns);

	(void)state;
	table_cell(table, TABLE_RED, "down");
	table_cellf(table, "%d", 1);
	table_cell(table, TABLE_PLAIN, "x");
	assert_table(table, false, "NAME  N  WHY\ndown  1  x\n");
}

static void test_table__counts_characters_not_bytes(void **state)
{
	struct table *table = table_new(columns);

	(void)state;
	table_cell(table, TABLE_PLAIN, "Zürich");
	table_cellf(table, "%d", 1);
	table_cell(table, TABLE_PLAIN, "x");
	table_cell(table, TABLE_PLAIN, "Bremen");
	table_cellf(table, "%d", 2);
	table_cell(table, TABLE_PLAIN, "y");
	assert_table(table, false, "NAME    N  WHY\nZürich  1  x\nBremen  2  y\n");
}

static void test_colour__is_not_wanted_by_a_file(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	assert_false(table_colour_wanted(file));
	fclose(file);
}

static void test_colour__is_wanted_by_a_terminal_unless_asked_not_to(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	FILE *terminal;

	(void)state;
	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	terminal = fopen(ptsname(master), "r+e");
	assert_non_null(terminal);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_true(table_colour_wanted(terminal));
	setenv("NO_COLOR", "", 1);
	assert_true(table_colour_wanted(terminal));
	setenv("NO_COLOR", "1", 1);
	assert_false(table_colour_wanted(terminal));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_false(table_colour_wanted(terminal));
	fclose(terminal);
	close(master);
}

static void assert_ms(const char *text, int64_t expected)
{
	int64_t ms = -1;

	assert_int_equal(text_to_ms(text, &ms), 0);
	assert_int_equal(ms, expected);
}

static void test_duration__takes_its_four_units(void **state)
{
	(void)state;
	assert_ms("1500us", 2);
	assert_ms("50ms", 50);
	assert_ms("5s", 5000);
	assert_ms("2m", 120000);
	assert_ms("0s", 0);
}

static void test_duration__of_another_form_is_refused(void **state)
{
	static const char *const faulty[] = {"", "5", "s", "5 s", "-5s", "5h", "5sec", "0x5s", "1.5s", " 5s"};
	int64_t ms = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++)
		if (text_to_ms(faulty[i], &ms) != -EINVAL)
			fail_msg("'%s' is taken", faulty[i]);
	assert_int_equal(text_to_ms("18446744073709551616s", &ms), -ERANGE);
	assert_int_equal(text_to_ms("18446744073709551615m", &ms), -ERANGE);
	assert_int_equal(text_to_ms("600000m", &ms), -ERANGE);
	assert_int_equal(ms, 42);
}

static void assert_rate(int64_t rate, const char *expected)
{
	char buffer[TEXT_BYTES];

	assert_string_equal(text_of_rate(rate, buffer), expected);
}

static void test_ms__has_three_figures_or_no_fraction(void **state)
{
	char buffer[TEXT_BYTES];

	(void)state;
	assert_string_equal(text_of_ms(0.0571, buffer), "0.0571 ms");
	assert_string_equal(text_of_ms(34, buffer), "34 ms");
	assert_string_equal(text_of_ms(34.26, buffer), "34.3 ms");
	assert_string_equal(text_of_ms(999.6, buffer), "1000 ms");
	assert_string_equal(text_of_ms(2596000.4, buffer), "2596000 ms");
}

static void test_rate__has_two_or_three_figures(void **state)
{
	(void)state;
	assert_rate(0, "0");
	assert_rate(999, "999");
	assert_rate(1000, "1.0k");
	assert_rate(9949, "9.9k");
	assert_rate(9950, "10k");
	assert_rate(999499, "999k");
	assert_rate(999500, "1.0M");
	assert_rate(1234567, "1.2M");
	assert_rate(40000000000, "40G");
	assert_rate(INT64_MAX, "9.2E");
}

static void assert_age(const char *since, const char *expected)
{
	struct tm now = {.tm_year = 126, .tm_mon = 10, .tm_mday = 22, .tm_hour = 12};
	char buffer[TEXT_BYTES];

	assert_string_equal(text_of_age(since, timegm(&now), buffer), expected);
}

static void test_age__has_two_units(void **state)
{
	(void)state;
	assert_age("2026-11-22T11:59:48Z", "12s");
	assert_age("2026-11-22T11:54:57.250Z", "5m03s");
	assert_age("2026-11-22T08:48:00Z", "3h12m");
	assert_age("2026-11-18T05:00:00Z", "4d07h");
	assert_age("2026-11-22T12:00:01Z", "0s");
	assert_age("", "-");
	assert_age(NULL, "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table__aligns_text_left_and_numbers_right),
		cmocka_unit_test(test_table__leaves_no_space_at_a_line_s_end),
		cmocka_unit_test(test_table__colours_do_not_shift_columns),
		cmocka_unit_test(test_table__without_colour_prints_none),
		cmocka_unit_test(test_table__counts_characters_not_bytes),
		cmocka_unit_test(test_colour__is_not_wanted_by_a_file),
		cmocka_unit_test(test_colour__is_wanted_by_a_terminal_unless_asked_not_to),
		cmocka_unit_test(test_duration__takes_its_four_units),
		cmocka_unit_test(test_duration__of_another_form_is_refused),
		cmocka_unit_test(test_ms__has_three_figures_or_no_fraction),
		cmocka_unit_test(test_rate__has_two_or_three_figures),
		cmocka_unit_test(test_age__has_two_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
