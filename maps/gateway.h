/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Map `gateway`: BPF_MAP_TYPE_ARRAY of one entry, mapped into aa-steerd: what the pinned maps belong to. Writer:
 * aa-steerd. A daemon that starts reads it of whatever ABI left it, and knows by it whose programs are on a hook: what
 * is here stays where it is, and what is new comes behind it.
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

#define GATEWAY_HEAD_BYTES 56 /* what every ABI has, in the same places */

_Static_assert(__builtin_offsetof(struct gateway, map_abi_version) == 0, "read by every ABI");
_Static_assert(__builtin_offsetof(struct gateway, generation) == 4, "read by every ABI");
_Static_assert(__builtin_offsetof(struct gateway, keeps_routes) == 20, "read by every ABI");
_Static_assert(__builtin_offsetof(struct gateway, name) == 24, "read by every ABI");
_Static_assert(sizeof(struct gateway) == 56, "gateway");

#endif
