/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer undrain: puts an instance or a tunnel back.
 */
#include "tool.h"

int undrain_main(struct tool_call *call)
{
	int ended = tool_words(call, 1, 1);

	if (ended)
		return tool_ended(ended);
	return tool_ask(call, &(struct tool_request){
				      .command = "undrain",
				      .arguments = json_pack("{s:s}", "name", call->argv[optind]),
				      .print = tool_print_unit,
			      });
}
