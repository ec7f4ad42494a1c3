/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection through some of its tunnels only: where a peer announces a prefix over one of two tunnels, the other
 * must not carry it.
 *
 * In the map `connections` such a subset is a copy of its connection whose members that are left out name
 * SUBSETS_NO_TUNNEL, a tunnel that is always out. All else is the connection's own: its rows, ordinals and MTU, and
 * whether a tunnel is usable. So to a flow a tunnel through which its prefix is not announced is as one that failed:
 * the flows of the others stay where they are, and it comes back as from a failure.
 *
 * Subsets are made when first needed and stay for as long as their generation: routes that come and go find theirs
 * again, and no packet on its way meets an entry that means something else by now. Pure but for the stores.
 */
#ifndef LOADER_SUBSETS_H
#define LOADER_SUBSETS_H

#include "model.h"

#define SUBSETS_MAX 1024 /* of a generation; behind its connections in the map */

/* Index of a tunnel that no configuration with routed connections gives away. */
#define SUBSETS_NO_TUNNEL (MAX_TUNNELS - 1)

/* Before the first is made: the tunnel that is always out is. */
void subsets_prepare(const struct model_maps *maps);

/* Index in `connections` of the connection through these tunnels, made if need be; of all of them it is the
 * connection's own. NO_CONNECTION: there is no room. */
uint32_t subsets_find(struct model *model, struct model_connection *connection, uint64_t tunnels);

/* The connection that an index belongs to, its own or a subset's, and its tunnels; NULL: none. */
struct model_connection *subsets_owner(const struct model *model, uint32_t index, uint64_t *ret_tunnels);

/* All tunnels of a connection. */
uint64_t subsets_all(const struct model_connection *connection);

#endif
