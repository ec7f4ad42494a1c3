/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies of connections with fewer tunnels. See subsets.h. */
#include "subsets.h"

#include <stdlib.h>

void subsets_prepare(const struct model_maps *maps)
{
	__atomic_store_n(&maps->tunnel_health[SUBSETS_NO_TUNNEL].device_missing, 1, __ATOMIC_RELAXED);
}

uint64_t subsets_all(const struct model_connection *connection)
{
	return ~0ull >> (MAX_MEMBERS - connection->config->tunnel_count);
}

/* No packet finds it before a prefix leads there. */
static void write(const struct model_subset *subset)
{
	*subset->value = *subset->connection->value;
	for (size_t t = 0; t < subset->connection->config->tunnel_count; t++)
		if (!(subset->tunnels >> t & 1))
			subset->value->member[t].tunnel = SUBSETS_NO_TUNNEL;
}

static struct model_subset *add(struct model *model, struct model_connection *connection, uint64_t tunnels)
{
	struct model_subset *subset;

	if (!model->subsets)
		model->subsets = calloc(SUBSETS_MAX, sizeof(*model->subsets));
	if (!model->subsets || model->subset_count == SUBSETS_MAX)
		return NULL;
	subset = &model->subsets[model->subset_count];
	subset->connection = connection;
	subset->tunnels = tunnels;
	subset->index = (uint32_t)(model->config->connection_count + model->subset_count++);
	subset->value = connection->value - connection->index + subset->index;
	subset->next = connection->subsets;
	connection->subsets = subset;
	write(subset);
	return subset;
}

uint32_t subsets_find(struct model *model, struct model_connection *connection, uint64_t tunnels)
{
	struct model_subset *subset = connection->subsets;

	if (tunnels == subsets_all(connection))
		return connection->index;
	while (subset && subset->tunnels != tunnels)
		subset = subset->next;
	if (!subset)
		subset = add(model, connection, tunnels);
	return subset ? subset->index : NO_CONNECTION;
}

struct model_connection *subsets_owner(const struct model *model, uint32_t index, uint64_t *ret_tunnels)
{
	size_t connections = model->config->connection_count;
	struct model_connection *connection = NULL;

	if (index < connections) {
		connection = &model->connections[index];
		*ret_tunnels = subsets_all(connection);
	} else if (index - connections < model->subset_count) {
		connection = model->subsets[index - connections].connection;
		*ret_tunnels = model->subsets[index - connections].tunnels;
	}
	return connection;
}
