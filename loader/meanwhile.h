/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Work that takes the kernel long, and nothing of which concerns what runs now: on a thread of its own, while the event
 * loop's thread hears what the kernel tells of links, next hops and SAs. So a failure is a store at once, though
 * programs are being verified; what follows from it waits as ever for the loop to run dry.
 */
#ifndef LOADER_MEANWHILE_H
#define LOADER_MEANWHILE_H

#include "steerd.h"

typedef int meanwhile_work_fn(void *context);

/* Returns what work returns. Without a thread to be had, or a generation that forwards, it is done here. */
int meanwhile(const struct steerd *steerd, meanwhile_work_fn *work, void *context);

#endif
