/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running aa-steerd itself, for what no daemon is there to be asked: a file is checked, a dead daemon's programs are
 * taken off. There is one parser and one hand on the kernel, and both are aa-steerd's.
 */
#ifndef TOOLS_DAEMON_H
#define TOOLS_DAEMON_H

#include <stddef.h>

#define DAEMON_NOT_RUN 127 /* there is no aa-steerd, or it cannot be run */

/* Becomes aa-steerd. arguments end with NULL. Returns only where there is none, with errno. */
void daemon_become(char *const arguments[]);

/* Runs aa-steerd and waits. Returns its exit code; what it says on stderr is in said, without its name before it. */
int daemon_run(char *const arguments[], char *said, size_t said_size);

#endif
