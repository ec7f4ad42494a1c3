/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands of the configuration: what they are given, and what is told of their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/child.h"
#include "../../loader/clock.h"

static sd_event *loop;
static struct child_end seen;
static unsigned ends;

static int setup(void **state)
{
	sigset_t signals;

	(void)state;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	ends = 0;
	return sd_event_new(&loop) < 0;
}

static int teardown(void **state)
{
	(void)state;
	sd_event_unref(loop);
	return 0;
}

static void on_ended(const struct child_end *end, void *context)
{
	assert_ptr_equal(context, &seen);
	seen = *end;
	ends++;
}

static struct child *start(const char *command, uint64_t limit_ns)
{
	struct child *child = NULL;
	struct child_options options = {.command = command,
					.instance = "in0",
					.gateway = "vpngw1",
					.limit_ns = limit_ns,
					.ended = on_ended,
					.context = &seen};

	assert_int_equal(child_start(loop, &options, &child), 0);
	return child;
}

/* What is said of its failure; NULL: it worked. */
static const char *run(const char *command, uint64_t limit_ns)
{
	static char buffer[CHILD_FAILURE_BYTES];

	ends = 0;
	start(command, limit_ns);
	while (!ends)
		assert_true(sd_event_run(loop, 30000000) > 0);
	assert_int_equal(ends, 1);
	return child_failure(&seen, limit_ns, buffer);
}

static void test_child__that_works_leaves_its_last_line(void **state)
{
	(void)state;
	assert_null(run("echo first; printf 'of\\001two\\n\\n'", 30 * NS_PER_SECOND));
	assert_string_equal(seen.last, "of?two");
	assert_null(run("printf 'no newline' >&2", 30 * NS_PER_SECOND));
	assert_string_equal(seen.last, "no newline");
	assert_null(run(":", 30 * NS_PER_SECOND));
	assert_string_equal(seen.last, "");
}

static void test_child__knows_whose_command_it_is(void **state)
{
	(void)state;
	setenv("AA_STEER_INSTANCE", "another", 1);
	assert_null(run("echo $AA_STEER_INSTANCE of $AA_STEER_GATEWAY", 30 * NS_PER_SECOND));
	assert_string_equal(seen.last, "in0 of vpngw1");
}

static void test_child__has_no_descriptors_but_its_own(void **state)
{
	FILE *file = fopen("/dev/null", "r"); /* not to be inherited, though it is not close-on-exec */

	(void)state;
	assert_non_null(file);
	assert_null(run("[ ! -e /proc/$$/fd/3 ] && read -r x || echo $? at end of input", 30 * NS_PER_SECOND));
	assert_string_equal(seen.last, "1 at end of input");
	fclose(file);
}

static void test_child__that_fails_says_how(void **state)
{
	(void)state;
	assert_string_equal(run("echo in vain; exit 3", 30 * NS_PER_SECOND), "ended with 3 (\"in vain\")");
	assert_string_equal(run("kill -9 $$", 30 * NS_PER_SECOND), "was ended by signal 9");
}

static void test_child__that_overruns_is_ended_with_all_that_it_started(void **state)
{
	uint64_t begin_ns = clock_monotonic_ns();

	(void)state;
	assert_string_equal(run("echo waiting; sleep 600 | sleep 600", 100 * NS_PER_MS),
			    "did not end within 0.1 s and was stopped (\"waiting\")");
	/* One that does not hear is killed. */
	assert_string_equal(run("trap '' TERM; while :; do sleep 1; done", 100 * NS_PER_MS),
			    "did not end within 0.1 s and was stopped");
	assert_int_equal(seen.status, SIGKILL);
	assert_true(clock_monotonic_ns() - begin_ns < 60 * NS_PER_SECOND);
}

static void test_child__that_is_stopped_calls_nobody_back(void **state)
{
	struct child *child = start("echo here; sleep 600", 30 * NS_PER_SECOND);

	(void)state;
	while (strcmp(child_last_line(child), "here"))
		assert_true(sd_event_run(loop, 30000000) > 0);
	child_stop(child);
	while (sd_event_run(loop, 100000) > 0)
		;
	assert_int_equal(ends, 0);
	child_stop(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_child__##name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(that_works_leaves_its_last_line),
		TEST(knows_whose_command_it_is),
		TEST(has_no_descriptors_but_its_own),
		TEST(that_fails_says_how),
		TEST(that_overruns_is_ended_with_all_that_it_started),
		TEST(that_is_stopped_calls_nobody_back),
	};
#undef TEST

	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
