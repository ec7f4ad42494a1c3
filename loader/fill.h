/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a model to the contents of a generation's configuration maps.
 *
 * Connections whose members have the same weights and tiers share a profile, that is, a run of rows. Context: start and
 * reload.
 */
#ifndef LOADER_FILL_H
#define LOADER_FILL_H

#include "datapath.h"
#include "model.h"

/* Rows of all profiles together, 32 MiB. Connections that find no room are ranked packet by packet. */
#define FILL_ROWS_MAX (4u << 20)

struct fill_plan;

/* Finds the profiles. Returns 0 or -ENOMEM; freed by fill_plan_free(). */
int fill_plan(const struct model *model, struct fill_plan **ret_plan);
uint32_t fill_plan_rows(const struct fill_plan *plan);
void fill_plan_free(struct fill_plan *plan);

/* Writes connections, rows, configured prefixes, and the names and places in tunnels and instances. Returns 0 or
 * -errno. */
int fill(const struct model *model, const struct fill_plan *plan, struct datapath *datapath);

/* Is it within what fill() gave to the kernel, whatever routes say? */
bool fill_is_link_scope(const struct config_address *prefix);

#endif
