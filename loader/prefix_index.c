/* SPDX-License-Identifier: GPL-2.0-only */
/* Prefixes in order. See prefix_index.h. */
#include "prefix_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const struct config_address *a, const struct config_address *b)
{
	int order;

	if (a->is_ipv4 != b->is_ipv4)
		return a->is_ipv4 ? -1 : 1;
	order = memcmp(a->byte, b->byte, sizeof(a->byte));
	return order ? order : (int)a->length - (int)b->length;
}

static int compare_entries(const void *left, const void *right)
{
	const struct prefix_entry *a = left, *b = right;

	return compare(&a->prefix, &b->prefix);
}

bool prefix_holds(const struct config_address *outer, const struct config_address *inner)
{
	unsigned bytes = outer->length / 8, bits = outer->length % 8;

	if (outer->is_ipv4 != inner->is_ipv4 || outer->length > inner->length)
		return false;
	if (memcmp(outer->byte, inner->byte, bytes))
		return false;
	return !bits || !((outer->byte[bytes] ^ inner->byte[bytes]) >> (8 - bits));
}

/* The longest prefix that holds the network, among an entry and those that it lies within. */
static size_t holder_from(const struct prefix_index *index, size_t at, const struct config_address *network)
{
	while (at != PREFIX_NO_PARENT && !prefix_holds(&index->entry[at].prefix, network))
		at = index->entry[at].parent;
	return at;
}

int prefix_index_new(const struct config *config, struct prefix_index **ret_index)
{
	struct prefix_index *index = calloc(1, sizeof(*index));
	size_t count = 0;

	for (size_t c = 0; c < config->connection_count; c++)
		count += config->connections[c].remote_count;
	if (index)
		index->entry = calloc(count + 1, sizeof(*index->entry));
	if (!index || !index->entry) {
		free(index);
		return -ENOMEM;
	}
	for (size_t c = 0; c < config->connection_count; c++)
		for (size_t p = 0; p < config->connections[c].remote_count; p++)
			index->entry[index->count++] = (struct prefix_entry){.prefix = config->connections[c].remote[p],
									     .connection = (uint32_t)c};
	qsort(index->entry, index->count, sizeof(*index->entry), compare_entries);
	for (size_t i = 0; i < index->count; i++)
		index->entry[i].parent = i ? holder_from(index, i - 1, &index->entry[i].prefix) : PREFIX_NO_PARENT;
	*ret_index = index;
	return 0;
}

void prefix_index_free(struct prefix_index *index)
{
	if (!index)
		return;
	free(index->entry);
	free(index);
}

/* The first entry that does not stand before the network. */
static size_t find_place(const struct prefix_index *index, const struct config_address *network)
{
	size_t from = 0, to = index->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare(&index->entry[middle].prefix, network) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

const struct prefix_entry *prefix_index_holder(const struct prefix_index *index, const struct config_address *prefix)
{
	size_t place = find_place(index, prefix), holder;

	if (place < index->count && compare(&index->entry[place].prefix, prefix) == 0)
		return &index->entry[place];
	holder = place ? holder_from(index, place - 1, prefix) : PREFIX_NO_PARENT;
	return holder != PREFIX_NO_PARENT ? &index->entry[holder] : NULL;
}

void prefix_index_sharing(const struct prefix_index *index, const struct config_address *network, prefix_each_fn *each,
			  void *context)
{
	size_t place = find_place(index, network);
	size_t holder = place ? holder_from(index, place - 1, network) : PREFIX_NO_PARENT;

	for (; holder != PREFIX_NO_PARENT; holder = index->entry[holder].parent)
		each(&index->entry[holder], context);
	for (; place < index->count && prefix_holds(network, &index->entry[place].prefix); place++)
		each(&index->entry[place], context);
}
