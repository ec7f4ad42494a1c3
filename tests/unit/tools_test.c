/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer as its users run it, against a daemon that only keeps what it was asked and answers what the test set. The
 * real control server answers, on this process's event loop; the program runs in a child, its output comes back by
 * pipes.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "../../loader/control.h"

#define main tools_main
int tools_main(int argc, char **argv);
#include "../../tools/main.c"
#undef main

#define OUTPUT_BYTES (1 << 16)
#define WORDS	     12

struct daemon {
	char directory[64];
	sd_event *loop;
	struct control *control[2];
	/* What is answered. */
	int exit_code;
	const char *message;
	const char *result;    /* JSON; NULL: none */
	const char *events[4]; /* JSON, sent before the answer */
	bool dies;	       /* instead of an answer */
	/* What was asked. */
	const char *command;
	char *arguments;
	/* What the program did. */
	unsigned open_pipes;
	char out[OUTPUT_BYTES], err[OUTPUT_BYTES];
};

/* --- the daemon --- */

static void answer(struct daemon *daemon, struct control_request *request, const char *command, const json_t *arguments)
{
	daemon->command = command;
	free(daemon->arguments);
	daemon->arguments = json_dumps(arguments, JSON_COMPACT | JSON_SORT_KEYS);
	for (size_t i = 0; daemon->events[i]; i++) {
		json_t *line = json_loads(daemon->events[i], 0, NULL);

		assert_non_null(line);
		if (strcmp(command, "events"))
			control_progress(request, line);
		else
			control_event(request, line);
	}
	if (daemon->dies) {
		control_close(daemon->control[0]);
		daemon->control[0] = NULL;
	}
	control_answer(request, daemon->exit_code, daemon->message,
		       daemon->result ? json_loads(daemon->result, 0, NULL) : NULL);
}

#define COMMANDS(X) X(status) X(drain) X(undrain) X(mode) X(reset) X(where) X(events) X(reload) X(unload) X(version)
#define X(name)                                                                                                        \
	static void run_##name(struct control_request *request, json_t *arguments, void *context)                      \
	{                                                                                                              \
		answer(context, request, #name, arguments);                                                            \
	}
COMMANDS(X)
#undef X

static const struct control_command commands[] = {
#define X(name) {#name, false, run_##name},
	COMMANDS(X)
#undef X
		{NULL, false, NULL},
};

static void serve(struct daemon *daemon, unsigned index, const char *gateway)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.sock", daemon->directory, gateway);
	assert_int_equal(control_open(daemon->loop, path, commands, daemon, &daemon->control[index]), 0);
}

static int setup(void **state)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));

	strcpy(daemon->directory, "/tmp/aa-steer-tools-XXXXXX");
	assert_non_null(mkdtemp(daemon->directory));
	setenv("RUNTIME_DIRECTORY", daemon->directory, 1);
	assert_true(sd_event_new(&daemon->loop) >= 0);
	serve(daemon, 0, "vpngw1");
	*state = daemon;
	return 0;
}

static int teardown(void **state)
{
	struct daemon *daemon = *state;
	char command[128];

	control_close(daemon->control[0]);
	control_close(daemon->control[1]);
	sd_event_unref(daemon->loop);
	snprintf(command, sizeof(command), "rm -rf %s", daemon->directory);
	assert_int_equal(system(command), 0);
	free(daemon->arguments);
	free(daemon);
	return 0;
}

/* --- the program --- */

struct output {
	struct daemon *daemon;
	char *text;
	size_t length;
	sd_event_source *source;
	int fd[2];
};

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct output *output = data;
	ssize_t count = read(fd, output->text + output->length, OUTPUT_BYTES - 1 - output->length);

	(void)revents;
	if (count > 0) {
		output->length += (size_t)count;
		return 0;
	}
	output->text[output->length] = '\0';
	output->daemon->open_pipes--;
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static void output_open(struct output *output)
{
	assert_int_equal(pipe(output->fd), 0);
	output->length = 0;
	assert_true(sd_event_add_io(output->daemon->loop, &output->source, output->fd[0], EPOLLIN, on_output, output) >=
		    0);
	output->daemon->open_pipes++;
}

static void output_close(struct output *output)
{
	sd_event_source_disable_unref(output->source);
	close(output->fd[0]);
}

static void run_child(const struct output *out, const struct output *err, int argc, char **argv)
{
	dup2(out->fd[1], STDOUT_FILENO);
	dup2(err->fd[1], STDERR_FILENO);
	for (int i = 0; i < 2; i++) {
		close(out->fd[i]);
		close(err->fd[i]);
	}
	_exit(tools_main(argc, argv));
}

/* Runs aa-steer with the words of line, split at spaces. Returns its exit code; what it printed is in the daemon. */
static int run(struct daemon *daemon, const char *line)
{
	struct output out = {.daemon = daemon, .text = daemon->out}, err = {.daemon = daemon, .text = daemon->err};
	char *copy = strdup(line), *rest = NULL, *argv[WORDS + 1] = {"aa-steer"};
	int argc = 1, status;
	pid_t child;

	for (char *word = strtok_r(copy, " ", &rest); word && argc < WORDS; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	output_open(&out);
	output_open(&err);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		run_child(&out, &err, argc, argv);
	close(out.fd[1]);
	close(err.fd[1]);
	while (daemon->open_pipes)
		assert_true(sd_event_run(daemon->loop, 30000000) > 0);
	output_close(&out);
	output_close(&err);
	free(copy);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

static void assert_run(struct daemon *daemon, const char *line, int expected)
{
	int exit_code = run(daemon, line);

	if (exit_code != expected)
		fail_msg("%s ends with %d, not %d: %s%s", line, exit_code, expected, daemon->out, daemon->err);
}

/* The whole of stdout is this JSON document. */
static void assert_json(const char *text, const char *expected)
{
	json_t *seen = json_loads(text, 0, NULL), *wanted = json_loads(expected, 0, NULL);

	assert_non_null(wanted);
	if (!json_equal(seen, wanted))
		fail_msg("%s is not %s", text, expected);
	json_decref(seen);
	json_decref(wanted);
}

/* --- the command line --- */

static void test_usage__names_every_command(void **state)
{
	struct daemon *daemon = *state;

	assert_run(daemon, "--help", 0);
	assert_string_equal(daemon->err, "");
	for (const struct tool *tool = tools; tool->name; tool++)
		assert_contains(daemon->out, tool->name);
	assert_run(daemon, "", 2);
	assert_contains(daemon->err, "usage: aa-steer");
}

static void test_help__of_each_command_shows_its_usage(void **state)
{
	struct daemon *daemon = *state;

	for (const struct tool *tool = tools; tool->name; tool++) {
		char line[64];

		snprintf(line, sizeof(line), "%s --help", tool->name);
		assert_run(daemon, line, 0);
		assert_contains(daemon->out, tool->usage);
		assert_null(daemon->command);
	}
}

static void test_usage__faults_end_with_2_and_ask_nothing(void **state)
{
	static const char *const faulty[] = {
		"fly",
		"--fly",
		"status --fly",
		"status a b",
		"drain",
		"drain a b",
		"drain a --deadline",
		"drain a --deadline 5h",
		"drain a --deadline 0s",
		"undrain",
		"reset",
		"reset in0 in1",
		"reset --all in0",
		"reset in0 --deadline 5h",
		"mode",
		"mode a b",
		"mode active-standby --active",
		"reload now",
		"events -n x",
		"events -n -1",
		"events 5",
		"where udp 10.0.0.1",
		"where udp 10.0.0.1:99999 10.0.0.2",
		"where udp 10.0.0.1:x 10.0.0.2",
		"where udp 10.0.0.1: 10.0.0.2",
		"where udp [::1]53 ::2",
		"check a b",
	};
	struct daemon *daemon = *state;

	for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
		assert_run(daemon, faulty[i], 2);
		assert_true(*daemon->err);
		assert_string_equal(daemon->out, "");
		assert_null(daemon->command);
	}
}

static void test_options__stand_before_or_after_the_command(void **state)
{
	static const char *const lines[] = {"-j status in0", "status -j in0", "status in0 --json",
					    "--gateway vpngw1 status in0 -j", "status -jg vpngw1 in0"};
	struct daemon *daemon = *state;

	daemon->result = "{\"gateway\":{}}";
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_run(daemon, lines[i], 0);
		assert_json(daemon->out, daemon->result);
		assert_string_equal(daemon->arguments, "{\"name\":\"in0\"}");
	}
}

static void test_failure__quotes_what_is_not_utf8_as_json_all_the_same(void **state)
{
	static const char *const lines[] = {"-j fl\xff", "where udp \xff 10.0.0.1 -j", "events -jn \xff",
					    "-g \xff status -j"};
	struct daemon *daemon = *state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int exit_code = run(daemon, lines[i]);
		json_t *document = json_loads(daemon->out, 0, NULL);

		if (!json_is_string(json_object_get(document, "error")))
			fail_msg("%s prints no JSON: %s", lines[i], daemon->out);
		assert_int_equal(json_integer_value(json_object_get(document, "exit")), exit_code);
		json_decref(document);
	}
}

static void test_output__to_a_full_disk_is_a_failure(void **state)
{
	struct daemon *daemon = *state;
	struct output err = {.daemon = daemon, .text = daemon->err};
	char *argv[] = {"aa-steer", "--help", NULL};
	int status;
	pid_t child;

	output_open(&err);
	fflush(NULL);
	child = fork();
	if (!child) {
		dup2(err.fd[1], STDERR_FILENO);
		assert_non_null(freopen("/dev/full", "w", stdout));
		_exit(tools_main(2, argv));
	}
	close(err.fd[1]);
	while (daemon->open_pipes)
		sd_event_run(daemon->loop, 30000000);
	output_close(&err);
	waitpid(child, &status, 0);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_contains(daemon->err, "No space left");
}

/* --- finding the daemon --- */

static void test_daemon__that_is_not_there_is_exit_5(void **state)
{
	struct daemon *daemon = *state;

	control_close(daemon->control[0]);
	daemon->control[0] = NULL;
	assert_run(daemon, "status", 5);
	assert_contains(daemon->err, "no daemon answers");
	assert_run(daemon, "-g vpngw1 status", 5);
	assert_contains(daemon->err, "vpngw1");
	assert_run(daemon, "-j status", 5);
	assert_contains(daemon->out, "\"exit\": 5");
}

static void test_daemon__one_of_several_must_be_chosen(void **state)
{
	struct daemon *daemon = *state;

	serve(daemon, 1, "vpngw2");
	assert_run(daemon, "status", 2);
	assert_contains(daemon->err, "vpngw1, vpngw2");
	assert_run(daemon, "-g vpngw2 status", 0);
	assert_run(daemon, "-g ../vpngw2 status", 5);
}

static void test_daemon__that_died_is_not_one_of_several(void **state)
{
	struct daemon *daemon = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/gone.sock", daemon->directory);
	assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	assert_run(daemon, "status", 0);
}

static void test_daemon__that_dies_before_it_answers_is_exit_5(void **state)
{
	struct daemon *daemon = *state;

	daemon->dies = true;
	assert_run(daemon, "status", 5);
	assert_contains(daemon->err, "went away");
}

static void test_failure__has_the_daemon_s_exit_code_and_message(void **state)
{
	struct daemon *daemon = *state;

	daemon->exit_code = 3;
	daemon->message = "refused: 'hq' would be cut";
	daemon->result = "{\"name\":\"in0\"}";
	assert_run(daemon, "drain in0", 3);
	assert_string_equal(daemon->err, "aa-steer: refused: 'hq' would be cut\n");
	assert_string_equal(daemon->out, "");
	assert_run(daemon, "drain in0 -j", 3);
	assert_string_equal(daemon->err, "");
	assert_json(daemon->out, "{\"error\":\"refused: 'hq' would be cut\",\"exit\":3,\"result\":{\"name\":\"in0\"}}");
}

/* --- commands --- */

static void test_drain__hands_its_options_on(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = "{\"name\":\"in0\",\"state\":\"draining\",\"reason\":\"administratively out\"}";
	assert_run(daemon, "drain in0", 0);
	assert_string_equal(daemon->command, "drain");
	assert_string_equal(daemon->arguments, "{\"force\":false,\"name\":\"in0\",\"now\":false,\"wait\":false}");
	assert_string_equal(daemon->out, "in0 is draining: administratively out\n");
	assert_run(daemon, "drain --now --wait --deadline 2m --force in0", 0);
	assert_string_equal(daemon->arguments,
			    "{\"deadline_ms\":120000,\"force\":true,\"name\":\"in0\",\"now\":true,\"wait\":true}");
}

static void test_drain__shows_how_it_goes(void **state)
{
	struct daemon *daemon = *state;

	daemon->events[0] = "{\"name\":\"in0\",\"state\":\"draining\",\"flows\":12,\"rx_pps\":1200}";
	daemon->events[1] = "{\"name\":\"in0\",\"state\":\"draining\",\"flows\":12,\"rx_pps\":1201}";
	daemon->events[2] = "{\"name\":\"in0\",\"state\":\"draining\",\"flows\":1,\"rx_pps\":0}";
	daemon->result = "{\"name\":\"in0\",\"state\":\"drained\",\"reason\":\"\"}";
	assert_run(daemon, "drain in0 --wait", 0);
	assert_string_equal(daemon->out,
			    "in0 is draining: waits for 12 flows, and the peer still sends 1.2k packets/s\n"
			    "in0 is draining: waits for 1 flow\n"
			    "in0 is drained\n");
	assert_run(daemon, "drain in0 --wait --json", 0);
	assert_json(daemon->out, daemon->result);
}

static const char plan[] =
	"{\"name\":\"in0\",\"state\":\"active\",\"flows\":12,\"tx_pps\":1200,\"tx_bps\":9600000,"
	"\"connections\":[{\"name\":\"hq\",\"state\":\"redundant\",\"state_then\":\"at-risk\",\"share\":0.5,"
	"\"flows\":12,\"moves\":[{\"from\":\"hq-0\",\"to\":\"hq-1\",\"share\":0.5,\"tx_pps\":1200,\"tx_bps\":9600000}]}"
	","
	"{\"name\":\"lab\",\"state\":\"at-risk\",\"state_then\":\"down\",\"share\":1,\"flows\":0,"
	"\"moves\":[{\"from\":\"lab-0\",\"share\":1,\"tx_pps\":0,\"tx_bps\":0}]}],"
	"\"instances\":[{\"name\":\"in0\",\"share\":0.5,\"share_then\":0,\"share_by_weight\":0.5},"
	"{\"name\":\"in1\",\"share\":0.5,\"share_then\":1,\"share_by_weight\":0.5,\"tx_bps\":9600000,"
	"\"tx_bps_then\":19200000}],\"at_risk\":[\"hq\"],\"cut\":[\"lab\"]}";

static void test_drain__dry_run_shows_what_would_move_also_where_it_is_refused(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = plan;
	assert_run(daemon, "drain in0 --dry-run --force", 0);
	assert_string_equal(daemon->arguments,
			    "{\"dry_run\":true,\"force\":true,\"name\":\"in0\",\"now\":false,\"wait\":false}");
	assert_string_equal(daemon->out,
			    "without in0: 2 connections, 1.2k packets/s, 9.6M bit/s would move; "
			    "12 pinned flows stay until the end or the deadline\n\n"
			    "CONNECTION  THEN     FROM   TO       FLOWS  TX-PKT/S  TX-BIT/S\n"
			    "hq          at-risk  hq-0   hq-1      50 %      1.2k      9.6M\n"
			    "lab         down     lab-0  nowhere  100 %         0         0\n\n"
			    "INSTANCE  SHARE   THEN  BY-WEIGHT\n"
			    "in0        50 %    0 %       50 %\n"
			    "in1        50 %  100 %       50 %\n\n"
			    "in1 would carry 100 % of all traffic, 2 times its weight's share when all are in\n"
			    "connection hq would be at-risk: one instance is left to it\n"
			    "connection lab would have no usable tunnel\n"
			    "nothing was changed\n");
	daemon->exit_code = 3;
	daemon->message = "refused: 'lab' would be cut";
	assert_run(daemon, "drain in0 --dry-run", 3);
	assert_contains(daemon->out, "connection lab would have no usable tunnel\n");
	assert_string_equal(daemon->err, "aa-steer: refused: 'lab' would be cut\n");
	assert_run(daemon, "drain in0 --dry-run -j", 3);
	assert_contains(daemon->out, "\"exit\": 3");
	assert_contains(daemon->out, "\"state_then\": \"down\"");
	daemon->exit_code = 0;
	daemon->message = NULL;
	daemon->result = "{\"name\":\"in0\",\"state\":\"drained\",\"flows\":0,\"connections\":[],\"instances\":[]}";
	assert_run(daemon, "drain in0 --dry-run", 0);
	assert_string_equal(daemon->out, "in0 is drained: a drain would move nothing\n");
}

static void test_undrain__names_its_target(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = "{\"name\":\"hq-0\",\"state\":\"active\",\"reason\":\"\"}";
	assert_run(daemon, "undrain hq-0", 0);
	assert_string_equal(daemon->command, "undrain");
	assert_string_equal(daemon->arguments, "{\"name\":\"hq-0\"}");
	assert_string_equal(daemon->out, "hq-0 is active\n");
}

static void test_reset__hands_its_options_on(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = "{\"reset\":[\"in0\"]}";
	assert_run(daemon, "reset in0", 0);
	assert_string_equal(daemon->command, "reset");
	assert_string_equal(daemon->arguments, "{\"all\":false,\"force\":false,\"name\":\"in0\",\"now\":false}");
	assert_string_equal(daemon->out, "");
	assert_run(daemon, "reset --all --now --force --deadline 2m", 0);
	assert_string_equal(daemon->arguments, "{\"all\":true,\"deadline_ms\":120000,\"force\":true,\"now\":true}");
	assert_run(daemon, "reset in0 -j", 0);
	assert_json(daemon->out, daemon->result);
}

static void test_reset__shows_how_it_goes(void **state)
{
	struct daemon *daemon = *state;

	daemon->events[0] = "{\"name\":\"in0\",\"step\":\"drain\",\"state\":\"draining\",\"rx_pps\":1200}";
	daemon->events[1] = "{\"name\":\"in0\",\"step\":\"command\",\"output\":\"stopping\"}";
	daemon->events[2] = "{\"name\":\"in0\",\"step\":\"return\",\"reason\":\"hq-0: no SA\"}";
	daemon->exit_code = 4;
	daemon->message = "in0 is drained, it is not usable";
	assert_run(daemon, "reset in0", 4);
	assert_string_equal(daemon->out, "in0 is draining: the peer still sends 1.2k packets/s\n"
					 "in0: its reset command runs: stopping\n"
					 "in0: waiting until it is usable: hq-0: no SA\n");
	assert_string_equal(daemon->err, "aa-steer: in0 is drained, it is not usable\n");
	daemon->events[0] = "{\"name\":\"in0\",\"step\":\"done\",\"state\":\"active\"}";
	daemon->events[1] = NULL;
	daemon->exit_code = 0;
	assert_run(daemon, "reset in0", 0);
	assert_string_equal(daemon->out, "in0 is reset\n");
}

static void test_mode__hands_on_what_was_asked_and_names_the_order(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = "{\"mode\":\"active-active\",\"mode_by\":\"file\"}";
	assert_run(daemon, "mode active-active", 0);
	assert_string_equal(daemon->command, "mode");
	assert_string_equal(daemon->arguments, "{\"mode\":\"active-active\"}");
	assert_string_equal(daemon->out, "mode is active-active\n");
	daemon->result = "{\"mode\":\"active-standby\",\"mode_by\":\"hand\",\"mode_file\":\"active-active\","
			 "\"order\":[\"in1\",\"in0\"],\"preempt\":true}";
	assert_run(daemon, "mode active-standby --active in1", 0);
	assert_string_equal(daemon->arguments, "{\"active\":\"in1\",\"mode\":\"active-standby\"}");
	assert_string_equal(daemon->out, "mode is active-standby: in1, in0\n");
	assert_run(daemon, "mode active-standby -j", 0);
	assert_json(daemon->out, daemon->result);
}

static void test_where__takes_every_form_of_address(void **state)
{
	static const char *const forms[][2] = {
		{"where udp 10.0.0.1:53 10.0.0.2:99",
		 "{\"destination\":{\"address\":\"10.0.0.2\",\"port\":99},\"protocol\":\"udp\","
		 "\"source\":{\"address\":\"10.0.0.1\",\"port\":53}}"},
		{"where 47 10.0.0.1 10.0.0.2", "{\"destination\":{\"address\":\"10.0.0.2\"},\"protocol\":\"47\","
					       "\"source\":{\"address\":\"10.0.0.1\"}}"},
		{"where tcp [2001:db8::1]:443 [2001:db8::2]",
		 "{\"destination\":{\"address\":\"2001:db8::2\"},\"protocol\":\"tcp\","
		 "\"source\":{\"address\":\"2001:db8::1\",\"port\":443}}"},
		{"where icmp6 2001:db8::1 2001:db8::2",
		 "{\"destination\":{\"address\":\"2001:db8::2\"},\"protocol\":\"icmp6\","
		 "\"source\":{\"address\":\"2001:db8::1\"}}"},
	};
	struct daemon *daemon = *state;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_run(daemon, forms[i][0], 0);
		assert_string_equal(daemon->arguments, forms[i][1]);
	}
}

static void test_where__says_why(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = "{\"verdict\":\"tunnel\",\"tunnel\":\"hq-1\",\"instance\":\"in1\",\"device\":\"ipsec1\","
			 "\"connection\":\"hq\",\"rank\":1,\"reason\":\"the best usable candidate of its row\","
			 "\"skipped\":[{\"tunnel\":\"hq-0\",\"reason\":\"no SA\"}]}";
	assert_run(daemon, "where udp 10.0.0.1:1 10.0.0.2:2", 0);
	assert_string_equal(daemon->out, "tunnel hq-1, instance in1, device ipsec1, connection hq\n"
					 "because: the best usable candidate of its row\n"
					 "skipped: hq-0, no SA\n");
	daemon->result =
		"{\"verdict\":\"drop\",\"connection\":\"hq\",\"reason\":\"the connection has no usable tunnel\"}";
	assert_run(daemon, "where udp 10.0.0.1:1 10.0.0.2:2", 0);
	assert_string_equal(daemon->out, "drop: the connection has no usable tunnel\nconnection hq\n");
}

static void test_events__prints_what_was(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = "{\"events\":[{\"time\":\"2026-11-22T10:00:00.000Z\",\"what\":\"drain\",\"name\":\"in0\","
			 "\"message\":\"in0 is taken out\"}]}";
	assert_run(daemon, "events -n 7", 0);
	assert_string_equal(daemon->arguments, "{\"follow\":false,\"last\":7}");
	assert_string_equal(daemon->out,
			    "2026-11-22T10:00:00.000Z  drain                 in0           in0 is taken out\n");
	assert_run(daemon, "events -j", 0);
	assert_string_equal(daemon->arguments, "{\"follow\":false}");
	assert_json(daemon->out, daemon->result);
}

static void test_events__stand_in_columns_whatever_happened(void **state)
{
	static const char *const whats[] = {"start", "instance-draining", "connection-redundant"};
	struct daemon *daemon = *state;
	char result[256];

	for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
		snprintf(result, sizeof(result),
			 "{\"events\":[{\"time\":\"2026-11-22T10:00:00.000Z\",\"what\":\"%s\",\"name\":\"in0\","
			 "\"message\":\"\"}]}",
			 whats[i]);
		daemon->result = result;
		assert_run(daemon, "events", 0);
		assert_int_equal(strstr(daemon->out, "in0") - daemon->out, 24 + 2 + 20 + 2);
	}
}

static void test_events__that_are_followed_are_one_json_a_line(void **state)
{
	struct daemon *daemon = *state;

	daemon->events[0] = "{\"what\":\"a\"}";
	daemon->events[1] = "{\"what\":\"b\"}";
	assert_run(daemon, "events -fj", 0);
	assert_string_equal(daemon->arguments, "{\"follow\":true}");
	assert_string_equal(daemon->out, "{\"what\":\"a\"}\n{\"what\":\"b\"}\n");
}

static void test_reload__prints_faults_as_the_file_s_own_lines(void **state)
{
	struct daemon *daemon = *state;

	daemon->exit_code = 2;
	daemon->message = "aa-steer.yaml:12:7: a: b\naa-steer.yaml:13:7: c: d";
	assert_run(daemon, "reload", 2);
	assert_string_equal(daemon->err, "aa-steer.yaml:12:7: a: b\naa-steer.yaml:13:7: c: d\n");
	daemon->message = "aa-steer.yaml:12:7: a: b";
	assert_run(daemon, "reload", 2);
	assert_string_equal(daemon->err, "aa-steer.yaml:12:7: a: b\n");
}

static void test_version__needs_no_daemon(void **state)
{
	struct daemon *daemon = *state;

	daemon->result =
		"{\"version\":\"9.9\",\"map_abi\":1,\"kernel\":\"6.12\",\"features\":{\"tcx\":true,\"xfrm\":false}}";
	assert_run(daemon, "version", 0);
	assert_contains(daemon->out, "aa-steer " AA_STEER_VERSION);
	assert_contains(daemon->out, "aa-steerd 9.9, map ABI 1, kernel 6.12\nfeatures in use: tcx\n");
	control_close(daemon->control[0]);
	daemon->control[0] = NULL;
	assert_run(daemon, "version", 0);
	assert_contains(daemon->out, "aa-steer " AA_STEER_VERSION);
	assert_run(daemon, "version -j", 0);
	assert_contains(daemon->out, "\"version\": \"" AA_STEER_VERSION "\"");
}

/* An instance, a connection of two tunnels, a NIC that is gone, drops. */
static const char status_result[] =
	"{\"gateway\":{\"name\":\"vpngw1\",\"mode\":\"active-active\",\"state\":\"at-risk\"},"
	"\"instances\":[{\"name\":\"in0\",\"public\":\"203.0.113.10\",\"state\":\"active\",\"reason\":\"\","
	"\"since\":\"\",\"tunnels_usable\":1,\"tunnels\":2}],"
	"\"connections\":[{\"name\":\"hq\",\"state\":\"at-risk\",\"affinity\":\"hash\",\"tunnels\":["
	"{\"name\":\"hq-0\",\"instance\":\"in0\",\"device\":\"ipsec0\",\"state\":\"active\",\"reason\":\"\","
	"\"since\":\"\",\"tx_pps\":1200,\"tx_bps\":9600000,\"rx_pps\":0,\"rx_bps\":0},"
	"{\"name\":\"hq-1\",\"instance\":\"in0\",\"device\":\"ipsec1\",\"state\":\"down\",\"reason\":\"no SA\","
	"\"since\":\"\"}]}],"
	"\"nics\":[{\"name\":\"lan0\",\"role\":\"inside\",\"state\":\"missing\",\"xdp\":\"off\",\"tc\":\"off\","
	"\"reason\":\"no such NIC\"}],"
	"\"drops\":{\"no_usable_tunnel\":5,\"no_protected_route\":0},\"route_errors\":2}";

static void test_status__prints_aligned_tables(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = status_result;
	assert_run(daemon, "status", 0);
	assert_string_equal(daemon->arguments, "{}");
	assert_string_equal(
		daemon->out,
		"GATEWAY  MODE           STATE\n"
		"vpngw1   active-active  at-risk\n"
		"\n"
		"INSTANCE  PUBLIC        STATE   SINCE  USABLE  REASON\n"
		"in0       203.0.113.10  active      -     1/2\n"
		"\n"
		"CONNECTION  STATE    TUNNEL  INSTANCE  DEVICE  STATE   SINCE  TX-PKT/S  TX-BIT/S  RX-PKT/S  RX-BIT/S  "
		"REASON\n"
		"hq          at-risk  hq-0    in0       ipsec0  active      -      1.2k      9.6M         0         0\n"
		"                     hq-1    in0       ipsec1  down        -         0         0         0         0  "
		"no SA\n"
		"\n"
		"NIC   ROLE    STATE    XDP  TC   REASON\n"
		"lan0  inside  missing  off  off  no such NIC\n"
		"\n"
		"DROPPED           PACKETS\n"
		"no_usable_tunnel        5\n"
		"\n"
		"2 fail-safe routes could not be installed\n");
}

static void test_status__of_one_name_prints_no_empty_tables(void **state)
{
	struct daemon *daemon = *state;

	daemon->result =
		"{\"gateway\":{\"name\":\"g\",\"mode\":\"m\",\"state\":\"down\"},\"instances\":[],\"connections\":[]}";
	assert_run(daemon, "status hq", 0);
	assert_string_equal(daemon->arguments, "{\"name\":\"hq\"}");
	assert_string_equal(daemon->out, "GATEWAY  MODE  STATE\ng        m     down\n");
}

static void test_status__tells_a_mode_that_is_not_the_file_s(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = "{\"gateway\":{\"name\":\"g\",\"mode\":\"active-standby\",\"mode_by\":\"hand\","
			 "\"mode_file\":\"active-active\",\"order\":[\"in1\",\"in0\"],\"preempt\":true,"
			 "\"state\":\"redundant\"}}";
	assert_run(daemon, "status", 0);
	assert_string_equal(daemon->out, "GATEWAY  MODE            STATE\n"
					 "g        active-standby  redundant\n"
					 "\n"
					 "mode active-standby was set by hand; the file says active-active\n"
					 "order of instances: in1, in0\n");
	daemon->result = "{\"gateway\":{\"name\":\"g\",\"mode\":\"active-standby\",\"mode_by\":\"file\","
			 "\"order\":[\"in1\",\"in0\"],\"preempt\":false,\"state\":\"redundant\"}}";
	assert_run(daemon, "status", 0);
	assert_contains(daemon->out, "redundant\n\norder of instances: in1, in0; none preempts\n");
	daemon->result = "{\"gateway\":{\"name\":\"g\",\"mode\":\"active-standby\",\"mode_by\":\"file\","
			 "\"order\":[\"in0\",\"in1\"],\"preempt\":true,\"state\":\"redundant\"}}";
	assert_run(daemon, "status", 0);
	assert_string_equal(daemon->out, "GATEWAY  MODE            STATE\ng        active-standby  redundant\n");
}

static void test_status__prints_warnings_as_check_does(void **state)
{
	struct daemon *daemon = *state;

	daemon->result = "{\"gateway\":{\"name\":\"g\",\"mode\":\"m\",\"state\":\"down\"},\"warnings\":["
			 "{\"level\":\"warning\",\"subject\":\"hq\",\"message\":\"not redundant\"},"
			 "{\"level\":\"error\",\"subject\":\"kernel\",\"message\":\"it is too old\"}]}";
	assert_run(daemon, "status", 0);
	assert_string_equal(daemon->out, "GATEWAY  MODE  STATE\ng        m     down\n\nwarning: hq: not redundant\n"
					 "error: kernel: it is too old\n");
}

static void test_unload__says_that_it_is_done(void **state)
{
	struct daemon *daemon = *state;

	assert_run(daemon, "unload", 0);
	assert_string_equal(daemon->command, "unload");
	assert_string_equal(daemon->out, "unloaded\n");
	assert_run(daemon, "unload -j", 0);
	assert_json(daemon->out, "{}");
}

static void write_script(const char *directory, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/aa-steerd", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
}

static void test_check__is_aa_steerd_s_output_and_exit_code(void **state)
{
	struct daemon *daemon = *state;
	char *path = strdup(getenv("PATH"));

	write_script(daemon->directory, "#!/bin/sh\necho \"$@\"\nexit 1\n");
	setenv("PATH", daemon->directory, 1);
	assert_run(daemon, "check", 1);
	assert_string_equal(daemon->out, "--check /etc/aa-steer/aa-steer.yaml\n");
	assert_run(daemon, "check -j gw.yaml", 1);
	assert_string_equal(daemon->out, "--check gw.yaml --json\n");
	setenv("PATH", path, 1);
	free(path);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_usage__names_every_command),
		T(test_help__of_each_command_shows_its_usage),
		T(test_usage__faults_end_with_2_and_ask_nothing),
		T(test_options__stand_before_or_after_the_command),
		T(test_failure__quotes_what_is_not_utf8_as_json_all_the_same),
		T(test_output__to_a_full_disk_is_a_failure),
		T(test_daemon__that_is_not_there_is_exit_5),
		T(test_daemon__one_of_several_must_be_chosen),
		T(test_daemon__that_died_is_not_one_of_several),
		T(test_daemon__that_dies_before_it_answers_is_exit_5),
		T(test_failure__has_the_daemon_s_exit_code_and_message),
		T(test_drain__hands_its_options_on),
		T(test_drain__shows_how_it_goes),
		T(test_drain__dry_run_shows_what_would_move_also_where_it_is_refused),
		T(test_undrain__names_its_target),
		T(test_reset__hands_its_options_on),
		T(test_reset__shows_how_it_goes),
		T(test_mode__hands_on_what_was_asked_and_names_the_order),
		T(test_where__takes_every_form_of_address),
		T(test_where__says_why),
		T(test_events__prints_what_was),
		T(test_events__stand_in_columns_whatever_happened),
		T(test_events__that_are_followed_are_one_json_a_line),
		T(test_reload__prints_faults_as_the_file_s_own_lines),
		T(test_version__needs_no_daemon),
		T(test_status__prints_aligned_tables),
		T(test_status__of_one_name_prints_no_empty_tables),
		T(test_status__tells_a_mode_that_is_not_the_file_s),
		T(test_status__prints_warnings_as_check_does),
		T(test_unload__says_that_it_is_done),
		T(test_check__is_aa_steerd_s_output_and_exit_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
