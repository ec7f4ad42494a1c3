/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's IPsec security associations. See sas.h.
 *
 * Joins three layers: nl_watch hears the messages, sas_message reads them, sa_set counts. One timer serves all SAs: it
 * stands at the earliest expiry that would leave an interface without an SA.
 */
#include "sas.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "clock.h"
#include "log.h"
#include "nl_watch.h"
#include "sas_message.h"

#define EXPIRY_ACCURACY_US 1000

struct sas {
	struct nl_watch *watch;
	struct sa_set *set;
	sd_event_source *expiry;
	uint64_t expiry_ns; /* boot time: what the timer stands at; 0: it does not run */
};

static void read_clocks(struct sas *sas)
{
	sa_set_clock(sas->set, clock_wall_ns(), clock_read_ns(CLOCK_BOOTTIME));
}

/* Lets the timer follow the set. */
static void set_timer(struct sas *sas)
{
	uint64_t due_ns = sa_set_due_ns(sas->set);
	int result;

	if (due_ns == SA_NEVER || due_ns == sas->expiry_ns)
		return;
	sas->expiry_ns = due_ns;
	result = sd_event_source_set_time(sas->expiry, due_ns / 1000 + 1);
	if (result >= 0)
		result = sd_event_source_set_enabled(sas->expiry, SD_EVENT_ONESHOT);
	if (result < 0)
		log_warning("SAs that expire are noticed only when they are gone: %s", strerror(-result));
}

static int on_expiry(sd_event_source *source, uint64_t usec, void *context)
{
	struct sas *sas = context;

	(void)source;
	(void)usec;
	sas->expiry_ns = 0;
	read_clocks(sas);
	sa_set_expire(sas->set);
	set_timer(sas);
	return 0;
}

static int timer_open(struct sas *sas, sd_event *loop)
{
	int result =
		sd_event_add_time(loop, &sas->expiry, CLOCK_BOOTTIME, UINT64_MAX, EXPIRY_ACCURACY_US, on_expiry, sas);

	return result < 0 ? result : sd_event_source_set_enabled(sas->expiry, SD_EVENT_OFF);
}

static bool put_sa(struct sas *sas, const struct nlmsghdr *message, const struct sa *sa)
{
	/* An SA that is updated keeps the time when it was added, and the message has the request's. */
	if (message->nlmsg_type == XFRM_MSG_UPDSA && sa->expires_s != SA_NEVER && sa_set_holds(sas->set, &sa->id))
		nl_watch_refresh(sas->watch);
	return sa_set_put(sas->set, sa);
}

static bool take_message(struct sas *sas, const struct nlmsghdr *message)
{
	struct sa_message news;

	if (sas_message_parse(message, &news) < 0)
		return false;
	switch (news.event) {
	case SA_NOTHING:
		break;
	case SA_PUT:
		return put_sa(sas, message, &news.sa);
	case SA_GONE:
		/* One not known yet may still come by a dump under way, which read it before it went. */
		return sa_set_remove(sas->set, &news.sa.id) || news.sa.if_id;
	case SA_UPDATED:
		if (sa_set_holds(sas->set, &news.sa.id))
			nl_watch_refresh(sas->watch);
		return true;
	case SA_FLUSHED:
		sa_set_flush(sas->set, news.sa.id.protocol);
		return true;
	case SA_MIGRATED:
		nl_watch_refresh(sas->watch);
		return true;
	}
	return false;
}

static bool handle_message(const struct nlmsghdr *message, void *context)
{
	struct sas *sas = context;
	bool concerned;

	read_clocks(sas);
	concerned = take_message(sas, message);
	set_timer(sas);
	return concerned;
}

static void begin_dump(void *context)
{
	struct sas *sas = context;

	sa_set_begin(sas->set);
}

static void end_dump(void *context)
{
	struct sas *sas = context;

	read_clocks(sas);
	sa_set_end(sas->set);
	set_timer(sas);
}

static void request_sas(struct nlmsghdr *header)
{
	header->nlmsg_type = XFRM_MSG_GETSA;
}

static const struct nl_watch_ops sas_ops = {
	.protocol = NETLINK_XFRM,
	.groups = {XFRMNLGRP_SA, XFRMNLGRP_EXPIRE, XFRMNLGRP_MIGRATE},
	.dumps = {request_sas},
	.begin = begin_dump,
	.message = handle_message,
	.end = end_dump,
};

int sas_open(sd_event *loop, sas_is_own_fn *is_own, sas_changed_fn *changed, sas_expiring_fn *expiring, void *context,
	     struct sas **ret_sas)
{
	struct sas *sas = calloc(1, sizeof(*sas));
	int result;

	if (!sas)
		return -ENOMEM;
	result = sa_set_new(is_own, changed, expiring, context, &sas->set);
	if (result == 0)
		result = timer_open(sas, loop);
	/* Callers ask for other if_ids from within their first callbacks. */
	*ret_sas = sas;
	if (result >= 0)
		result = nl_watch_open(loop, &sas_ops, sas, &sas->watch);
	if (result < 0) {
		*ret_sas = NULL;
		sas_close(sas);
	}
	return result;
}

struct nl_watch *sas_watched(const struct sas *sas)
{
	return sas->watch;
}

void sas_close(struct sas *sas)
{
	if (!sas)
		return;
	sd_event_source_disable_unref(sas->expiry);
	nl_watch_close(sas->watch);
	sa_set_free(sas->set);
	free(sas);
}

bool sas_present(const struct sas *sas, uint32_t if_id)
{
	return sa_set_present(sas->set, if_id);
}

bool sas_expiring(const struct sas *sas, uint32_t if_id)
{
	return sa_set_expiring(sas->set, if_id);
}

uint32_t sas_window(const struct sas *sas, uint32_t if_id)
{
	return sa_set_window(sas->set, if_id);
}

void sas_recheck(struct sas *sas)
{
	read_clocks(sas);
	sa_set_recheck(sas->set);
	set_timer(sas);
}
