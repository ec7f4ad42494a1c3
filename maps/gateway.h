/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Map `gateway`: BPF_MAP_TYPE_ARRAY of one entry, mapped into aa-steerd: what the pinned maps belong to. Writer:
 * aa-steerd. A daemon that starts reads it to tell whether the pinned maps are of its own ABI and can be carried over.
 */
#ifndef MAPS_GATEWAY_H
#define MAPS_GATEWAY_H

#include <linux/types.h>

#include "limits.h"

struct gateway {
	__u32 map_abi_version; /* MAP_ABI_VERSION */
	__u32 generation;      /* counts the programs and configurations loaded since boot */
	__u64 hash_seed;
	__u32 prefix_changes; /* raised after each change of `prefixes`: what the programs cached of it is void */
	__u32 keeps_routes;   /* 1: the kernel's routes of aa-steer's protocol are this gateway's */
	char name[NAME_BYTES];
};

_Static_assert(sizeof(struct gateway) == 56, "gateway");

#endif
