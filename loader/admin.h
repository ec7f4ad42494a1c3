/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What operators decided and what must survive restart and reboot: the names that are administratively out.
 *
 * Kept as one small JSON file, {"out": ["in0"]}, replaced whole (written beside, synced, renamed). Names that the
 * configuration no longer has are kept: they may come back with the next reload. Context: the event loop.
 */
#ifndef LOADER_ADMIN_H
#define LOADER_ADMIN_H

#include <stdbool.h>

struct admin;

/* A file that is missing is an empty one; one that does not parse is -EINVAL, and nobody is in or out by guess. */
int admin_open(const char *path, struct admin **ret_admin);
void admin_close(struct admin *admin);

bool admin_is_out(const struct admin *admin, const char *name);

/* Stored on disk when this returns 0; on failure nothing changed. */
int admin_set_out(struct admin *admin, const char *name, bool out);

#endif
