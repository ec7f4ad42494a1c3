/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer drain: takes an instance or a tunnel out, or with --dry-run says what that would do. With --wait it shows
 * how it goes, a line whenever that changes.
 */
#include <errno.h>
#include <stdint.h>

#include "drain_plan.h"
#include "text.h"
#include "tool.h"

enum { OPTION_NOW = 'N', OPTION_WAIT = 'W', OPTION_DEADLINE = 'D', OPTION_FORCE = 'F', OPTION_DRY_RUN = 'R' };

struct drain_options {
	int now, wait, force, dry_run;
	int64_t deadline_ms; /* 0: none */
};

static int read_deadline(const struct tool_call *call, const char *text, int64_t *ret_ms)
{
	if (!text_to_ms(text, ret_ms) && *ret_ms > 0)
		return -1;
	tool_fail(call, EXIT_USAGE, "--deadline: '%s' is not a duration such as 500ms, 30s, 5m", text);
	return TOOL_FAULTY;
}

/* Returns -1 when all were read; TOOL_HELPED; TOOL_FAULTY. */
static int read_options(struct tool_call *call, struct drain_options *drain)
{
	static const struct option options[] = {{"now", no_argument, NULL, OPTION_NOW},
						{"wait", no_argument, NULL, OPTION_WAIT},
						{"deadline", required_argument, NULL, OPTION_DEADLINE},
						{"force", no_argument, NULL, OPTION_FORCE},
						{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
						TOOL_LONG_OPTIONS};
	int option;

	while ((option = tool_getopt(call, TOOL_SHORT_OPTIONS, options)) != -1) {
		switch (option) {
		case OPTION_NOW:
			drain->now = 1;
			break;
		case OPTION_WAIT:
			drain->wait = 1;
			break;
		case OPTION_FORCE:
			drain->force = 1;
			break;
		case OPTION_DRY_RUN:
			drain->dry_run = 1;
			break;
		case OPTION_DEADLINE:
			option = read_deadline(call, optarg, &drain->deadline_ms);
			if (option != -1)
				return option;
			break;
		default:
			return option;
		}
	}
	return -1;
}

static void print_progress(const char *kind, const json_t *value, void *context)
{
	const struct tool_call *call = context;

	(void)kind;
	if (!call->json)
		tool_print_drain(value);
}

static void print_plan(const json_t *result, const struct tool_call *call)
{
	(void)call;
	drain_plan_print(result);
}

int drain_main(struct tool_call *call)
{
	struct drain_options drain = {0};
	struct tool_request request = {.command = "drain", .line = print_progress, .print = tool_print_unit};
	int ended = read_options(call, &drain);

	if (ended == -1)
		ended = tool_words_left(call, 1, 1);
	if (ended)
		return tool_ended(ended);
	request.unhurried = drain.wait && !drain.dry_run;
	request.arguments = json_pack("{s:s, s:b, s:b, s:b}", "name", call->argv[optind], "now", drain.now, "wait",
				      drain.wait, "force", drain.force);
	if (request.arguments && drain.dry_run) {
		json_object_set_new(request.arguments, "dry_run", json_true());
		request.print = print_plan;
		request.prints_refused = true;
	}
	if (request.arguments && drain.deadline_ms)
		json_object_set_new(request.arguments, "deadline_ms", json_integer(drain.deadline_ms));
	return tool_ask(call, &request);
}
