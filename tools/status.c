/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer status: the gateway as the daemon sees it, as tables: instances, connections with their tunnels, probes,
 * NICs, and what was dropped.
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
		{"live", TABLE_GREEN},	   {"holding", TABLE_YELLOW},  {"dead", TABLE_RED},
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

/* What the file does not say, or not alone. */
static void print_mode(const json_t *gateway)
{
	const json_t *order = json_object_get(gateway, "order"), *name;
	bool by_hand = !strcmp(tool_string(gateway, "mode_by"), "hand");
	size_t i;

	if (by_hand)
		printf("\nmode %s was set by hand; the file says %s\n", tool_string(gateway, "mode"),
		       tool_string(gateway, "mode_file"));
	if (!by_hand && json_is_true(json_object_get(gateway, "preempt")))
		return;
	json_array_foreach (order, i, name)
		printf("%s%s",
		       i	 ? ", "
		       : by_hand ? "order of instances: "
				 : "\norder of instances: ",
		       json_string_value(name));
	if (json_array_size(order))
		puts(json_is_true(json_object_get(gateway, "preempt")) ? "" : "; none preempts");
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

static void cell_ms(struct table *table, const json_t *object, const char *key)
{
	double ms = json_number_value(json_object_get(object, key));
	char text[TEXT_BYTES];

	table_cell(table, TABLE_PLAIN, ms > 0 ? text_of_ms(ms, text) : "-");
}

/* Of a tunnel or instance; returns the rows added. */
static size_t add_probe(struct table *table, const json_t *unit)
{
	const json_t *probe = json_object_get(unit, "probe");
	const char *verdict = tool_string(probe, "verdict");

	if (!probe)
		return 0;
	cell_string(table, unit, "name");
	cell_string(table, probe, "kind");
	cell_string(table, probe, "state");
	if (json_is_true(json_object_get(probe, "blind")))
		table_cell(table, TABLE_YELLOW, "blind");
	else
		table_cell(table, state_colour(verdict), verdict);
	cell_ms(table, probe, "rtt_ms");
	cell_ms(table, probe, "gap_max_ms");
	cell_ms(table, probe, "detection_ms");
	table_cellf(table, "%lld", number(probe, "sent"));
	table_cellf(table, "%lld", number(probe, "answered"));
	return 1;
}

static void print_probe_warning(const json_t *unit)
{
	const char *warning = tool_string(json_object_get(unit, "probe"), "warning");

	if (warning[0])
		printf("%s: %s\n", tool_string(unit, "name"), warning);
}

static void print_probes(const json_t *result)
{
	static const struct table_column column[] = {
		{"PROBE", false},  {"KIND", false},	{"STATE", false}, {"VERDICT", false}, {"RTT", true},
		{"GAP-MAX", true}, {"DETECTION", true}, {"SENT", true},	  {"ANSWERED", true}, {NULL, false}};
	const json_t *instances = json_object_get(result, "instances"), *instance;
	const json_t *connections = json_object_get(result, "connections"), *connection, *tunnel;
	struct table *table = table_new(column);
	size_t rows = 0, i, j;

	json_array_foreach (instances, i, instance)
		rows += add_probe(table, instance);
	json_array_foreach (connections, i, connection)
		json_array_foreach (json_object_get(connection, "tunnels"), j, tunnel)
			rows += add_probe(table, tunnel);
	print_table(table, rows);
	json_array_foreach (instances, i, instance)
		print_probe_warning(instance);
	json_array_foreach (connections, i, connection)
		json_array_foreach (json_object_get(connection, "tunnels"), j, tunnel)
			print_probe_warning(tunnel);
}

static void print_sender(const json_t *gateway)
{
	const json_t *sender = json_object_get(gateway, "probe_sender");
	char late[TEXT_BYTES];

	if (!sender)
		return;
	printf("\nprobes were sent up to %s late%s\n",
	       text_of_ms(json_number_value(json_object_get(sender, "late_max_ms")), late),
	       json_is_true(json_object_get(sender, "realtime")) ? "" : ", without real-time priority");
}

/* A connection that forwards for want of anything better is an alarm. */
static void print_panics(const json_t *connections)
{
	const json_t *connection;
	size_t i;

	json_array_foreach (connections, i, connection)
		if (json_is_true(json_object_get(connection, "panic")))
			printf("\nconnection %s: %s\n", tool_string(connection, "name"),
			       tool_string(connection, "reason"));
}

/* Where prefixes stand in the file, the reader knows them. */
static void print_prefixes(const json_t *connections)
{
	const json_t *connection;
	size_t i;

	json_array_foreach (connections, i, connection) {
		long long partial = number(connection, "prefixes_partial");

		if (!json_object_get(connection, "prefixes"))
			continue;
		printf("\n%s: %lld prefixes by the kernel's routes", tool_string(connection, "name"),
		       number(connection, "prefixes"));
		if (partial)
			printf(", %lld of them through some of its tunnels only", partial);
		printf("\n");
	}
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
static void print_counts(json_t *counts, const struct table_column *column)
{
	struct table *table = table_new(column);
	json_t *count;
	const char *reason;
	size_t rows = 0;

	json_object_foreach (counts, reason, count) {
		if (!json_integer_value(count))
			continue;
		table_cell(table, TABLE_RED, reason);
		table_cellf(table, "%lld", (long long)json_integer_value(count));
		rows++;
	}
	print_table(table, rows);
}

/* As check prints them. */
static void print_warnings(const json_t *warnings)
{
	const json_t *warning;
	size_t i;

	json_array_foreach (warnings, i, warning)
		printf("%s%s: %s: %s\n", i ? "" : "\n", tool_string(warning, "level"), tool_string(warning, "subject"),
		       tool_string(warning, "message"));
}

static void print_status(const json_t *result, const struct tool_call *call)
{
	static const struct table_column drops[] = {{"DROPPED", false}, {"PACKETS", true}, {NULL, false}};
	static const struct table_column rejects[] = {{"PROBE-REJECT", false}, {"PACKETS", true}, {NULL, false}};
	time_t now = time(NULL);

	(void)call;
	print_gateway(json_object_get(result, "gateway"));
	print_mode(json_object_get(result, "gateway"));
	print_instances(json_object_get(result, "instances"), now);
	print_connections(json_object_get(result, "connections"), now);
	print_panics(json_object_get(result, "connections"));
	print_prefixes(json_object_get(result, "connections"));
	print_probes(result);
	print_nics(json_object_get(result, "nics"));
	print_counts(json_object_get(result, "drops"), drops);
	print_counts(json_object_get(result, "probe_rejects"), rejects);
	print_sender(json_object_get(result, "gateway"));
	if (number(result, "route_errors"))
		printf("\n%lld fail-safe routes could not be installed\n", number(result, "route_errors"));
	print_warnings(json_object_get(result, "warnings"));
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
