/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer unload: takes all programs off; the daemon ends then. Where no daemon answers, programs of one that ended
 * may still forward: aa-steerd --unload takes those off.
 */
#include "daemon.h"
#include "tool.h"

static void print_done(const json_t *result, const struct tool_call *call)
{
	(void)result;
	(void)call;
	puts("unloaded");
}

static int without_daemon(struct tool_call *call, const struct client_answer *answer)
{
	char program[] = "aa-steerd", unload[] = "--unload", said[512];
	char *arguments[] = {program, unload, (char *)call->gateway, NULL};
	int exit_code = daemon_run(arguments, said, sizeof(said));
	json_t *nothing;

	if (exit_code == EXIT_NO_DAEMON || exit_code == DAEMON_NOT_RUN)
		return tool_fail_answer(call, answer, TOOL_PREFIX);
	if (exit_code)
		return tool_fail(call, exit_code, "%s", said);
	nothing = json_object();
	if (call->json)
		tool_print_json(nothing, JSON_INDENT(2));
	else
		print_done(nothing, call);
	json_decref(nothing);
	return EXIT_DONE;
}

int unload_main(struct tool_call *call)
{
	int ended = tool_words(call, 0, 0);

	if (ended)
		return tool_ended(ended);
	return tool_ask(call, &(struct tool_request){
				      .command = "unload",
				      .arguments = json_object(),
				      .unhurried = true,
				      .print = print_done,
				      .without_daemon = without_daemon,
			      });
}
