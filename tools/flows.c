/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer flows: which flows are pinned, to which tunnel and why.
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "text.h"
#include "tool.h"

struct flows_options {
	const char *tunnel;
	long top; /* -1: as many as the daemon shows by itself */
};

static int read_options(struct tool_call *call, struct flows_options *flows)
{
	static const struct option options[] = {
		{"tunnel", required_argument, NULL, 't'}, {"top", required_argument, NULL, 'n'}, TOOL_LONG_OPTIONS};
	int option;
	char *end;

	while ((option = tool_getopt(call, TOOL_SHORT_OPTIONS, options)) != -1) {
		if (option == 't') {
			flows->tunnel = optarg;
		} else if (option == 'n') {
			errno = 0;
			flows->top = strtol(optarg, &end, 10);
			if (!*optarg || *end || errno || flows->top < 0) {
				tool_fail(call, EXIT_USAGE, "--top: '%s' is not a number of flows", optarg);
				return TOOL_FAULTY;
			}
		} else {
			return option;
		}
	}
	return -1;
}

static void cell_end(struct table *table, const json_t *end)
{
	const char *address = tool_string(end, "address");
	json_int_t port = json_integer_value(json_object_get(end, "port"));

	table_cellf(table, strchr(address, ':') ? "[%s]:%lld" : "%s:%lld", address, (long long)port);
}

static void cell_protocol(struct table *table, json_int_t number)
{
	const struct protoent *known = getprotobynumber((int)number);

	if (known)
		table_cell(table, TABLE_PLAIN, known->p_name);
	else
		table_cellf(table, "%lld", (long long)number);
}

static void cell_ms(struct table *table, const json_t *flow, const char *key)
{
	char text[TEXT_BYTES];

	table_cell(table, TABLE_PLAIN, text_of_ms(json_number_value(json_object_get(flow, key)), text));
}

static void print_flows(const json_t *result, const struct tool_call *call)
{
	static const struct table_column columns[] = {
		{"PROTO", false}, {"INSIDE", false}, {"REMOTE", false}, {"TUNNEL", false}, {"PACKETS", true},
		{"BYTES", true},  {"SILENT", true},  {"PINNED", true},	{"WHY", false},	   {NULL, false}};
	const json_t *flows = json_object_get(result, "flows"), *flow;
	struct table *table = table_new(columns);
	size_t i;

	(void)call;
	json_array_foreach (flows, i, flow) {
		cell_protocol(table, json_integer_value(json_object_get(flow, "protocol")));
		cell_end(table, json_object_get(flow, "inside"));
		cell_end(table, json_object_get(flow, "remote"));
		table_cell(table, TABLE_PLAIN, tool_string(flow, "tunnel"));
		table_cellf(table, "%lld", (long long)json_integer_value(json_object_get(flow, "tx_packets")));
		table_cellf(table, "%lld", (long long)json_integer_value(json_object_get(flow, "tx_bytes")));
		cell_ms(table, flow, "silent_ms");
		cell_ms(table, flow, "pinned_ms");
		table_cell(table, TABLE_PLAIN, tool_string(flow, "reason"));
	}
	table_print(table, stdout, table_colour_wanted(stdout));
	table_free(table);
	printf("%zu of %lld pinned flows\n", json_array_size(flows),
	       (long long)json_integer_value(json_object_get(result, "total")));
}

int flows_main(struct tool_call *call)
{
	struct flows_options flows = {.top = -1};
	struct tool_request request = {.command = "flows", .print = print_flows, .unhurried = true};
	int ended = read_options(call, &flows);

	if (ended == -1)
		ended = tool_words_left(call, 0, 0);
	if (ended)
		return tool_ended(ended);
	request.arguments = json_object();
	if (flows.tunnel)
		json_object_set_new(request.arguments, "tunnel", json_string(flows.tunnel));
	if (flows.top >= 0)
		json_object_set_new(request.arguments, "top", json_integer(flows.top));
	return tool_ask(call, &request);
}
