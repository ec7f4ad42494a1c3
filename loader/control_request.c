/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One connection of the control socket: a request read, its command run, its answer sent. See control.h.
 *
 * It is READING its line, RUNNING its command, ANSWERED while the answer leaves. A client that goes away while its
 * command runs leaves the request GONE, without descriptor, until the command answers. Requests are dropped from the
 * event loop alone: a send that fails only shuts the socket down, and the hang-up that follows drops it. So no callback
 * runs below control_event() or control_progress().
 */
#include "control_request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the end of a request --- */

/* Takes the connection from the request: what is left is for the command to answer, or to free. */
static void request_disconnect(struct control_request *request)
{
	if (request->control) {
		LIST_REMOVE(request, entry);
		request->control->clients--;
		request->control->untrusted_clients -= !request->trusted;
		request->control = NULL;
	}
	request->io = sd_event_source_disable_unref(request->io);
	request->patience = sd_event_source_disable_unref(request->patience);
	control_queue_free(&request->output);
	if (request->fd >= 0)
		close(request->fd);
	request->fd = -1;
}

static void request_free(struct control_request *request)
{
	request_disconnect(request);
	control_line_free(&request->line);
	free(request->input);
	free(request);
}

void control_request_drop(struct control_request *request)
{
	control_closed_fn *closed = request->closed;

	if (request->stage != RUNNING) {
		request_free(request);
		return;
	}
	request_disconnect(request);
	request->stage = GONE;
	request->closed = NULL;
	if (closed)
		closed(request, request->closed_context);
}

static void request_break(struct control_request *request)
{
	request->broken = true;
	shutdown(request->fd, SHUT_RDWR); /* EPOLLHUP follows */
}

/* --- output --- */

/* A client must move while anything waits for it; while only its command is waited for, it may sit still. */
static void renew_patience(struct control_request *request)
{
	bool waits = request->stage == READING || control_queue_waiting(&request->output);

	sd_event_source_set_time_relative(request->patience, request->control->patience_us);
	sd_event_source_set_enabled(request->patience, waits ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Sends what can be sent now, and has the rest sent when the client reads. Returns 0 or -EPIPE. */
static int request_send(struct control_request *request)
{
	size_t waiting_before = control_queue_waiting(&request->output);
	int left = control_queue_send(&request->output, request->fd);

	if (left < 0) {
		request_break(request);
		return -EPIPE;
	}
	sd_event_source_set_io_events(request->io, left ? EPOLLOUT : 0);
	if (!left || control_queue_waiting(&request->output) != waiting_before)
		renew_patience(request);
	return 0;
}

static int send_stream(struct control_request *request, const char *key, json_t *value)
{
	json_t *object;
	int err;

	if (request->stage != RUNNING || request->broken) {
		json_decref(value);
		return -EPIPE;
	}
	object = json_pack("{s:o}", key, value);
	err = object ? control_queue_line(&request->output, object, CONTROL_STREAM_BYTES) : -ENOMEM;
	json_decref(object);
	if (err) {
		request_break(request); /* a stream with a hole in it would tell a wrong story */
		return -EPIPE;
	}
	return request_send(request);
}

int control_progress(struct control_request *request, json_t *progress)
{
	return send_stream(request, "progress", progress);
}

int control_event(struct control_request *request, json_t *event)
{
	return send_stream(request, "event", event);
}

/* Bytes that wait for clients who are not trusted: together they get room for one longest answer. */
static size_t answer_limit(const struct control_request *request)
{
	const struct control_request *other;
	size_t taken = 0;

	if (request->trusted)
		return CONTROL_STREAM_BYTES + CONTROL_LINE_BYTES;
	LIST_FOREACH(other, &request->control->requests, entry)
	if (!other->trusted && other != request)
		taken += control_queue_waiting(&other->output);
	return CONTROL_STREAM_BYTES + (taken < CONTROL_LINE_BYTES ? CONTROL_LINE_BYTES - taken : 0);
}

static int queue_answer(struct control_request *request, int exit_code, const char *message, json_t *result)
{
	json_t *answer = control_line_answer(exit_code, message, result);
	int err = answer ? control_queue_line(&request->output, answer, answer_limit(request)) : -ENOMEM;

	json_decref(answer);
	return err;
}

void control_answer(struct control_request *request, int exit_code, const char *message, json_t *result)
{
	int err;

	if (request->stage == GONE) {
		json_decref(result);
		request_free(request);
		return;
	}
	err = queue_answer(request, exit_code, message, result);
	if (err == -ENOBUFS)
		err = queue_answer(request, EXIT_FAILED, "the answer is too long", NULL);
	request->stage = ANSWERED;
	request->closed = NULL;
	control_line_free(&request->line);
	if (err || request->broken || request_send(request) || !control_queue_waiting(&request->output))
		request_free(request);
}

void control_fail(struct control_request *request, int exit_code, const char *format, ...)
{
	char *message = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&message, format, arguments);
	va_end(arguments);
	control_answer(request, exit_code, length < 0 ? "out of memory" : message, NULL);
	if (length >= 0)
		free(message);
}

void control_on_close(struct control_request *request, control_closed_fn *closed, void *context)
{
	request->closed = closed;
	request->closed_context = context;
}

/* --- input --- */

static void run_line(struct control_request *request, size_t length)
{
	char fault[CONTROL_FAULT_BYTES] = "";
	int err = control_line_parse(request->input, length, &request->line, fault);

	request->stage = RUNNING;
	free(request->input);
	request->input = NULL;
	sd_event_source_set_io_events(request->io, 0); /* hang-up is told all the same */
	renew_patience(request);
	if (err)
		control_fail(request, err == -EINVAL ? EXIT_USAGE : EXIT_FAILED, "%s",
			     err == -EINVAL ? fault : "out of memory");
	else
		control_run_command(request);
}

static void request_read(struct control_request *request)
{
	char *place = request->input + request->input_bytes;
	ssize_t count = recv(request->fd, place, CONTROL_REQUEST_BYTES - request->input_bytes, MSG_DONTWAIT);
	const char *newline;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) { /* its request never came, or only half of it */
		control_request_drop(request);
		return;
	}
	request->input_bytes += (size_t)count;
	newline = memchr(place, '\n', (size_t)count);
	if (newline) {
		run_line(request, (size_t)(newline - request->input));
	} else if (request->input_bytes == CONTROL_REQUEST_BYTES) {
		request->stage = RUNNING;
		control_fail(request, EXIT_USAGE, "request: longer than %d bytes", CONTROL_REQUEST_BYTES);
	}
}

/* --- the event loop's side --- */

static int on_request_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct control_request *request = data;

	(void)source;
	(void)fd;
	if (revents & (EPOLLHUP | EPOLLERR)) {
		control_request_drop(request);
	} else if (revents & EPOLLOUT) {
		if (!request_send(request) && request->stage == ANSWERED && !control_queue_waiting(&request->output))
			request_free(request);
	} else if (revents & EPOLLIN) {
		request_read(request);
	}
	return 0;
}

static int on_patience_end(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	control_request_drop(data);
	return 0;
}

static int watch_request(struct control_request *request)
{
	struct control *control = request->control;
	int err = sd_event_add_io(control->loop, &request->io, request->fd, EPOLLIN, on_request_io, request);

	if (err >= 0)
		err = sd_event_add_time_relative(control->loop, &request->patience, CLOCK_MONOTONIC,
						 control->patience_us, 0, on_patience_end, request);
	if (err >= 0)
		err = sd_event_source_set_priority(request->io, CONTROL_PRIORITY);
	if (err >= 0)
		err = sd_event_source_set_priority(request->patience, CONTROL_PRIORITY);
	return err < 0 ? err : 0;
}

int control_request_open(struct control *control, int fd, bool trusted)
{
	struct control_request *request;
	int err;

	request = calloc(1, sizeof(*request));
	if (request)
		request->input = malloc(CONTROL_REQUEST_BYTES);
	if (!request || !request->input) {
		free(request);
		close(fd);
		return -ENOMEM;
	}
	request->control = control;
	request->fd = fd;
	request->trusted = trusted;
	LIST_INSERT_HEAD(&control->requests, request, entry);
	control->clients++;
	control->untrusted_clients += !trusted;
	err = watch_request(request);
	if (err)
		request_free(request);
	return err;
}
