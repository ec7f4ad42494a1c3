/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration parser on any bytes: it ends, leaks nothing, and what it accepts keeps its own limits. */
#include "../../loader/config.c"
#include "../../loader/config_check.c"
#include "../../loader/config_faults.c"
#include "../../loader/config_probe.c"
#include "../../loader/config_reader.c"
#include "../../loader/config_values.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void probe_accepted(const struct config_probe *probe)
{
	if (probe->kind == SESSION_NONE)
		return;
	if (probe->peer.length != 128 || (probe->has_local && probe->local.is_ipv4 != probe->peer.is_ipv4))
		abort();
	if (probe->interval_ns < 3000000 || !probe->multiplier || probe->hold_max_ns < probe->hold_ns)
		abort();
	if (probe->key_bytes > SESSION_KEY_BYTES || (probe->auth == SESSION_AUTH_NONE && probe->key_bytes))
		abort();
}

static void accepted(const struct config *config)
{
	size_t tunnels = 0;

	if (!config->name[0] || !config->inside_count || !config->instance_count)
		abort();
	for (size_t i = 0; i < config->instance_count; i++)
		probe_accepted(&config->instances[i].probe);
	for (size_t c = 0; c < config->connection_count; c++) {
		const struct config_connection *connection = &config->connections[c];

		if (!connection->remote_count != connection->routed || connection->routed > config->routed ||
		    !connection->tunnel_count || connection->tunnel_count > MAX_MEMBERS)
			abort();
		for (size_t t = 0; t < connection->tunnel_count; t++) {
			const struct config_tunnel *tunnel = &connection->tunnels[t];

			if (tunnel->instance >= config->instance_count || tunnel->weight < MIN_WEIGHT ||
			    tunnel->weight > MAX_WEIGHT)
				abort();
			probe_accepted(&tunnel->probe);
		}
		tunnels += connection->tunnel_count;
	}
	if (tunnels != config->tunnel_count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_faults faults = {0};
	struct config *config = NULL;

	if (!config_parse((const char *)data, size, &config, &faults)) {
		if (faults.count)
			abort();
		accepted(config);
		config_free(config);
	} else if (!faults.count) {
		abort();
	}
	config_faults_free(&faults);
	return 0;
}
