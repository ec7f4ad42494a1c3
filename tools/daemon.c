/* SPDX-License-Identifier: GPL-2.0-only */
/* See daemon.h. */
#include "daemon.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMON_PREFIX "aa-steerd: "

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

void daemon_become(char *const arguments[])
{
	exec_neighbour(arguments);
	exec_installed(arguments);
}

static void said_read(int fd, char *said, size_t said_size)
{
	size_t length = 0, prefix = strlen(DAEMON_PREFIX);
	char unheard[512];
	ssize_t count;

	do {
		size_t room = said_size - 1 - length;

		count = read(fd, room ? said + length : unheard, room ? room : sizeof(unheard));
		length += count > 0 && room ? (size_t)count : 0;
	} while (count > 0 || (count < 0 && errno == EINTR));
	while (length && said[length - 1] == '\n')
		length--;
	said[length] = '\0';
	if (!strncmp(said, DAEMON_PREFIX, prefix))
		memmove(said, said + prefix, length + 1 - prefix);
}

int daemon_run(char *const arguments[], char *said, size_t said_size)
{
	int ends[2], status = 0;
	pid_t child;

	said[0] = '\0';
	if (pipe(ends))
		return DAEMON_NOT_RUN;
	child = fork();
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		daemon_become(arguments);
		_exit(DAEMON_NOT_RUN);
	}
	close(ends[1]);
	if (child > 0)
		said_read(ends[0], said, said_size);
	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return DAEMON_NOT_RUN;
	return WEXITSTATUS(status);
}
