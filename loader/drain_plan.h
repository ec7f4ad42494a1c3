/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `drain --dry-run`: where flows and traffic would go, worked out from the rows that the packet path reads and the
 * rates of the last second. Pure: changes nothing.
 *
 * What goes out is counted: what comes in by a tunnel is the peer's to move.
 */
#ifndef LOADER_DRAIN_PLAN_H
#define LOADER_DRAIN_PLAN_H

#include <jansson.h>

#include "drain.h"

/* rows: the map of that name. The result of the command (docs/control-protocol.md); NULL without memory. */
json_t *drain_plan(const struct model *model, const struct row *rows, const struct drain_target *target);

#endif
