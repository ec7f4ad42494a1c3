/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer version: this program's, and the daemon's where one answers.
 */
#include "../maps/limits.h"
#include "tool.h"

static void print_own(const struct tool_call *call)
{
	json_t *json;

	if (!call->json) {
		printf("aa-steer %s, map ABI %d\n", AA_STEER_VERSION, MAP_ABI_VERSION);
		return;
	}
	json = json_pack("{s:s, s:i}", "version", AA_STEER_VERSION, "map_abi", MAP_ABI_VERSION);
	tool_print_json(json, JSON_INDENT(2));
	json_decref(json);
}

static void print_daemon(const json_t *result)
{
	json_t *features = json_object_get(result, "features"), *value;
	const char *name;

	printf("aa-steerd %s, map ABI %lld, kernel %s\n", tool_string(result, "version"),
	       (long long)json_integer_value(json_object_get(result, "map_abi")), tool_string(result, "kernel"));
	fputs("features in use:", stdout);
	json_object_foreach (features, name, value)
		if (json_is_true(value))
			printf(" %s", name);
	putchar('\n');
}

int version_main(struct tool_call *call)
{
	struct client_request request = {.gateway = call->gateway, .command = "version"};
	struct client_answer answer;
	json_t *arguments;
	int exit_code, ended = tool_words(call, 0, 0);

	if (ended)
		return tool_ended(ended);
	arguments = json_object();
	request.arguments = arguments;
	client_ask(&request, NULL, NULL, &answer);
	json_decref(arguments);
	exit_code = answer.exit_code == EXIT_NO_DAEMON && !call->gateway ? EXIT_DONE : answer.exit_code;
	if (exit_code) {
		tool_fail_answer(call, &answer, TOOL_PREFIX);
	} else if (call->json && answer.result) {
		tool_print_json(answer.result, JSON_INDENT(2));
	} else {
		print_own(call);
		if (answer.result)
			print_daemon(answer.result);
	}
	client_answer_free(&answer);
	return exit_code;
}
