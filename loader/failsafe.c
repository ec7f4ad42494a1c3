/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fail-safe path follows the model: what routes.h is asked to keep for each connection.
 *
 * Runs when states have settled, behind every failover and never on its way.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "steerd.h"

/* Where another gateway keeps routes, this one does without, if its configuration lets it (failsafe_wanted()). */
int failsafe_open(struct steerd *steerd)
{
	int err = routes_open(steerd->loop, &steerd->routes);

	return err == -EADDRINUSE ? 0 : err;
}

bool failsafe_wanted(const struct config *config)
{
	return config->install_routes || config->path == PATH_STACK;
}

static bool is_ready(const struct unit *unit)
{
	return unit->ifindex && !unit->facts.link_down;
}

static struct route_egress egress_of(const struct model_tunnel *tunnel)
{
	const struct model_instance *instance = tunnel->instance;
	bool remote = instance->config->remote;
	const struct unit *unit = remote ? &instance->unit : &tunnel->unit;
	struct route_egress egress = {
		.number = remote ? MAX_TUNNELS + instance->index : tunnel->index,
		.ifindex = unit->ifindex,
		.has_via = unit->via && unit->egress->kind == EGRESS_ETHERNET,
		.mark = unit->egress->mark,
		.weight = tunnel->config->weight,
	};

	if (unit->via)
		egress.via = *unit->via;
	return egress;
}

/* Members of the best tier that can be used; where none can, all whose device is there. */
static size_t egresses_of(const struct model_connection *connection, struct route_egress *egresses)
{
	size_t count = 0;

	for (size_t t = 0; t < connection->config->tunnel_count; t++)
		if (connection->tunnels[t].unit.state == UNIT_ACTIVE)
			egresses[count++] = egress_of(&connection->tunnels[t]);
	for (size_t t = 0; t < connection->config->tunnel_count && connection->state == CONNECTION_DOWN; t++) {
		const struct model_tunnel *tunnel = &connection->tunnels[t];

		if (is_ready(tunnel->instance->config->remote ? &tunnel->instance->unit : &tunnel->unit))
			egresses[count++] = egress_of(tunnel);
	}
	return count;
}

/* path: stack: where marks lead must stand before the programs that set them are attached. */
void failsafe_marks(struct steerd *steerd)
{
	if (!steerd->routes || steerd->model->config->path != PATH_STACK)
		return;
	for (size_t t = 0; t < steerd->model->config->tunnel_count; t++) {
		struct route_egress egress = egress_of(&steerd->model->tunnels[t]);

		if (egress.mark && egress.ifindex)
			routes_apply_mark(steerd->routes, &egress);
	}
}

void failsafe_apply(struct steerd *steerd)
{
	const struct model *model = steerd->model;
	int err = 0;

	if (!steerd->routes)
		return;
	for (size_t c = 0; c < model->config->connection_count && model->config->install_routes; c++) {
		const struct model_connection *connection = &model->connections[c];
		struct route_egress egresses[MAX_MEMBERS];
		struct route_set set = {
			.number = connection->index,
			.prefixes = connection->config->remote,
			.prefix_count = connection->config->remote_count,
			.egresses = egresses,
			.egress_count = egresses_of(connection, egresses),
		};

		err = routes_apply(steerd->routes, &set) ?: err;
	}
	failsafe_marks(steerd);
	if (err)
		log_warning("fail-safe routes are not complete: %s", strerror(-err));
}
