/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `slow-start`: who is put back takes its flows one by one, in the order of their hashes, instead of all at once.
 *
 * The packet path compares one byte (maps/health.h); here it is counted down. It is no cause: states, routes and drains
 * know nothing of it. What starts slowly when the daemon ends is open to all once the next one starts. Context: the
 * event loop.
 */
#ifndef LOADER_SLOW_START_H
#define LOADER_SLOW_START_H

#include <stdint.h>

#include "model.h"

struct steerd;

/* 255 at the beginning, 0 at the end. */
uint8_t slow_start_level(uint64_t elapsed_ns, uint64_t duration_ns);
/* What share of all flows it takes that are its, in per cent: of a unit, or of a tunnel with its instance. 100: all. */
unsigned slow_start_percent(const struct unit *unit);
unsigned slow_start_percent_of_tunnel(const struct model_tunnel *tunnel);

/* From now on, over this time; to be judged. */
void slow_start_begin(struct steerd *steerd, struct unit *unit, uint64_t duration_ns);
/* It is over, or moot; likewise. */
void slow_start_end(struct unit *unit);
void slow_start_close(struct steerd *steerd);

#endif
