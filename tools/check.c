/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer check: aa-steerd looks at a configuration file, because there is one parser and it is aa-steerd's. Its
 * output and its exit code are ours.
 */
#include <errno.h>
#include <string.h>

#include "daemon.h"
#include "tool.h"

#define CONFIG_PATH "/etc/aa-steer/aa-steer.yaml"

int check_main(struct tool_call *call)
{
	char program[] = "aa-steerd", check[] = "--check", json[] = "--json", standard[] = CONFIG_PATH;
	char *arguments[] = {program, check, standard, NULL, NULL};
	int ended = tool_words(call, 0, 1);

	if (ended)
		return tool_ended(ended);
	if (optind < call->argc)
		arguments[2] = call->argv[optind];
	if (call->json)
		arguments[3] = json;
	daemon_become(arguments);
	return tool_fail(call, EXIT_FAILED, "aa-steerd, which checks the file, cannot be run: %s", strerror(errno));
}
