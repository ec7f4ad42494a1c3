/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The box's own addresses. See addresses.h.
 *
 * An address may stand on several interfaces, and on one for several peers; the table's key is (address, network
 * length, interface, peer), the kernel's own.
 */
#include "addresses.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "addresses_message.h"
#include "nl_watch.h"

struct kept_address {
	struct own_address own; /* first: the tree compares by it */
	uint64_t generation;
	struct kept_address *next_gone;
};

struct addresses {
	struct nl_watch *watch;
	addresses_changed_fn *changed;
	void *context;
	void *tree; /* tsearch tree of struct kept_address */
	uint64_t generation;
	struct kept_address *gone; /* while a sweep collects */
};

/* By address first, so that the same tree finds an address on whatever interface. */
static int compare_address(const void *left, const void *right)
{
	const struct own_address *a = left, *b = right;
	int order = memcmp(a->address.byte, b->address.byte, sizeof(a->address.byte));

	if (order == 0)
		order = (int)a->network_length - (int)b->network_length;
	if (order == 0)
		order = (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
	return order ? order : memcmp(a->peer.byte, b->peer.byte, sizeof(a->peer.byte));
}

static int compare_byte_only(const void *left, const void *right)
{
	const struct own_address *a = left, *b = right;

	return memcmp(a->address.byte, b->address.byte, sizeof(a->address.byte));
}

static void remove_address(struct addresses *addresses, struct kept_address *kept)
{
	tdelete(kept, &addresses->tree, compare_address);
	addresses->changed(&kept->own, false, addresses->context);
	free(kept);
}

static bool add_address(struct addresses *addresses, const struct own_address *own)
{
	struct kept_address *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return false;
	kept->own = *own;
	kept->generation = addresses->generation;
	if (!tsearch(kept, &addresses->tree, compare_address)) {
		free(kept);
		return false;
	}
	addresses->changed(&kept->own, true, addresses->context);
	return true;
}

static bool update_address(struct addresses *addresses, struct kept_address *kept, const struct own_address *own)
{
	kept->generation = addresses->generation;
	if (kept->own.dynamic == own->dynamic)
		return false;
	kept->own.dynamic = own->dynamic;
	addresses->changed(&kept->own, true, addresses->context);
	return true;
}

static bool handle_message(const struct nlmsghdr *message, void *context)
{
	struct addresses *addresses = context;
	struct kept_address *kept;
	struct own_address own;
	bool usable;
	void *node;

	if (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR)
		return false;
	if (addresses_message_parse(message, &own, &usable) < 0)
		return false;
	node = tfind(&own, &addresses->tree, compare_address);
	kept = node ? *(struct kept_address **)node : NULL;
	if (message->nlmsg_type == RTM_DELADDR || !usable) {
		if (kept)
			remove_address(addresses, kept);
		return kept != NULL;
	}
	return kept ? update_address(addresses, kept, &own) : add_address(addresses, &own);
}

static void begin_dump(void *context)
{
	struct addresses *addresses = context;

	addresses->generation++;
}

static void collect_gone(const void *node, VISIT visit, void *closure)
{
	struct kept_address *kept = *(struct kept_address *const *)node;
	struct addresses *addresses = closure;

	if ((visit != postorder && visit != leaf) || kept->generation == addresses->generation)
		return;
	kept->next_gone = addresses->gone;
	addresses->gone = kept;
}

static void end_dump(void *context)
{
	struct addresses *addresses = context;
	struct kept_address *kept;

	twalk_r(addresses->tree, collect_gone, addresses);
	while ((kept = addresses->gone)) {
		addresses->gone = kept->next_gone;
		remove_address(addresses, kept);
	}
}

static void request_addresses(struct nlmsghdr *header)
{
	header->nlmsg_type = RTM_GETADDR;
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifaddrmsg));
}

static const struct nl_watch_ops addresses_ops = {
	.protocol = NETLINK_ROUTE,
	.groups = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR},
	.dumps = {request_addresses},
	.begin = begin_dump,
	.message = handle_message,
	.end = end_dump,
};

int addresses_open(sd_event *loop, addresses_changed_fn *changed, void *context, struct addresses **ret_addresses)
{
	struct addresses *addresses = calloc(1, sizeof(*addresses));
	int result;

	if (!addresses)
		return -ENOMEM;
	addresses->changed = changed;
	addresses->context = context;
	/* Callers look up other addresses from within their first callbacks. */
	*ret_addresses = addresses;
	result = nl_watch_open(loop, &addresses_ops, addresses, &addresses->watch);
	if (result < 0) {
		*ret_addresses = NULL;
		addresses_close(addresses);
	}
	return result;
}

void addresses_close(struct addresses *addresses)
{
	if (!addresses)
		return;
	nl_watch_close(addresses->watch);
	tdestroy(addresses->tree, free);
	free(addresses);
}

bool addresses_is_own(const struct addresses *addresses, const struct config_address *address)
{
	struct own_address key = {.address = *address};

	return tfind(&key, &addresses->tree, compare_byte_only) != NULL;
}

struct walk {
	int (*each)(const struct own_address *address, void *context);
	void *context;
	int result;
};

static void visit_address(const void *node, VISIT visit, void *closure)
{
	const struct kept_address *kept = *(struct kept_address *const *)node;
	struct walk *walk = closure;

	if ((visit == postorder || visit == leaf) && walk->result == 0)
		walk->result = walk->each(&kept->own, walk->context);
}

int addresses_each(const struct addresses *addresses, int (*each)(const struct own_address *address, void *context),
		   void *context)
{
	struct walk walk = {.each = each, .context = context};

	twalk_r(addresses->tree, visit_address, &walk);
	return walk.result;
}
