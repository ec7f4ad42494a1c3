/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which session each probed unit has: those that ran are found again, others get a free index.
 *
 * Pure: reads what `session_configs` holds and decides; sessions.c does it.
 */
#ifndef LOADER_SESSION_PLAN_H
#define LOADER_SESSION_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

enum session_fate {
	SESSION_BEGINS,	 /* at an index that is free now, or will be once what is not kept is gone */
	SESSION_STAYS,	 /* as it is */
	SESSION_RETIMES, /* it stays, and its interval, multiplier or hold is another */
};

/* A unit that is to be probed. */
struct session_wish {
	const char *name; /* the unit's */
	enum session_unit unit_kind;
	uint32_t unit; /* its index in `tunnels` or `instances` */
	const struct config_probe *probe;
	uint32_t session; /* planned; NO_SESSION: there are more than MAX_SESSIONS */
	enum session_fate fate;
};

/*
 * Fills in session and fate of every wish. A session stays where its unit asks the same peer the same way; its local
 * address counts where it is configured. ret_kept: by index, whether the session there before stays. Returns 0 or
 * -ENOMEM.
 */
int session_plan(const struct session_config before[MAX_SESSIONS], struct session_wish *wishes, size_t count,
		 bool ret_kept[MAX_SESSIONS]);

/* The configuration of a session that begins, but for its device, and for a local address that is not configured. */
struct session_config session_plan_config(const struct session_wish *wish, uint32_t random);

/*
 * From 32 random bits: never 0, and its low 14 bits, which are the source port beyond 49152, are no other session's of
 * this gateway.
 */
uint32_t session_plan_discriminator(uint32_t session, uint32_t random);

#endif
