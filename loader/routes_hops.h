/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The next hops that a route names itself, whoever installed it. Pure.
 *
 * Called by fib.c (where routing daemons lead), audit_gather.c (where the kernel leads), by tests and by the fuzzer.
 */
#ifndef LOADER_ROUTES_HOPS_H
#define LOADER_ROUTES_HOPS_H

#include <libmnl/libmnl.h>
#include <stdbool.h>

#include "config.h"

struct route_hop {
	int ifindex;
	bool has_via;
	struct config_address via; /* of either family, whichever the route's is */
};

typedef void routes_hops_fn(const struct route_hop *hop, void *context);

/* Calls each() for every next hop of an RTM_NEWROUTE or RTM_DELROUTE. Returns 0 or -EBADMSG. */
int routes_hops_each(const struct nlmsghdr *message, routes_hops_fn *each, void *context);

#endif
