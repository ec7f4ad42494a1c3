/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RTM_NEWNEIGH and RTM_DELNEIGH -> what they say of one next hop; and the requests that watching needs. Pure.
 *
 * Called by neighbours.c, by tests and by the fuzzer.
 */
#ifndef LOADER_NEIGHBOURS_MESSAGE_H
#define LOADER_NEIGHBOURS_MESSAGE_H

#include <libmnl/libmnl.h>

#include "neighbours.h"

enum neighbour_news {
	NEIGHBOUR_NO_NEWS, /* being resolved: what was true before still is */
	NEIGHBOUR_PRESENT,
	NEIGHBOUR_ABSENT,
};

struct neighbour_message {
	int ifindex;
	struct config_address next_hop;
	enum neighbour_news news;
	uint8_t mac[6]; /* where present */
	bool managed;	/* the kernel keeps it resolved */
	bool fixed;	/* NUD_PERMANENT or NUD_NOARP: an administrator's word, not to be touched */
};

/* Reads an RTM_NEWNEIGH or RTM_DELNEIGH. Returns 0; -EBADMSG; -EAFNOSUPPORT for bridges and DECnet. */
int neighbours_message_parse(const struct nlmsghdr *message, struct neighbour_message *ret_neighbour);

/* "Resolve it now", and with manage "and keep it resolved", where the kernel knows how; without, it need no longer. */
void neighbours_message_ask(struct nlmsghdr *header, int ifindex, const struct config_address *next_hop, bool manage);

/* "What is its state?" */
void neighbours_message_get(struct nlmsghdr *header, int ifindex, const struct config_address *next_hop);

#endif
