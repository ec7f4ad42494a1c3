/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The box's network interfaces. See links.h.
 *
 * Entries are kept in two trees, by index and by name. Names are unique in the kernel, but not among what a lossy
 * stream of messages told so far: the newest holder of a name has it.
 */
#include "links.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "links_message.h"
#include "nl_watch.h"

struct kept_link {
	struct link link; /* first: trees compare by it */
	uint64_t generation;
	struct kept_link *next_gone;
};

struct links {
	struct nl_watch *watch;
	links_changed_fn *changed;
	links_removed_fn *removed;
	void *context;
	void *by_index; /* tsearch trees of struct kept_link */
	void *by_name;
	uint64_t generation;	/* of the latest dump */
	struct kept_link *gone; /* while sweep() collects */
};

static int compare_index(const void *left, const void *right)
{
	const struct link *a = left, *b = right;

	return (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}

static int compare_name(const void *left, const void *right)
{
	const struct link *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static struct kept_link *find(void *const *tree, const struct link *key, int (*compare)(const void *, const void *))
{
	void *node = tfind(key, tree, compare);

	return node ? *(struct kept_link **)node : NULL;
}

static void drop_name(struct links *links, const struct kept_link *entry)
{
	if (find(&links->by_name, &entry->link, compare_name) == entry)
		tdelete(entry, &links->by_name, compare_name);
}

/* Enters the entry under its name, in place of a holder whose own renaming we have not heard of yet. */
static void take_name(struct links *links, struct kept_link *entry)
{
	struct kept_link **slot = tsearch(entry, &links->by_name, compare_name);

	if (slot)
		*slot = entry;
}

static void remove_entry(struct links *links, struct kept_link *entry)
{
	/* Who acts on the name would act on the device that has it now. */
	if (find(&links->by_name, &entry->link, compare_name) != entry)
		entry->link.name[0] = '\0';
	else
		drop_name(links, entry);
	tdelete(entry, &links->by_index, compare_index);
	links->removed(&entry->link, links->context);
	free(entry);
}

static bool add_entry(struct links *links, const struct link *link)
{
	struct kept_link *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return false;
	entry->link = *link;
	entry->generation = links->generation;
	if (!tsearch(entry, &links->by_index, compare_index)) {
		free(entry);
		return false;
	}
	take_name(links, entry);
	links->changed(&entry->link, links->context);
	return true;
}

static bool same_link(const struct link *a, const struct link *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->kind, b->kind) == 0 && a->if_id == b->if_id &&
	       a->lower_ifindex == b->lower_ifindex && a->mtu_bytes == b->mtu_bytes &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->ethernet == b->ethernet &&
	       a->loopback == b->loopback && a->up == b->up;
}

static bool update_entry(struct links *links, struct kept_link *entry, const struct link *link)
{
	entry->generation = links->generation;
	if (same_link(&entry->link, link))
		return false;
	drop_name(links, entry);
	entry->link = *link;
	take_name(links, entry);
	links->changed(&entry->link, links->context);
	return true;
}

static bool handle_message(const struct nlmsghdr *message, void *context)
{
	struct links *links = context;
	struct kept_link *entry;
	struct link link;

	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return false;
	if (links_message_parse(message, &link) < 0)
		return false;
	entry = find(&links->by_index, &link, compare_index);
	if (message->nlmsg_type == RTM_DELLINK) {
		if (entry)
			remove_entry(links, entry);
		return entry != NULL;
	}
	return entry ? update_entry(links, entry, &link) : add_entry(links, &link);
}

static void begin_dump(void *context)
{
	struct links *links = context;

	links->generation++;
}

static void collect_gone(const void *node, VISIT visit, void *closure)
{
	struct kept_link *entry = *(struct kept_link *const *)node;
	struct links *links = closure;

	if ((visit != postorder && visit != leaf) || entry->generation == links->generation)
		return;
	entry->next_gone = links->gone;
	links->gone = entry;
}

static void end_dump(void *context)
{
	struct links *links = context;
	struct kept_link *entry;

	twalk_r(links->by_index, collect_gone, links);
	while ((entry = links->gone)) {
		links->gone = entry->next_gone;
		remove_entry(links, entry);
	}
}

static void request_links(struct nlmsghdr *header)
{
	header->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	/* Half the bytes of a dump are statistics that nobody here reads. */
	mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

static const struct nl_watch_ops links_ops = {
	.protocol = NETLINK_ROUTE,
	.groups = {RTNLGRP_LINK},
	.dumps = {request_links},
	.begin = begin_dump,
	.message = handle_message,
	.end = end_dump,
};

int links_open(sd_event *loop, links_changed_fn *changed, links_removed_fn *removed, void *context,
	       struct links **ret_links)
{
	struct links *links = calloc(1, sizeof(*links));
	int result;

	if (!links)
		return -ENOMEM;
	links->changed = changed;
	links->removed = removed;
	links->context = context;
	/* Callers look up other links from within their first callbacks. */
	*ret_links = links;
	result = nl_watch_open(loop, &links_ops, links, &links->watch);
	if (result < 0) {
		*ret_links = NULL;
		links_close(links);
	}
	return result;
}

static void forget(void *entry)
{
	(void)entry;
}

struct nl_watch *links_watched(const struct links *links)
{
	return links->watch;
}

void links_close(struct links *links)
{
	if (!links)
		return;
	nl_watch_close(links->watch);
	tdestroy(links->by_name, forget);
	tdestroy(links->by_index, free);
	free(links);
}

const struct link *links_by_name(const struct links *links, const char *name)
{
	struct link key = {0};
	struct kept_link *entry;

	if (strlen(name) >= sizeof(key.name))
		return NULL;
	strcpy(key.name, name);
	entry = find(&links->by_name, &key, compare_name);
	return entry ? &entry->link : NULL;
}

const struct link *links_by_index(const struct links *links, int ifindex)
{
	struct link key = {.ifindex = ifindex};
	struct kept_link *entry = find(&links->by_index, &key, compare_index);

	return entry ? &entry->link : NULL;
}
