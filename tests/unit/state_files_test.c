/* SPDX-License-Identifier: GPL-2.0-only */
/* What survives on disk: administrative state and events, whole or half written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../loader/admin.h"
#include "../../loader/clock.h"
#include "../../loader/journal.h"

static char directory[64], path[128];

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/aa-steer-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void file_put(const char *text, const char *mode)
{
	FILE *file = fopen(path, mode);

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_admin__out_survives_reopening(void **state)
{
	struct admin *admin;

	(void)state;
	assert_int_equal(admin_open(path, &admin), 0);
	assert_false(admin_is_out(admin, "in0"));
	assert_int_equal(admin_set_out(admin, "in0", ADMIN_OUT, 0), 0);
	assert_int_equal(admin_set_out(admin, "hq-1", ADMIN_OUT, 0), 0);
	assert_int_equal(admin_set_out(admin, "hq-1", 0, 0), 0);
	admin_close(admin);
	assert_int_equal(admin_open(path, &admin), 0);
	assert_true(admin_is_out(admin, "in0"));
	assert_false(admin_is_out(admin, "hq-1"));
	admin_close(admin);
}

static void test_admin__drain_and_its_deadline_survive_reopening(void **state)
{
	const uint64_t deadline_ns = 1764557231500000000;
	struct admin *admin;
	uint64_t next_ns;

	(void)state;
	assert_int_equal(admin_open(path, &admin), 0);
	assert_null(admin_next_deadline(admin, &next_ns));
	assert_int_equal(admin_set_out(admin, "in0", ADMIN_DRAINING, deadline_ns + 60 * NS_PER_SECOND), 0);
	assert_int_equal(admin_set_out(admin, "in1", ADMIN_DRAINING, deadline_ns), 0);
	assert_int_equal(admin_set_out(admin, "hq-1", ADMIN_DRAINING, 0), 0);
	assert_int_equal(admin_set_out(admin, "hq-0", ADMIN_OUT, 0), 0);
	admin_close(admin);
	assert_int_equal(admin_open(path, &admin), 0);
	assert_int_equal(admin_is_out(admin, "in1"), ADMIN_DRAINING);
	assert_int_equal(admin_is_out(admin, "hq-1"), ADMIN_DRAINING);
	assert_int_equal(admin_is_out(admin, "hq-0"), ADMIN_OUT);
	assert_int_equal(admin_deadline_ns(admin, "in1"), deadline_ns);
	assert_int_equal(admin_deadline_ns(admin, "hq-1"), 0);
	assert_string_equal(admin_next_deadline(admin, &next_ns), "in1");
	assert_int_equal(next_ns, deadline_ns);
	/* Whose drain is over has no deadline any more. */
	assert_int_equal(admin_set_out(admin, "in1", ADMIN_OUT, 0), 0);
	assert_int_equal(admin_set_out(admin, "in0", 0, 0), 0);
	assert_null(admin_next_deadline(admin, &next_ns));
	admin_close(admin);
	assert_int_equal(admin_open(path, &admin), 0);
	assert_int_equal(admin_is_out(admin, "in1"), ADMIN_OUT);
	assert_int_equal(admin_is_out(admin, "in0"), 0);
	assert_null(admin_next_deadline(admin, &next_ns));
	admin_close(admin);
}

static void test_admin__half_a_file_is_removed(void **state)
{
	struct admin *admin;
	char fresh[160];

	(void)state;
	assert_int_equal(admin_open(path, &admin), 0);
	assert_int_equal(admin_set_out(admin, "in0", ADMIN_OUT, 0), 0);
	admin_close(admin);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file_put("{\"out\": [", "w");
	assert_int_equal(rename(path, fresh), 0);
	assert_int_equal(admin_open(path, &admin), 0);
	assert_int_not_equal(access(fresh, F_OK), 0);
	admin_close(admin);
}

static void test_admin__order_survives_reopening(void **state)
{
	struct admin_order order = {.by_hand = true, .mode = MODE_ACTIVE_STANDBY, .over = MODE_ACTIVE_ACTIVE};
	const struct admin_order *read;
	struct admin *admin;

	(void)state;
	strcpy(order.first, "in1");
	strcpy(order.behind[order.behind_count++], "in2");
	strcpy(order.behind[order.behind_count++], "in0");
	assert_int_equal(admin_open(path, &admin), 0);
	assert_int_equal(admin_set_out(admin, "in0", ADMIN_OUT, 0), 0);
	assert_int_equal(admin_set_order(admin, &order), 0);
	admin_close(admin);
	assert_int_equal(admin_open(path, &admin), 0);
	assert_true(admin_is_out(admin, "in0"));
	read = admin_order(admin);
	assert_true(read->by_hand);
	assert_int_equal(read->mode, MODE_ACTIVE_STANDBY);
	assert_int_equal(read->over, MODE_ACTIVE_ACTIVE);
	assert_string_equal(read->first, "in1");
	assert_int_equal(read->behind_count, 2);
	assert_string_equal(read->behind[0], "in2");
	assert_string_equal(read->behind[1], "in0");
	assert_int_equal(admin_set_order(admin, &(struct admin_order){0}), 0);
	admin_close(admin);
	assert_int_equal(admin_open(path, &admin), 0);
	assert_true(admin_is_out(admin, "in0"));
	assert_false(admin_order(admin)->by_hand);
	assert_int_equal(admin_order(admin)->behind_count, 0);
	admin_close(admin);
}

/* Written before there was an order to keep, or a flow to wait for. */
static void test_admin__older_file_is_read_and_leaves_the_order_to_the_configuration(void **state)
{
	struct admin *admin;

	(void)state;
	file_put("{\n \"out\": [\n  \"in0\"\n ]\n}", "w");
	assert_int_equal(admin_open(path, &admin), 0);
	assert_int_equal(admin_is_out(admin, "in0"), ADMIN_OUT);
	assert_false(admin_order(admin)->by_hand);
	assert_int_equal(admin_order(admin)->behind_count, 0);
	admin_close(admin);
}

static void test_admin__faulty_file_is_refused(void **state)
{
	static const char *const faulty[] = {
		"",
		"{",
		"[]",
		"{\"out\": 1}",
		"{\"out\": [1]}",
		"{\"out\": [], \"mode\": \"active-active\"}",
		"{\"out\": [], \"mode\": {\"mode\": \"active-standby\"}}",
		"{\"out\": [], \"mode\": {\"mode\": \"both\", \"over\": \"active-active\"}}",
		"{\"out\": [], \"draining\": [\"in0\"]}",
		"{\"out\": [\"in0\"], \"draining\": {\"in0\": true}}",
		"{\"out\": [\"in0\"], \"draining\": {\"in0\": {\"until_ms\": \"soon\"}}}",
		"{\"out\": [\"in0\"], \"draining\": {\"in0\": {\"until_ms\": -1}}}",
		"{\"out\": [], \"behind\": \"in0\"}",
		"{\"out\": [], \"behind\": [1]}",
		"{\"out\": [], \"behind\": [\"a-name-of-thirty-two-characters-x\"]}"};
	struct admin *admin = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(faulty) / sizeof(*faulty); i++) {
		file_put(faulty[i], "w");
		assert_int_equal(admin_open(path, &admin), -EINVAL);
	}
}

static void test_admin__failing_disk_changes_nothing(void **state)
{
	struct admin *admin;

	(void)state;
	assert_int_equal(admin_open(path, &admin), 0);
	strcat(path, ".new");
	assert_int_equal(mkdir(path, 0700), 0); /* in the way of the new file */
	assert_int_not_equal(admin_set_out(admin, "in0", ADMIN_OUT, 0), 0);
	assert_false(admin_is_out(admin, "in0"));
	assert_int_not_equal(admin_set_order(admin, &(struct admin_order){.by_hand = true}), 0);
	assert_false(admin_order(admin)->by_hand);
	admin_close(admin);
}

static void event_add(struct journal *journal, int n)
{
	journal_add(journal, json_pack("{s:s, s:i}", "what", "test", "n", n));
}

static int event_n(const json_t *events, size_t i)
{
	return (int)json_integer_value(json_object_get(json_array_get(events, i), "n"));
}

static void test_journal__events_survive_and_half_a_line_is_passed_over(void **state)
{
	struct journal *journal;
	json_t *events;

	(void)state;
	assert_int_equal(journal_open(path, &journal), 0);
	event_add(journal, 1);
	event_add(journal, 2);
	journal_close(journal);
	file_put("{\"what\": \"te", "a");
	assert_int_equal(journal_open(path, &journal), 0);
	event_add(journal, 3);
	journal_close(journal);
	assert_int_equal(journal_open(path, &journal), 0);
	events = journal_last(journal, 10);
	assert_int_equal(json_array_size(events), 3);
	assert_int_equal(event_n(events, 0), 1);
	assert_int_equal(event_n(events, 2), 3);
	assert_non_null(json_object_get(json_array_get(events, 2), "time"));
	json_decref(events);
	events = journal_last(journal, 1);
	assert_int_equal(event_n(events, 0), 3);
	json_decref(events);
	journal_close(journal);
}

static void assert_last_are(const struct journal *journal, int first, int last)
{
	json_t *events = journal_last(journal, JOURNAL_EVENTS + 1);

	assert_int_equal(json_array_size(events), last - first + 1);
	for (int n = first; n <= last; n++)
		assert_int_equal(event_n(events, (size_t)(n - first)), n);
	json_decref(events);
}

static void test_journal__keeps_the_last_events(void **state)
{
	struct journal *journal;

	(void)state;
	assert_int_equal(journal_open(path, &journal), 0);
	for (int n = 1; n <= JOURNAL_EVENTS + 10; n++)
		event_add(journal, n);
	assert_last_are(journal, 11, JOURNAL_EVENTS + 10);
	journal_close(journal);
	assert_int_equal(journal_open(path, &journal), 0);
	assert_last_are(journal, 11, JOURNAL_EVENTS + 10);
	event_add(journal, JOURNAL_EVENTS + 11);
	assert_last_are(journal, 12, JOURNAL_EVENTS + 11);
	journal_close(journal);
}

static void test_journal__file_is_turned_over(void **state)
{
	struct journal *journal;
	json_t *events;
	struct stat status;
	char padding[1001];

	(void)state;
	memset(padding, 'x', 1000);
	padding[1000] = 0;
	assert_int_equal(journal_open(path, &journal), 0);
	for (int i = 0; i < 5000; i++)
		journal_add(journal, json_pack("{s:s}", "what", padding));
	journal_close(journal);
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_size < JOURNAL_FILE_BYTES);
	/* The older one is read back too. */
	assert_int_equal(journal_open(path, &journal), 0);
	events = journal_last(journal, JOURNAL_EVENTS);
	assert_int_equal(json_array_size(events), JOURNAL_EVENTS);
	json_decref(events);
	journal_close(journal);
	strcat(path, ".1");
	assert_int_equal(stat(path, &status), 0);
}

static void test_journal__times_are_utc_with_milliseconds(void **state)
{
	char text[JOURNAL_TIME_TEXT];

	(void)state;
	assert_string_equal(journal_time_text(1763805600123456789ull, text), "2025-11-22T10:00:00.123Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_admin__out_survives_reopening, setup, teardown),
		cmocka_unit_test_setup_teardown(test_admin__drain_and_its_deadline_survive_reopening, setup, teardown),
		cmocka_unit_test_setup_teardown(test_admin__half_a_file_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_admin__order_survives_reopening, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_admin__older_file_is_read_and_leaves_the_order_to_the_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_admin__faulty_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_admin__failing_disk_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal__events_survive_and_half_a_line_is_passed_over, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_journal__keeps_the_last_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal__file_is_turned_over, setup, teardown),
		cmocka_unit_test(test_journal__times_are_utc_with_milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
