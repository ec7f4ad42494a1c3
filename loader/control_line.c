/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One line of the control protocol as a value, and the queue of lines on their way to a client. See control_line.h.
 */
#include "control_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Looks through the request's keys; each is known or a fault. */
static int read_keys(struct control_line *line, char fault[CONTROL_FAULT_BYTES])
{
	const char *key;
	json_t *value;

	json_object_foreach (line->object, key, value) {
		if (!strcmp(key, "command") && json_is_string(value)) {
			line->command = json_string_value(value);
		} else if (!strcmp(key, "arguments") && json_is_object(value)) {
			line->arguments = value;
		} else if (!strcmp(key, "command") || !strcmp(key, "arguments")) {
			snprintf(fault, CONTROL_FAULT_BYTES, "request: '%s' is of the wrong type", key);
			return -EINVAL;
		} else {
			snprintf(fault, CONTROL_FAULT_BYTES, "request: '%.64s' is not a key of a request", key);
			return -EINVAL;
		}
	}
	if (!line->command) {
		snprintf(fault, CONTROL_FAULT_BYTES, "request: 'command' is missing");
		return -EINVAL;
	}
	return 0;
}

static int add_arguments(struct control_line *line)
{
	json_t *arguments = json_object();

	if (!arguments || json_object_set_new(line->object, "arguments", arguments))
		return -ENOMEM;
	line->arguments = arguments;
	return 0;
}

int control_line_parse(const char *text, size_t length, struct control_line *ret_line, char fault[CONTROL_FAULT_BYTES])
{
	struct control_line line = {0};
	json_error_t error;
	int err = -EINVAL;

	line.object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (!line.object) {
		/* Its text quotes the request, which need not be printable; its position says enough. */
		snprintf(fault, CONTROL_FAULT_BYTES, "request: not one JSON object in UTF-8, at byte %d",
			 error.position);
		return -EINVAL;
	}
	if (!json_is_object(line.object))
		snprintf(fault, CONTROL_FAULT_BYTES, "request: not a JSON object");
	else
		err = read_keys(&line, fault);
	if (!err && !line.arguments)
		err = add_arguments(&line);
	if (err) {
		control_line_free(&line);
		return err;
	}
	*ret_line = line;
	return 0;
}

void control_line_free(struct control_line *line)
{
	json_decref(line->object);
	*line = (struct control_line){0};
}

/* A message may quote a file that is anything but UTF-8; that must not cost the answer. */
static json_t *message_string(const char *message)
{
	json_t *string = json_string(message);
	char *copy;

	if (string)
		return string;
	copy = strdup(message);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++)
		if (*c & 0x80)
			*c = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

json_t *control_line_answer(int exit_code, const char *message, json_t *result)
{
	return json_pack("{s:i, s:o, s:o}", "exit", exit_code, "message", message_string(message ? message : ""),
			 "result", result ? result : json_object());
}

/* --- queue --- */

struct append {
	struct control_queue *queue;
	size_t limit_bytes;
	int error;
};

static int reserve(struct control_queue *queue, size_t bytes)
{
	size_t capacity = queue->capacity ? queue->capacity : 1024;
	char *larger;

	if (queue->sent) {
		memmove(queue->byte, queue->byte + queue->sent, queue->length - queue->sent);
		queue->length -= queue->sent;
		queue->sent = 0;
	}
	while (capacity < queue->length + bytes)
		capacity *= 2;
	if (capacity == queue->capacity)
		return 0;
	larger = realloc(queue->byte, capacity);
	if (!larger)
		return -ENOMEM;
	queue->byte = larger;
	queue->capacity = capacity;
	return 0;
}

static int append_bytes(const char *bytes, size_t count, void *data)
{
	struct append *append = data;
	struct control_queue *queue = append->queue;

	if (control_queue_waiting(queue) + count > append->limit_bytes)
		append->error = -ENOBUFS;
	else if (queue->length + count > queue->capacity)
		append->error = reserve(queue, count);
	if (append->error)
		return -1;
	memcpy(queue->byte + queue->length, bytes, count);
	queue->length += count;
	return 0;
}

int control_queue_line(struct control_queue *queue, const json_t *object, size_t limit_bytes)
{
	size_t waiting_before = control_queue_waiting(queue);
	struct append append = {.queue = queue, .limit_bytes = limit_bytes};

	if (!json_dump_callback(object, append_bytes, &append, JSON_COMPACT | JSON_REAL_PRECISION(12)) &&
	    !append_bytes("\n", 1, &append))
		return 0;
	queue->length = queue->sent + waiting_before;
	return append.error ? append.error : -ENOMEM;
}

int control_queue_send(struct control_queue *queue, int fd)
{
	while (queue->sent < queue->length) {
		ssize_t count =
			send(fd, queue->byte + queue->sent, queue->length - queue->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return errno == EAGAIN ? 1 : -errno;
		queue->sent += (size_t)count;
	}
	queue->sent = queue->length = 0;
	return 0;
}

size_t control_queue_waiting(const struct control_queue *queue)
{
	return queue->length - queue->sent;
}

void control_queue_free(struct control_queue *queue)
{
	free(queue->byte);
	*queue = (struct control_queue){0};
}
