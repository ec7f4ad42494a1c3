/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Map `answers`: BPF_MAP_TYPE_PERCPU_ARRAY of one entry: how many packets that are too big a CPU may answer now.
 * Writer: the BPF programs.
 *
 * A token bucket: each answer takes ANSWER_NS of the time that passes, of which ANSWERS_BURST times as much is kept.
 */
#ifndef MAPS_ANSWERS_H
#define MAPS_ANSWERS_H

#include <linux/types.h>

#define ANSWER_NS     1000000ull /* 1,000 a second and CPU */
#define ANSWERS_BURST 100

struct answers {
	__u64 spent_ns; /* monotonic: all time until then is spent */
};

_Static_assert(sizeof(struct answers) == 8, "answers");

#endif
