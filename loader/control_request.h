/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two halves of the control socket share this and nobody else includes it: control.c listens, accepts and finds the
 * command; control_request.c is one connection.
 */
#ifndef LOADER_CONTROL_REQUEST_H
#define LOADER_CONTROL_REQUEST_H

#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "control.h"
#include "control_line.h"

enum request_stage { READING, RUNNING, ANSWERED, GONE };

struct control_request {
	LIST_ENTRY(control_request) entry; /* of control.requests, unless GONE */
	struct control *control;	   /* NULL when GONE */
	enum request_stage stage;
	int fd;
	bool trusted; /* uid 0 or the daemon's own */
	bool broken;  /* shut down by us, to be dropped */
	sd_event_source *io;
	sd_event_source *patience;
	size_t input_bytes;
	char *input; /* CONTROL_REQUEST_BYTES, while READING */
	struct control_line line;
	struct control_queue output;
	control_closed_fn *closed;
	void *closed_context;
};

struct control {
	sd_event *loop;
	sd_event_source *listener;
	int fd;
	int lock_fd; /* locked for as long as we serve the path */
	char *path;
	const struct control_command *commands;
	void *context;
	uint64_t patience_us;
	size_t untrusted_clients;
	size_t clients;
	LIST_HEAD(, control_request) requests;
};

/*
 * Takes over fd, in any case, and starts to read. Returns 0 or -errno.
 */
int control_request_open(struct control *control, int fd, bool trusted);

/* The client went away, or is sent away. From the event loop and control_close() only. */
void control_request_drop(struct control_request *request);

/* control.c: runs the command that request->line names, if the client may. request may be gone after this. */
void control_run_command(struct control_request *request);

#endif
