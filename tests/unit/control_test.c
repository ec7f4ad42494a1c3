/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket as its clients see it, well-behaved ones and others. Server and client share this process and one
 * event loop: pump() turns it until nothing is left to do.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "../../loader/control.h"

#define BIG_BYTES   (8 << 20)
#define MAX_CLIENTS (CONTROL_CLIENTS + 8)

struct fixture {
	char directory[64];
	char path[96];
	sd_event *loop;
	struct control *control;
	struct control_request *kept;
	unsigned closed;
	int client[MAX_CLIENTS];
	unsigned clients;
};

/* --- commands --- */

static void run_echo(struct control_request *request, json_t *arguments, void *context)
{
	(void)context;
	control_answer(request, EXIT_DONE, NULL, json_incref(arguments));
}

static void run_keep(struct control_request *request, json_t *arguments, void *context)
{
	struct fixture *fixture = context;

	(void)arguments;
	fixture->kept = request;
}

static void run_big(struct control_request *request, json_t *arguments, void *context)
{
	char *text = malloc(BIG_BYTES + 1);

	(void)arguments;
	(void)context;
	memset(text, 'x', BIG_BYTES);
	text[BIG_BYTES] = '\0';
	control_answer(request, EXIT_DONE, "", json_pack("{s:s}", "text", text));
	free(text);
}

static void run_steps(struct control_request *request, json_t *arguments, void *context)
{
	(void)arguments;
	(void)context;
	assert_int_equal(control_progress(request, json_pack("{s:i}", "flows", 7)), 0);
	assert_int_equal(control_event(request, json_pack("{s:s}", "what", "drained")), 0);
	control_fail(request, EXIT_TIMED_OUT, "%s: still %d flows", "in0", 7);
}

static void run_garbled(struct control_request *request, json_t *arguments, void *context)
{
	(void)arguments;
	(void)context;
	control_answer(request, EXIT_USAGE, "key '\xff' is not known", NULL);
}

static const struct control_command commands[] = {
	{"echo", false, run_echo},   {"keep", false, run_keep},	      {"big", false, run_big},
	{"steps", false, run_steps}, {"garbled", false, run_garbled}, {"change", true, run_echo},
	{NULL, false, NULL},
};

/* --- fixture --- */

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->directory, "/tmp/aa-steer-control-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	assert_int_equal(chmod(fixture->directory, 0755), 0);
	snprintf(fixture->path, sizeof(fixture->path), "%s/run/gw.sock", fixture->directory);
	assert_true(sd_event_new(&fixture->loop) >= 0);
	assert_int_equal(control_open(fixture->loop, fixture->path, commands, fixture, &fixture->control), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	char command[128];

	for (unsigned i = 0; i < fixture->clients; i++)
		close(fixture->client[i]);
	control_close(fixture->control);
	sd_event_unref(fixture->loop);
	snprintf(command, sizeof(command), "rm -rf %s", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static void pump(struct fixture *fixture)
{
	while (sd_event_run(fixture->loop, 0) > 0)
		continue;
}

static int client_connect(struct fixture *fixture)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, fixture->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fixture->client[fixture->clients++] = fd;
	return fd;
}

static void put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads to the connection's end, turning the loop; the text is the caller's. NULL: the end never came. */
static char *get_all(struct fixture *fixture, int fd)
{
	size_t length = 0, capacity = BIG_BYTES + 65536;
	char *text = calloc(1, capacity);

	for (int due = 1; due > 0;) {
		ssize_t count = recv(fd, text + length, capacity - 1 - length, 0);

		if (count == 0 || (count < 0 && errno == ECONNRESET))
			return text;
		length += count > 0 ? (size_t)count : 0;
		due = count > 0 ? 1 : sd_event_run(fixture->loop, 1000000); /* accepting is rate-limited */
	}
	free(text);
	return NULL;
}

static void assert_answer(struct fixture *fixture, int fd, const char *expected)
{
	char *text = get_all(fixture, fd);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void ask(struct fixture *fixture, const char *request, const char *expected)
{
	int fd = client_connect(fixture);

	put(fd, request);
	assert_answer(fixture, fd, expected);
}

static void on_closed(struct control_request *request, void *context)
{
	struct fixture *fixture = context;

	fixture->closed++;
	control_answer(request, EXIT_DONE, NULL, NULL);
	fixture->kept = NULL;
}

static struct control_request *keep_one(struct fixture *fixture, int fd)
{
	put(fd, "{\"command\":\"keep\"}\n");
	pump(fixture);
	assert_non_null(fixture->kept);
	return fixture->kept;
}

/* --- requests --- */

static void test_request__is_answered_on_one_line(void **state)
{
	ask(*state, "{\"command\":\"echo\",\"arguments\":{\"name\":\"in0\"}}\n",
	    "{\"exit\":0,\"message\":\"\",\"result\":{\"name\":\"in0\"}}\n");
}

static void test_request__without_arguments_has_empty_ones(void **state)
{
	ask(*state, "{\"command\":\"echo\"}\n", "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

static void test_request__may_come_byte_by_byte(void **state)
{
	struct fixture *fixture = *state;
	const char *request = "{\"command\":\"echo\"}\n";
	int fd = client_connect(fixture);

	for (const char *c = request; *c; c++) {
		assert_int_equal(send(fd, c, 1, 0), 1);
		pump(fixture);
	}
	assert_answer(fixture, fd, "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

static void test_request__is_answered_after_the_client_shut_its_sending_side(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);
	struct control_request *request = keep_one(fixture, fd);

	shutdown(fd, SHUT_WR);
	pump(fixture);
	control_answer(request, EXIT_DONE, NULL, NULL);
	assert_answer(fixture, fd, "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

static void test_request__cut_short_gets_no_answer(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	put(fd, "{\"command\":\"ec");
	shutdown(fd, SHUT_WR);
	assert_answer(fixture, fd, "");
}

static void test_request__faulty_is_a_usage_error(void **state)
{
	static const char *const faulty[][2] = {
		{"nonsense\n", "not one JSON object in UTF-8, at byte"},
		{"\n", "not one JSON object"},
		{"[]\n", "not a JSON object"},
		{"{}\n", "'command' is missing"},
		{"{\"command\":1}\n", "'command' is of the wrong type"},
		{"{\"command\":\"echo\",\"arguments\":[]}\n", "'arguments' is of the wrong type"},
		{"{\"command\":\"echo\",\"argument\":{}}\n", "'argument' is not a key"},
		{"{\"command\":\"echo\",\"command\":\"echo\"}\n", "not one JSON object"},
		{"{\"command\":\"echo\"} x\n", "not one JSON object"},
		{"{\"command\":\"\xff\"}\n", "not one JSON object in UTF-8"},
		{"{\"command\":\"fly\"}\n", "this daemon has no command 'fly'"},
	};

	for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
		struct fixture *fixture = *state;
		int fd = client_connect(fixture);
		char *text;

		put(fd, faulty[i][0]);
		text = get_all(fixture, fd);
		assert_non_null(text);
		if (!strstr(text, "{\"exit\":2,") || !strstr(text, faulty[i][1]))
			fail_msg("%s is answered %s", faulty[i][0], text);
		free(text);
	}
}

static void test_request__longer_than_its_limit_is_a_usage_error(void **state)
{
	struct fixture *fixture = *state;
	char request[CONTROL_REQUEST_BYTES + 1];
	int fd = client_connect(fixture);

	memset(request, ' ', sizeof(request));
	assert_int_equal(send(fd, request, sizeof(request), 0), sizeof(request));
	assert_answer(fixture, fd, "{\"exit\":2,\"message\":\"request: longer than 4096 bytes\",\"result\":{}}\n");
}

static void test_request__of_exactly_its_limit_is_answered(void **state)
{
	struct fixture *fixture = *state;
	char request[CONTROL_REQUEST_BYTES];
	int fd = client_connect(fixture);

	memset(request, ' ', sizeof(request));
	memcpy(request, "{\"command\":\"echo\"}", 18);
	request[sizeof(request) - 1] = '\n';
	assert_int_equal(send(fd, request, sizeof(request), 0), sizeof(request));
	assert_answer(fixture, fd, "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

/* --- answers --- */

static void test_answer__follows_progress_and_events(void **state)
{
	ask(*state, "{\"command\":\"steps\"}\n",
	    "{\"progress\":{\"flows\":7}}\n{\"event\":{\"what\":\"drained\"}}\n"
	    "{\"exit\":4,\"message\":\"in0: still 7 flows\",\"result\":{}}\n");
}

static void test_answer__survives_a_message_that_is_not_utf8(void **state)
{
	ask(*state, "{\"command\":\"garbled\"}\n", "{\"exit\":2,\"message\":\"key '?' is not known\",\"result\":{}}\n");
}

static void test_answer__larger_than_the_socket_arrives_whole(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);
	char *text;

	put(fd, "{\"command\":\"big\"}\n");
	text = get_all(fixture, fd);
	assert_non_null(text);
	assert_int_equal(strlen(text),
			 BIG_BYTES + strlen("{\"exit\":0,\"message\":\"\",\"result\":{\"text\":\"\"}}\n"));
	free(text);
}

static void test_answer__unread_does_not_hold_up_others(void **state)
{
	struct fixture *fixture = *state;
	int slow = client_connect(fixture);

	put(slow, "{\"command\":\"big\"}\n");
	pump(fixture);
	ask(fixture, "{\"command\":\"echo\"}\n", "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

/* --- clients that go, or do not move --- */

static void test_client__that_leaves_is_told_to_its_command_once(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	control_on_close(keep_one(fixture, fd), on_closed, fixture);
	shutdown(fd, SHUT_RDWR);
	pump(fixture);
	assert_int_equal(fixture->closed, 1);
}

static void test_client__that_left_may_still_be_answered(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);
	struct control_request *request = keep_one(fixture, fd);

	shutdown(fd, SHUT_RDWR);
	pump(fixture);
	assert_int_equal(control_event(request, json_object()), -EPIPE);
	control_answer(request, EXIT_DONE, "", json_object());
}

static void test_client__that_reads_no_events_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	struct control_request *request = keep_one(fixture, client_connect(fixture));
	int err = 0;

	control_on_close(request, on_closed, fixture);
	for (int i = 0; i < 100000 && !err; i++)
		err = control_event(request, json_pack("{s:s}", "message", "a line that nobody reads"));
	assert_int_equal(err, -EPIPE);
	assert_int_equal(fixture->closed, 0);
	pump(fixture);
	assert_int_equal(fixture->closed, 1);
}

static void test_client__that_sends_nothing_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	char byte;
	int fd;

	control_set_patience(fixture->control, 1);
	fd = client_connect(fixture);
	while (recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN)
		sd_event_run(fixture->loop, 1000000);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static void test_client__that_waits_for_its_command_is_not_dropped(void **state)
{
	struct fixture *fixture = *state;
	struct control_request *request;

	control_set_patience(fixture->control, 1);
	request = keep_one(fixture, client_connect(fixture));
	assert_int_equal(sd_event_run(fixture->loop, 20000), 0); /* nothing is due in twenty times its patience */
	control_answer(request, EXIT_DONE, NULL, NULL);
	assert_answer(fixture, fixture->client[0], "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

static void test_client__beyond_the_last_place_is_turned_away(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i <= CONTROL_CLIENTS; i++) {
		client_connect(fixture);
		pump(fixture);
	}
	assert_answer(fixture, fixture->client[CONTROL_CLIENTS],
		      "{\"exit\":1,\"message\":\"the daemon has too many clients\",\"result\":{}}\n");
}

static int connect_as_nobody(struct fixture *fixture)
{
	int fd;

	assert_int_equal(seteuid(65534), 0);
	fd = client_connect(fixture);
	assert_int_equal(seteuid(0), 0);
	return fd;
}

static void test_command__that_changes_is_for_root_only(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	if (geteuid())
		skip();
	fd = connect_as_nobody(fixture);
	put(fd, "{\"command\":\"change\"}\n");
	assert_answer(fixture, fd, "{\"exit\":1,\"message\":\"'change' is for root only\",\"result\":{}}\n");
	ask(fixture, "{\"command\":\"change\"}\n", "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

static void test_command__that_reads_is_for_everybody(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	if (geteuid())
		skip();
	fd = connect_as_nobody(fixture);
	put(fd, "{\"command\":\"echo\"}\n");
	assert_answer(fixture, fd, "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

static void test_root__finds_a_place_among_idle_strangers(void **state)
{
	struct fixture *fixture = *state;

	if (geteuid())
		skip();
	for (int i = 0; i < CONTROL_CLIENTS_UNTRUSTED + 2; i++) {
		connect_as_nobody(fixture);
		pump(fixture);
	}
	assert_answer(fixture, fixture->client[CONTROL_CLIENTS_UNTRUSTED],
		      "{\"exit\":1,\"message\":\"the daemon has too many clients\",\"result\":{}}\n");
	ask(fixture, "{\"command\":\"change\"}\n", "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

/* --- the socket's place --- */

static void test_open__where_a_daemon_serves_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct control *second = NULL;

	assert_int_equal(control_open(fixture->loop, fixture->path, commands, fixture, &second), -EADDRINUSE);
	assert_null(second);
	ask(fixture, "{\"command\":\"echo\"}\n", "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

static void test_open__replaces_a_stale_socket(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);

	control_close(fixture->control);
	fixture->control = NULL;
	strcpy(address.sun_path, fixture->path);
	assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	assert_int_equal(control_open(fixture->loop, fixture->path, commands, fixture, &fixture->control), 0);
	ask(fixture, "{\"command\":\"echo\"}\n", "{\"exit\":0,\"message\":\"\",\"result\":{}}\n");
}

static void test_open__leaves_a_file_that_is_no_socket(void **state)
{
	struct fixture *fixture = *state;
	char path[160];
	struct control *other = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "%s/precious", fixture->directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(control_open(fixture->loop, path, commands, fixture, &other), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
}

static void test_open__of_a_path_too_long_for_a_socket_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char path[256];
	struct control *other = NULL;

	snprintf(path, sizeof(path), "%s/%0*d", fixture->directory, 100, 0);
	assert_int_equal(control_open(fixture->loop, path, commands, fixture, &other), -ENAMETOOLONG);
}

static void test_close__removes_the_socket_and_ends_requests(void **state)
{
	struct fixture *fixture = *state;

	control_on_close(keep_one(fixture, client_connect(fixture)), on_closed, fixture);
	control_close(fixture->control);
	fixture->control = NULL;
	assert_int_equal(fixture->closed, 1);
	assert_int_equal(access(fixture->path, F_OK), -1);
}

static void test_socket__may_be_opened_by_everybody(void **state)
{
	struct fixture *fixture = *state;
	struct stat status;

	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0666);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_request__is_answered_on_one_line),
		T(test_request__without_arguments_has_empty_ones),
		T(test_request__may_come_byte_by_byte),
		T(test_request__is_answered_after_the_client_shut_its_sending_side),
		T(test_request__cut_short_gets_no_answer),
		T(test_request__faulty_is_a_usage_error),
		T(test_request__longer_than_its_limit_is_a_usage_error),
		T(test_request__of_exactly_its_limit_is_answered),
		T(test_answer__follows_progress_and_events),
		T(test_answer__survives_a_message_that_is_not_utf8),
		T(test_answer__larger_than_the_socket_arrives_whole),
		T(test_answer__unread_does_not_hold_up_others),
		T(test_client__that_leaves_is_told_to_its_command_once),
		T(test_client__that_left_may_still_be_answered),
		T(test_client__that_reads_no_events_is_dropped),
		T(test_client__that_sends_nothing_is_dropped),
		T(test_client__that_waits_for_its_command_is_not_dropped),
		T(test_client__beyond_the_last_place_is_turned_away),
		T(test_command__that_changes_is_for_root_only),
		T(test_command__that_reads_is_for_everybody),
		T(test_root__finds_a_place_among_idle_strangers),
		T(test_open__where_a_daemon_serves_is_refused),
		T(test_open__replaces_a_stale_socket),
		T(test_open__leaves_a_file_that_is_no_socket),
		T(test_open__of_a_path_too_long_for_a_socket_is_refused),
		T(test_close__removes_the_socket_and_ends_requests),
		T(test_socket__may_be_opened_by_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
