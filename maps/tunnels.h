/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps `tunnels`, `instances` and `devices`: where a packet leaves; `inside_nics`: where it came in. Writer: aa-steerd,
 * as links, neighbours and addresses change.
 *
 * `tunnels` (BPF_MAP_TYPE_ARRAY, sized by the configuration, mapped into aa-steerd), by tunnel index.
 * `instances` (BPF_MAP_TYPE_ARRAY of MAX_INSTANCES, mapped into aa-steerd), by instance index.
 * `devices` (BPF_MAP_TYPE_HASH), by ifindex: those that lead to a connection's peer.
 * `inside_nics` (BPF_MAP_TYPE_ARRAY of MAX_INSIDE_NICS), by place in gateway.inside: steer_xdp knows its own at load,
 * steer_tc looks for its device.
 * `remote_ports` (BPF_MAP_TYPE_DEVMAP of MAX_INSTANCES), by instance index: the NIC of a remote instance.
 *
 * Tunnel and instance indexes stay with their name for as long as the name stays in the configuration, over reloads and
 * restarts, so that health and counters keep their meaning while one generation of programs replaces another.
 */
#ifndef MAPS_TUNNELS_H
#define MAPS_TUNNELS_H

#include <linux/types.h>

#include "limits.h"

enum egress_kind {
	EGRESS_NONE,	 /* no device now */
	EGRESS_LAYER3,	 /* xfrm, vti, tun, wireguard: takes IP packets */
	EGRESS_ETHERNET, /* takes frames: next_hop_mac and source_mac hold */
};

struct egress {
	__u8 next_hop_mac[8]; /* six bytes and two of zero: one 64-bit store changes it */
	__u8 source_mac[8];   /* likewise; the device's own address */
	__u32 ifindex;
	__u32 mtu_bytes; /* largest IP packet that the device takes */
	__u32 kind;	 /* enum egress_kind */
	__u32 mark;	 /* path: stack: the mark that routes into this egress; else 0 */
} __attribute__((aligned(8)));

struct tunnel {
	struct egress egress; /* of a local instance's tunnel; EGRESS_NONE for a remote one's */
	__u32 connection;     /* index in `connections` */
	__u32 ordinal;	      /* its place among the connection's members */
	__u32 instance;	      /* index in `instances` */
	__u32 reserved;	      /* 0 */
	char name[NAME_BYTES];
};

struct instance {
	struct egress egress; /* of a remote instance: its next hop; EGRESS_NONE for a local one */
	char name[NAME_BYTES];
};

struct device {
	__u32 tunnel; /* index in `tunnels` of the tunnel that this device carries; NO_TUNNEL: it is the NIC before
			 remote instances, which others may share */
};

struct inside_nic {
	__u8 mac[8];   /* its own address and two bytes of zero; all zero until it is there */
	__u32 ifindex; /* 0 until it is there */
	__be32 ipv4;   /* whence who sent a packet there is answered; 0: there is no such address of ours */
	__u8 ipv6[16]; /* likewise, network order */
} __attribute__((aligned(8)));

_Static_assert(sizeof(struct egress) == 32, "egress");
_Static_assert(sizeof(struct tunnel) == 80, "tunnel");
_Static_assert(sizeof(struct instance) == 64, "instance");
_Static_assert(sizeof(struct device) == 4, "device");
_Static_assert(sizeof(struct inside_nic) == 32, "inside_nic");

#endif
