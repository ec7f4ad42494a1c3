/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Echo requests out, replies in: which replies count, and when there were too few of them. Over struct echo.
 *
 * Pure and inlined; runs under the session's lock. It counts what we sent, not time that passed: it is dead an interval
 * after the multiplier-th request in a row that nothing answered. Where we send nothing, silence proves nothing. A
 * round trip of more than multiplier intervals is therefore as good as none.
 */
#ifndef BPF_ECHO_H
#define BPF_ECHO_H

#include <linux/stddef.h>
#include <linux/types.h>
#include <stdbool.h>

#include "../maps/sessions.h"

#define ECHO_WINDOW	    256 /* requests; a reply to an earlier one is refused */
#define ECHO_UNANSWERED_MAX 65535

/* A request leaves now: returns its sequence number, in host order. */
static __always_inline __u16 echo_request(struct echo *echo, __u64 now_ns, __u8 multiplier)
{
	if (echo->unanswered < ECHO_UNANSWERED_MAX)
		echo->unanswered++;
	if (echo->unanswered >= multiplier) {
		if (!echo->missed_ns)
			echo->missed_ns = now_ns;
	}
	return echo->sequence++;
}

/*
 * A reply came. False: it answers nothing asked lately, or nothing later than the last one that was answered (so a
 * duplicate never counts). Requests before the one it answers are given up: they were missed.
 */
static __always_inline bool echo_answer(struct echo *echo, __u16 sequence, __u8 multiplier)
{
	__u16 back = echo->sequence - sequence; /* 1: the last request */

	if (!back || back > ECHO_WINDOW || back > echo->unanswered)
		return false;
	if (back != echo->unanswered)
		echo->in_a_row = 0;
	if (echo->in_a_row < multiplier)
		echo->in_a_row++;
	echo->unanswered = back - 1;
	if (echo->unanswered < multiplier)
		echo->missed_ns = 0;
	return true;
}

/* It is dead then, unless an answer comes; 0: nothing is awaited. */
static __always_inline __u64 echo_deadline_ns(const struct echo *echo, __u64 interval_ns)
{
	return echo->missed_ns ? echo->missed_ns + interval_ns : 0;
}

static __always_inline bool echo_is_dead(const struct echo *echo, __u64 now_ns, __u64 interval_ns)
{
	return echo->missed_ns && now_ns >= echo_deadline_ns(echo, interval_ns);
}

#endif
