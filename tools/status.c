/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer status: the gateway as the daemon sees it, as tables: instances, connections with their tunnels, NICs, and
 * what was dropped.
 */
#include <string.h>
#include <time.h>

#include "table.h"
#include "text.h"
#include "tool.h"

static enum table_colour state_colour(const char *state)
{
	static const struct {
		const char *state;
		enum table_colour colour;
	} known[] = {
		{"active", TABLE_GREEN},   {"redundant", TABLE_GREEN}, {"up", TABLE_GREEN},
		{"at-risk", TABLE_YELLOW}, {"standby", TABLE_YELLOW},  {"draining", TABLE_YELLOW},
		{"drained", TABLE_YELLOW}, {"down", TABLE_RED},	       {"missing", TABLE_RED},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].state, state))
			return known[i].colour;
	return TABLE_PLAIN;
}

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static void cell_string(struct table *table, const json_t *object, const char *key)
{
	table_cell(table, TABLE_PLAIN, tool_string(object, key));
}

static void cell_state(struct table *table, const json_t *object)
{
	const char *state = tool_string(object, "state");

	table_cell(table, state_colour(state), state);
}

static void cell_since(struct table *table, const json_t *object, time_t now)
{
	char age[TEXT_BYTES];

	table_cell(table, TABLE_PLAIN, text_of_age(tool_string(object, "since"), now, age));
}

static void cell_rate(struct table *table, const json_t *object, const char *key)
{
	char rate[TEXT_BYTES];

	table_cell(table, TABLE_PLAIN, text_of_rate(number(object, key), rate));
}

/* Takes over table. Nothing is printed of a table without rows. */
static void print_table(struct table *table, size_t rows)
{
	if (rows) {
		putchar('\n');
		table_print(table, stdout, table_colour_wanted(stdout));
	}
	table_free(table);
}

static void print_gateway(const json_t *gateway)
{
	static const struct table_column column[] = {
		{"GATEWAY", false}, {"MODE", false}, {"STATE", false}, {NULL, false}};
	struct table *table = table_new(column);

	cell_string(table, gateway, "name");
	cell_string(table, gateway, "mode");
	cell_state(table, gateway);
	table_print(table, stdout, table_colour_wanted(stdout));
	table_free(table);
}

static void print_instances(const json_t *instances, time_t now)
{
	static const struct table_column column[] = {{"INSTANCE", false}, {"PUBLIC", false}, {"STATE", false},
						     {"SINCE", true},	  {"USABLE", true},  {"REASON", false},
						     {NULL, false}};
	struct table *table = table_new(column);
	const json_t *instance;
	size_t i;

	json_array_foreach (instances, i, instance) {
		cell_string(table, instance, "name");
		cell_string(table, instance, "public");
		cell_state(table, instance);
		cell_since(table, instance, now);
		table_cellf(table, "%lld/%lld", number(instance, "tunnels_usable"), number(instance, "tunnels"));
		cell_string(table, instance, "reason");
	}
	print_table(table, json_array_size(instances));
}

static void add_tunnel(struct table *table, const json_t *tunnel, time_t now)
{
	cell_string(table, tunnel, "name");
	cell_string(table, tunnel, "instance");
	cell_string(table, tunnel, "device");
	cell_state(table, tunnel);
	cell_since(table, tunnel, now);
	cell_rate(table, tunnel, "tx_pps");
	cell_rate(table, tunnel, "tx_bps");
	cell_rate(table, tunnel, "rx_pps");
	cell_rate(table, tunnel, "rx_bps");
	cell_string(table, tunnel, "reason");
}

static void print_connections(const json_t *connections, time_t now)
{
	static const struct table_column column[] = {
		{"CONNECTION", false}, {"STATE", false},  {"TUNNEL", false},  {"INSTANCE", false}, {"DEVICE", false},
		{"STATE", false},      {"SINCE", true},	  {"TX-PKT/S", true}, {"TX-BIT/S", true},  {"RX-PKT/S", true},
		{"RX-BIT/S", true},    {"REASON", false}, {NULL, false}};
	struct table *table = table_new(column);
	const json_t *connection, *tunnel;
	size_t i, j;

	json_array_foreach (connections, i, connection) {
		const json_t *tunnels = json_object_get(connection, "tunnels");

		json_array_foreach (tunnels, j, tunnel) {
			const char *state = tool_string(connection, "state");

			table_cell(table, TABLE_PLAIN, j ? "" : tool_string(connection, "name"));
			table_cell(table, state_colour(state), j ? "" : state);
			add_tunnel(table, tunnel, now);
		}
	}
	print_table(table, json_array_size(connections));
}

static void print_nics(const json_t *nics)
{
	static const struct table_column column[] = {{"NIC", false}, {"ROLE", false}, {"STATE", false},
						     {"XDP", false}, {"TC", false},   {"REASON", false},
						     {NULL, false}};
	struct table *table = table_new(column);
	const json_t *nic;
	size_t i;

	json_array_foreach (nics, i, nic) {
		cell_string(table, nic, "name");
		cell_string(table, nic, "role");
		cell_state(table, nic);
		cell_string(table, nic, "xdp");
		cell_string(table, nic, "tc");
		cell_string(table, nic, "reason");
	}
	print_table(table, json_array_size(nics));
}

/* What is zero, as it should be, is not worth a line. */
static void print_drops(const json_t *result)
{
	static const struct table_column column[] = {{"DROPPED", false}, {"PACKETS", true}, {NULL, false}};
	json_t *drops = json_object_get(result, "drops"), *count;
	struct table *table = table_new(column);
	const char *reason;
	size_t rows = 0;

	json_object_foreach (drops, reason, count) {
		if (!json_integer_value(count))
			continue;
		table_cell(table, TABLE_RED, reason);
		table_cellf(table, "%lld", (long long)json_integer_value(count));
		rows++;
	}
	print_table(table, rows);
}

static void print_status(const json_t *result, const struct tool_call *call)
{
	time_t now = time(NULL);

	(void)call;
	print_gateway(json_object_get(result, "gateway"));
	print_instances(json_object_get(result, "instances"), now);
	print_connections(json_object_get(result, "connections"), now);
	print_nics(json_object_get(result, "nics"));
	print_drops(result);
	if (number(result, "route_errors"))
		printf("\n%lld fail-safe routes could not be installed\n", number(result, "route_errors"));
}

int status_main(struct tool_call *call)
{
	int ended = tool_words(call, 0, 1);
	json_t *arguments;

	if (ended)
		return tool_ended(ended);
	arguments = optind < call->argc ? json_pack("{s:s}", "name", call->argv[optind]) : json_object();
	return tool_ask(call,
			&(struct tool_request){.command = "status", .arguments = arguments, .print = print_status});
}
