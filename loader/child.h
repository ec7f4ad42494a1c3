/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A shell command of the configuration, run as a child without blocking the event loop: a reset, a hook of a drain.
 *
 * It is run by /bin/sh in a process group of its own, with /dev/null as standard input, none of the daemon's
 * descriptors and signal masks, and the names of the instance and the gateway in its environment. Of its output the
 * last line is kept. One that runs past its limit is told to end by SIGTERM, and two seconds later by SIGKILL.
 */
#ifndef LOADER_CHILD_H
#define LOADER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define CHILD_LINE_BYTES 160

struct child;

struct child_end {
	bool overran; /* its limit, and was ended for that */
	bool exited;  /* by itself; else by a signal */
	int status;   /* the exit code, or the signal's number */
	char last[CHILD_LINE_BYTES];
};

/* From the event loop, once; the child is gone then. end is borrowed. */
typedef void child_ended_fn(const struct child_end *end, void *context);

struct child_options {
	const char *command;
	const char *instance, *gateway; /* AA_STEER_INSTANCE and AA_STEER_GATEWAY */
	uint64_t limit_ns;
	child_ended_fn *ended;
	void *context;
};

/* Returns 0, or -errno and nothing runs. */
int child_start(sd_event *loop, const struct child_options *options, struct child **ret_child);
/* Tells it to end, by SIGTERM, and forgets it: nobody is called back. NULL is fine. */
void child_stop(struct child *child);

/* The last whole line of its output so far; "". Fit for JSON and a terminal. */
const char *child_last_line(const struct child *child);

/* 'did not end within 300 s and was stopped ("its last line")', 'ended with 3', ... NULL: it worked. Returns buffer. */
#define CHILD_FAILURE_BYTES (CHILD_LINE_BYTES + 80)
const char *child_failure(const struct child_end *end, uint64_t limit_ns, char buffer[CHILD_FAILURE_BYTES]);

#endif
