/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's IPsec security associations, by the xfrm interface that they serve (XFRMA_IF_ID), never by SPI.
 *
 * A rekey overlaps: the new SA comes (an inbound one as UPDSA) before the old one goes, so an if_id is without SA only
 * when its set is empty. Sends need an outbound SA: one whose destination is not an address of this box. Larval SAs (no
 * SPI or no algorithm: a negotiation under way) do not count. Messages carry keys: nothing here logs or keeps them.
 *
 * An if_id whose last SA nears its hard limit without a successor is told before packets are lost (sa_set.h).
 *
 * Context: the daemon's event loop. Same rules as links.h: XFRM multicast groups SA and EXPIRE, a fresh dump on
 * overrun.
 */
#ifndef LOADER_SAS_H
#define LOADER_SAS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

typedef struct sd_event sd_event;
struct nl_watch;
struct sas;

/* Is this an address of this box? Tells inbound SAs from outbound ones. */
typedef bool sas_is_own_fn(const struct config_address *address, void *context);
/* The if_id has outbound SAs now, or has no more. */
typedef void sas_changed_fn(uint32_t if_id, bool present, void *context);
/* The if_id's last outbound SA expires within two seconds, or does no more, or is gone, as was told before. */
typedef void sas_expiring_fn(uint32_t if_id, bool expiring, void *context);

/* *ret_sas is set before the first callback, so that it may look up; NULL again on failure. */
int sas_open(sd_event *loop, sas_is_own_fn *is_own, sas_changed_fn *changed, sas_expiring_fn *expiring, void *context,
	     struct sas **ret_sas);
void sas_close(struct sas *sas);
/* What hears the kernel for it: loader/meanwhile.c. */
struct nl_watch *sas_watched(const struct sas *sas);

bool sas_present(const struct sas *sas, uint32_t if_id);
bool sas_expiring(const struct sas *sas, uint32_t if_id);
/* The smallest replay window of its inbound SAs, in packets; SA_NO_WINDOW (sa_set.h) without any. */
uint32_t sas_window(const struct sas *sas, uint32_t if_id);

/* The box's own addresses changed: judge directions anew. */
void sas_recheck(struct sas *sas);

#endif
