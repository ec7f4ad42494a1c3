/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The thread that has probes sent when they are due.
 *
 * One thread, SCHED_FIFO where that is permitted, its memory locked: for each session it asks session_control
 * (SESSION_SEND), which sends what is due and says when it wants to be asked again. It allocates nothing, logs nothing,
 * and shares with the event loop what is named here and no more. A daemon that stands still sends nothing; the kernel
 * knows that then, and takes no silence for a failure.
 *
 * Every function is for the event loop's thread.
 */
#ifndef LOADER_SENDER_H
#define LOADER_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sender;

struct sender_session {
	uint32_t session;
	bool is_ipv6;
};

/* Starts the thread, with no sessions. Returns 0 or -errno. */
int sender_open(struct sender **ret_sender);
/* Ends and joins it. NULL is fine. */
void sender_close(struct sender *sender);

/*
 * From now on these sessions, all due at once, by this program, of which the sender keeps a descriptor of its own.
 * Returns when the thread has them: then no other session is asked any more. Returns 0 or -errno, and nothing changed.
 */
int sender_set(struct sender *sender, int program_fd, const struct sender_session *sessions, size_t count);

/* Something happened to this session: it is due at once. A NULL sender is let pass. */
void sender_kick(struct sender *sender, uint32_t session);

/* Does it run at real-time priority? */
bool sender_is_realtime(const struct sender *sender);
/* Is its memory locked? */
bool sender_is_locked(const struct sender *sender);
/* By how much the latest packet so far was late. */
uint64_t sender_late_max_ns(const struct sender *sender);

#endif
