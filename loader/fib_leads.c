/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leads and nexthop objects, each in a tree. See fib_leads.h.
 */
#include "fib_leads.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct fib_lead {
	uint32_t nexthop_id; /* 0: it has next hops of its own */
	size_t users;
	size_t count;
	const struct route_hop *hop; /* behind it, in one piece of memory */
};

struct object {
	uint32_t id; /* first: the tree compares by it */
	uint64_t generation;
	struct nexthop_message message;
};

static int compare_hops(const struct route_hop *a, const struct route_hop *b)
{
	int order = (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);

	if (!order)
		order = (int)a->has_via - (int)b->has_via;
	if (!order && a->has_via)
		order = memcmp(a->via.byte, b->via.byte, sizeof(a->via.byte))
				?: (int)a->via.is_ipv4 - (int)b->via.is_ipv4;
	return order;
}

static int compare_leads(const void *left, const void *right)
{
	const struct fib_lead *a = left, *b = right;
	int order = (a->nexthop_id > b->nexthop_id) - (a->nexthop_id < b->nexthop_id);

	if (!order)
		order = (a->count > b->count) - (a->count < b->count);
	for (size_t i = 0; i < a->count && !order; i++)
		order = compare_hops(&a->hop[i], &b->hop[i]);
	return order;
}

static int compare_objects(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Counts those, too, that there is no room for. */
static void add_hop(const struct route_hop *hop, void *context)
{
	struct fib_hops *hops = context;

	if (hops->count < MAX_MEMBERS)
		hops->hop[hops->count] = *hop;
	hops->count++;
}

static struct fib_lead *lead_new(const struct fib_lead *wanted)
{
	struct fib_lead *lead = calloc(1, sizeof(*lead) + wanted->count * sizeof(*lead->hop));

	if (!lead)
		return NULL;
	*lead = *wanted;
	lead->users = 1;
	lead->hop = memcpy(lead + 1, wanted->hop, wanted->count * sizeof(*lead->hop));
	return lead;
}

struct fib_lead *fib_lead_get(struct fib_leads *leads, const struct nlmsghdr *message,
			      const struct route_message *route)
{
	struct fib_hops hops = {0};
	struct fib_lead wanted = {.nexthop_id = route->unicast ? route->nexthop_id : 0, .hop = hops.hop}, *lead;
	void *node;

	if (route->unicast && !wanted.nexthop_id)
		routes_hops_each(message, add_hop, &hops);
	wanted.count = hops.count <= MAX_MEMBERS ? hops.count : 0;
	node = tfind(&wanted, &leads->tree, compare_leads);
	if (node) {
		lead = *(struct fib_lead **)node;
		lead->users++;
		return lead;
	}
	lead = lead_new(&wanted);
	if (!lead || !tsearch(lead, &leads->tree, compare_leads)) {
		free(lead);
		return NULL;
	}
	leads->references += lead->nexthop_id != 0;
	return lead;
}

void fib_lead_put(struct fib_leads *leads, struct fib_lead *lead)
{
	if (!lead || --lead->users)
		return;
	leads->references -= lead->nexthop_id != 0;
	tdelete(lead, &leads->tree, compare_leads);
	free(lead);
}

static const struct nexthop_message *object_of(const struct fib_leads *leads, uint32_t id)
{
	void *node = tfind(&id, &leads->objects, compare_objects);

	return node ? &(*(struct object **)node)->message : NULL;
}

static void add_object(const struct nexthop_message *object, struct fib_hops *hops)
{
	struct route_hop hop = {.ifindex = object->ifindex, .has_via = object->has_via, .via = object->via};

	if (object->ifindex)
		add_hop(&hop, hops);
}

void fib_lead_hops(const struct fib_leads *leads, const struct fib_lead *lead, struct fib_hops *ret_hops)
{
	const struct nexthop_message *object, *member;

	ret_hops->count = 0;
	if (!lead->nexthop_id) {
		ret_hops->count = lead->count;
		memcpy(ret_hops->hop, lead->hop, lead->count * sizeof(*lead->hop));
		return;
	}
	object = object_of(leads, lead->nexthop_id);
	if (!object)
		return;
	add_object(object, ret_hops);
	for (size_t i = 0; i < object->member_count; i++)
		if ((member = object_of(leads, object->members[i].id)))
			add_object(member, ret_hops);
	if (ret_hops->count > MAX_MEMBERS)
		ret_hops->count = 0;
}

static bool same_object(const struct nexthop_message *a, const struct nexthop_message *b)
{
	if (a->ifindex != b->ifindex || a->has_via != b->has_via || a->member_count != b->member_count)
		return false;
	if (a->has_via && (a->via.is_ipv4 != b->via.is_ipv4 || memcmp(a->via.byte, b->via.byte, sizeof(a->via.byte))))
		return false;
	for (size_t i = 0; i < a->member_count; i++)
		if (a->members[i].id != b->members[i].id)
			return false;
	return true;
}

bool fib_leads_object(struct fib_leads *leads, const struct nexthop_message *message, uint64_t generation)
{
	void *node = tfind(&message->id, &leads->objects, compare_objects);
	struct object *object = node ? *(struct object **)node : NULL;
	bool differs;

	if (!object) {
		object = calloc(1, sizeof(*object));
		if (!object)
			return false;
		object->id = message->id;
		if (!tsearch(object, &leads->objects, compare_objects)) {
			free(object);
			return false;
		}
	}
	differs = !same_object(&object->message, message);
	object->message = *message;
	object->generation = generation;
	return differs;
}

bool fib_leads_object_gone(struct fib_leads *leads, uint32_t id)
{
	void *node = tfind(&id, &leads->objects, compare_objects);
	struct object *object = node ? *(struct object **)node : NULL;

	if (!object)
		return false;
	tdelete(object, &leads->objects, compare_objects);
	free(object);
	return true;
}

struct search {
	uint64_t generation;
	uint32_t unseen_id; /* of an object of another generation; 0: there is none */
	int ifindex;
	bool found;
};

static void search_unseen(const void *node, VISIT order, void *closure)
{
	const struct object *object = *(struct object *const *)node;
	struct search *search = closure;

	if ((order == postorder || order == leaf) && object->generation != search->generation)
		search->unseen_id = object->id;
}

bool fib_leads_sweep(struct fib_leads *leads, uint64_t generation)
{
	struct search search = {.generation = generation};
	bool any = false;

	for (;;) {
		search.unseen_id = 0;
		twalk_r(leads->objects, search_unseen, &search);
		if (!search.unseen_id)
			return any;
		any |= fib_leads_object_gone(leads, search.unseen_id);
	}
}

bool fib_leads_refer(const struct fib_leads *leads)
{
	return leads->references != 0;
}

static void search_object_device(const void *node, VISIT order, void *closure)
{
	const struct object *object = *(struct object *const *)node;
	struct search *search = closure;

	search->found |= (order == postorder || order == leaf) && object->message.ifindex == search->ifindex;
}

static void search_lead_device(const void *node, VISIT order, void *closure)
{
	const struct fib_lead *lead = *(struct fib_lead *const *)node;
	struct search *search = closure;

	for (size_t i = 0; i < lead->count && (order == postorder || order == leaf); i++)
		search->found |= lead->hop[i].ifindex == search->ifindex;
}

bool fib_leads_have_device(const struct fib_leads *leads, int ifindex)
{
	struct search search = {.ifindex = ifindex};

	twalk_r(leads->objects, search_object_device, &search);
	twalk_r(leads->tree, search_lead_device, &search);
	return search.found;
}

void fib_leads_free(struct fib_leads *leads)
{
	tdestroy(leads->objects, free);
	tdestroy(leads->tree, free);
}
