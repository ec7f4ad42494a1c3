/* SPDX-License-Identifier: GPL-2.0-only */
/* Time, in nanoseconds: wall clock for people, monotonic for intervals. */
#ifndef LOADER_CLOCK_H
#define LOADER_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS     1000000ull
#define NS_PER_SECOND 1000000000ull

static inline uint64_t clock_read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_wall_ns(void)
{
	return clock_read_ns(CLOCK_REALTIME);
}

static inline uint64_t clock_monotonic_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

#endif
