/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions in the order in which they are due: a binary heap of fixed size, which allocates nothing. Pure. */
#ifndef LOADER_DUE_HEAP_H
#define LOADER_DUE_HEAP_H

#include <stdint.h>

#include "../maps/limits.h"

struct due {
	uint64_t at_ns; /* monotonic; 0: at once */
	uint32_t session;
};

struct due_heap {
	uint32_t count;
	struct due due[MAX_SESSIONS];
	uint32_t place[MAX_SESSIONS]; /* of a session in due[], + 1; 0: it is not in */
};

void due_heap_clear(struct due_heap *heap);
/* Puts a session in, or moves it. */
void due_heap_set(struct due_heap *heap, uint32_t session, uint64_t at_ns);
void due_heap_remove(struct due_heap *heap, uint32_t session);
/* The first that is due; NULL: none is. Valid until the heap changes. */
const struct due *due_heap_first(const struct due_heap *heap);

#endif
