/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How large a packet may be that fits every tunnel of its connection, whichever it takes now or after a failure: the
 * smallest MTU of its members' devices, in the map `connections`. A subset of its tunnels (subsets.h) has the same.
 *
 * A device that is gone counts with the MTU that it had last, since it may come back and packets move there. Called by
 * facts.c after each change of a device. Pure but for the store.
 */
#ifndef LOADER_SIZES_H
#define LOADER_SIZES_H

#include "model.h"

void sizes_connection(struct model_connection *connection);
/* The NIC before a remote instance changed: all connections that have it. */
void sizes_instance(struct model *model, const struct model_instance *instance);

#endif
