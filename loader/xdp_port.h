/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does a device take the frames that XDP redirects to it? Bridges, VLAN devices and many a NIC do not, and what is sent
 * there all the same is lost without a trace.
 *
 * Context: the daemon's event loop. Called by hooks. The kernel tells by generic netlink, family netdev (Linux 6.3).
 */
#ifndef LOADER_XDP_PORT_H
#define LOADER_XDP_PORT_H

#include <stdbool.h>

/* true where the kernel cannot tell. */
bool xdp_port_takes_frames(int ifindex);

#endif
