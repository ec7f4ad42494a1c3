/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XFRM_MSG_NEWPOLICY -> what an IPsec policy does to packets that the kernel routes. Pure.
 *
 * Called by audit_gather.c, by tests and by the fuzzer.
 */
#ifndef LOADER_POLICIES_MESSAGE_H
#define LOADER_POLICIES_MESSAGE_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct policy {
	struct config_address source; /* networks; both of one family */
	struct config_address destination;
	uint32_t if_id; /* of the xfrm interface that it is for; 0: for packets that leave by any other */
	bool out;	/* for what leaves the box; neither in nor fwd, nor a socket's own */
	bool encrypts;	/* it has a template */
	bool blocks;
	bool narrow; /* only for packets of a mark that is not 0 (a vti's), or towards one device */
};

/* Returns 0, -EBADMSG, -EAFNOSUPPORT, or -EOPNOTSUPP where it is another message. */
int policies_message_parse(const struct nlmsghdr *message, struct policy *ret_policy);

/* Does it take packets that are routed, before they come to the xfrm interface that their route names? */
bool policies_message_diverts(const struct policy *policy);

/* Fills in the request for all of them. */
void policies_message_dump(struct nlmsghdr *header);

#endif
