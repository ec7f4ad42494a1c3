/* SPDX-License-Identifier: GPL-2.0-only */
/* Findings about a configuration alone. See audit.h. Pure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_list.h"

/* A probe that gives up sooner than this takes the pauses of its own host for the peer's silence. */
#define DETECTION_LEAST_NS 9000000ull

static void audit_instances(struct audit_list *list, const struct config *config)
{
	char address[CONFIG_ADDRESS_TEXT];

	if (config->instance_count < 2)
		audit_find(list, AUDIT_WARNING, config->instances[0].name,
			   "%s needs two instances: with one, its maintenance cuts every connection; add a second",
			   config->mode == MODE_ACTIVE_ACTIVE ? "active-active" : "active-standby");
	for (size_t a = 0; a < config->instance_count; a++)
		for (size_t b = a + 1; b < config->instance_count; b++)
			if (!memcmp(config->instances[a].public.byte, config->instances[b].public.byte, 16))
				audit_find(list, AUDIT_WARNING, config->instances[b].name,
					   "public address %s is that of instance '%s' too: each needs its own",
					   config_address_text(&config->instances[b].public, address),
					   config->instances[a].name);
}

/* What a connection's prefixes hold of others': the first that was found, and how many. */
struct held {
	const struct prefix_entry *outer, *inner;
	size_t count;
};

/* A default route is there to be overlapped. */
static bool is_default(const struct config_address *prefix)
{
	return prefix->length == (prefix->is_ipv4 ? 96 : 0);
}

/* The longest prefix beyond its own connection's that an entry lies within; NULL. */
static const struct prefix_entry *foreign_holder(const struct prefix_index *prefixes, const struct prefix_entry *entry)
{
	const struct prefix_entry *holder = entry;

	do {
		if (holder->parent == PREFIX_NO_PARENT)
			return NULL;
		holder = &prefixes->entry[holder->parent];
	} while (holder->connection == entry->connection);
	return is_default(&holder->prefix) ? NULL : holder;
}

static void audit_overlaps(struct audit_list *list, const struct config *config, const struct prefix_index *prefixes)
{
	struct held *held = calloc(config->connection_count + 1, sizeof(*held));
	char inner[CONFIG_ADDRESS_TEXT], outer[CONFIG_ADDRESS_TEXT], more[64];

	for (size_t i = 0; held && i < prefixes->count; i++) {
		const struct prefix_entry *entry = &prefixes->entry[i], *holder = foreign_holder(prefixes, entry);

		if (holder && !held[holder->connection].count++) {
			held[holder->connection].outer = holder;
			held[holder->connection].inner = entry;
		}
	}
	for (size_t c = 0; held && c < config->connection_count; c++) {
		if (!held[c].count)
			continue;
		more[0] = '\0';
		if (held[c].count > 1)
			snprintf(more, sizeof(more), " and %zu more", held[c].count - 1);
		audit_find(list, AUDIT_WARNING, config->connections[c].name,
			   "its prefix %s holds %s of connection '%s'%s: packets there go the longer prefix's way; if "
			   "that "
			   "is not meant, give each address to one connection",
			   config_address_text(&held[c].outer->prefix, outer),
			   config_address_text(&held[c].inner->prefix, inner),
			   config->connections[held[c].inner->connection].name, more);
	}
	free(held);
}

static void audit_redundancy(struct audit_list *list, const struct config *config)
{
	for (size_t c = 0; c < config->connection_count; c++) {
		const struct config_connection *connection = &config->connections[c];
		bool redundant = false;

		for (size_t t = 1; t < connection->tunnel_count; t++)
			redundant |= connection->tunnels[t].instance != connection->tunnels[0].instance;
		if (!redundant)
			audit_find(list, AUDIT_WARNING, connection->name,
				   "not redundant: %s on instance '%s'; add a tunnel of another instance",
				   connection->tunnel_count == 1 ? "its only tunnel is" : "all its tunnels are",
				   config->instances[connection->tunnels[0].instance].name);
	}
}

static const struct config_address *next_hop(const struct config *config, const struct config_tunnel *tunnel)
{
	const struct config_instance *instance = &config->instances[tunnel->instance];

	if (instance->remote)
		return &instance->via;
	return tunnel->has_via ? &tunnel->via : NULL;
}

static bool has_family(const struct config_connection *connection, bool ipv4)
{
	for (size_t p = 0; p < connection->remote_count; p++)
		if (connection->remote[p].is_ipv4 == ipv4)
			return true;
	return connection->routed; /* it may get one */
}

/* The kernel routes by next hops of the packet's own family; path: fast needs their MAC address alone. */
static void audit_families(struct audit_list *list, const struct config *config)
{

	for (size_t c = 0; c < config->connection_count && config->path == PATH_STACK; c++)
		for (size_t t = 0; t < config->connections[c].tunnel_count; t++) {
			const struct config_tunnel *tunnel = &config->connections[c].tunnels[t];
			const struct config_address *via = next_hop(config, tunnel);

			if (via && has_family(&config->connections[c], !via->is_ipv4))
				audit_find(
					list, AUDIT_WARNING, tunnel->name,
					"path: stack loses the IPv%d packets of connection '%s': the kernel does not "
					"route them to an IPv%d next hop; use path: fast",
					via->is_ipv4 ? 6 : 4, config->connections[c].name, via->is_ipv4 ? 4 : 6);
		}
}

static const struct config_probe *probe_of(const struct config *config, const struct config_tunnel *tunnel)
{
	const struct config_instance *instance = &config->instances[tunnel->instance];

	return instance->remote ? &instance->probe : &tunnel->probe;
}

static bool is_probed(const struct config *config, const struct config_tunnel *tunnel)
{
	return probe_of(config, tunnel)->kind != SESSION_NONE;
}

static void audit_probe(struct audit_list *list, const char *unit, const struct config_probe *probe)
{
	uint64_t detection_us = probe->interval_ns * probe->multiplier / 1000;

	if (probe->kind == SESSION_NONE)
		return;
	if (probe->multiplier == 1)
		audit_find(list, AUDIT_WARNING, unit,
			   "its probe has multiplier 1: one lost packet is a failure; 3 is usual");
	if (detection_us < DETECTION_LEAST_NS / 1000)
		audit_find(list, AUDIT_WARNING, unit,
			   "its probe gives up after %llu.%03llu ms, which a host can stand still for even when idle: "
			   "failures that are none; let interval times multiplier be 9ms at least",
			   (unsigned long long)(detection_us / 1000), (unsigned long long)(detection_us % 1000));
}

/* The tunnels of one connection: all that lack a probe where another has one; the connection once where none has. */
static void audit_unprobed(struct audit_list *list, const struct config *config,
			   const struct config_connection *connection)
{
	const struct config_tunnel *probed = NULL;

	for (size_t t = 0; t < connection->tunnel_count && !probed; t++)
		if (is_probed(config, &connection->tunnels[t]))
			probed = &connection->tunnels[t];
	if (!probed) {
		audit_find(list, AUDIT_WARNING, connection->name,
			   "no probe: a peer or an instance that dies without a word is not noticed; add probe to its "
			   "tunnels");
		return;
	}
	for (size_t t = 0; t < connection->tunnel_count; t++) {
		const struct config_tunnel *tunnel = &connection->tunnels[t];
		const struct config_instance *instance = &config->instances[tunnel->instance];

		if (!is_probed(config, tunnel))
			audit_find(
				list, AUDIT_WARNING, tunnel->name,
				"has no probe, as tunnel '%s' has: its silent failure is not seen; add probe to %s%s%s",
				probed->name, instance->remote ? "instance '" : "it",
				instance->remote ? instance->name : "", instance->remote ? "'" : "");
	}
}

/* A file without any probe means link and SA to be enough: no finding. */
static void audit_probes(struct audit_list *list, const struct config *config)
{
	bool any = false;

	for (size_t i = 0; i < config->instance_count; i++) {
		audit_probe(list, config->instances[i].name, &config->instances[i].probe);
		any |= config->instances[i].probe.kind != SESSION_NONE;
	}
	for (size_t c = 0; c < config->connection_count; c++)
		for (size_t t = 0; t < config->connections[c].tunnel_count; t++) {
			const struct config_tunnel *tunnel = &config->connections[c].tunnels[t];

			audit_probe(list, tunnel->name, &tunnel->probe);
			any |= tunnel->probe.kind != SESSION_NONE;
		}
	for (size_t c = 0; any && c < config->connection_count; c++)
		audit_unprobed(list, config, &config->connections[c]);
}

void audit_config(struct audit_list *list, const struct config *config, const struct prefix_index *prefixes)
{
	audit_instances(list, config);
	audit_overlaps(list, config, prefixes);
	audit_redundancy(list, config);
	audit_families(list, config);
	audit_probes(list, config);
}
