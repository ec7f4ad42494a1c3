/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer mode: active-active, or active-standby and who is first.
 */
#include "tool.h"

enum { OPTION_ACTIVE = 'A' };

static void print_mode(const json_t *result, const struct tool_call *call)
{
	const json_t *name;
	size_t i;

	(void)call;
	printf("mode is %s", tool_string(result, "mode"));
	json_array_foreach (json_object_get(result, "order"), i, name)
		printf("%s%s", i ? ", " : ": ", json_string_value(name));
	putchar('\n');
}

int mode_main(struct tool_call *call)
{
	static const struct option options[] = {{"active", required_argument, NULL, OPTION_ACTIVE}, TOOL_LONG_OPTIONS};
	const char *active = NULL;
	int option, ended;

	while ((option = tool_getopt(call, TOOL_SHORT_OPTIONS, options)) == OPTION_ACTIVE)
		active = optarg;
	ended = option == -1 ? tool_words_left(call, 1, 1) : option;
	if (ended)
		return tool_ended(ended);
	return tool_ask(call,
			&(struct tool_request){
				.command = "mode",
				.arguments = json_pack("{s:s, s:s*}", "mode", call->argv[optind], "active", active),
				.unhurried = true,
				.print = print_mode,
			});
}
