/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What routes lead to, for fib.c: nexthop objects, and the next hops that routes name themselves. Pure.
 *
 * Like leads are one lead, counted by its users. A nexthop object is looked up when it is asked where it leads, so that
 * routes need not be touched when it changes.
 */
#ifndef LOADER_FIB_LEADS_H
#define LOADER_FIB_LEADS_H

#include <libmnl/libmnl.h>

#include "fib.h"
#include "routes_message.h"

struct fib_lead;

struct fib_leads {
	void *tree;	   /* tsearch tree of struct fib_lead */
	void *objects;	   /* tsearch tree of nexthop objects, by id */
	size_t references; /* leads to a nexthop object */
};

/* What a route's message leads to. NULL without memory; else to be given back. */
struct fib_lead *fib_lead_get(struct fib_leads *leads, const struct nlmsghdr *message,
			      const struct route_message *route);
/* NULL is fine. */
void fib_lead_put(struct fib_leads *leads, struct fib_lead *lead);
void fib_lead_hops(const struct fib_leads *leads, const struct fib_lead *lead, struct fib_hops *ret_hops);

/* A nexthop object came, changed or went. Returns whether that is news. */
bool fib_leads_object(struct fib_leads *leads, const struct nexthop_message *object, uint64_t generation);
bool fib_leads_object_gone(struct fib_leads *leads, uint32_t id);
/* Drops objects of other generations. Returns whether there were any. */
bool fib_leads_sweep(struct fib_leads *leads, uint64_t generation);

/* Does any route lead to a nexthop object? */
bool fib_leads_refer(const struct fib_leads *leads);
/* Does any lead, or any object, leave by this device? */
bool fib_leads_have_device(const struct fib_leads *leads, int ifindex);

void fib_leads_free(struct fib_leads *leads);

#endif
