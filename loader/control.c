/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket: who may connect, and which command runs. See control.h; control_request.c is one connection.
 */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_request.h"
#include "control_socket.h"

#define ACCEPT_INTERVAL_US 100000 /* at most CONTROL_CLIENTS are accepted in this time */

void control_run_command(struct control_request *request)
{
	const struct control_command *command = request->control->commands;

	while (command->name && strcmp(command->name, request->line.command))
		command++;
	if (!command->name)
		control_fail(request, EXIT_USAGE, "this daemon has no command '%.64s'", request->line.command);
	else if (command->changes && !request->trusted)
		control_fail(request, EXIT_FAILED, "'%s' is for root only", command->name);
	else
		command->run(request, request->line.arguments, request->control->context);
}

static bool is_trusted(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

static bool has_room(const struct control *control, bool trusted)
{
	return control->clients < CONTROL_CLIENTS &&
	       (trusted || control->untrusted_clients < CONTROL_CLIENTS_UNTRUSTED);
}

/* Turned away with a word, as far as the socket takes it. */
static void turn_away(int fd)
{
	static const char answer[] = "{\"exit\":1,\"message\":\"the daemon has too many clients\",\"result\":{}}\n";

	send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static int on_connection(sd_event_source *source, int listener_fd, uint32_t revents, void *data)
{
	struct control *control = data;
	int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	bool trusted;

	(void)source;
	(void)revents;
	if (fd < 0)
		return 0;
	trusted = is_trusted(fd);
	if (has_room(control, trusted))
		control_request_open(control, fd, trusted); /* what fails there costs this client alone */
	else
		turn_away(fd);
	return 0;
}

/* --- opening and closing --- */

int control_open(sd_event *loop, const char *path, const struct control_command *commands, void *context,
		 struct control **ret_control)
{
	struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return -ENOMEM;
	control->fd = control->lock_fd = -1;
	control->loop = sd_event_ref(loop);
	control->commands = commands;
	control->context = context;
	control->patience_us = CONTROL_PATIENCE_MS * UINT64_C(1000);
	LIST_INIT(&control->requests);
	err = control_socket_open(path, &control->fd, &control->lock_fd);
	if (err)
		goto out;
	control->path = strdup(path);
	err = control->path ? 0 : -ENOMEM;
	if (!err)
		err = sd_event_add_io(loop, &control->listener, control->fd, EPOLLIN, on_connection, control);
	if (err >= 0)
		err = sd_event_source_set_priority(control->listener, CONTROL_PRIORITY);
	/* Without descriptors to accept with, the listener stays readable: do not spin on it. */
	if (err >= 0)
		err = sd_event_source_set_ratelimit(control->listener, ACCEPT_INTERVAL_US, CONTROL_CLIENTS);
out:
	if (err < 0) {
		control_close(control);
		return err;
	}
	*ret_control = control;
	return 0;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	while (!LIST_EMPTY(&control->requests))
		control_request_drop(LIST_FIRST(&control->requests));
	sd_event_source_disable_unref(control->listener);
	if (control->path)
		unlink(control->path); /* before the lock goes: it is still ours */
	if (control->fd >= 0)
		close(control->fd);
	if (control->lock_fd >= 0)
		close(control->lock_fd);
	sd_event_unref(control->loop);
	free(control->path);
	free(control);
}

void control_set_patience(struct control *control, uint64_t patience_ms)
{
	control->patience_us = patience_ms * 1000;
}
