/* SPDX-License-Identifier: GPL-2.0-only */
/* A model's profiles, connections, prefixes and names, into the maps. See fill.h. */
#include "fill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prefix_index.h"
#include "rows.h"

struct profile {
	struct member_rank member[MAX_MEMBERS];
	size_t members;
	uint32_t first_row; /* or NO_ROWS */
	uint32_t rows;
};

struct fill_plan {
	struct profile *profiles;
	size_t profile_count;
	uint32_t *profile_of; /* by connection */
	uint32_t *table;      /* hash -> profile + 1 */
	uint32_t table_mask;
	uint32_t rows;
};

static struct profile profile_of_connection(const struct model_connection *connection)
{
	struct profile profile = {.members = connection->config->tunnel_count};

	for (size_t t = 0; t < profile.members; t++) {
		profile.member[t].weight = connection->config->tunnels[t].weight;
		profile.member[t].tier = (__u8)connection->tunnels[t].instance->tier;
	}
	return profile;
}

static uint32_t profile_hash(const struct profile *profile)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < profile->members; i++)
		hash = (hash ^ (profile->member[i].weight | (uint32_t)profile->member[i].tier << 16)) * 16777619u;
	return hash ^ hash >> 15;
}

/* The plan's profile with these members, added if it is a new one. */
static uint32_t profile_find(struct fill_plan *plan, const struct profile *wanted)
{
	uint32_t at = profile_hash(wanted) & plan->table_mask;
	struct profile *profile;

	for (; plan->table[at]; at = (at + 1) & plan->table_mask) {
		profile = &plan->profiles[plan->table[at] - 1];
		if (profile->members == wanted->members &&
		    !memcmp(profile->member, wanted->member, sizeof(wanted->member)))
			return plan->table[at] - 1;
	}
	profile = &plan->profiles[plan->profile_count++];
	*profile = *wanted;
	profile->rows = (uint32_t)rows_needed(profile->member, profile->members);
	profile->first_row = NO_ROWS;
	if (plan->rows + profile->rows <= FILL_ROWS_MAX) {
		profile->first_row = plan->rows;
		plan->rows += profile->rows;
	}
	plan->table[at] = (uint32_t)plan->profile_count;
	return (uint32_t)plan->profile_count - 1;
}

int fill_plan(const struct model *model, struct fill_plan **ret_plan)
{
	size_t connections = model->config->connection_count;
	struct fill_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	plan->table_mask = 63;
	while (plan->table_mask < 2 * connections)
		plan->table_mask = plan->table_mask * 2 + 1;
	plan->table = calloc(plan->table_mask + 1, sizeof(*plan->table));
	plan->profiles = calloc(connections + 1, sizeof(*plan->profiles));
	plan->profile_of = calloc(connections + 1, sizeof(*plan->profile_of));
	if (!plan->table || !plan->profiles || !plan->profile_of) {
		fill_plan_free(plan);
		return -ENOMEM;
	}
	for (size_t c = 0; c < connections; c++) {
		struct profile wanted = profile_of_connection(&model->connections[c]);

		plan->profile_of[c] = profile_find(plan, &wanted);
	}
	*ret_plan = plan;
	return 0;
}

uint32_t fill_plan_rows(const struct fill_plan *plan)
{
	return plan->rows;
}

void fill_plan_free(struct fill_plan *plan)
{
	if (!plan)
		return;
	free(plan->profiles);
	free(plan->profile_of);
	free(plan->table);
	free(plan);
}

static int fill_connection(const struct model_connection *connection, const struct profile *profile,
			   struct datapath *datapath)
{
	struct connection value = {
		.first_row = profile->first_row,
		.row_mask = profile->rows - 1,
		.members = (__u32)profile->members,
		.idle_ns = connection->config->idle_ns,
		.flowlet_us = (__u32)(connection->config->flowlet_ns / 1000),
		.affinity = connection->config->affinity,
	};

	memcpy(value.rank, profile->member, sizeof(value.rank));
	snprintf(value.name, sizeof(value.name), "%s", connection->config->name);
	for (size_t t = 0; t < profile->members; t++) {
		const struct model_tunnel *tunnel = &connection->tunnels[t];

		value.member[t].tunnel = (__u16)tunnel->index;
		value.member[t].instance = (__u8)tunnel->instance->index;
		value.member[t].remote = tunnel->instance->config->remote;
	}
	return datapath_set_connection(datapath, connection->index, &value);
}

/* In the map IPv4 addresses are IPv6 ones, ::ffff:a.b.c.d. Does this IPv6 prefix hold them too? */
static bool holds_ipv4(const struct config_address *prefix)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};

	for (unsigned bit = 0; bit < prefix->length; bit++)
		if ((prefix->byte[bit / 8] ^ mapped[bit / 8]) & (0x80u >> bit % 8))
			return false;
	return !prefix->is_ipv4 && prefix->length <= IPV4_MAPPED_BITS;
}

/* ::/0 is every IPv6 destination and no IPv4 one: those have a prefix of their own then, that leads nowhere. */
static int fill_families_apart(const struct model *model, struct datapath *datapath)
{
	const struct config_address all_ipv4 = {
		.byte = {[10] = 0xff, [11] = 0xff}, .length = IPV4_MAPPED_BITS, .is_ipv4 = true};

	bool wanted = model->config->routed; /* a default route may come any time */

	for (size_t c = 0; c < model->config->connection_count && !wanted; c++)
		for (size_t p = 0; p < model->config->connections[c].remote_count && !wanted; p++)
			wanted = holds_ipv4(&model->config->connections[c].remote[p]);
	return wanted ? datapath_set_prefix(datapath, &all_ipv4, NO_PREFIX) : 0;
}

/*
 * Not for one receiver, or never off its link, neighbour discovery among it: the kernel's, even where a connection's
 * prefix covers it. Multicast has a MAC address of its own, but not from every bridge and access point (RFC 6085).
 */
static const struct config_address link_scope[] = {
	{.byte = {0xfe, 0x80}, .length = 10},
	{.byte = {0xff}, .length = 8},
	{.byte = {[10] = 0xff, 0xff, 224}, .length = IPV4_MAPPED_BITS + 4, .is_ipv4 = true},
	{.byte = {[10] = 0xff, 0xff, 255, 255, 255, 255}, .length = IPV4_MAPPED_BITS + 32, .is_ipv4 = true},
};

static int fill_link_scope(struct datapath *datapath)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(link_scope) / sizeof(*link_scope) && !err; i++)
		err = datapath_set_prefix(datapath, &link_scope[i], NO_CONNECTION);
	return err;
}

bool fill_is_link_scope(const struct config_address *prefix)
{
	for (size_t i = 0; i < sizeof(link_scope) / sizeof(*link_scope); i++)
		if (prefix_holds(&link_scope[i], prefix))
			return true;
	return false;
}

static int fill_prefixes(const struct model_connection *connection, struct datapath *datapath)
{
	int err = 0;

	for (size_t p = 0; p < connection->config->remote_count && !err; p++)
		err = datapath_set_prefix(datapath, &connection->config->remote[p], connection->index);
	return err;
}

static void fill_names(const struct model *model, struct datapath *datapath)
{
	for (size_t i = 0; i < model->config->instance_count; i++) {
		const struct model_instance *instance = &model->instances[i];

		snprintf(datapath->maps.instances[instance->index].name, NAME_BYTES, "%s", instance->unit.name);
	}
	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &model->tunnels[t];
		struct tunnel *value = &datapath->maps.tunnels[tunnel->index];

		value->connection = tunnel->connection->index;
		value->ordinal = tunnel->ordinal;
		value->instance = tunnel->instance->index;
		snprintf(value->name, NAME_BYTES, "%s", tunnel->unit.name);
	}
}

int fill(const struct model *model, const struct fill_plan *plan, struct datapath *datapath)
{
	/* First: a connection may have 0.0.0.0/0, and what is configured to the bit is steered. */
	int err = fill_families_apart(model, datapath) ?: fill_link_scope(datapath);

	for (size_t p = 0; p < plan->profile_count && !err; p++) {
		const struct profile *profile = &plan->profiles[p];

		if (profile->first_row != NO_ROWS)
			err = rows_build(profile->member, profile->members, datapath->rows + profile->first_row,
					 profile->rows);
	}
	for (size_t c = 0; c < model->config->connection_count && !err; c++)
		err = fill_connection(&model->connections[c], &plan->profiles[plan->profile_of[c]], datapath)
			      ?: fill_prefixes(&model->connections[c], datapath);
	if (!err)
		fill_names(model, datapath);
	return err;
}
