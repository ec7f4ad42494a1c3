/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer events: what happened, oldest first; with -f also what happens from now on, line by line.
 */
#include <errno.h>
#include <stdlib.h>

#include "text.h"
#include "tool.h"

struct events_options {
	int follow;
	long last; /* -1: as many as the daemon shows by itself */
};

static int read_options(struct tool_call *call, struct events_options *events)
{
	static const struct option options[] = {
		{"follow", no_argument, NULL, 'f'}, {"last", required_argument, NULL, 'n'}, TOOL_LONG_OPTIONS};
	int option;
	char *end;

	while ((option = tool_getopt(call, "fn:" TOOL_SHORT_OPTIONS, options)) != -1) {
		if (option == 'f') {
			events->follow = 1;
		} else if (option == 'n') {
			errno = 0;
			events->last = strtol(optarg, &end, 10);
			if (!*optarg || *end || errno || events->last < 0) {
				tool_fail(call, EXIT_USAGE, "--last: '%s' is not a number of events", optarg);
				return TOOL_FAULTY;
			}
		} else {
			return option;
		}
	}
	return -1;
}

/* How long a failure went unnoticed, and what was lost meanwhile, where a probe found it. */
static void print_figures(const json_t *event)
{
	const json_t *detection = json_object_get(event, "detection_ms");
	const json_t *lost = json_object_get(event, "packets_into_dead");
	char text[TEXT_BYTES];

	if (detection)
		printf("; detected in %s", text_of_ms(json_number_value(detection), text));
	if (lost)
		printf("; %lld packets sent into it", (long long)json_integer_value(lost));
}

/*
 * The longest of what happens is "connection-redundant". Names are 31 characters at most and mostly short; a stream
 * cannot know its widest.
 */
static void print_event(const json_t *event)
{
	printf("%-24s  %-20s  %-12s  %s", tool_string(event, "time"), tool_string(event, "what"),
	       tool_string(event, "name"), tool_string(event, "message"));
	print_figures(event);
	putchar('\n');
}

static void print_events(const json_t *result, const struct tool_call *call)
{
	const json_t *events = json_object_get(result, "events"), *event;
	size_t i;

	(void)call;
	json_array_foreach (events, i, event)
		print_event(event);
}

static void print_line(const char *kind, const json_t *event, void *context)
{
	const struct tool_call *call = context;

	(void)kind;
	if (call->json)
		tool_print_json(event, JSON_COMPACT);
	else
		print_event(event);
	fflush(stdout);
	if (ferror(stdout))
		exit(EXIT_FAILED); /* nobody reads any more */
}

int events_main(struct tool_call *call)
{
	struct events_options events = {.last = -1};
	struct tool_request request = {.command = "events", .print = print_events, .line = print_line};
	int ended = read_options(call, &events);

	if (ended == -1)
		ended = tool_words_left(call, 0, 0);
	if (ended)
		return tool_ended(ended);
	request.arguments = json_pack("{s:b}", "follow", events.follow);
	if (request.arguments && events.last >= 0)
		json_object_set_new(request.arguments, "last", json_integer(events.last));
	request.unhurried = events.follow;
	request.stream = events.follow;
	return tool_ask(call, &request);
}
