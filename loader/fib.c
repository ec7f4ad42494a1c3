/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prefixes in a tree, each with its routes. See fib.h.
 *
 * As in the kernel, routes that lead alike share what they lead to (struct lead): a nexthop object by its number, or
 * the next hops of their own. Ten thousand routes of one peer are two or three leads.
 */
#include "fib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "fib_leads.h"
#include "nl_watch.h"
#include "routes.h"
#include "routes_message.h"

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000
#endif

/* From word of a device's end until the table is read again: the kernel tells first, then takes the routes away. */
#define LOSS_DELAY_US (20 * 1000)

struct fib_route {
	uint32_t metric;
	struct fib_lead *lead;
	uint64_t generation; /* of the dump that last had it, or after which it came */
	struct fib_route *next;
};

struct fib {
	struct nl_watch *watch;
	fib_changed_fn *tell;
	void *context;
	void *tree; /* tsearch tree of struct fib_prefix */
	struct fib_leads leads;
	sd_event *loop;
	sd_event_source *loss;
	uint64_t generation; /* of the latest dump */
	struct fib_prefix *changed, **changed_end;
};

static int compare(const void *left, const void *right)
{
	const struct config_address *a = left, *b = right;
	int order = memcmp(a->byte, b->byte, sizeof(a->byte));

	if (!order)
		order = (int)a->length - (int)b->length;
	return order ?: (int)a->is_ipv4 - (int)b->is_ipv4;
}

struct fib_prefix *fib_find(const struct fib *fib, const struct config_address *prefix)
{
	void *node = tfind(prefix, &fib->tree, compare);

	return node ? *(struct fib_prefix **)node : NULL;
}

void fib_change(struct fib *fib, struct fib_prefix *prefix)
{
	if (prefix->changed)
		return;
	prefix->changed = true;
	prefix->next_changed = NULL;
	*fib->changed_end = prefix;
	fib->changed_end = &prefix->next_changed;
	fib->tell(fib->context);
}

static struct fib_prefix *add(struct fib *fib, const struct config_address *address)
{
	struct fib_prefix *prefix = calloc(1, sizeof(*prefix));

	if (!prefix)
		return NULL;
	prefix->prefix = *address;
	prefix->marks[0].connection = prefix->marks[1].connection = NO_PREFIX;
	if (tsearch(prefix, &fib->tree, compare))
		return prefix;
	free(prefix);
	return NULL;
}

/* Where a route of this metric is, or would be. */
static struct fib_route **place_of(struct fib_prefix *prefix, uint32_t metric)
{
	struct fib_route **place = &prefix->routes;

	while (*place && (*place)->metric < metric)
		place = &(*place)->next;
	return place;
}

static void route_remove(struct fib *fib, struct fib_route **place)
{
	struct fib_route *route = *place;

	*place = route->next;
	fib_lead_put(&fib->leads, route->lead);
	free(route);
}

/* Of several with one metric the first counts: of IPv6 one message has all, of IPv4 each has its own. */
static bool is_behind(const struct fib *fib, const struct fib_route *route, const struct nlmsghdr *message,
		      bool is_ipv4)
{
	if (message->nlmsg_flags & NLM_F_MULTI)
		return route->generation == fib->generation;
	return is_ipv4 && message->nlmsg_flags & NLM_F_APPEND;
}

static bool route_new(struct fib *fib, const struct nlmsghdr *message, const struct route_message *news)
{
	struct fib_prefix *prefix = fib_find(fib, &news->key.prefix) ?: add(fib, &news->key.prefix);
	struct fib_route **place, *route;
	struct fib_lead *lead;

	if (!prefix)
		return false;
	place = place_of(prefix, news->key.metric);
	route = *place && (*place)->metric == news->key.metric ? *place : NULL;
	if (route && is_behind(fib, route, message, news->key.prefix.is_ipv4))
		return false;
	lead = fib_lead_get(&fib->leads, message, news);
	if (!route && lead && (route = calloc(1, sizeof(*route)))) {
		route->metric = news->key.metric;
		route->next = *place;
		*place = route;
	}
	if (!route || !lead) {
		fib_lead_put(&fib->leads, lead);
		fib_change(fib, prefix); /* to be released, if it is a new one */
		return false;
	}
	route->generation = fib->generation;
	if (route->lead == lead) {
		fib_lead_put(&fib->leads, lead);
		return false;
	}
	fib_lead_put(&fib->leads, route->lead);
	route->lead = lead;
	fib_change(fib, prefix);
	return true;
}

/* One that is not what was known tells that something was missed, as when the kernel took a next hop away before. */
static bool route_gone(struct fib *fib, const struct nlmsghdr *message, const struct route_message *news)
{
	struct fib_prefix *prefix = fib_find(fib, &news->key.prefix);
	struct fib_route **place = prefix ? place_of(prefix, news->key.metric) : NULL;
	struct fib_lead *lead;
	bool same;

	if (!place || !*place || (*place)->metric != news->key.metric)
		return false;
	lead = fib_lead_get(&fib->leads, message, news);
	same = lead == (*place)->lead;
	fib_lead_put(&fib->leads, lead);
	if (!same) {
		nl_watch_refresh(fib->watch);
		return true;
	}
	route_remove(fib, place);
	fib_change(fib, prefix);
	return true;
}

static bool handle_route(struct fib *fib, const struct nlmsghdr *message)
{
	struct route_message news;

	if (routes_message_parse_route(message, &news) < 0 || news.key.table != RT_TABLE_MAIN || news.ours ||
	    news.special || news.protocol == RTPROT_KERNEL || news.protocol == RTPROT_REDIRECT)
		return false;
	return message->nlmsg_type == RTM_NEWROUTE ? route_new(fib, message, &news) : route_gone(fib, message, &news);
}

/* Routes that lead to it are not told of: they are the same, and lead elsewhere now. */
static bool handle_nexthop(struct fib *fib, const struct nlmsghdr *message)
{
	struct nexthop_message news;
	bool differs;

	if (routes_message_parse_nexthop(message, &news) < 0 || news.ours)
		return false;
	differs = message->nlmsg_type == RTM_NEWNEXTHOP ? fib_leads_object(&fib->leads, &news, fib->generation)
							: fib_leads_object_gone(&fib->leads, news.id);
	if (differs && fib_leads_refer(&fib->leads))
		fib_change_all(fib);
	return differs;
}

static int on_loss(sd_event_source *source, uint64_t now_us, void *context)
{
	struct fib *fib = context;

	(void)source;
	(void)now_us;
	nl_watch_refresh(fib->watch);
	return 0;
}

/* Without memory for a timer the table is read at once, and perhaps too early. */
static void device_lost(struct fib *fib, int ifindex)
{
	if (!fib_leads_have_device(&fib->leads, ifindex))
		return;
	fib->loss = sd_event_source_disable_unref(fib->loss);
	if (sd_event_add_time_relative(fib->loop, &fib->loss, CLOCK_MONOTONIC, LOSS_DELAY_US, 1, on_loss, fib) < 0)
		nl_watch_refresh(fib->watch);
}

static bool handle_link(struct fib *fib, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*link) || link->ifi_family != AF_UNSPEC)
		return false;
	if (message->nlmsg_type == RTM_NEWLINK && link->ifi_flags & IFF_UP &&
	    link->ifi_flags & (IFF_RUNNING | IFF_LOWER_UP))
		return false;
	device_lost(fib, link->ifi_index);
	return false;
}

static bool handle_address_gone(struct fib *fib, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) >= sizeof(*address))
		device_lost(fib, (int)address->ifa_index);
	return false;
}

static bool handle_message(const struct nlmsghdr *message, void *context)
{
	switch (message->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return handle_route(context, message);
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		return handle_nexthop(context, message);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return handle_link(context, message);
	case RTM_DELADDR:
		return handle_address_gone(context, message);
	}
	return false;
}

static void begin_dump(void *context)
{
	struct fib *fib = context;

	fib->generation++;
}

static void drop_unseen(struct fib_prefix *prefix, void *context)
{
	struct fib_route **place = &prefix->routes;
	struct fib *fib = context;

	while (*place) {
		if ((*place)->generation == fib->generation) {
			place = &(*place)->next;
			continue;
		}
		route_remove(fib, place);
		fib_change(fib, prefix);
	}
}

static void end_dump(void *context)
{
	struct fib *fib = context;

	fib_each(fib, drop_unseen, fib);
	if (fib_leads_sweep(&fib->leads, fib->generation) && fib_leads_refer(&fib->leads))
		fib_change_all(fib);
}

/* aa-steer's own routes come by the ten thousand at a start; the kernel need not send them. */
static int attach_filter(struct mnl_socket *socket, void *context)
{
	struct sock_filter code[] = {
		/* 0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		/* 1: answers to our dumps */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(mnl_socket_get_portid(socket)), 5, 0),
		/* 2 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		/* 3 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		/* 4 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
		/* 5 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol)),
		/* 6 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ROUTES_PROTOCOL, 1, 0),
		/* 7 */ BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		/* 8 */ BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	(void)context;
	if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

static void dump_main(struct nlmsghdr *header, uint8_t family)
{
	struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	header->nlmsg_type = RTM_GETROUTE;
	body->rtm_family = family;
	body->rtm_table = RT_TABLE_MAIN;
}

static void dump_ipv4(struct nlmsghdr *header)
{
	dump_main(header, AF_INET);
}

static void dump_ipv6(struct nlmsghdr *header)
{
	dump_main(header, AF_INET6);
}

static const struct nl_watch_ops fib_ops = {
	.protocol = NETLINK_ROUTE,
	.groups = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NEXTHOP, RTNLGRP_IPV4_ROUTE,
		   RTNLGRP_IPV6_ROUTE},
	.dumps = {routes_message_dump_nexthops, dump_ipv4, dump_ipv6},
	.prepare = attach_filter,
	.begin = begin_dump,
	.message = handle_message,
	.end = end_dump,
};

int fib_open(sd_event *loop, fib_changed_fn *changed, void *context, struct fib **ret_fib)
{
	struct fib *fib = calloc(1, sizeof(*fib));
	int err;

	if (!fib)
		return -ENOMEM;
	fib->loop = loop;
	fib->tell = changed;
	fib->context = context;
	fib->changed_end = &fib->changed;
	err = nl_watch_open(loop, &fib_ops, fib, &fib->watch);
	if (err < 0)
		fib_close(fib);
	else
		*ret_fib = fib;
	return err;
}

static void prefix_free(void *data)
{
	struct fib_prefix *prefix = data;

	while (prefix->routes) {
		struct fib_route *next = prefix->routes->next;

		free(prefix->routes);
		prefix->routes = next;
	}
	free(prefix);
}

void fib_close(struct fib *fib)
{
	if (!fib)
		return;
	sd_event_source_disable_unref(fib->loss);
	nl_watch_close(fib->watch);
	tdestroy(fib->tree, prefix_free);
	fib_leads_free(&fib->leads);
	free(fib);
}

void fib_catch_up(struct fib *fib)
{
	nl_watch_drain(fib->watch);
}

struct fib_prefix *fib_take(struct fib *fib)
{
	struct fib_prefix *prefix = fib->changed;

	if (!prefix)
		return NULL;
	fib->changed = prefix->next_changed;
	if (!fib->changed)
		fib->changed_end = &fib->changed;
	prefix->changed = false;
	return prefix;
}

static void change_one(struct fib_prefix *prefix, void *context)
{
	fib_change(context, prefix);
}

void fib_change_all(struct fib *fib)
{
	fib_each(fib, change_one, fib);
}

void fib_hops(const struct fib *fib, const struct fib_prefix *prefix, struct fib_hops *ret_hops)
{
	ret_hops->count = 0;
	if (prefix->routes)
		fib_lead_hops(&fib->leads, prefix->routes->lead, ret_hops);
}

void fib_release(struct fib *fib, struct fib_prefix *prefix)
{
	if (prefix->routes || prefix->changed)
		return;
	tdelete(prefix, &fib->tree, compare);
	free(prefix);
}

struct walk {
	fib_each_fn *each;
	void *context;
};

static void visit(const void *node, VISIT order, void *closure)
{
	struct walk *walk = closure;

	if (order == postorder || order == leaf)
		walk->each(*(struct fib_prefix *const *)node, walk->context);
}

void fib_each(const struct fib *fib, fib_each_fn *each, void *context)
{
	struct walk walk = {each, context};

	twalk_r(fib->tree, visit, &walk);
}
