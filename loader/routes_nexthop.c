/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nexthop objects by content. See routes_nexthop.h.
 */
#include "routes_kept.h"

#include <stdlib.h>
#include <string.h>

static bool same_via(bool a_has, const struct config_address *a, bool b_has, const struct config_address *b)
{
	return a_has == b_has &&
	       (!a_has || (a->is_ipv4 == b->is_ipv4 && memcmp(a->byte, b->byte, sizeof(a->byte)) == 0));
}

static struct nexthop **device_bucket(struct routes *routes, int ifindex)
{
	return &routes->by_device[(unsigned int)ifindex % DEVICE_BUCKETS];
}

static struct nexthop *new_nexthop(struct routes *routes, size_t slot, int ifindex)
{
	struct nexthop **bucket = device_bucket(routes, ifindex);
	struct nexthop *nexthop = calloc(1, sizeof(*nexthop));

	if (!nexthop)
		return NULL;
	nexthop->id = ROUTES_NEXTHOP_BASE + slot;
	nexthop->ipv6 = slot % FAMILIES;
	nexthop->ifindex = ifindex;
	nexthop->next_on_device = *bucket;
	*bucket = nexthop;
	routes->nexthops[slot] = nexthop;
	return nexthop;
}

struct nexthop *routes_nexthop_of(struct routes *routes, const struct route_egress *egress, bool ipv6)
{
	size_t first = (FAMILIES * (size_t)egress->number + ipv6) % NEXTHOP_SLOTS, slot = first;
	struct nexthop *nexthop;

	do {
		nexthop = routes->nexthops[slot];
		if (!nexthop)
			break;
		if (nexthop->ifindex == egress->ifindex &&
		    same_via(nexthop->has_via, &nexthop->via, egress->has_via, &egress->via))
			return nexthop;
		slot = (slot + FAMILIES) % NEXTHOP_SLOTS;
	} while (slot != first);
	if (nexthop)
		return NULL;
	nexthop = new_nexthop(routes, slot, egress->ifindex);
	if (!nexthop)
		return NULL;
	nexthop->has_via = egress->has_via;
	nexthop->via = egress->via;
	return nexthop;
}

struct nexthop *routes_nexthop_by_id(const struct routes *routes, uint32_t id)
{
	uint32_t slot = id - ROUTES_NEXTHOP_BASE;

	return slot < NEXTHOP_SLOTS ? routes->nexthops[slot] : NULL;
}

struct nexthop *routes_nexthop_adopt(struct routes *routes, const struct nexthop_message *message)
{
	struct nexthop *nexthop = routes_nexthop_by_id(routes, message->id);
	uint32_t slot = message->id - ROUTES_NEXTHOP_BASE;

	if (slot >= NEXTHOP_SLOTS || slot % FAMILIES != message->ipv6)
		return NULL;
	if (!nexthop) {
		nexthop = new_nexthop(routes, slot, message->ifindex);
		if (!nexthop)
			return NULL;
		nexthop->has_via = message->has_via;
		nexthop->via = message->via;
	}
	nexthop->generation = routes->generation;
	/* Where somebody gave our id another content, ours is lost; the next synchronisation writes it again. */
	nexthop->installed = nexthop->ifindex == message->ifindex &&
			     same_via(nexthop->has_via, &nexthop->via, message->has_via, &message->via);
	return nexthop;
}

void routes_nexthop_lost(struct routes *routes, struct nexthop *nexthop)
{
	if (!nexthop->installed)
		return;
	nexthop->installed = false;
	if (nexthop->users == 0)
		return;
	routes->unpruned = true;
	routes->disturbed = true;
}

void routes_nexthop_device_lost(struct routes *routes, int ifindex)
{
	struct nexthop *nexthop;

	for (nexthop = *device_bucket(routes, ifindex); nexthop; nexthop = nexthop->next_on_device)
		if (nexthop->ifindex == ifindex)
			routes_nexthop_lost(routes, nexthop);
}

void routes_nexthop_idle(struct routes *routes, struct nexthop *nexthop)
{
	if (nexthop->idle)
		return;
	nexthop->idle = true;
	nexthop->next_idle = routes->idle_nexthops;
	routes->idle_nexthops = nexthop;
}

void routes_nexthop_free(struct routes *routes, struct nexthop *nexthop)
{
	struct nexthop **place = device_bucket(routes, nexthop->ifindex);

	while (*place != nexthop)
		place = &(*place)->next_on_device;
	*place = nexthop->next_on_device;
	routes->nexthops[nexthop->id - ROUTES_NEXTHOP_BASE] = NULL;
	free(nexthop);
}
