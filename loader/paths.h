/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a gateway's control socket and its state are. systemd names the directories that it made for the service; of
 * several the first is ours, as for aa-steer.
 */
#ifndef LOADER_PATHS_H
#define LOADER_PATHS_H

#include <stddef.h>

#define PATHS_BYTES 512

/* $RUNTIME_DIRECTORY/<gateway>.sock. Returns 0 or -ENAMETOOLONG. */
int paths_control(const char *gateway, char path[PATHS_BYTES]);

/* $STATE_DIRECTORY/<gateway>, made if it is missing. Returns 0, -ENAMETOOLONG or -errno; path is filled as far as it
 * goes, to be told. */
int paths_state(const char *gateway, char path[PATHS_BYTES]);

#endif
