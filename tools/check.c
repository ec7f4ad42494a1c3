/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer check: aa-steerd looks at a configuration file, because there is one parser and it is aa-steerd's. Its
 * output and its exit code are ours.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define CONFIG_PATH "/etc/aa-steer/aa-steer.yaml"

/* Beside this program, or where `make install` puts the two: bin and sbin of one prefix. Returns when there is none. */
static void exec_neighbour(char *const arguments[])
{
	static const char *const place[] = {"aa-steerd", "../sbin/aa-steerd"};
	char own[PATH_MAX], path[PATH_MAX + 32];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (length <= 0)
		return;
	own[length] = '\0';
	*strrchr(own, '/') = '\0';
	for (size_t i = 0; i < sizeof(place) / sizeof(place[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", own, place[i]);
		execv(path, arguments);
	}
}

/* $PATH, then where daemons are: a user's PATH often lacks them. Returns when there is none. */
static void exec_installed(char *const arguments[])
{
	static const char *const path[] = {"/usr/local/sbin/aa-steerd", "/usr/sbin/aa-steerd", "/sbin/aa-steerd"};

	execvp("aa-steerd", arguments);
	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++)
		execv(path[i], arguments);
}

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
	exec_neighbour(arguments);
	exec_installed(arguments);
	return tool_fail(call, EXIT_FAILED, "aa-steerd, which checks the file, cannot be run: %s", strerror(errno));
}
