/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands of the configuration as children of the event loop. See child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../maps/limits.h"
#include "clock.h"
#include "control.h"

#define GRACE_NS       (2 * NS_PER_SECOND) /* between SIGTERM and SIGKILL */
#define VARIABLE_BYTES (NAME_BYTES + 24)

struct child {
	child_ended_fn *ended;
	void *context;
	pid_t pid;					     /* 0: none runs yet */
	int output_fd;					     /* -1: none */
	bool overran;					     /* it was told to end */
	char last[CHILD_LINE_BYTES], line[CHILD_LINE_BYTES]; /* the last line, and one that is not complete yet */
	size_t line_bytes;
	sd_event_source *process, *output, *limit;
};

static void child_free(struct child *child)
{
	sd_event_source_disable_unref(child->process);
	sd_event_source_disable_unref(child->output);
	sd_event_source_disable_unref(child->limit);
	if (child->output_fd >= 0)
		close(child->output_fd);
	free(child);
}

/* --- its output ----------------------------------------------------------------------------------------------------
 */

static void line_end(struct child *child)
{
	if (!child->line_bytes)
		return;
	memcpy(child->last, child->line, child->line_bytes);
	child->last[child->line_bytes] = 0;
	child->line_bytes = 0;
}

/* Whatever it is, it must be fit for JSON and a terminal. */
static void output_add(struct child *child, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char c = bytes[i];

		if (c == '\n' || c == '\r')
			line_end(child);
		else if (child->line_bytes < CHILD_LINE_BYTES - 1)
			child->line[child->line_bytes++] = c >= 0x20 && c < 0x7f ? c : '?';
	}
}

/* Returns false at its end. */
static bool output_read(struct child *child)
{
	char bytes[4096];
	ssize_t count = read(child->output_fd, bytes, sizeof(bytes));

	if (count > 0)
		output_add(child, bytes, (size_t)count);
	return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	(void)fd, (void)revents;
	return output_read(context) ? 0 : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* What waits in the pipe; what the command left running may go on to write. */
static void output_finish(struct child *child)
{
	for (int reads = 0; reads < 64 && output_read(child); reads++)
		;
	line_end(child);
}

const char *child_last_line(const struct child *child)
{
	return child->last;
}

/* --- its end -------------------------------------------------------------------------------------------------------
 */

static int on_process(sd_event_source *source, const siginfo_t *info, void *context)
{
	struct child *child = context;
	child_ended_fn *ended = child->ended;
	void *ended_context = child->context;
	struct child_end end = {
		.overran = child->overran, .exited = info->si_code == CLD_EXITED, .status = info->si_status};

	(void)source;
	output_finish(child);
	memcpy(end.last, child->last, sizeof(end.last));
	child_free(child);
	ended(&end, ended_context);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *context)
{
	struct child *child = context;

	(void)usec;
	kill(-child->pid, child->overran ? SIGKILL : SIGTERM);
	child->overran = true;
	sd_event_source_set_time(source, (clock_monotonic_ns() + GRACE_NS) / 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void child_stop(struct child *child)
{
	if (!child)
		return;
	if (child->pid)
		kill(-child->pid, SIGTERM);
	child_free(child);
}

const char *child_failure(const struct child_end *end, uint64_t limit_ns, char buffer[CHILD_FAILURE_BYTES])
{
	int length;

	if (end->overran)
		length = snprintf(buffer, CHILD_FAILURE_BYTES, "did not end within %.3g s and was stopped",
				  (double)limit_ns / NS_PER_SECOND);
	else if (!end->exited || end->status)
		length = snprintf(buffer, CHILD_FAILURE_BYTES, "%s %d",
				  end->exited ? "ended with" : "was ended by signal", end->status);
	else
		return NULL;
	if (end->last[0])
		snprintf(buffer + length, CHILD_FAILURE_BYTES - (size_t)length, " (\"%s\")", end->last);
	return buffer;
}

/* --- its beginning -------------------------------------------------------------------------------------------------
 */

/* The daemon's own environment and these two. Freed by the caller; the strings are borrowed. NULL without memory. */
static char **environment_new(char *instance, char *gateway)
{
	size_t count = 0, kept = 0;
	char **variables;

	while (environ[count])
		count++;
	variables = calloc(count + 3, sizeof(*variables));
	if (!variables)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "AA_STEER_INSTANCE=", 18) && strncmp(environ[i], "AA_STEER_GATEWAY=", 17))
			variables[kept++] = environ[i];
	variables[kept++] = instance;
	variables[kept] = gateway;
	return variables;
}

/* The daemon's own signal mask, descriptors and process group are none of the command's. */
static int spawn(struct child *child, const char *command, int output_fd, char **variables)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, ignored;
	int err;

	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	err = posix_spawn_file_actions_init(&actions);
	if (err)
		return -err;
	err = posix_spawnattr_init(&attributes);
	if (err) {
		posix_spawn_file_actions_destroy(&actions);
		return -err;
	}
	err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	err = err ?: posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
	err = err ?: posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
	err = err ?: posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	err = err ?: posix_spawnattr_setsigmask(&attributes, &none);
	err = err ?: posix_spawnattr_setsigdefault(&attributes, &ignored);
	err = err
		      ?: posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
								       POSIX_SPAWN_SETPGROUP);
	err = err ?: posix_spawn(&child->pid, "/bin/sh", &actions, &attributes, argv, variables);
	if (err)
		child->pid = 0;
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int spawn_named(struct child *child, const struct child_options *options, int output_fd)
{
	char instance[VARIABLE_BYTES], gateway[VARIABLE_BYTES];
	char **variables;
	int err;

	snprintf(instance, sizeof(instance), "AA_STEER_INSTANCE=%s", options->instance);
	snprintf(gateway, sizeof(gateway), "AA_STEER_GATEWAY=%s", options->gateway);
	variables = environment_new(instance, gateway);
	if (!variables)
		return -ENOMEM;
	err = spawn(child, options->command, output_fd, variables);
	free(variables);
	return err;
}

static int watch(struct child *child, sd_event *loop, uint64_t limit_ns)
{
	int err = sd_event_add_io(loop, &child->output, child->output_fd, EPOLLIN, on_output, child);

	if (err >= 0)
		err = sd_event_source_set_priority(child->output, CONTROL_PRIORITY);
	if (err >= 0)
		err = sd_event_add_child(loop, &child->process, child->pid, WEXITED, on_process, child);
	if (err >= 0)
		err = sd_event_source_set_priority(child->process, CONTROL_PRIORITY);
	if (err >= 0)
		err = sd_event_add_time_relative(loop, &child->limit, CLOCK_MONOTONIC, limit_ns / 1000, 0, on_limit,
						 child);
	if (err >= 0)
		err = sd_event_source_set_priority(child->limit, CONTROL_PRIORITY);
	return err < 0 ? err : 0;
}

int child_start(sd_event *loop, const struct child_options *options, struct child **ret_child)
{
	struct child *child = calloc(1, sizeof(*child));
	int output[2], err;

	if (!child)
		return -ENOMEM;
	child->ended = options->ended;
	child->context = options->context;
	child->output_fd = -1;
	if (pipe2(output, O_CLOEXEC)) {
		err = -errno;
		child_free(child);
		return err;
	}
	child->output_fd = output[0];
	err = fcntl(output[0], F_SETFL, O_NONBLOCK) ? -errno : spawn_named(child, options, output[1]);
	close(output[1]);
	if (!err)
		err = watch(child, loop, options->limit_ns);
	if (err) {
		if (child->pid)
			kill(-child->pid, SIGKILL);
		child_free(child);
		return err;
	}
	*ret_child = child;
	return 0;
}
