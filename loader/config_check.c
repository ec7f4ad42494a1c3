/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks over the whole configuration. See config_check.h. */
#include "config_check.h"

#include <stdlib.h>
#include <string.h>

#include "subsets.h"

void config_check_reference(struct config_reader *reader, const yaml_node_t *node, struct config_tunnel *tunnel,
			    const char *instance)
{
	struct config_reference *reference;

	if (reader->reference_count == reader->reference_room) {
		size_t room = reader->reference_room ? 2 * reader->reference_room : 64;
		struct config_reference *grown = realloc(reader->references, room * sizeof(*grown));

		if (!grown) {
			reader->out_of_memory = true;
			return;
		}
		reader->references = grown;
		reader->reference_room = room;
	}
	reference = &reader->references[reader->reference_count++];
	reference->tunnel = tunnel;
	reference->line = (unsigned)node->start_mark.line + 1;
	reference->column = (unsigned)node->start_mark.column + 1;
	memcpy(reference->instance, instance, strlen(instance) + 1);
	snprintf(reference->path, sizeof(reference->path), "%.*s", (int)sizeof(reference->path) - 1, reader->path);
}

void config_check_probe(struct config_reader *reader, const yaml_node_t *node, const struct config_probe_site *given)
{
	struct config_probe_site *site;

	if (reader->probe_count == reader->probe_room) {
		size_t room = reader->probe_room ? 2 * reader->probe_room : 64;
		struct config_probe_site *grown = realloc(reader->probes, room * sizeof(*grown));

		if (!grown) {
			reader->out_of_memory = true;
			return;
		}
		reader->probes = grown;
		reader->probe_room = room;
	}
	site = &reader->probes[reader->probe_count++];
	*site = *given;
	site->node = node;
	snprintf(site->path, sizeof(site->path), "%.*s", (int)sizeof(site->path) - 1, reader->path);
}

static const struct config_instance *instance_find(const struct config *config, const char *name, unsigned *ret_index)
{
	for (size_t i = 0; i < config->instance_count; i++) {
		if (strcmp(config->instances[i].name, name))
			continue;
		*ret_index = (unsigned)i;
		return &config->instances[i];
	}
	return NULL;
}

/* A local instance's tunnel is a device of this box; a remote one's is that box's own matter. */
static void reference_check(struct config_reader *reader, const struct config_reference *reference)
{
	struct config_tunnel *tunnel = reference->tunnel;
	const struct config_instance *instance = instance_find(reader->config, reference->instance, &tunnel->instance);
	const char *complaint = NULL;

	if (!instance) {
		config_faults_add(reader->faults, reference->line, reference->column, "%s: there is no instance '%s'",
				  reference->path, reference->instance);
		return;
	}
	if (instance->remote && tunnel->device[0])
		complaint = "is remote (it has 'via'), so its tunnel's device is not on this box; leave 'device' out";
	else if (instance->remote && tunnel->has_via)
		complaint = "has its next hop itself; leave the tunnel's 'via' out";
	else if (!instance->remote && !tunnel->device[0])
		complaint = "is local, so its tunnel needs a 'device' (route-based tunnels only)";
	if (complaint)
		config_faults_add(reader->faults, reference->line, reference->column, "%s: instance '%s' %s",
				  reference->path, instance->name, complaint);
}

/* A tunnel's instance, or NULL where it names none that there is. */
static const struct config_instance *instance_of(const struct config *config, const struct config_tunnel *tunnel)
{
	return tunnel->instance < config->instance_count ? &config->instances[tunnel->instance] : NULL;
}

/* Is it where a probe belongs: at what leads out of this box? */
static bool probe_belongs(struct config_reader *reader, const struct config_probe_site *site)
{
	const struct config_instance *instance = site->tunnel ? instance_of(reader->config, site->tunnel) : NULL;

	if (instance && instance->remote) {
		config_reader_fault(reader, site->node, "instance '%s' is remote; probe the instance instead",
				    instance->name);
		return false;
	}
	if (site->instance && !site->instance->remote) {
		config_reader_fault(reader, site->node,
				    "a local instance (without 'via') is not probed itself; probe its tunnels instead");
		return false;
	}
	return true;
}

static void probe_addresses_check(struct config_reader *reader, const struct config_probe_site *site)
{
	const struct config_probe *probe = site->probe;
	char local[CONFIG_ADDRESS_TEXT], peer[CONFIG_ADDRESS_TEXT];

	if (!probe->has_local || !probe->peer.length)
		return;
	config_address_text(&probe->local, local);
	config_address_text(&probe->peer, peer);
	if (probe->local.is_ipv4 != probe->peer.is_ipv4)
		config_reader_fault(reader, site->node, "local %s and peer %s are of different families", local, peer);
	else if (!memcmp(probe->local.byte, probe->peer.byte, sizeof(probe->peer.byte)))
		config_reader_fault(reader, site->node, "local and peer are both %s; give the other side's address",
				    peer);
}

/* What answers is told by its address and the device it came in by, so these tell sessions apart. */
static void probe_peer_claim(struct config_reader *reader, const struct config_probe_site *site)
{
	const char *device = site->tunnel ? site->tunnel->device : site->instance->dev;
	char text[CONFIG_ADDRESS_TEXT], peer[CONFIG_ADDRESS_TEXT];

	if (!device[0] || !site->probe->peer.length)
		return;
	config_address_text(&site->probe->peer, peer); /* 39 characters at most, as no IPv4-mapped one is printed */
	snprintf(text, sizeof(text), "%.39s on %.15s", peer, device);
	config_reader_claim(reader, &reader->peers, site->node, text);
}

static void probe_check(struct config_reader *reader, const struct config_probe_site *site)
{
	if (!probe_belongs(reader, site))
		return;
	if (site->tunnel && !site->has_peer)
		config_reader_fault(reader, site->node, "'peer' is missing");
	if (site->instance && !site->has_peer)
		site->probe->peer = site->instance->via;
	probe_addresses_check(reader, site);
	probe_peer_claim(reader, site);
}

static void probes_check(struct config_reader *reader)
{
	for (size_t i = 0; i < reader->probe_count; i++) {
		snprintf(reader->path, sizeof(reader->path), "%s", reader->probes[i].path);
		probe_check(reader, &reader->probes[i]);
	}
	reader->path[0] = 0;
	config_reader_claims_check(reader, &reader->peers, "is probed already, and answers once only");
	if (reader->probe_count > MAX_SESSIONS)
		config_faults_add(reader->faults, 0, 0, "%zu probes in all; %d is the most", reader->probe_count,
				  MAX_SESSIONS);
}

static void totals_check(struct config_reader *reader)
{
	struct config *config = reader->config;
	size_t prefixes = 0, remote = 0, tunnels_most = config->routed ? SUBSETS_NO_TUNNEL : MAX_TUNNELS;

	for (size_t c = 0; c < config->connection_count; c++) {
		config->tunnel_count += config->connections[c].tunnel_count;
		prefixes += config->connections[c].remote_count;
	}
	for (size_t i = 0; i < config->instance_count; i++)
		remote += config->instances[i].remote;
	if (prefixes > MAX_PREFIXES)
		config_faults_add(reader->faults, 0, 0, "connections: %zu prefixes in all; %d is the most", prefixes,
				  MAX_PREFIXES);
	if (config->tunnel_count > tunnels_most)
		config_faults_add(reader->faults, 0, 0, "connections: %zu tunnels in all; %zu is the most",
				  config->tunnel_count, tunnels_most);
	if (config->path == PATH_STACK && config->tunnel_count + remote > MAX_STACK_TUNNELS)
		config_faults_add(reader->faults, 0, 0,
				  "gateway.path: stack takes up to %d tunnels, for the kernel tries its rules one by "
				  "one; with %zu use fast",
				  MAX_STACK_TUNNELS, config->tunnel_count + remote);
}

/* Inside and outside may be one NIC, with a tunnel on it. The NIC itself is no tunnel. */
static void outside_check(struct config_reader *reader)
{
	static const char tunnels[] = "connections[";

	for (size_t d = 0; d < reader->devices.count; d++) {
		const struct config_claim *device = &reader->devices.claim[d];

		if (strncmp(device->path, tunnels, sizeof(tunnels) - 1))
			continue;
		for (size_t o = 0; o < reader->outside.count; o++) {
			const struct config_claim *outside = &reader->outside.claim[o];

			if (strcmp(device->text, outside->text))
				continue;
			config_faults_add(reader->faults, device->line, device->column,
					  "%s: '%s' is an outside NIC (line %u, %s), where clear text must not leave; "
					  "name the tunnel's own device",
					  device->path, device->text, outside->line, outside->path);
			break;
		}
	}
}

static int address_compare(const void *a, const void *b)
{
	const struct config_address *left = a, *right = b;
	int order = memcmp(left->byte, right->byte, sizeof(left->byte));

	return order ? order : (int)left->length - (int)right->length;
}

void config_check(struct config_reader *reader)
{
	struct config *config = reader->config;

	for (size_t i = 0; i < reader->reference_count; i++)
		reference_check(reader, &reader->references[i]);
	config_reader_claims_check(
		reader, &reader->names,
		"is a name that is taken; instances, connections and tunnels share one set of names");
	config_reader_claims_check(reader, &reader->devices, "is named already, and has one task");
	config_reader_claims_check(reader, &reader->outside, "stands here already");
	config_reader_claims_check(reader, &reader->prefixes, "leads somewhere already");
	outside_check(reader);
	probes_check(reader);
	totals_check(reader);
	for (size_t c = 0; c < config->connection_count; c++)
		if (config->connections[c].remote)
			qsort(config->connections[c].remote, config->connections[c].remote_count,
			      sizeof(struct config_address), address_compare);
}

void config_check_free(struct config_reader *reader)
{
	config_reader_claims_free(&reader->names);
	config_reader_claims_free(&reader->devices);
	config_reader_claims_free(&reader->outside);
	config_reader_claims_free(&reader->prefixes);
	config_reader_claims_free(&reader->peers);
	free(reader->references);
	free(reader->probes);
}
