/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps `prefix_chunks` (maps/prefixes.h): for each network of 16 bits, and of 24 where there are longer prefixes,
 * which prefix decides. Changes as many answers as a prefix has such networks, each by one store.
 *
 * Context: the event loop; packets may be looking while it writes.
 */
#ifndef LOADER_PREFIX_FLAT_H
#define LOADER_PREFIX_FLAT_H

#include <stdint.h>

#include "../maps/prefixes.h"
#include "config.h"

struct prefix_flat;

/*
 * chunks: zeroed, outlives it, and is all answered then: no prefix holds any address. count: 256..PREFIX_CHUNK_LIMIT.
 * NULL without memory.
 */
struct prefix_flat *prefix_flat_new(struct prefix_chunk *chunks, uint32_t count);
void prefix_flat_free(struct prefix_flat *flat); /* leaves chunks as they are */

/* To be told after `prefixes` has changed. IPv6 prefixes change nothing. connection: an index, NO_CONNECTION or
 * NO_PREFIX. Once memory runs out, `prefixes` is asked for everything, for good. */
void prefix_flat_set(struct prefix_flat *flat, const struct config_address *prefix, uint32_t connection);
void prefix_flat_remove(struct prefix_flat *flat, const struct config_address *prefix);

#endif
