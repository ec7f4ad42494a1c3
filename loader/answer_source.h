/* SPDX-License-Identifier: GPL-2.0-only */
/* From which of our addresses the packets of an inside NIC are answered, where they are too big. Pure. */
#ifndef LOADER_ANSWER_SOURCE_H
#define LOADER_ANSWER_SOURCE_H

#include <stdint.h>

#include "addresses.h"

/* The best of one family so far; begins as zero. */
struct answer_source {
	uint8_t address[16]; /* as config_address.byte; zero: there is none */
	unsigned fitness;
};

/*
 * Takes this address if it is better: one of the NIC itself (RFC 1812, section 4.3.2.4), else of a device upon it, as
 * of its VLANs, else any that holds beyond one link. Of several that are as good, the one that came first.
 * lower_ifindex: of the device that the address's device is upon, or 0.
 */
void answer_source_consider(struct answer_source *source, const struct own_address *own, int nic_ifindex,
			    int lower_ifindex);

#endif
