/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking off what a daemon that ended left forwarding: aa-steerd --unload, for aa-steer unload where no daemon answers.
 */
#ifndef LOADER_UNLOAD_H
#define LOADER_UNLOAD_H

#include <stddef.h>

/*
 * Takes programs, maps and routes of a gateway off, in this network namespace. gateway NULL: the only one that left
 * anything. Returns 0; -ENOENT: nothing is left; -EADDRINUSE: its daemon lives; -EINVAL: several left something, and
 * error names them; another -errno. error is one line.
 */
int unload_left(const char *gateway, char *error, size_t error_size);

#endif
