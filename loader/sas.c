/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's IPsec security associations. See sas.h.
 *
 * Joins three layers: nl_watch hears the messages, sas_message reads them, sa_set counts.
 */
#include "sas.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdlib.h>

#include "nl_watch.h"
#include "sas_message.h"

struct sas {
	struct nl_watch *watch;
	struct sa_set *set;
};

static bool handle_message(const struct nlmsghdr *message, void *context)
{
	struct sas *sas = context;
	struct sa_message news;

	if (sas_message_parse(message, &news) < 0)
		return false;
	switch (news.event) {
	case SA_NOTHING:
		break;
	case SA_PUT:
		return sa_set_put(sas->set, &news.sa);
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

static void begin_dump(void *context)
{
	struct sas *sas = context;

	sa_set_begin(sas->set);
}

static void end_dump(void *context)
{
	struct sas *sas = context;

	sa_set_end(sas->set);
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

int sas_open(sd_event *loop, sas_is_own_fn *is_own, sas_changed_fn *changed, void *context, struct sas **ret_sas)
{
	struct sas *sas = calloc(1, sizeof(*sas));
	int result;

	if (!sas)
		return -ENOMEM;
	result = sa_set_new(is_own, changed, context, &sas->set);
	/* Callers ask for other if_ids from within their first callbacks. */
	*ret_sas = sas;
	if (result == 0)
		result = nl_watch_open(loop, &sas_ops, sas, &sas->watch);
	if (result < 0) {
		*ret_sas = NULL;
		sas_close(sas);
	}
	return result;
}

void sas_close(struct sas *sas)
{
	if (!sas)
		return;
	nl_watch_close(sas->watch);
	sa_set_free(sas->set);
	free(sas);
}

bool sas_present(const struct sas *sas, uint32_t if_id)
{
	return sa_set_present(sas->set, if_id);
}

void sas_recheck(struct sas *sas)
{
	sa_set_recheck(sas->set);
}
