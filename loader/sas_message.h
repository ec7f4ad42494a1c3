/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XFRM messages -> what they say of one SA. Pure. Reads identity, if_id, limits in time, replay window and the mere
 * presence of an algorithm; no key is copied.
 *
 * Called by sas.c, by tests and by the fuzzer.
 */
#ifndef LOADER_SAS_MESSAGE_H
#define LOADER_SAS_MESSAGE_H

#include <libmnl/libmnl.h>

#include "sa_set.h"

enum sa_event {
	SA_NOTHING, /* tells nothing of a set of SAs: soft expiry, other messages */
	SA_PUT,	    /* the SA is there */
	SA_GONE, /* it is not there, or not yet (larval), or does not serve an xfrm interface; sa.id and if_id are set
		  */
	SA_UPDATED,  /* it goes on serving what it served, which this message does not name; sa.id is set */
	SA_FLUSHED,  /* all of sa.id.protocol are gone; 0: of every protocol */
	SA_MIGRATED, /* addresses of SAs changed, it is not said which: dump anew */
};

struct sa_message {
	enum sa_event event;
	struct sa sa;
};

/* Returns 0, or -EBADMSG, or -EAFNOSUPPORT. */
int sas_message_parse(const struct nlmsghdr *message, struct sa_message *ret_message);

#endif
