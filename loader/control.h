/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket: listens, reads one request a connection, checks who asks, runs the command, sends what it
 * answers. maps/control.h is the protocol, docs/control-protocol.md its page.
 *
 * Context: the daemon's event loop, at a lower priority than its watchers (CONTROL_PRIORITY). Nothing here blocks: what
 * a client is slow to read waits in a bounded queue, then the client is dropped. main opens it with a table of
 * commands. It knows no command, decides nothing about the gateway, and logs nothing.
 */
#ifndef LOADER_CONTROL_H
#define LOADER_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../maps/control.h"

typedef struct sd_event sd_event;
struct control;

#define CONTROL_PRIORITY 10 /* of its event sources; higher numbers wait */
#define CONTROL_CLIENTS	 64
#define CONTROL_CLIENTS_UNTRUSTED                                                                                      \
	48 /* of them: may be neither root's nor the daemon's own, so that root finds a place */
#define CONTROL_STREAM_BYTES (2 << 20) /* of events and progress that a client may leave unread */
#define CONTROL_PATIENCE_MS                                                                                            \
	30000 /* for a client that sends no whole request, or reads nothing of what waits for it                       \
	       */

/*
 * A request that runs. It lives until control_answer() and must be answered exactly once, also when its client is gone.
 */
struct control_request;

/*
 * arguments is an object, empty where the client sent none, and belongs to the request. To be checked by the command:
 * unknown ones are EXIT_USAGE. run may answer at once or keep the request for later.
 */
typedef void control_run_fn(struct control_request *request, json_t *arguments, void *context);
typedef void control_closed_fn(struct control_request *request, void *context);

struct control_command {
	const char *name; /* NULL ends the table */
	bool changes;	  /* for uid 0 and the daemon's own uid alone */
	control_run_fn *run;
};

/*
 * Listens on path. The last directory of path is made if it is missing; what a daemon that died left behind is
 * replaced. The socket's mode is 0666: everybody may ask for what changes nothing, by SO_PEERCRED. commands must
 * outlive the control. Returns 0; -EADDRINUSE if a daemon serves this path; -EEXIST if something other than a socket
 * stands there; -ENAMETOOLONG; -errno.
 */
int control_open(sd_event *loop, const char *path, const struct control_command *commands, void *context,
		 struct control **ret_control);

/* Drops every client, calling what control_on_close() set, and removes the socket. Requests still want their answer. */
void control_close(struct control *control);

/* Sends {"progress": progress} or {"event": event}. Both take over their json_t. Returns 0; -EPIPE if the client is
 * gone. */
int control_progress(struct control_request *request, json_t *progress);
int control_event(struct control_request *request, json_t *event);

/*
 * Ends the request: sends the answer and closes the connection once the client has read it. request is gone after this.
 * message may be NULL (as ""); bytes of it that are not UTF-8 become '?'. Takes over result; NULL stands for {}.
 */
void control_answer(struct control_request *request, int exit_code, const char *message, json_t *result);

/* The same without result, with a message of any length. */
void control_fail(struct control_request *request, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Calls back from the event loop, once, when the client goes away before the answer; never while one of the functions
 * above runs. The callback may answer.
 */
void control_on_close(struct control_request *request, control_closed_fn *closed, void *context);

/* Instead of CONTROL_PATIENCE_MS, for clients that connect from now on; for tests. */
void control_set_patience(struct control *control, uint64_t patience_ms);

#endif
