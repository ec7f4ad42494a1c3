/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fail-safe path. See routes.h; how its parts hang together is told in routes_kept.h.
 */
#include "routes.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "routes_kept.h"

#define REPAIR_PAUSE_US	     (200 * 1000) /* between repairs of what others undo */
#define REPAIR_DELAY_US	     (20 * 1000) /* what is lost comes in bursts, and the daemon often acts on the cause itself */
#define REFUSED_PAUSE_US     (1000 * 1000)	/* first pause before the kernel is asked again; then doubled ... */
#define REFUSED_PAUSE_MAX_US (60 * 1000 * 1000) /* ... up to here */

static int on_repair(sd_event_source *source, uint64_t now_us, void *userdata);

static void schedule_repair(struct routes *routes, uint64_t due_us)
{
	int enabled = SD_EVENT_OFF;
	uint64_t set_us = 0;

	if (!routes->repair) {
		sd_event_add_time(routes->loop, &routes->repair, CLOCK_MONOTONIC, due_us, 1, on_repair, routes);
		return;
	}
	sd_event_source_get_enabled(routes->repair, &enabled);
	sd_event_source_get_time(routes->repair, &set_us);
	if (enabled != SD_EVENT_OFF && set_us <= due_us)
		return;
	sd_event_source_set_time(routes->repair, due_us);
	sd_event_source_set_enabled(routes->repair, SD_EVENT_ONESHOT);
}

void routes_repair_soon(struct routes *routes)
{
	uint64_t now_us = 0, due_us;

	sd_event_now(routes->loop, CLOCK_MONOTONIC, &now_us);
	due_us = routes->repaired_us + REPAIR_PAUSE_US;
	if (due_us < now_us + REPAIR_DELAY_US)
		due_us = now_us + REPAIR_DELAY_US;
	schedule_repair(routes, due_us);
}

static void repair_later(struct routes *routes)
{
	uint64_t now_us = 0;

	sd_event_now(routes->loop, CLOCK_MONOTONIC, &now_us);
	schedule_repair(routes, now_us + routes->pause_us);
}

/* Reads what waits in the socket, so that what the kernel took away meanwhile is known. */
static void catch_up(struct routes *routes)
{
	nl_watch_drain(routes->watch);
	routes_group_prune(routes);
}

static int on_repair(sd_event_source *source, uint64_t now_us, void *userdata)
{
	struct routes *routes = userdata;
	bool tried = false, dirty = false;
	size_t i;

	(void)source;
	catch_up(routes);
	for (i = 0; i < CONNECTION_SLOTS; i++) {
		if (!routes->owners[i] || !routes->owners[i]->dirty)
			continue;
		tried = true;
		routes_sync_owner(routes, routes->owners[i]);
		dirty |= routes->owners[i]->dirty;
	}
	routes_sync_rules(routes);
	if (routes_sync_rules_missing(routes, 0))
		tried = dirty = true;
	if (routes->orphans)
		routes_sync_orphans(routes, false);
	routes->orphans = false;
	routes_sync_collect(routes);
	routes->repaired_us = now_us;
	if (!dirty)
		routes->pause_us = REFUSED_PAUSE_US;
	else if (tried)
		repair_later(routes);
	if (dirty && routes->pause_us < REFUSED_PAUSE_MAX_US)
		routes->pause_us *= 2;
	return 0;
}

static struct route_owner *owner_of(struct routes *routes, uint32_t number, uint32_t table)
{
	struct route_owner *owner = routes->owners[number];

	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->number = number;
	owner->table = table;
	owner->dirty = true;
	routes->owners[number] = owner;
	return owner;
}

static int apply(struct routes *routes, const struct route_set *set, uint32_t table)
{
	struct route_owner *owner = owner_of(routes, set->number, table);
	int changed, error;

	if (!owner)
		return -ENOMEM;
	catch_up(routes);
	owner->round = routes->round;
	changed = routes_want(routes, owner, set);
	if (changed == 0 && !owner->dirty)
		return 0;
	owner->dirty = true;
	error = changed < 0 ? changed : 0;
	if (error == 0)
		error = routes_sync_owner(routes, owner);
	if (error == 0)
		error = routes_sync_rules(routes);
	if (error == 0)
		error = routes_sync_collect(routes);
	if (owner->dirty || routes_sync_rules_missing(routes, 0))
		repair_later(routes);
	else if (routes->orphans)
		routes_repair_soon(routes);
	return error;
}

int routes_apply(struct routes *routes, const struct route_set *set)
{
	if (set->number >= MAX_CONNECTIONS || set->egress_count > MAX_MEMBERS)
		return -EINVAL;
	return apply(routes, set, 0);
}

/* The slot that the mark has; else a free one; CONNECTION_SLOTS: there is none. */
static uint32_t slot_of_mark(const struct routes *routes, uint32_t mark)
{
	uint32_t unused = CONNECTION_SLOTS, slot;

	for (slot = MAX_CONNECTIONS; slot < CONNECTION_SLOTS; slot++) {
		const struct route_owner *owner = routes->owners[slot];

		if (owner && owner->table == mark)
			return slot;
		if (!owner && unused == CONNECTION_SLOTS)
			unused = slot;
	}
	return unused;
}

static bool has_ipv6(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0;
}

int routes_apply_mark(struct routes *routes, const struct route_egress *egress)
{
	const struct config_address any[] = {{.length = 96, .is_ipv4 = true, .byte = {[10] = 0xff, [11] = 0xff}},
					     {.length = 0}};
	struct route_set set = {
		.number = slot_of_mark(routes, egress->mark),
		.prefixes = any,
		.prefix_count = has_ipv6() ? 2 : 1,
		.egresses = egress,
		.egress_count = 1,
	};
	int error;

	if (set.number == CONNECTION_SLOTS)
		return -ENOSPC;
	error = apply(routes, &set, egress->mark);
	if (error == 0 && routes_sync_rules_missing(routes, egress->mark))
		error = routes_sync_rules(routes);
	return error == 0 && routes_sync_rules_missing(routes, egress->mark) ? -EAGAIN : error;
}

static void drop_owner(struct routes *routes, struct route_owner *owner)
{
	int ipv6;

	routes_want_nothing(routes, owner);
	for (ipv6 = 0; ipv6 < FAMILIES; ipv6++)
		if (owner->groups[ipv6])
			routes_group_own(routes, owner->groups[ipv6], NULL);
	routes->missing -= owner->missing;
	routes->owners[owner->number] = NULL;
	routes_kept_owner_free(owner);
}

/* Rules go before the routes that they lead to, groups and next hops after the routes that need them. */
static int clean(struct routes *routes, bool adopted_too)
{
	int error = routes_sync_rules(routes), orphans = routes_sync_orphans(routes, adopted_too);
	int unused = routes_sync_collect(routes);

	routes->orphans = false;
	return error ? error : orphans ? orphans : unused;
}

static int remove_owner(struct routes *routes, uint32_t number)
{
	catch_up(routes);
	if (!routes->owners[number])
		return 0;
	drop_owner(routes, routes->owners[number]);
	return clean(routes, false);
}

int routes_remove(struct routes *routes, uint32_t connection_number)
{
	return connection_number < MAX_CONNECTIONS ? remove_owner(routes, connection_number) : -EINVAL;
}

int routes_remove_mark(struct routes *routes, uint32_t mark)
{
	uint32_t slot = slot_of_mark(routes, mark);

	return slot < CONNECTION_SLOTS ? remove_owner(routes, slot) : 0;
}

void routes_begin(struct routes *routes)
{
	routes->round++;
	routes->in_round = true;
}

static void disown_adopted(struct routes *routes)
{
	size_t i;

	for (i = 0; i < routes->rule_count; i++)
		routes->rules[i].adopted = false;
	for (i = 0; i < GROUP_SLOTS; i++)
		if (routes->groups[i] && !routes->groups[i]->owner)
			routes_group_idle(routes, routes->groups[i]);
	for (i = 0; i < NEXTHOP_SLOTS; i++)
		if (routes->nexthops[i] && !routes->nexthops[i]->users)
			routes_nexthop_idle(routes, routes->nexthops[i]);
}

int routes_sweep(struct routes *routes)
{
	size_t i;

	catch_up(routes);
	for (i = 0; i < CONNECTION_SLOTS && routes->in_round; i++)
		if (routes->owners[i] && routes->owners[i]->round != routes->round)
			drop_owner(routes, routes->owners[i]);
	routes->in_round = false;
	disown_adopted(routes);
	return clean(routes, true);
}

int routes_flush(struct routes *routes)
{
	routes_begin(routes);
	return routes_sweep(routes);
}

size_t routes_errors(const struct routes *routes)
{
	return routes->missing + routes_sync_rules_missing(routes, 0);
}

/* An abstract socket's name is taken in its network namespace alone, as routes are. Returns a descriptor or -errno. */
static int lock_open(void)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0aa-steerd-routes"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int routes_open(sd_event *loop, struct routes **ret_routes)
{
	struct routes *routes = calloc(1, sizeof(*routes));
	int error;

	if (!routes)
		return -ENOMEM;
	routes->loop = loop;
	routes->pause_us = REFUSED_PAUSE_US;
	routes->lock_fd = lock_open();
	error = routes->lock_fd < 0 ? routes->lock_fd : 0;
	if (error == 0)
		error = nl_requests_open(NETLINK_ROUTE, routes_sync_failed, routes, &routes->requests);
	if (error == 0)
		error = nl_watch_open(loop, &routes_watch_ops, routes, &routes->watch);
	if (error < 0) {
		routes_close(routes);
		return error;
	}
	*ret_routes = routes;
	return 0;
}

void routes_close(struct routes *routes)
{
	if (!routes)
		return;
	nl_watch_close(routes->watch);
	nl_requests_close(routes->requests);
	sd_event_source_disable_unref(routes->repair);
	if (routes->lock_fd >= 0)
		close(routes->lock_fd);
	routes_kept_free(routes);
	free(routes);
}
