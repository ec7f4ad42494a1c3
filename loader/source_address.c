/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of our addresses a peer is asked from. See source_address.h. */
#include "source_address.h"

#include <string.h>

#define UNFIT	  0
#define FIT	  1 /* + the bits of a network that holds the peer */
#define OTHER_END (FIT + 128)

static bool equal(const struct config_address *a, const struct config_address *b)
{
	return !memcmp(a->byte, b->byte, sizeof(a->byte));
}

static bool is_link_local(const struct config_address *address)
{
	return address->byte[0] == 0xfe && (address->byte[1] & 0xc0) == 0x80;
}

static bool shares_prefix(const struct config_address *a, const struct config_address *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a->byte, b->byte, bits / 8))
		return false;
	return !rest || !((a->byte[bits / 8] ^ b->byte[bits / 8]) >> (8 - rest));
}

static unsigned fitness(const struct own_address *own, int ifindex, const struct config_address *peer)
{
	if (own->ifindex != ifindex || own->address.is_ipv4 != peer->is_ipv4 ||
	    is_link_local(&own->address) != is_link_local(peer))
		return UNFIT;
	if (equal(&own->peer, peer))
		return OTHER_END;
	return FIT + (shares_prefix(&own->address, peer, own->network_length) ? own->network_length : 0);
}

bool source_address_choose(const struct own_address *own, size_t count, int ifindex, const struct config_address *peer,
			   const struct config_address *current, struct config_address *ret_address)
{
	unsigned best = UNFIT;

	for (size_t i = 0; i < count; i++) {
		unsigned fit = fitness(&own[i], ifindex, peer);

		if (fit < best || fit == UNFIT || (fit == best && !(current && equal(&own[i].address, current))))
			continue;
		best = fit;
		*ret_address = own[i].address;
	}
	return best != UNFIT;
}
