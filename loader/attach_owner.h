/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose is a program that is attached somewhere? Several gateways may share a box, and a daemon that died may have left
 * programs whose maps it had not pinned yet; so what tells is the map `gateway` that a program uses.
 */
#ifndef LOADER_ATTACH_OWNER_H
#define LOADER_ATTACH_OWNER_H

#include <linux/types.h>
#include <stdbool.h>

#include "pins.h"

/* The gateway that a program of this name belongs to. False: it has another name, or none of our maps. */
bool attach_owner(__u32 program_id, const char *name, char ret_gateway[NAME_BYTES]);

/* Is it this gateway's program of that name, whatever its generation? */
bool attach_is_ours(const struct pins *pins, __u32 program_id, const char *name);

#endif
