/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Map `counters`: BPF_MAP_TYPE_PERCPU_ARRAY, sized by the configuration, by tunnel index. Writer: the BPF programs. A
 * GSO packet counts as the packets that it will become.
 */
#ifndef MAPS_COUNTERS_H
#define MAPS_COUNTERS_H

#include <linux/types.h>

struct counters {
	__u64 tx_packets; /* steered into the tunnel */
	__u64 tx_bytes;	  /* their IP packets' length, before encryption */
	__u64 rx_packets; /* received out of the tunnel, decrypted */
	__u64 rx_bytes;
	__u64 panic_packets;	  /* of tx_packets: no tunnel of the connection was usable (HEALTH_PANIC_CAUSES) */
	__u64 rx_through_packets; /* of rx_packets: without those for the gateway itself that came while the tunnel was
				     drained */
};

_Static_assert(sizeof(struct counters) == 48, "counters");

#endif
