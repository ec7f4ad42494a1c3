/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One line of the control protocol as a value: the request parsed, the answer written. Pure; called by control.c, its
 * tests and its fuzzer.
 */
#ifndef LOADER_CONTROL_LINE_H
#define LOADER_CONTROL_LINE_H

#include <jansson.h>
#include <stddef.h>

#define CONTROL_FAULT_BYTES 256

struct control_line {
	json_t *object;	     /* the whole request; owned */
	const char *command; /* inside object */
	json_t *arguments;   /* inside object; an object, made where the client sent none */
};

/*
 * Parses a request, its newline not included. Returns 0; -EINVAL, with a sentence for people in fault; -ENOMEM.
 */
int control_line_parse(const char *line, size_t length, struct control_line *ret_line, char fault[CONTROL_FAULT_BYTES]);
void control_line_free(struct control_line *line);

/* {"exit": exit_code, "message": message, "result": result}. Takes over result, NULL stands for {}. NULL without
 * memory. */
json_t *control_line_answer(int exit_code, const char *message, json_t *result);

/* What is still to be sent to one client. Zero is an empty one. */
struct control_queue {
	char *byte; /* owned */
	size_t sent;
	size_t length;
	size_t capacity;
};

/*
 * Appends the object as one line. Returns 0; -ENOBUFS if more than limit_bytes would wait then, or -ENOMEM: the queue
 * is as it was.
 */
int control_queue_line(struct control_queue *queue, const json_t *object, size_t limit_bytes);

/* Sends what the socket takes now. Returns 0 when nothing is left, 1 when something is, -errno. */
int control_queue_send(struct control_queue *queue, int fd);

size_t control_queue_waiting(const struct control_queue *queue); /* bytes */
void control_queue_free(struct control_queue *queue);

#endif
