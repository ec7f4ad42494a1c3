/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The box's own addresses and the networks that it is on, as rtnetlink tells them (RTM_NEWADDR, both families).
 *
 * Context: the daemon's event loop. Same rules as links.h: a kept copy, callbacks on change, a fresh dump on overrun.
 */
#ifndef LOADER_ADDRESSES_H
#define LOADER_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

typedef struct sd_event sd_event;

struct own_address {
	struct config_address address; /* length 128: the address itself */
	uint8_t network_length;	       /* of the network that it is on, as in config_address.length; 128 if none */
	int ifindex;
	struct config_address peer; /* of a point-to-point link; zero without */
	bool dynamic;		    /* not IFA_F_PERMANENT: leased, or autoconfigured with a lifetime */
};

struct addresses;

typedef void addresses_changed_fn(const struct own_address *address, bool present, void *context);

/* *ret_addresses is set before the first callback, so that it may look up; NULL again on failure. */
int addresses_open(sd_event *loop, addresses_changed_fn *changed, void *context, struct addresses **ret_addresses);
void addresses_close(struct addresses *addresses);

/* Is this an address of this box? address->length is not looked at. */
bool addresses_is_own(const struct addresses *addresses, const struct config_address *address);

/* Calls each() for every address; stops at and returns the first value that is not 0. */
int addresses_each(const struct addresses *addresses, int (*each)(const struct own_address *address, void *context),
		   void *context);

#endif
