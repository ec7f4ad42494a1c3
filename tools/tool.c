/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands of aa-steer share. See tool.h.
 */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

void tool_print_usage(FILE *file, const struct tool *tool)
{
	fprintf(file, "usage: aa-steer %s%s%s\n\n%s\n", tool->name, *tool->usage ? " " : "", tool->usage, tool->help);
	if (tool->more)
		fprintf(file, "\n%s", tool->more);
}

int tool_getopt(struct tool_call *call, const char *short_options, const struct option *long_options)
{
	for (;;) {
		int option = getopt_long(call->argc, call->argv, short_options, long_options, NULL);

		switch (option) {
		case 'j':
			call->json = true;
			break;
		case 'g':
			call->gateway = optarg;
			break;
		case 'h':
			tool_print_usage(stdout, call->tool);
			return TOOL_HELPED;
		case '?':
			return TOOL_FAULTY;
		default:
			return option;
		}
	}
}

int tool_words_left(struct tool_call *call, int min, int max)
{
	int words = call->argc - optind;

	if (words >= min && words <= max)
		return 0;
	if (words > max)
		tool_fail(call, EXIT_USAGE, "%s: '%s' is one argument too many", call->tool->name,
			  call->argv[optind + max]);
	else
		tool_fail(call, EXIT_USAGE, "usage: aa-steer %s %s", call->tool->name, call->tool->usage);
	return TOOL_FAULTY;
}

int tool_words(struct tool_call *call, int min, int max)
{
	static const struct option options[] = {TOOL_LONG_OPTIONS};
	int option = tool_getopt(call, TOOL_SHORT_OPTIONS, options);

	return option == -1 ? tool_words_left(call, min, max) : option;
}

int tool_ended(int how)
{
	return how == TOOL_HELPED ? EXIT_DONE : EXIT_USAGE;
}

void tool_print_json(const json_t *json, size_t flags)
{
	json_dumpf(json, stdout, flags | JSON_REAL_PRECISION(12));
	putchar('\n');
}

static bool is_empty(const json_t *result)
{
	return !result || json_is_null(result) || (json_is_object(result) && !json_object_size(result));
}

/* A message may quote a word that is anything but UTF-8; that must not cost the document. */
static json_t *message_json(const char *message)
{
	json_t *string = json_string(message);
	char *copy = string ? NULL : strdup(message);

	if (!copy)
		return string;
	for (char *at = copy; *at; at++)
		if (*at & 0x80)
			*at = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

int tool_fail_answer(const struct tool_call *call, const struct client_answer *answer, const char *prefix)
{
	json_t *json;

	if (!call->json) {
		fprintf(stderr, "%s%s\n", prefix, answer->message);
		return answer->exit_code;
	}
	json = json_pack("{s:o, s:i}", "error", message_json(answer->message), "exit", answer->exit_code);
	if (!is_empty(answer->result))
		json_object_set(json, "result", answer->result);
	tool_print_json(json, JSON_INDENT(2));
	json_decref(json);
	return answer->exit_code;
}

int tool_fail(const struct tool_call *call, int exit_code, const char *format, ...)
{
	struct client_answer answer = {.exit_code = exit_code};
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&answer.message, format, arguments) < 0)
		answer.message = strdup("out of memory");
	va_end(arguments);
	tool_fail_answer(call, &answer, TOOL_PREFIX);
	client_answer_free(&answer);
	return exit_code;
}

const char *tool_string(const json_t *object, const char *key)
{
	const char *string = json_string_value(json_object_get(object, key));

	return string ? string : "";
}

void tool_print_unit(const json_t *result, const struct tool_call *call)
{
	const char *reason = tool_string(result, "reason");

	(void)call;
	printf("%s is %s%s%s\n", tool_string(result, "name"), tool_string(result, "state"), *reason ? ": " : "",
	       reason);
}

void tool_print_drain(const json_t *progress)
{
	static char last[256];
	long long flows = (long long)json_integer_value(json_object_get(progress, "flows"));
	long long rx_pps = (long long)json_integer_value(json_object_get(progress, "rx_pps"));
	char line[sizeof(last)], waits[64] = "", sends[64] = "", rate[TEXT_BYTES];

	if (flows)
		snprintf(waits, sizeof(waits), ": waits for %lld flow%s", flows, flows == 1 ? "" : "s");
	if (rx_pps)
		snprintf(sends, sizeof(sends), "%s the peer still sends %s packets/s", flows ? ", and" : ":",
			 text_of_rate(rx_pps, rate));
	snprintf(line, sizeof(line), "%s is %s%s%s", tool_string(progress, "name"), tool_string(progress, "state"),
		 waits, sends);
	if (!strcmp(line, last))
		return;
	puts(line);
	fflush(stdout);
	strcpy(last, line);
}

static void print_failure(const struct tool_call *call, const struct tool_request *request,
			  const struct client_answer *answer)
{
	if (answer->exit_code == EXIT_REFUSED && request->prints_refused && !call->json && !is_empty(answer->result))
		request->print(answer->result, call);
	fflush(stdout);
	tool_fail_answer(call, answer, request->faults && answer->exit_code == EXIT_USAGE ? "" : TOOL_PREFIX);
}

int tool_ask(struct tool_call *call, const struct tool_request *request)
{
	struct client_request asked = {.gateway = call->gateway,
				       .command = request->command,
				       .arguments = request->arguments,
				       .unhurried = request->unhurried};
	struct client_answer answer;
	int exit_code;

	if (!request->arguments)
		return tool_fail(call, EXIT_USAGE, "%s: an argument is not UTF-8", request->command);
	client_ask(&asked, request->line, call, &answer);
	json_decref(request->arguments);
	exit_code = answer.exit_code;
	if (exit_code == EXIT_NO_DAEMON && request->without_daemon)
		exit_code = request->without_daemon(call, &answer);
	else if (exit_code)
		print_failure(call, request, &answer);
	else if (call->json && !request->stream)
		tool_print_json(answer.result, JSON_INDENT(2));
	else if (request->print && !request->stream)
		request->print(answer.result, call);
	client_answer_free(&answer);
	return exit_code;
}
