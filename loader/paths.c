/* SPDX-License-Identifier: GPL-2.0-only */
/* See paths.h. */
#include "paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../maps/control.h"

#define STATE_DIRECTORY "/var/lib/aa-steer"

static int path_make(const char *variable, const char *standard, const char *name, const char *suffix, char *path)
{
	const char *directory = getenv(variable);
	int length;

	if (!directory || !*directory)
		directory = standard;
	length = snprintf(path, PATHS_BYTES, "%.*s%s%s%s", (int)strcspn(directory, ":"), directory, *name ? "/" : "",
			  name, suffix);
	return length < PATHS_BYTES ? 0 : -ENAMETOOLONG;
}

static int directory_make(const char *path)
{
	return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
}

int paths_control(const char *gateway, char path[PATHS_BYTES])
{
	return path_make("RUNTIME_DIRECTORY", CONTROL_DIRECTORY, gateway, CONTROL_SOCKET_SUFFIX, path);
}

int paths_state(const char *gateway, char path[PATHS_BYTES])
{
	int err = path_make("STATE_DIRECTORY", STATE_DIRECTORY, "", "", path) ?: directory_make(path);

	if (!err)
		err = path_make("STATE_DIRECTORY", STATE_DIRECTORY, gateway, "", path) ?: directory_make(path);
	return err;
}
