/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What operators decided and what must survive restart and reboot: the names that are administratively out, how far,
 * and when their drain ends; the mode that was set by hand, and who stays behind in active-standby.
 *
 * Kept as one small JSON file, replaced whole (written beside, synced, renamed):
 *
 *   {"out": ["in0", "hq-1"], "draining": {"hq-1": {"until_ms": 1764557231500}},
 *    "mode": {"mode": "active-standby", "over": "active-active", "first": "in1"}, "behind": ["in2"]}
 *
 * `draining` holds those of `out` that flows may still be pinned to, with the wall clock's milliseconds since 1970 at
 * which that ends, where it does. Older versions write and read `out` alone; `draining`, `mode` and `behind` are
 * missing where there is nothing to say.
 * Names that the configuration no longer has are kept: they may come back with the next reload. Context: the event
 * loop.
 */
#ifndef LOADER_ADMIN_H
#define LOADER_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../maps/health.h"
#include "config.h"

struct admin;

/* Whose turn it is, as far as the configuration does not say. All zero: as the configuration says. */
struct admin_order {
	bool by_hand;		/* the mode was set by an operator ... */
	enum config_mode mode;	/* ... to this ... */
	enum config_mode over;	/* ... which holds for as long as the configuration says this */
	char first[NAME_BYTES]; /* by hand, of active-standby: the instance chosen to be active; "" none was */
	size_t behind_count;
	char behind[MAX_INSTANCES][NAME_BYTES]; /* without preemption: instances that lost their turn, in that order */
};

/* A file that is missing is an empty one; one that does not parse is -EINVAL, and nobody is in or out by guess. */
int admin_open(const char *path, struct admin **ret_admin);
void admin_close(struct admin *admin);

/* How far this name is out; 0: it is in. */
enum admin_out admin_is_out(const struct admin *admin, const char *name);
/* When a drain ends whether or not all have left; wall clock, 0: never, or it has ended. */
uint64_t admin_deadline_ns(const struct admin *admin, const char *name);
/* Whose deadline is the next, and when it is. NULL: nobody has one. */
const char *admin_next_deadline(const struct admin *admin, uint64_t *ret_deadline_ns);

/* Stored on disk when this returns 0; on failure nothing changed. deadline_ns is for ADMIN_DRAINING, else 0. */
int admin_set_out(struct admin *admin, const char *name, enum admin_out out, uint64_t deadline_ns);

const struct admin_order *admin_order(const struct admin *admin);
/* Likewise stored on disk, or nothing changed. */
int admin_set_order(struct admin *admin, const struct admin_order *order);

#endif
