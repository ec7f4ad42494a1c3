/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Profiles: members' weights and tiers -> a table of rows, each the first eight members that a flow ranks.
 *
 * Shares are exact: over the rows, the number that ranks a member first is its weight's share of the tier, rounded, so
 * within 1 % for any weights that MAX_ROWS can express; and among the rows that rank a member first, second places are
 * shared by weight in the same way, so that its flows spread evenly when it fails. Removing a member leaves the order
 * of the others in each row, and tiers leave first places with those members of the best one that had them without
 * tiers. Pure; deterministic on every machine: two gateways with the same weights build the same
 * rows.
 */
#ifndef LOADER_ROWS_H
#define LOADER_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "../maps/connections.h"

/* Rows that these members' weights need, whatever their tiers: a power of two, MIN_ROWS..MAX_ROWS. count
 * is 1..MAX_MEMBERS. */
size_t rows_needed(const struct member_rank *members, size_t count);

/* Fills row_count (a power of two) rows. members is by ordinal. Returns 0, or -ENOMEM, or -EINVAL for sizes out of
 * range. */
int rows_build(const struct member_rank *members, size_t count, struct row *rows, size_t row_count);

#endif
