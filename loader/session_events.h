/* SPDX-License-Identifier: GPL-2.0-only */
/* What sessions say, from the ring buffer `session_events` to the judge and the journal. */
#ifndef LOADER_SESSION_EVENTS_H
#define LOADER_SESSION_EVENTS_H

struct steerd;
struct session_events;

/* From now on reads the ring of the generation that runs. Returns 0 or -errno, and what was read before is read on. */
int session_events_follow(struct steerd *steerd);
void session_events_close(struct session_events *events);

#endif
