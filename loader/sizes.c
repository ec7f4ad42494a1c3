/* SPDX-License-Identifier: GPL-2.0-only */
/* The smallest MTU of each connection. See sizes.h. */
#include "sizes.h"

/* Of the device that a member's packets leave by; 0: there was none yet. */
static uint32_t member_mtu(const struct model_tunnel *tunnel)
{
	const struct unit *unit = tunnel->instance->config->remote ? &tunnel->instance->unit : &tunnel->unit;

	return unit->egress->mtu_bytes;
}

void sizes_connection(struct model_connection *connection)
{
	uint32_t smallest = 0;

	for (size_t t = 0; t < connection->config->tunnel_count; t++) {
		uint32_t mtu_bytes = member_mtu(&connection->tunnels[t]);

		if (mtu_bytes && (!smallest || mtu_bytes < smallest))
			smallest = mtu_bytes;
	}
	__atomic_store_n(&connection->value->mtu_bytes, smallest, __ATOMIC_RELAXED);
	for (struct model_subset *subset = connection->subsets; subset; subset = subset->next)
		__atomic_store_n(&subset->value->mtu_bytes, smallest, __ATOMIC_RELAXED);
}

void sizes_instance(struct model *model, const struct model_instance *instance)
{
	for (size_t t = 0; t < model->config->tunnel_count; t++)
		if (model->tunnels[t].instance == instance)
			sizes_connection(model->tunnels[t].connection);
}
