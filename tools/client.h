/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's side of the control protocol (maps/control.h): finds the daemon's socket, sends one request, reads lines
 * until the answer. Prints nothing.
 */
#ifndef TOOLS_CLIENT_H
#define TOOLS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#define CLIENT_PATIENCE_S 60 /* without a line from the daemon, unless the request is unhurried */

struct client_request {
	const char *gateway; /* NULL: the only one that runs */
	const char *command;
	const json_t *arguments;
	bool unhurried; /* a long silence is no fault */
};

struct client_answer {
	int exit_code;	/* enum exit_code; EXIT_NO_DAEMON and EXIT_USAGE also where no daemon had a say */
	char *message;	/* never NULL; owned */
	json_t *result; /* NULL where there is none; owned */
};

/* kind: "progress" or "event"; value is borrowed. */
typedef void client_line_fn(const char *kind, const json_t *value, void *context);

/* Always fills *answer, which client_answer_free() frees. */
void client_ask(const struct client_request *request, client_line_fn *line, void *context,
		struct client_answer *answer);
void client_answer_free(struct client_answer *answer);

#endif
