/* SPDX-License-Identifier: GPL-2.0-only */
/* From which of our addresses packets are answered. See answer_source.h. */
#include "answer_source.h"

#include <string.h>

enum { UNFIT, ELSEWHERE, UPON_NIC, OF_NIC };

/* Of this host, or of one link. */
static bool is_narrow(const struct config_address *address)
{
	static const uint8_t loopback[16] = {[15] = 1};
	const uint8_t *byte = address->byte;

	if (address->is_ipv4)
		return byte[12] == 0 || byte[12] == 127 || (byte[12] == 169 && byte[13] == 254);
	return (byte[0] == 0xfe && (byte[1] & 0xc0) == 0x80) || !memcmp(byte, loopback, sizeof(loopback));
}

static unsigned fitness(const struct own_address *own, int nic_ifindex, int lower_ifindex)
{
	if (is_narrow(&own->address))
		return UNFIT;
	if (own->ifindex == nic_ifindex)
		return OF_NIC;
	return lower_ifindex == nic_ifindex ? UPON_NIC : ELSEWHERE;
}

void answer_source_consider(struct answer_source *source, const struct own_address *own, int nic_ifindex,
			    int lower_ifindex)
{
	unsigned fit = fitness(own, nic_ifindex, lower_ifindex);

	if (fit <= source->fitness)
		return;
	source->fitness = fit;
	memcpy(source->address, own->address.byte, sizeof(source->address));
}
