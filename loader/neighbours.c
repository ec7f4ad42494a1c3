/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Next hops and their MAC addresses. See neighbours.h.
 *
 * The kernel's whole neighbour table passes by here; only what is watched is kept. A timer asks again for what does not
 * resolve (the kernel's own round for managed entries takes five seconds) and for what the kernel does not manage.
 */
#include "neighbours.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "neighbours_message.h"
#include "nl_watch.h"

#define ASK_AGAIN_US  (1000 * 1000)
#define REQUEST_BYTES 256

struct watched {
	int ifindex; /* with next_hop: the key */
	struct config_address next_hop;
	bool present;
	bool managed;
	bool fixed;
	bool device_gone; /* asking again is of no use */
	bool forgotten;	  /* out of the tree, freed when nobody walks */
	uint8_t mac[6];
	uint64_t generation;
	uint64_t round;	      /* of the latest neighbours_watch() */
	struct watched *next; /* in the list of whoever walks */
	struct watched *next_forgotten;
};

struct neighbours {
	struct nl_watch *watch;
	struct mnl_socket *requests;
	sd_event_source *timer;
	neighbours_changed_fn *changed;
	void *context;
	void *tree; /* tsearch tree of struct watched */
	uint64_t generation;
	uint64_t round;		/* counts neighbours_begin() */
	struct watched *walked; /* while a walk collects */
	struct watched *forgotten;
	unsigned int walks; /* under way */
};

static int compare_watched(const void *left, const void *right)
{
	const struct watched *a = left, *b = right;
	int order = (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);

	return order ? order : memcmp(a->next_hop.byte, b->next_hop.byte, sizeof(a->next_hop.byte));
}

static struct watched *find_watched(const struct neighbours *neighbours, int ifindex,
				    const struct config_address *next_hop)
{
	struct watched key = {.ifindex = ifindex, .next_hop = *next_hop};
	void *node = tfind(&key, &neighbours->tree, compare_watched);

	return node ? *(struct watched **)node : NULL;
}

/* Returns whether anything changed. The callback may forget the entry: do not look at it afterwards. */
static bool set_state(struct neighbours *neighbours, struct watched *watched, bool present, const uint8_t mac[6])
{
	static const uint8_t none[6];

	if (watched->present == present && (!present || memcmp(watched->mac, mac, sizeof(watched->mac)) == 0))
		return false;
	watched->present = present;
	memcpy(watched->mac, present ? mac : none, sizeof(watched->mac));
	neighbours->changed(watched->ifindex, &watched->next_hop, present, watched->mac, neighbours->context);
	return true;
}

static bool take_news(struct neighbours *neighbours, struct watched *watched, const struct neighbour_message *news)
{
	watched->generation = neighbours->generation;
	watched->managed = news->managed;
	watched->fixed = news->fixed;
	switch (news->news) {
	case NEIGHBOUR_PRESENT:
		return set_state(neighbours, watched, true, news->mac);
	case NEIGHBOUR_ABSENT:
		return set_state(neighbours, watched, false, NULL);
	case NEIGHBOUR_NO_NEWS:
		break;
	}
	return false;
}

static bool handle_message(const struct nlmsghdr *message, void *context)
{
	struct neighbours *neighbours = context;
	struct neighbour_message news;
	struct watched *watched;

	if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH)
		return false;
	if (!neighbours->tree || neighbours_message_parse(message, &news) < 0)
		return false;
	watched = find_watched(neighbours, news.ifindex, &news.next_hop);
	return watched && take_news(neighbours, watched, &news);
}

static void collect(const void *node, VISIT visit, void *closure)
{
	struct watched *watched = *(struct watched *const *)node;
	struct neighbours *neighbours = closure;

	if (visit != postorder && visit != leaf)
		return;
	watched->next = neighbours->walked;
	neighbours->walked = watched;
}

static void free_forgotten(struct neighbours *neighbours)
{
	struct watched *watched;

	while ((watched = neighbours->forgotten)) {
		neighbours->forgotten = watched->next_forgotten;
		free(watched);
	}
}

/* Calls each() for every entry; it may lead to entries being forgotten. */
static void walk(struct neighbours *neighbours, void (*each)(struct neighbours *neighbours, struct watched *watched))
{
	struct watched *watched, *next;

	if (neighbours->walks++ == 0) {
		neighbours->walked = NULL;
		twalk_r(neighbours->tree, collect, neighbours);
		for (watched = neighbours->walked; watched; watched = next) {
			next = watched->next;
			if (!watched->forgotten)
				each(neighbours, watched);
		}
	}
	if (--neighbours->walks == 0)
		free_forgotten(neighbours);
}

static void begin_dump(void *context)
{
	struct neighbours *neighbours = context;

	neighbours->generation++;
}

static void sweep(struct neighbours *neighbours, struct watched *watched)
{
	if (watched->generation == neighbours->generation)
		return;
	watched->managed = watched->fixed = false;
	set_state(neighbours, watched, false, NULL);
}

static void end_dump(void *context)
{
	walk(context, sweep);
}

static void request_neighbours(struct nlmsghdr *header)
{
	header->nlmsg_type = RTM_GETNEIGH;
	mnl_nlmsg_put_extra_header(header, sizeof(struct ndmsg));
}

static const struct nl_watch_ops neighbours_ops = {
	.protocol = NETLINK_ROUTE,
	.groups = {RTNLGRP_NEIGH},
	.dumps = {request_neighbours},
	.begin = begin_dump,
	.message = handle_message,
	.end = end_dump,
};

static void take_answer(const struct nlmsghdr *message, void *context)
{
	struct neighbour_message *news = context;

	if (message->nlmsg_type == RTM_NEWNEIGH)
		neighbours_message_parse(message, news);
}

/* The kernel's entry as it is; absent if it has none. */
static int get(struct neighbours *neighbours, const struct watched *watched, struct neighbour_message *ret_news)
{
	uint8_t buffer[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	int result;

	*ret_news = (struct neighbour_message){.news = NEIGHBOUR_NO_NEWS};
	neighbours_message_get(header, watched->ifindex, &watched->next_hop);
	result = nl_transact(neighbours->requests, header, take_answer, ret_news);
	return result == -ENOENT ? 0 : result;
}

static int ask(struct neighbours *neighbours, struct watched *watched)
{
	uint8_t buffer[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	int result;

	neighbours_message_ask(header, watched->ifindex, &watched->next_hop, true);
	result = nl_transact(neighbours->requests, header, NULL, NULL);
	watched->device_gone = result == -ENODEV;
	return result;
}

static void ask_again(struct neighbours *neighbours, struct watched *watched)
{
	if (!watched->fixed && !watched->device_gone && (!watched->present || !watched->managed))
		ask(neighbours, watched);
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *userdata)
{
	struct neighbours *neighbours = userdata;

	walk(neighbours, ask_again);
	sd_event_source_set_time(source, now_us + ASK_AGAIN_US);
	/* Without anything to watch the timer rests; neighbours_watch() starts it. */
	sd_event_source_set_enabled(source, neighbours->tree ? SD_EVENT_ON : SD_EVENT_OFF);
	return 0;
}

static int start_timer(struct neighbours *neighbours, sd_event *loop)
{
	int result = sd_event_add_time_relative(loop, &neighbours->timer, CLOCK_MONOTONIC, ASK_AGAIN_US, 0, on_timer,
						neighbours);

	if (result < 0)
		return result;
	return sd_event_source_set_enabled(neighbours->timer, SD_EVENT_OFF);
}

int neighbours_open(sd_event *loop, neighbours_changed_fn *changed, void *context, struct neighbours **ret_neighbours)
{
	struct neighbours *neighbours = calloc(1, sizeof(*neighbours));
	int result;

	if (!neighbours)
		return -ENOMEM;
	neighbours->changed = changed;
	neighbours->context = context;
	result = nl_open(NETLINK_ROUTE, &neighbours->requests);
	if (result == 0)
		result = start_timer(neighbours, loop);
	if (result >= 0)
		result = nl_watch_open(loop, &neighbours_ops, neighbours, &neighbours->watch);
	if (result < 0) {
		neighbours_close(neighbours);
		return result;
	}
	*ret_neighbours = neighbours;
	return 0;
}

struct nl_watch *neighbours_watched(const struct neighbours *neighbours)
{
	return neighbours->watch;
}

void neighbours_close(struct neighbours *neighbours)
{
	if (!neighbours)
		return;
	nl_watch_close(neighbours->watch);
	sd_event_source_disable_unref(neighbours->timer);
	if (neighbours->requests)
		mnl_socket_close(neighbours->requests);
	tdestroy(neighbours->tree, free);
	free_forgotten(neighbours);
	free(neighbours);
}

static struct watched *add_watched(struct neighbours *neighbours, int ifindex, const struct config_address *next_hop)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return NULL;
	watched->ifindex = ifindex;
	watched->next_hop = *next_hop;
	watched->generation = neighbours->generation;
	if (!tsearch(watched, &neighbours->tree, compare_watched)) {
		free(watched);
		return NULL;
	}
	return watched;
}

static void wake_timer(struct neighbours *neighbours)
{
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(neighbours->timer, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(neighbours->timer, ASK_AGAIN_US);
	sd_event_source_set_enabled(neighbours->timer, SD_EVENT_ON);
}

int neighbours_watch(struct neighbours *neighbours, int ifindex, const struct config_address *next_hop)
{
	struct watched *watched = find_watched(neighbours, ifindex, next_hop);
	bool known = watched != NULL;
	struct neighbour_message news;
	int result;

	if (!known)
		watched = add_watched(neighbours, ifindex, next_hop);
	if (!watched)
		return -ENOMEM;
	result = get(neighbours, watched, &news);
	if (result == 0 && !news.fixed)
		result = ask(neighbours, watched);
	if (result == 0 && !news.fixed)
		result = get(neighbours, watched, &news);
	if (result < 0) {
		if (!known)
			neighbours_forget(neighbours, ifindex, next_hop);
		return result;
	}
	wake_timer(neighbours);
	watched->round = neighbours->round;
	/* Whoever asks again, for another generation, say, wants to be told too. */
	if (!take_news(neighbours, watched, &news) && watched->present)
		neighbours->changed(watched->ifindex, &watched->next_hop, true, watched->mac, neighbours->context);
	return 0;
}

/* The entry becomes one like any other, that the kernel may let go. */
static void release(struct neighbours *neighbours, const struct watched *watched)
{
	uint8_t buffer[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);

	neighbours_message_ask(header, watched->ifindex, &watched->next_hop, false);
	nl_transact(neighbours->requests, header, NULL, NULL);
}

void neighbours_forget(struct neighbours *neighbours, int ifindex, const struct config_address *next_hop)
{
	struct watched *watched = find_watched(neighbours, ifindex, next_hop);

	if (!watched)
		return;
	if (watched->managed && !watched->fixed)
		release(neighbours, watched);
	tdelete(watched, &neighbours->tree, compare_watched);
	watched->forgotten = true;
	watched->next_forgotten = neighbours->forgotten;
	neighbours->forgotten = watched;
	if (neighbours->walks == 0)
		free_forgotten(neighbours);
}

void neighbours_begin(struct neighbours *neighbours)
{
	neighbours->round++;
}

static void forget_unwatched(struct neighbours *neighbours, struct watched *watched)
{
	if (watched->round != neighbours->round)
		neighbours_forget(neighbours, watched->ifindex, &watched->next_hop);
}

void neighbours_sweep(struct neighbours *neighbours)
{
	walk(neighbours, forget_unwatched);
}
