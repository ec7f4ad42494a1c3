/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which xfrm interfaces have outbound SAs: a set of SAs counted by if_id. Pure, so that every order of messages can be
 * tested.
 *
 * An SA is what the kernel takes it for: destination, SPI, protocol and mark. Its if_id is where it counts, its
 * direction whether it does. Nothing of its keys comes here. Called by sas.c only.
 *
 * Hard limits in time are followed too: an if_id expires when the outbound SA with most life left has less than
 * SA_LEAVE_NS, so that flows leave it before packets are lost. A rekey brings a successor long before, so that it does
 * so only where that failed. Limits are read by the wall clock when the SA comes, and run by a clock that is never set
 * from then on; where the wall clock is set back they are put off. So it is in the kernel.
 */
#ifndef LOADER_SA_SET_H
#define LOADER_SA_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "config.h"

#define SA_NEVER    UINT64_MAX
#define SA_LEAVE_NS (2 * NS_PER_SECOND)

#define SA_NO_WINDOW UINT32_MAX

struct sa_id {
	struct config_address destination;
	uint32_t spi;	     /* network order, as compared only */
	uint32_t mark_value; /* XFRMA_MARK; 0 without */
	uint32_t mark_mask;
	uint8_t protocol; /* IPPROTO_ESP or IPPROTO_AH */
};

enum sa_direction { SA_BY_ADDRESS, SA_INBOUND, SA_OUTBOUND };

struct sa {
	struct sa_id id;
	uint32_t if_id;
	enum sa_direction direction; /* as the kernel tells it (Linux 6.10); else by who owns the destination */
	uint64_t expires_s;	     /* wall clock: its hard limit in time; SA_NEVER without */
	uint32_t window_packets;     /* replay window; 0: replays are not looked for */
};

struct sa_set;

/* Is this an address of this box? */
typedef bool sa_set_is_own_fn(const struct config_address *address, void *context);
/* The if_id has its first outbound SA, or lost its last. */
typedef void sa_set_changed_fn(uint32_t if_id, bool present, void *context);
/* The if_id's last outbound SA is about to expire, or has a successor now, or is gone (which was told before). */
typedef void sa_set_expiring_fn(uint32_t if_id, bool expiring, void *context);

int sa_set_new(sa_set_is_own_fn *is_own, sa_set_changed_fn *changed, sa_set_expiring_fn *expiring, void *context,
	       struct sa_set **ret_set);
void sa_set_free(struct sa_set *set);

/* Adds an SA, or replaces the one of the same id. Returns whether anything changed. */
bool sa_set_put(struct sa_set *set, const struct sa *sa);
bool sa_set_holds(const struct sa_set *set, const struct sa_id *id);
/* Returns whether it was there. */
bool sa_set_remove(struct sa_set *set, const struct sa_id *id);
/* Removes all SAs of a protocol; 0: of every protocol. */
void sa_set_flush(struct sa_set *set, uint8_t protocol);

/* A dump begins: what is not put again until sa_set_end() is removed then. */
void sa_set_begin(struct sa_set *set);
void sa_set_end(struct sa_set *set);

/* Addresses changed: judges every direction anew, then calls back for the interfaces that this changed. */
void sa_set_recheck(struct sa_set *set);

/* What time it is, to be told before anything else is. running_ns: of a clock that is never set. Calls nobody back. */
void sa_set_clock(struct sa_set *set, uint64_t wall_ns, uint64_t running_ns);
/* When sa_set_expire() may have something to tell, by the running clock; SA_NEVER. */
uint64_t sa_set_due_ns(const struct sa_set *set);
/* Calls back for the if_ids that expire by now. */
void sa_set_expire(struct sa_set *set);

bool sa_set_present(const struct sa_set *set, uint32_t if_id);
bool sa_set_expiring(const struct sa_set *set, uint32_t if_id);

/* The smallest replay window of its inbound SAs, in packets; SA_NO_WINDOW without any. */
uint32_t sa_set_window(const struct sa_set *set, uint32_t if_id);

#endif
