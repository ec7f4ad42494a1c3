/* SPDX-License-Identifier: GPL-2.0-only */
/* Which session each probed unit has. See session_plan.h. */
#include "session_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_BITS 12

_Static_assert(MAX_SESSIONS == 1 << INDEX_BITS, "every index fits the bits that it has in a discriminator");

/* Unit -> the session that it has, + 1. */
struct holders {
	uint32_t tunnel[MAX_TUNNELS];
	uint32_t instance[MAX_INSTANCES];
};

static uint32_t *holder_of(struct holders *holders, unsigned unit_kind, uint32_t unit)
{
	if (unit_kind == SESSION_OF_INSTANCE)
		return unit < MAX_INSTANCES ? &holders->instance[unit] : NULL;
	return unit < MAX_TUNNELS ? &holders->tunnel[unit] : NULL;
}

static struct holders *holders_create(const struct session_config before[MAX_SESSIONS])
{
	struct holders *holders = calloc(1, sizeof(*holders));

	for (uint32_t s = 0; holders && s < MAX_SESSIONS; s++) {
		uint32_t *holder = holder_of(holders, before[s].unit_kind, before[s].unit);

		if (before[s].kind != SESSION_NONE && holder)
			*holder = s + 1;
	}
	return holders;
}

static bool asks_the_same(const struct session_config *config, const struct session_wish *wish)
{
	struct session_config wanted = session_plan_config(wish, 0);

	return config->kind == wanted.kind && config->is_ipv6 == wanted.is_ipv6 &&
	       config->is_multihop == wanted.is_multihop && config->auth_type == wanted.auth_type &&
	       config->auth_key_id == wanted.auth_key_id && config->auth_key_bytes == wanted.auth_key_bytes &&
	       !memcmp(config->auth_key, wanted.auth_key, sizeof(wanted.auth_key)) &&
	       !memcmp(config->peer, wanted.peer, sizeof(wanted.peer)) &&
	       (!wish->probe->has_local || !memcmp(config->local, wanted.local, sizeof(wanted.local))) &&
	       !strncmp(config->name, wanted.name, sizeof(wanted.name));
}

static bool is_timed_alike(const struct session_config *config, const struct config_probe *probe)
{
	return config->interval_ns == probe->interval_ns && config->multiplier == probe->multiplier &&
	       config->hold_ns == probe->hold_ns && config->hold_max_ns == probe->hold_max_ns;
}

static uint32_t index_free(const bool *taken, uint32_t from)
{
	while (from < MAX_SESSIONS && taken[from])
		from++;
	return from;
}

/* An index that nobody had is better than one whose events may still be on their way. */
static void begin_all(const struct session_config before[MAX_SESSIONS], struct session_wish *wishes, size_t count,
		      const bool kept[MAX_SESSIONS])
{
	bool held[MAX_SESSIONS], taken[MAX_SESSIONS];
	uint32_t next = 0, reused = 0;

	for (uint32_t s = 0; s < MAX_SESSIONS; s++) {
		held[s] = before[s].kind != SESSION_NONE;
		taken[s] = kept[s];
	}
	for (size_t w = 0; w < count; w++) {
		struct session_wish *wish = &wishes[w];

		if (wish->fate != SESSION_BEGINS)
			continue;
		next = index_free(held, next);
		wish->session = next < MAX_SESSIONS ? next++ : (reused = index_free(taken, reused));
		if (wish->session == MAX_SESSIONS)
			wish->session = NO_SESSION;
		else
			taken[wish->session] = true;
	}
}

int session_plan(const struct session_config before[MAX_SESSIONS], struct session_wish *wishes, size_t count,
		 bool ret_kept[MAX_SESSIONS])
{
	struct holders *holders = holders_create(before);

	if (!holders)
		return -ENOMEM;
	memset(ret_kept, 0, MAX_SESSIONS * sizeof(*ret_kept));
	for (size_t w = 0; w < count; w++) {
		struct session_wish *wish = &wishes[w];
		uint32_t *holder = holder_of(holders, wish->unit_kind, wish->unit);
		uint32_t session = holder && *holder ? *holder - 1 : NO_SESSION;

		wish->session = NO_SESSION;
		wish->fate = SESSION_BEGINS;
		if (session == NO_SESSION || !asks_the_same(&before[session], wish))
			continue;
		wish->session = session;
		wish->fate = is_timed_alike(&before[session], wish->probe) ? SESSION_STAYS : SESSION_RETIMES;
		ret_kept[session] = true;
	}
	begin_all(before, wishes, count, ret_kept);
	free(holders);
	return 0;
}

struct session_config session_plan_config(const struct session_wish *wish, uint32_t random)
{
	const struct config_probe *probe = wish->probe;
	struct session_config config = {
		.kind = (__u8)probe->kind,
		.unit_kind = (__u8)wish->unit_kind,
		.multiplier = probe->multiplier,
		.is_ipv6 = !probe->peer.is_ipv4,
		.is_multihop = probe->multihop,
		.auth_type = (__u8)probe->auth,
		.auth_key_id = probe->key_id,
		.auth_key_bytes = probe->key_bytes,
		.unit = wish->unit,
		.discriminator = session_plan_discriminator(wish->session, random),
		.interval_ns = probe->interval_ns,
		.hold_ns = probe->hold_ns,
		.hold_max_ns = probe->hold_max_ns,
	};

	if (probe->has_local)
		memcpy(config.local, probe->local.byte, sizeof(config.local));
	memcpy(config.peer, probe->peer.byte, sizeof(config.peer));
	memcpy(config.auth_key, probe->key, sizeof(config.auth_key));
	strncpy(config.name, wish->name, sizeof(config.name) - 1);
	return config;
}

uint32_t session_plan_discriminator(uint32_t session, uint32_t random)
{
	uint32_t discriminator = random << INDEX_BITS | (session & (MAX_SESSIONS - 1));

	return discriminator ?: MAX_SESSIONS;
}
