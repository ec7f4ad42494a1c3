/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer reset: drains an instance, has its reset command run, and puts it back when it is usable; or one after the
 * other. Shows how it goes, a line each second and at every step.
 */
#include <string.h>

#include "text.h"
#include "tool.h"

enum { OPTION_ALL = 'A', OPTION_NOW = 'N', OPTION_DEADLINE = 'D', OPTION_FORCE = 'F' };

struct reset_options {
	int all, now, force;
	int64_t deadline_ms; /* 0: the daemon's own */
};

/* Returns -1 when all were read; TOOL_HELPED; TOOL_FAULTY. */
static int read_options(struct tool_call *call, struct reset_options *reset)
{
	static const struct option options[] = {{"all", no_argument, NULL, OPTION_ALL},
						{"now", no_argument, NULL, OPTION_NOW},
						{"deadline", required_argument, NULL, OPTION_DEADLINE},
						{"force", no_argument, NULL, OPTION_FORCE},
						TOOL_LONG_OPTIONS};
	int option;

	while ((option = tool_getopt(call, TOOL_SHORT_OPTIONS, options)) != -1) {
		switch (option) {
		case OPTION_ALL:
			reset->all = 1;
			break;
		case OPTION_NOW:
			reset->now = 1;
			break;
		case OPTION_FORCE:
			reset->force = 1;
			break;
		case OPTION_DEADLINE:
			if (!text_to_ms(optarg, &reset->deadline_ms) && reset->deadline_ms > 0)
				break;
			tool_fail(call, EXIT_USAGE, "--deadline: '%s' is not a duration such as 500ms, 30s, 5m",
				  optarg);
			return TOOL_FAULTY;
		default:
			return option;
		}
	}
	return -1;
}

static void print_progress(const char *kind, const json_t *value, void *context)
{
	const struct tool_call *call = context;
	const char *step = tool_string(value, "step"), *name = tool_string(value, "name");
	const char *output = tool_string(value, "output"), *reason = tool_string(value, "reason");

	(void)kind;
	if (call->json)
		return;
	if (!strcmp(step, "drain"))
		tool_print_drain(value);
	else if (!strcmp(step, "command"))
		printf("%s: its reset command runs%s%s\n", name, *output ? ": " : "", output);
	else if (!strcmp(step, "return"))
		printf("%s: waiting until it is usable%s%s\n", name, *reason ? ": " : "", reason);
	else
		printf("%s is reset%s%s\n", name, *output ? ": " : "", output);
	fflush(stdout);
}

int reset_main(struct tool_call *call)
{
	struct reset_options reset = {0};
	struct tool_request request = {.command = "reset", .unhurried = true, .line = print_progress};
	int ended = read_options(call, &reset);

	if (ended == -1)
		ended = tool_words_left(call, reset.all ? 0 : 1, reset.all ? 0 : 1);
	if (ended)
		return tool_ended(ended);
	request.arguments = json_pack("{s:b, s:b, s:b}", "all", reset.all, "now", reset.now, "force", reset.force);
	if (request.arguments && reset.deadline_ms)
		json_object_set_new(request.arguments, "deadline_ms", json_integer(reset.deadline_ms));
	if (request.arguments && !reset.all &&
	    json_object_set_new(request.arguments, "name", json_string(call->argv[optind]))) {
		json_decref(request.arguments);
		request.arguments = NULL;
	}
	return tool_ask(call, &request);
}
