/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things are pinned: /sys/fs/bpf/aa-steer/<gateway>/maps/NAME and .../links/NAME.
 *
 * Only paths and the calls that touch them; what is pinned, and when, is datapath.c's and attach_tc.c's to say.
 */
#ifndef LOADER_PINS_H
#define LOADER_PINS_H

#include <stddef.h>

#include "../maps/limits.h"

#define PINS_ROOT	"/sys/fs/bpf/aa-steer"
#define PINS_PATH_BYTES 256

struct pins {
	char gateway[NAME_BYTES];
	char maps[PINS_PATH_BYTES];  /* directory */
	char links[PINS_PATH_BYTES]; /* directory */
};

/* Makes the directories of a gateway. Returns 0 or -errno; -ENOTSUP if /sys/fs/bpf is not a bpf filesystem. */
int pins_open(const char *gateway, struct pins *ret_pins);

/* The same of a gateway that has pins; makes nothing. Returns 0 or -errno (-ENOENT: it has none). */
int pins_find(const char *gateway, struct pins *ret_pins);

/* Opens what is pinned as directory/name. Returns a descriptor, owned by the caller, or -errno (-ENOENT: nothing is).
 */
int pins_get(const char *directory, const char *name);

/* Pins fd as directory/name, in the place of whatever was there, without a moment of nothing being there. */
int pins_put(const char *directory, const char *name, int fd);

int pins_remove(const char *directory, const char *name);

/* Calls each() with every name in the directory, if there is one; stops at and returns the first value that is not 0.
 */
int pins_each(const char *directory, int (*each)(const char *name, void *context), void *context);

/* Unpins everything of the gateway and removes its directories. */
int pins_clear(const char *gateway);

#endif
