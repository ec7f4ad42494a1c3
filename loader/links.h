/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The box's network interfaces, as rtnetlink tells them.
 *
 * Context: the daemon's event loop. One struct links watches RTMGRP_LINK, keeps a copy of every interface and calls
 * back on each change. When the socket overruns (ENOBUFS) it dumps anew and calls back for what differs, so a caller
 * sees every lasting state though perhaps not every passing one.
 */
#ifndef LOADER_LINKS_H
#define LOADER_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sd_event sd_event;

struct link {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16];	   /* IFLA_INFO_KIND: "xfrm", "veth", "vlan"; empty for a physical NIC */
	uint32_t if_id;	   /* xfrm: its IFLA_XFRM_IF_ID; 0 for others, and where its SAs are in another namespace */
	int lower_ifindex; /* IFLA_LINK where that is in this namespace and not itself; else 0 */
	uint32_t mtu_bytes;
	uint8_t mac[6];
	bool ethernet; /* ARPHRD_ETHER: takes frames */
	bool loopback;
	bool up; /* administratively up and its carrier is on */
};

struct nl_watch;
struct links;

/* The interface as it is now; link->name may be new. Called once for each interface while links_open() runs too. */
typedef void links_changed_fn(const struct link *link, void *context);
/* The interface is gone; link is its last state, without a name where another interface took that since. */
typedef void links_removed_fn(const struct link *link, void *context);

/* Returns 0 or -errno. *ret_links is set before the first callback, so that it may look up; NULL again on failure. */
int links_open(sd_event *loop, links_changed_fn *changed, links_removed_fn *removed, void *context,
	       struct links **ret_links);
void links_close(struct links *links);
/* What hears the kernel for it: loader/meanwhile.c. */
struct nl_watch *links_watched(const struct links *links);

/* NULL if there is none. Valid until the event loop runs on. */
const struct link *links_by_name(const struct links *links, const char *name);
const struct link *links_by_index(const struct links *links, int ifindex);

#endif
