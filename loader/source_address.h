/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of our addresses a peer is asked from, where the configuration names none. Pure. */
#ifndef LOADER_SOURCE_ADDRESS_H
#define LOADER_SOURCE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "addresses.h"

/*
 * Of the addresses on this device and of the peer's family: the one in whose network (or at whose other end) the peer
 * is, by the longest prefix, else any. A link-local peer (IPv6) is asked from a link-local address and no other one.
 * Of several that are as good, `current` if it is among them (NULL: there is none), else the first. False: there is no
 * such address.
 */
bool source_address_choose(const struct own_address *own, size_t count, int ifindex, const struct config_address *peer,
			   const struct config_address *current, struct config_address *ret_address);

#endif
