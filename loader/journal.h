/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened: the last JOURNAL_EVENTS events in memory, all of them in a file of one JSON object a line, which is
 * read back at start and turned over at JOURNAL_FILE_BYTES (one older file is kept).
 *
 * An event is an object with "time" (RFC 3339, UTC, set here), "what", "message", and where they apply "name",
 * "connection", "instance", "cause", and the figures of a probe's failure. A file that cannot be written loses events
 * from the file, nothing else. Context: the event loop.
 */
#ifndef LOADER_JOURNAL_H
#define LOADER_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_EVENTS	   4096
#define JOURNAL_FILE_BYTES (4 << 20)

struct journal;
struct unit_failure;

typedef void journal_listener_fn(json_t *event, void *context); /* event is borrowed */

int journal_open(const char *path, struct journal **ret_journal);
void journal_close(struct journal *journal);

/* Takes over event. */
void journal_add(struct journal *journal, json_t *event);

/* The last `count` events, oldest first: a new array. */
json_t *journal_last(const struct journal *journal, size_t count);

/* Calls back on every event from now on. One listener. */
void journal_listen(struct journal *journal, journal_listener_fn *listener, void *context);

/* A figure in milliseconds, to the microsecond. */
json_t *journal_ms(uint64_t ns);
/*
 * What a probe's failure cost, into an event: "detection_ms" where the detection was ours, and "packets_into_dead" of a
 * tunnel.
 */
void journal_add_failure(json_t *event, const struct unit_failure *failure, bool is_tunnel);

/* "2026-11-22T10:00:00.000Z" */
#define JOURNAL_TIME_TEXT 32
const char *journal_time_text(uint64_t wall_ns, char buffer[JOURNAL_TIME_TEXT]);

#endif
