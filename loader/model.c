/* SPDX-License-Identifier: GPL-2.0-only */
/* The model of what runs: built from a configuration, looked up by name. See model.h. */
#include "model.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "subsets.h"

struct model_names {
	struct hsearch_data instances, tunnels, devices, connections;
	struct model_tunnel **tunnel_by_index;
};

static const struct health healthy;

const char *unit_state_text(enum unit_state state)
{
	static const char *const text[] = {
		[UNIT_ACTIVE] = "active",   [UNIT_STANDBY] = "standby", [UNIT_DRAINING] = "draining",
		[UNIT_DRAINED] = "drained", [UNIT_DOWN] = "down",
	};

	return text[state];
}

const char *connection_state_text(enum connection_state state)
{
	static const char *const text[] = {
		[CONNECTION_REDUNDANT] = "redundant",
		[CONNECTION_AT_RISK] = "at-risk",
		[CONNECTION_DOWN] = "down",
	};

	return text[state];
}

bool unit_usable(const struct unit *unit)
{
	struct health causes = unit->facts;

	causes.slow_start = 0;
	return !memcmp(&causes, &healthy, sizeof(healthy));
}

struct unit unit_left_in(const struct unit *unit)
{
	struct unit copy = *unit;

	copy.facts.admin_out = 0;
	return copy;
}

const char *unit_cause(const struct unit *unit)
{
	if (unit_is_dead(unit) && unit->probe_reason)
		return unit->probe_reason;
#define X(field, word, writer)                                                                                         \
	if (unit->facts.field)                                                                                         \
		return word;
	HEALTH_CAUSES(X)
#undef X
	return "";
}

bool unit_is_dead(const struct unit *unit)
{
	static const struct health dead = {.probe_dead = 1};
	struct health facts = unit->facts;

	facts.probe_dead = facts.probe_dead != 0;
	facts.slow_start = 0;
	return !memcmp(&facts, &dead, sizeof(dead));
}

bool model_tunnel_usable(const struct model_tunnel *tunnel)
{
	return unit_usable(&tunnel->unit) && unit_usable(&tunnel->instance->unit);
}

enum admin_out model_tunnel_out(const struct model_tunnel *tunnel)
{
	__u8 own = tunnel->unit.facts.admin_out, instance = tunnel->instance->unit.facts.admin_out;

	return own > instance ? own : instance;
}

static void *name_find(const struct hsearch_data *table, const char *name)
{
	ENTRY wanted = {.key = (char *)name}, *found = NULL;

	return hsearch_r(wanted, FIND, &found, (struct hsearch_data *)table) ? found->data : NULL;
}

static int name_add(struct hsearch_data *table, const char *name, void *data)
{
	ENTRY entry = {.key = (char *)name, .data = data}, *slot = NULL;

	return hsearch_r(entry, ENTER, &slot, table) ? 0 : -ENOMEM;
}

static void names_free(struct model_names *names)
{
	if (!names)
		return;
	hdestroy_r(&names->instances);
	hdestroy_r(&names->tunnels);
	hdestroy_r(&names->devices);
	hdestroy_r(&names->connections);
	free(names->tunnel_by_index);
	free(names);
}

/* glibc's table wants room to stay fast. */
static bool table_create(struct hsearch_data *table, size_t entries)
{
	return hcreate_r(entries + entries / 2 + 8, table);
}

static int names_create(struct model *model)
{
	const struct config *config = model->config;
	struct model_names *names = calloc(1, sizeof(*names));
	int err = -ENOMEM;

	if (!names)
		return -ENOMEM;
	model->names = names;
	names->tunnel_by_index = calloc(model->tunnel_indexes ?: 1, sizeof(struct model_tunnel *));
	if (!names->tunnel_by_index || !table_create(&names->instances, config->instance_count) ||
	    !table_create(&names->tunnels, config->tunnel_count) ||
	    !table_create(&names->devices, config->tunnel_count) ||
	    !table_create(&names->connections, config->connection_count))
		return -ENOMEM;
	for (size_t i = 0; i < config->instance_count; i++)
		if ((err = name_add(&names->instances, model->instances[i].unit.name, &model->instances[i])))
			return err;
	for (size_t i = 0; i < config->connection_count; i++)
		if ((err = name_add(&names->connections, config->connections[i].name, &model->connections[i])))
			return err;
	for (size_t i = 0; i < config->tunnel_count; i++) {
		struct model_tunnel *tunnel = &model->tunnels[i];

		names->tunnel_by_index[tunnel->index] = tunnel;
		if ((err = name_add(&names->tunnels, tunnel->unit.name, tunnel)))
			return err;
		if (tunnel->unit.device && (err = name_add(&names->devices, tunnel->unit.device, tunnel)))
			return err;
	}
	return 0;
}

struct model_instance *model_instance_by_name(const struct model *model, const char *name)
{
	return name_find(&model->names->instances, name);
}

struct model_tunnel *model_tunnel_by_name(const struct model *model, const char *name)
{
	return name_find(&model->names->tunnels, name);
}

struct model_tunnel *model_tunnel_by_device(const struct model *model, const char *device)
{
	return name_find(&model->names->devices, device);
}

struct model_connection *model_connection_by_name(const struct model *model, const char *name)
{
	return name_find(&model->names->connections, name);
}

struct model_tunnel *model_tunnel_by_index(const struct model *model, uint32_t index)
{
	return index < model->tunnel_indexes ? model->names->tunnel_by_index[index] : NULL;
}

/* The lowest index that is not taken, or limit. */
static uint32_t index_free(const bool *taken, uint32_t from, uint32_t limit)
{
	while (from < limit && taken[from])
		from++;
	return from;
}

/*
 * Gives every name its index: the one it had, else the lowest that nobody had, for the generation that still runs knows
 * indexes by their old names. Only when there are none left are indexes of names that went given away. Stores them in
 * ret_index.
 */
static int indexes_assign(const char **names, size_t count, char (*before)[NAME_BYTES], uint32_t before_count,
			  uint32_t limit, uint32_t *ret_index)
{
	struct hsearch_data table = {0};
	bool *taken = calloc(limit, sizeof(*taken)), *held = calloc(limit, sizeof(*held));
	uint32_t next = 0, reused = 0;
	int err = -ENOMEM;

	if (!taken || !held || !table_create(&table, before_count))
		goto out;
	for (uint32_t i = 0; i < before_count && i < limit; i++) {
		held[i] = before[i][0];
		if (held[i] && name_add(&table, before[i], (void *)(uintptr_t)(i + 1)))
			goto out;
	}
	for (size_t i = 0; i < count; i++) {
		uintptr_t found = (uintptr_t)name_find(&table, names[i]);

		ret_index[i] = found ? (uint32_t)found - 1 : NO_TUNNEL;
		if (ret_index[i] != NO_TUNNEL)
			taken[ret_index[i]] = true;
	}
	for (size_t i = 0; i < count; i++) {
		if (ret_index[i] != NO_TUNNEL)
			continue;
		next = index_free(held, next, limit);
		ret_index[i] = next < limit ? next++ : (reused = index_free(taken, reused, limit));
		if (ret_index[i] == limit) {
			err = -ENOSPC;
			goto out;
		}
		taken[ret_index[i]] = true;
	}
	err = 0;
out:
	hdestroy_r(&table);
	free(taken);
	free(held);
	return err;
}

static void unit_init(struct unit *unit, const char *name, const char *device, const struct config_address *via,
		      const struct config_probe *probe, uint64_t now_ns)
{
	*unit = (struct unit){.name = name,
			      .device = device,
			      .via = via,
			      .probe = device && probe->kind != SESSION_NONE ? probe : NULL,
			      .session = NO_SESSION,
			      .state = UNIT_DOWN,
			      .reason = "",
			      .since_ns = now_ns};
	unit->facts.device_missing = device != NULL;
	unit->facts.next_hop_missing = via != NULL;
}

static int instances_create(struct model *model, const struct model_indexes *before, uint64_t now_ns)
{
	const struct config *config = model->config;
	const char *name[MAX_INSTANCES];
	uint32_t index[MAX_INSTANCES];
	int err;

	for (size_t i = 0; i < config->instance_count; i++)
		name[i] = config->instances[i].name;
	err = indexes_assign(name, config->instance_count, before->instance, before->instance_count, MAX_INSTANCES,
			     index);
	if (err)
		return err;
	for (size_t i = 0; i < config->instance_count; i++) {
		const struct config_instance *from = &config->instances[i];
		struct model_instance *instance = &model->instances[i];

		instance->config = from;
		instance->index = index[i];
		unit_init(&instance->unit, from->name, from->remote ? from->dev : NULL,
			  from->remote ? &from->via : NULL, &from->probe, now_ns);
	}
	return 0;
}

static void tunnel_create(struct model *model, struct model_connection *connection, size_t ordinal, uint32_t index,
			  uint64_t now_ns)
{
	const struct config_tunnel *from = &connection->config->tunnels[ordinal];
	struct model_tunnel *tunnel = &connection->tunnels[ordinal];
	struct model_instance *instance = &model->instances[from->instance];

	tunnel->config = from;
	tunnel->instance = instance;
	tunnel->connection = connection;
	tunnel->index = index;
	tunnel->ordinal = (uint32_t)ordinal;
	unit_init(&tunnel->unit, from->name, instance->config->remote ? NULL : from->device,
		  from->has_via ? &from->via : NULL, &from->probe, now_ns);
	instance->tunnels++;
	if (index >= model->tunnel_indexes)
		model->tunnel_indexes = index + 1;
}

static int tunnels_create(struct model *model, const struct model_indexes *before, uint64_t now_ns)
{
	const struct config *config = model->config;
	const char **name = calloc(config->tunnel_count + 1, sizeof(*name));
	uint32_t *index = calloc(config->tunnel_count + 1, sizeof(*index));
	size_t n = 0;
	int err = -ENOMEM;

	if (!name || !index)
		goto out;
	for (size_t c = 0; c < config->connection_count; c++)
		for (size_t t = 0; t < config->connections[c].tunnel_count; t++)
			name[n++] = config->connections[c].tunnels[t].name;
	err = indexes_assign(name, n, before->tunnel, before->tunnel_count,
			     config->routed ? SUBSETS_NO_TUNNEL : MAX_TUNNELS, index);
	if (err)
		goto out;
	n = 0;
	for (size_t c = 0; c < config->connection_count; c++) {
		struct model_connection *connection = &model->connections[c];

		connection->config = &config->connections[c];
		connection->index = (uint32_t)c;
		connection->tunnels = &model->tunnels[n];
		connection->state = CONNECTION_DOWN;
		connection->since_ns = now_ns;
		for (size_t t = 0; t < connection->config->tunnel_count; t++)
			tunnel_create(model, connection, t, index[n++], now_ns);
	}
out:
	free(name);
	free(index);
	return err;
}

int model_create(struct config *config, const struct model_indexes *before, struct model **ret_model)
{
	static const struct model_indexes nothing;
	struct model *model = calloc(1, sizeof(*model));
	uint64_t now_ns = clock_wall_ns();
	int err = -ENOMEM;

	if (!model)
		return -ENOMEM;
	model->config = config;
	model->state = CONNECTION_DOWN;
	model->instances = calloc(config->instance_count, sizeof(*model->instances));
	model->connections = calloc(config->connection_count + 1, sizeof(*model->connections));
	model->tunnels = calloc(config->tunnel_count + 1, sizeof(*model->tunnels));
	if (!model->instances || !model->connections || !model->tunnels)
		goto fail;
	err = instances_create(model, before ?: &nothing, now_ns);
	if (!err)
		err = tunnels_create(model, before ?: &nothing, now_ns);
	if (!err)
		err = names_create(model);
	if (err)
		goto fail;
	model_order(model, config->mode, NULL, NULL, 0);
	*ret_model = model;
	return 0;
fail:
	model->config = NULL;
	model_free(model);
	return err;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	names_free(model->names);
	free(model->instances);
	free(model->connections);
	free(model->tunnels);
	free(model->subsets);
	config_free(model->config);
	free(model);
}

static bool is_behind(const char *name, const char (*behind)[NAME_BYTES], size_t behind_count)
{
	for (size_t i = 0; i < behind_count; i++)
		if (!strcmp(behind[i], name))
			return true;
	return false;
}

void model_order(struct model *model, enum config_mode mode, const char *first, const char (*behind)[NAME_BYTES],
		 size_t behind_count)
{
	struct model_instance *chosen = first ? model_instance_by_name(model, first) : NULL, *instance;
	uint32_t tier = 0;

	model->mode = mode;
	for (size_t i = 0; i < model->config->instance_count; i++)
		model->instances[i].tier = 0;
	if (mode == MODE_ACTIVE_ACTIVE)
		return;
	if (chosen)
		chosen->tier = tier++;
	for (size_t i = 0; i < model->config->instance_count; i++) {
		instance = &model->instances[i];
		if (instance != chosen && !is_behind(instance->unit.name, behind, behind_count))
			instance->tier = tier++;
	}
	for (size_t i = 0; i < behind_count; i++) {
		instance = model_instance_by_name(model, behind[i]);
		if (instance && instance != chosen)
			instance->tier = tier++;
	}
}

void model_place(struct model *model, const struct model_maps *maps)
{
	for (size_t i = 0; i < model->config->instance_count; i++) {
		struct model_instance *instance = &model->instances[i];

		instance->unit.health = &maps->instance_health[instance->index];
		instance->unit.egress = &maps->instances[instance->index].egress;
	}
	for (size_t i = 0; i < model->config->tunnel_count; i++) {
		struct model_tunnel *tunnel = &model->tunnels[i];

		tunnel->unit.health = &maps->tunnel_health[tunnel->index];
		tunnel->unit.egress = &maps->tunnels[tunnel->index].egress;
	}
	for (size_t i = 0; i < model->config->connection_count; i++)
		model->connections[i].value = &maps->connections[model->connections[i].index];
}

static void unit_inherit(struct unit *unit, const struct unit *older)
{
	unit->facts.admin_out = older->facts.admin_out;
	unit->facts.slow_start = older->facts.slow_start;
	unit->slow_since_ns = older->slow_since_ns;
	unit->slow_ns = older->slow_ns;
	unit->silent = older->silent;
	unit->silenced = older->silenced;
	unit->probe_reason = older->probe_reason;
	unit->failure = older->failure;
	unit->state = older->state;
	unit->reason = older->reason;
	unit->failing = older->failing;
	unit->since_ns = older->since_ns;
}

void model_inherit(struct model *model, const struct model *older)
{
	for (size_t i = 0; i < model->config->instance_count; i++) {
		const struct model_instance *from = model_instance_by_name(older, model->instances[i].unit.name);

		if (from)
			unit_inherit(&model->instances[i].unit, &from->unit);
	}
	for (size_t i = 0; i < model->config->tunnel_count; i++) {
		struct model_tunnel *tunnel = &model->tunnels[i];
		const struct model_tunnel *from = model_tunnel_by_name(older, tunnel->unit.name);

		if (!from)
			continue;
		unit_inherit(&tunnel->unit, &from->unit);
		tunnel->if_id = from->if_id;
		tunnel->sa_back_ns = from->sa_back_ns;
		tunnel->unit.facts.sa_missing = from->unit.facts.sa_missing;
		tunnel->usable = from->usable;
		tunnel->awaited = from->awaited;
		tunnel->instance->tunnels_usable += from->usable;
		tunnel->seen = from->seen;
		tunnel->has_ticked = from->has_ticked;
		tunnel->flows_counted_ns = from->flows_counted_ns;
		tunnel->ticked = from->ticked;
		tunnel->rate = from->rate;
		tunnel->last_rx_ns = from->last_rx_ns;
		tunnel->flows = from->flows;
	}
	for (size_t i = 0; i < model->config->connection_count; i++) {
		struct model_connection *connection = &model->connections[i];
		const struct model_connection *from = model_connection_by_name(older, connection->config->name);

		if (!from)
			continue;
		connection->state = from->state;
		connection->panic = from->panic;
		connection->since_ns = from->since_ns;
	}
	model->state = older->state;
}
