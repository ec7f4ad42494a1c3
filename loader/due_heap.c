/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions by due time. See due_heap.h. */
#include "due_heap.h"

#include <stddef.h>
#include <string.h>

void due_heap_clear(struct due_heap *heap)
{
	heap->count = 0;
	memset(heap->place, 0, sizeof(heap->place));
}

static void put(struct due_heap *heap, uint32_t at, struct due due)
{
	heap->due[at] = due;
	heap->place[due.session] = at + 1;
}

static void rise(struct due_heap *heap, uint32_t at)
{
	struct due due = heap->due[at];

	while (at && heap->due[(at - 1) / 2].at_ns > due.at_ns) {
		put(heap, at, heap->due[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(heap, at, due);
}

static void sink(struct due_heap *heap, uint32_t at)
{
	struct due due = heap->due[at];

	for (uint32_t child; (child = 2 * at + 1) < heap->count; at = child) {
		if (child + 1 < heap->count && heap->due[child + 1].at_ns < heap->due[child].at_ns)
			child++;
		if (heap->due[child].at_ns >= due.at_ns)
			break;
		put(heap, at, heap->due[child]);
	}
	put(heap, at, due);
}

void due_heap_set(struct due_heap *heap, uint32_t session, uint64_t at_ns)
{
	if (!heap->place[session])
		put(heap, heap->count++, (struct due){at_ns, session});
	heap->due[heap->place[session] - 1].at_ns = at_ns;
	rise(heap, heap->place[session] - 1);
	sink(heap, heap->place[session] - 1);
}

void due_heap_remove(struct due_heap *heap, uint32_t session)
{
	uint32_t at = heap->place[session];
	struct due last;

	if (!at--)
		return;
	heap->place[session] = 0;
	last = heap->due[--heap->count];
	if (last.session == session)
		return;
	put(heap, at, last);
	rise(heap, at);
	sink(heap, heap->place[last.session] - 1);
}

const struct due *due_heap_first(const struct due_heap *heap)
{
	return heap->count ? &heap->due[0] : NULL;
}
