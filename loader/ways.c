/* SPDX-License-Identifier: GPL-2.0-only */
/* Tunnels sorted by the device that they leave by. See ways.h. */
#include "ways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	int ifindex;
	uint32_t connection;
	uint32_t ordinal;
	const struct config_address *via; /* NULL: its device is enough */
	bool remote;
};

struct ways {
	size_t count;
	struct entry entry[]; /* by device, then connection, then ordinal */
};

static int compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);

	if (!order)
		order = (a->connection > b->connection) - (a->connection < b->connection);
	return order ?: (int)a->ordinal - (int)b->ordinal;
}

static void add(struct ways *ways, const struct model_connection *connection, uint32_t ordinal)
{
	const struct model_tunnel *tunnel = &connection->tunnels[ordinal];
	bool remote = tunnel->instance->config->remote;
	const struct unit *unit = remote ? &tunnel->instance->unit : &tunnel->unit;

	if (unit->ifindex)
		ways->entry[ways->count++] = (struct entry){.ifindex = unit->ifindex,
							    .connection = connection->index,
							    .ordinal = ordinal,
							    .via = unit->via,
							    .remote = remote};
}

int ways_new(const struct model *model, struct ways **ret_ways)
{
	struct ways *ways = calloc(1, sizeof(*ways) + (model->config->tunnel_count + 1) * sizeof(ways->entry[0]));

	if (!ways)
		return -ENOMEM;
	for (size_t c = 0; c < model->config->connection_count; c++)
		for (uint32_t t = 0; t < model->config->connections[c].tunnel_count; t++)
			if (model->config->connections[c].routed)
				add(ways, &model->connections[c], t);
	qsort(ways->entry, ways->count, sizeof(ways->entry[0]), compare);
	*ret_ways = ways;
	return 0;
}

void ways_free(struct ways *ways)
{
	free(ways);
}

bool ways_alike(const struct ways *a, const struct ways *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (compare(&a->entry[i], &b->entry[i]))
			return false;
	return true;
}

static bool is_link_local(const struct config_address *address)
{
	return address->byte[0] == 0xfe && (address->byte[1] & 0xc0) == 0x80;
}

static bool comparable(const struct config_address *a, const struct config_address *b)
{
	return a->is_ipv4 == b->is_ipv4 && is_link_local(a) == is_link_local(b);
}

static bool names(const struct route_hop *hop, const struct entry *entry)
{
	if (!entry->via)
		return true;
	if (!hop->has_via)
		return false;
	if (!comparable(&hop->via, entry->via))
		return !entry->remote;
	return !memcmp(hop->via.byte, entry->via->byte, sizeof(entry->via->byte));
}

/* The first entry of this device, from this connection on. */
static size_t place_of(const struct ways *ways, int ifindex, uint32_t connection)
{
	const struct entry wanted = {.ifindex = ifindex, .connection = connection};
	size_t from = 0, to = ways->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare(&ways->entry[middle], &wanted) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool is_of(const struct ways *ways, size_t at, int ifindex)
{
	return at < ways->count && ways->entry[at].ifindex == ifindex;
}

/* The tunnels of a connection that a next hop names. */
static uint64_t named(const struct ways *ways, const struct route_hop *hop, uint32_t connection)
{
	size_t at = place_of(ways, hop->ifindex, connection);
	uint64_t tunnels = 0;

	for (; is_of(ways, at, hop->ifindex) && ways->entry[at].connection == connection; at++)
		if (names(hop, &ways->entry[at]))
			tunnels |= 1ull << ways->entry[at].ordinal;
	return tunnels;
}

static uint64_t all_named(const struct ways *ways, const struct route_hop *hops, size_t count, uint32_t connection)
{
	uint64_t tunnels = 0, more;

	for (size_t i = 0; i < count; i++) {
		more = named(ways, &hops[i], connection);
		if (!more)
			return 0;
		tunnels |= more;
	}
	return tunnels;
}

static bool any_named(const struct ways *ways, const struct route_hop *hop)
{
	for (size_t at = place_of(ways, hop->ifindex, 0); is_of(ways, at, hop->ifindex); at++)
		if (names(hop, &ways->entry[at]))
			return true;
	return false;
}

enum ways_verdict ways_match(const struct ways *ways, const struct route_hop *hops, size_t count, struct way *ret_way)
{
	size_t at = count ? place_of(ways, hops[0].ifindex, 0) : ways->count;

	while (count && is_of(ways, at, hops[0].ifindex)) {
		uint32_t connection = ways->entry[at].connection;
		uint64_t tunnels = all_named(ways, hops, count, connection);

		if (tunnels) {
			*ret_way = (struct way){connection, tunnels};
			return WAYS_FOUND;
		}
		at = place_of(ways, hops[0].ifindex, connection + 1);
	}
	for (size_t i = 0; i < count; i++)
		if (any_named(ways, &hops[i]))
			return WAYS_MIXED;
	return WAYS_ELSEWHERE;
}
