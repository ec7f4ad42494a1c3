/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration parser on any bytes: it ends, leaks nothing, and what it accepts keeps its own limits. */
#include "../../loader/config.c"
#include "../../loader/config_check.c"
#include "../../loader/config_faults.c"
#include "../../loader/config_reader.c"
#include "../../loader/config_values.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void accepted(const struct config *config)
{
	size_t tunnels = 0;

	if (!config->name[0] || !config->inside_count || !config->instance_count)
		abort();
	for (size_t c = 0; c < config->connection_count; c++) {
		const struct config_connection *connection = &config->connections[c];

		if (!connection->remote_count || !connection->tunnel_count || connection->tunnel_count > MAX_MEMBERS)
			abort();
		for (size_t t = 0; t < connection->tunnel_count; t++) {
			const struct config_tunnel *tunnel = &connection->tunnels[t];

			if (tunnel->instance >= config->instance_count || tunnel->weight < MIN_WEIGHT ||
			    tunnel->weight > MAX_WEIGHT)
				abort();
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
