/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Next hops and their MAC addresses. Each watched next hop is entered as a managed neighbour (NTF_EXT_MANAGED,
 * Linux 5.16), so that the kernel itself keeps it resolved; where the kernel knows no such thing, it is asked for again
 * by timer (NTF_USE).
 *
 * Context: the daemon's event loop. Same rules as links.h.
 */
#ifndef LOADER_NEIGHBOURS_H
#define LOADER_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

typedef struct sd_event sd_event;
struct nl_watch;
struct neighbours;

/* present: mac answers for this next hop. Not present: it does not resolve (NUD_FAILED, deleted). NUD_INCOMPLETE tells
 * nothing new. */
typedef void neighbours_changed_fn(int ifindex, const struct config_address *next_hop, bool present,
				   const uint8_t mac[6], void *context);

int neighbours_open(sd_event *loop, neighbours_changed_fn *changed, void *context, struct neighbours **ret_neighbours);
void neighbours_close(struct neighbours *neighbours); /* leaves the kernel's entries: steering goes on */
/* What hears the kernel for it: loader/meanwhile.c. */
struct nl_watch *neighbours_watched(const struct neighbours *neighbours);

/* Starts to resolve and watch; calls back at once if it is resolved already, also for
 * whoever asks again. Returns 0 or -errno (device
 * down: -ENETDOWN; watch again when it is up). */
int neighbours_watch(struct neighbours *neighbours, int ifindex, const struct config_address *next_hop);
void neighbours_forget(struct neighbours *neighbours, int ifindex, const struct config_address *next_hop);

/* A reload begins: what is not watched again until neighbours_sweep() is forgotten then. Both alone, for unload: all.
 */
void neighbours_begin(struct neighbours *neighbours);
void neighbours_sweep(struct neighbours *neighbours);

#endif
