/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer reload: has the daemon apply the changed configuration file.
 */
#include "tool.h"

static void print_done(const json_t *result, const struct tool_call *call)
{
	(void)result;
	(void)call;
	puts("reloaded");
}

int reload_main(struct tool_call *call)
{
	int ended = tool_words(call, 0, 0);

	if (ended)
		return tool_ended(ended);
	return tool_ask(call, &(struct tool_request){
				      .command = "reload",
				      .arguments = json_object(),
				      .unhurried = true,
				      .faults = true,
				      .print = print_done,
			      });
}
