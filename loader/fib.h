/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's main table as routing daemons and administrators keep it: which next hops each prefix leads to.
 *
 * Knows nothing of tunnels: a mirror of routes and nexthop objects, that tells which prefixes changed and leaves to
 * routed.c what they mean. As the kernel does, it takes the route of the lowest metric of a prefix. Left out are
 * aa-steer's own routes, the kernel's (networks that the box is on), and those of one TOS or source only.
 *
 * The kernel takes routes away without a word when a device goes down or loses its last address. For that devices and
 * addresses are watched, and the table is read again.
 *
 * Context: the daemon's event loop. The table is read whole at the start, after an overrun and after such a loss, which
 * blocks the loop for as long as the kernel takes, some 10 ms for 10,000 routes.
 */
#ifndef LOADER_FIB_H
#define LOADER_FIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "routes_hops.h"

typedef struct sd_event sd_event;

/* What a generation's map `prefixes` holds of a prefix, and why: written by routed.c alone. */
struct fib_mark {
	uint32_t connection; /* index in `connections`, NO_CONNECTION, or NO_PREFIX: there is nothing of routed.c's */
	uint8_t verdict;     /* enum routed_verdict */
};

struct fib_route;

struct fib_prefix {
	struct config_address prefix; /* first: trees compare by it */
	struct fib_route *routes;     /* by metric, the lowest first; NULL: it is gone, and to be released */
	bool changed;		      /* it waits to be taken */
	struct fib_prefix *next_changed;
	struct fib_mark marks[2]; /* of the generation that forwards, and of one that is built beside it */
};

/* The next hops that a packet to a prefix may take. */
struct fib_hops {
	size_t count; /* 0: nowhere, or to more than a connection can have tunnels */
	struct route_hop hop[MAX_MEMBERS];
};

struct fib;

/* There are changed prefixes that were not there before. */
typedef void fib_changed_fn(void *context);

/* Returns 0 or -errno. The first dump is done then, and all of its prefixes are changed ones. */
int fib_open(sd_event *loop, fib_changed_fn *changed, void *context, struct fib **ret_fib);
void fib_close(struct fib *fib);

/* Hears what the kernel has said until now. */
void fib_catch_up(struct fib *fib);

/* The next of the changed prefixes, oldest change first, or NULL. */
struct fib_prefix *fib_take(struct fib *fib);
/* All are to be taken again. */
void fib_change_all(struct fib *fib);
void fib_change(struct fib *fib, struct fib_prefix *prefix);

struct fib_prefix *fib_find(const struct fib *fib, const struct config_address *prefix);

void fib_hops(const struct fib *fib, const struct fib_prefix *prefix, struct fib_hops *ret_hops);

/* Forgets a prefix that has been taken and has no routes. */
void fib_release(struct fib *fib, struct fib_prefix *prefix);

typedef void fib_each_fn(struct fib_prefix *prefix, void *context);
void fib_each(const struct fib *fib, fib_each_fn *each, void *context);

#endif
