/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RTM_NEWADDR and RTM_DELADDR -> struct own_address, and the kernel's addresses as config_address. Pure.
 *
 * Called by addresses.c, neighbours.c and sas.c, by tests and by the fuzzer.
 */
#ifndef LOADER_ADDRESSES_MESSAGE_H
#define LOADER_ADDRESSES_MESSAGE_H

#include <libmnl/libmnl.h>

#include "addresses.h"

/* An address of AF_INET (4 bytes) or AF_INET6 (16 bytes) as config_address of length 128. -EAFNOSUPPORT for other
 * families. */
int addresses_message_address(int family, const void *bytes, struct config_address *ret_address);

/*
 * Reads an RTM_NEWADDR or RTM_DELADDR. *ret_usable is false while duplicate address detection runs or has failed: the
 * address is not the box's yet. Returns 0, or -EBADMSG or -EAFNOSUPPORT.
 */
int addresses_message_parse(const struct nlmsghdr *message, struct own_address *ret_address, bool *ret_usable);

#endif
