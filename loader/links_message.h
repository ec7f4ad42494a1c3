/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RTM_NEWLINK and RTM_DELLINK -> struct link. Pure: one message in, one value out.
 *
 * Called by links.c, by tests and by the fuzzer.
 */
#ifndef LOADER_LINKS_MESSAGE_H
#define LOADER_LINKS_MESSAGE_H

#include <libmnl/libmnl.h>

#include "links.h"

/*
 * Reads an RTM_NEWLINK or RTM_DELLINK. Returns 0; -EBADMSG if it is malformed or names no interface; -EOPNOTSUPP if it
 * is of another family's table (bridge ports have messages of their own, AF_BRIDGE).
 */
int links_message_parse(const struct nlmsghdr *message, struct link *ret_link);

#endif
