/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fail-safe path follows the model: what routes.h is asked to keep for each connection.
 *
 * Runs when states have settled, behind every failover and never on its way. Marks of path: stack go before the use of
 * what comes up, too.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../maps/gateway.h"
#include "log.h"
#include "steerd.h"

static bool is_wanted(const struct config *config)
{
	return config->install_routes || config->path == PATH_STACK;
}

/* A daemon that starts without wanting routes takes off those that its gateway had before. */
int failsafe_prepare(struct steerd *steerd, const struct config *config, char *error, size_t error_size)
{
	bool wanted = is_wanted(config);
	int err;

	if (steerd->routes || (!wanted && (steerd->model || !datapath_kept_routes(config->name))))
		return 0;
	err = routes_open(steerd->loop, &steerd->routes);
	if (!err)
		return 0;
	if (err == -EADDRINUSE)
		snprintf(error, error_size,
			 "another gateway's daemon keeps the routes of this network namespace; give each a "
			 "namespace of its own, or this one install-routes: false and path: fast");
	else
		snprintf(error, error_size, "the kernel's routes cannot be watched: %s", strerror(-err));
	return wanted ? err : 0;
}

/* Lets go of the routes, without touching them, if what runs wants none. */
void failsafe_release(struct steerd *steerd)
{
	if (!steerd->routes || (steerd->model && is_wanted(steerd->model->config)))
		return;
	routes_close(steerd->routes);
	steerd->routes = NULL;
	if (steerd->datapath)
		steerd->datapath->gateway->keeps_routes = 0;
}

void failsafe_sweep(struct steerd *steerd)
{
	if (steerd->routes)
		routes_sweep(steerd->routes);
	failsafe_release(steerd);
}

static bool is_ready(const struct unit *unit)
{
	return unit->ifindex && !unit->facts.link_down;
}

/* A unit's way out; mark: of its table, where path: stack asks for one. */
static struct route_egress egress_of(const struct unit *unit, uint32_t number, uint32_t mark)
{
	struct route_egress egress = {
		.number = number,
		.ifindex = unit->ifindex,
		.has_via = unit->via && unit->egress->kind == EGRESS_ETHERNET,
		.mark = mark,
	};

	if (unit->via)
		egress.via = *unit->via;
	return egress;
}

static struct route_egress instance_egress(const struct model_instance *instance)
{
	return egress_of(&instance->unit, MAX_TUNNELS + instance->index, STACK_MARK_INSTANCE | instance->index);
}

static struct route_egress tunnel_egress(const struct model_tunnel *tunnel)
{
	return egress_of(&tunnel->unit, tunnel->index, STACK_MARK_TUNNEL | tunnel->index);
}

/* As a member of its connection's routes. */
static struct route_egress member_egress(const struct model_tunnel *tunnel)
{
	struct route_egress egress =
		tunnel->instance->config->remote ? instance_egress(tunnel->instance) : tunnel_egress(tunnel);

	egress.weight = tunnel->config->weight;
	return egress;
}

/* Members of the best tier that can be used; where none can, all whose device is there. */
static size_t egresses_of(const struct model_connection *connection, struct route_egress *egresses)
{
	size_t count = 0;

	for (size_t t = 0; t < connection->config->tunnel_count; t++)
		if (connection->tunnels[t].unit.state == UNIT_ACTIVE)
			egresses[count++] = member_egress(&connection->tunnels[t]);
	for (size_t t = 0; t < connection->config->tunnel_count && connection->state == CONNECTION_DOWN; t++) {
		const struct model_tunnel *tunnel = &connection->tunnels[t];

		if (is_ready(tunnel->instance->config->remote ? &tunnel->instance->unit : &tunnel->unit))
			egresses[count++] = member_egress(tunnel);
	}
	return count;
}

/* The packet path is told the mark once its rule stands: without a mark it drops, where a mark without rule would leak.
 */
static void mark_apply(struct steerd *steerd, const struct unit *unit, const struct route_egress *egress)
{
	int err;

	if (!steerd->routes || steerd->model->config->path != PATH_STACK || !is_ready(unit))
		return;
	err = routes_apply_mark(steerd->routes, egress);
	if (err)
		log_error("%s: the rule of its mark 0x%x cannot be set: %s; its packets are dropped", unit->name,
			  egress->mark, strerror(-err));
	unit->egress->mark = err ? 0 : egress->mark;
}

void failsafe_mark_instance(struct steerd *steerd, const struct model_instance *instance)
{
	struct route_egress egress = instance_egress(instance);

	mark_apply(steerd, &instance->unit, &egress);
}

void failsafe_mark_tunnel(struct steerd *steerd, const struct model_tunnel *tunnel)
{
	struct route_egress egress = tunnel_egress(tunnel);

	mark_apply(steerd, &tunnel->unit, &egress);
}

void failsafe_marks(struct steerd *steerd)
{
	const struct model *model = steerd->model;

	for (size_t i = 0; i < model->config->instance_count; i++)
		if (model->config->instances[i].remote)
			failsafe_mark_instance(steerd, &model->instances[i]);
	for (size_t t = 0; t < model->config->tunnel_count; t++)
		if (!model->tunnels[t].instance->config->remote)
			failsafe_mark_tunnel(steerd, &model->tunnels[t]);
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

		/* Its fail-safe routes are those that it follows. */
		if (connection->config->routed)
			continue;
		err = routes_apply(steerd->routes, &set) ?: err;
	}
	failsafe_marks(steerd);
	if (err)
		log_warning("fail-safe routes are not complete: %s", strerror(-err));
}
