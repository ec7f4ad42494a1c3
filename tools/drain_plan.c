/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer drain --dry-run: what would move where, and who would carry how much then, as tables and sentences.
 */
#include "drain_plan.h"

#include "table.h"
#include "text.h"

static void cell_percent(struct table *table, const json_t *object, const char *key)
{
	table_cellf(table, "%.3g %%", 100 * json_number_value(json_object_get(object, key)));
}

static void cell_rate(struct table *table, const json_t *object, const char *key)
{
	char rate[TEXT_BYTES];

	table_cell(table, TABLE_PLAIN, text_of_rate(json_integer_value(json_object_get(object, key)), rate));
}

static void add_move(struct table *table, const json_t *connection, const json_t *move, bool first)
{
	const char *to = tool_string(move, "to");

	table_cell(table, TABLE_PLAIN, first ? tool_string(connection, "name") : "");
	table_cell(table, TABLE_PLAIN, first ? tool_string(connection, "state_then") : "");
	table_cell(table, TABLE_PLAIN, tool_string(move, "from"));
	table_cell(table, *to ? TABLE_PLAIN : TABLE_RED, *to ? to : "nowhere");
	cell_percent(table, move, "share");
	cell_rate(table, move, "tx_pps");
	cell_rate(table, move, "tx_bps");
}

static void print_moves(const json_t *connections)
{
	static const struct table_column column[] = {{"CONNECTION", false}, {"THEN", false}, {"FROM", false},
						     {"TO", false},	    {"FLOWS", true}, {"TX-PKT/S", true},
						     {"TX-BIT/S", true},    {NULL, false}};
	struct table *table = table_new(column);
	const json_t *connection, *move;
	size_t i, j, rows = 0;

	json_array_foreach (connections, i, connection) {
		json_array_foreach (json_object_get(connection, "moves"), j, move)
			add_move(table, connection, move, !j);
		rows += json_array_size(json_object_get(connection, "moves"));
	}
	if (rows) {
		putchar('\n');
		table_print(table, stdout, table_colour_wanted(stdout));
	}
	table_free(table);
}

static void print_instances(const json_t *instances)
{
	static const struct table_column column[] = {
		{"INSTANCE", false}, {"SHARE", true}, {"THEN", true}, {"BY-WEIGHT", true}, {NULL, false}};
	struct table *table = table_new(column);
	const json_t *instance;
	size_t i;

	json_array_foreach (instances, i, instance) {
		table_cell(table, TABLE_PLAIN, tool_string(instance, "name"));
		cell_percent(table, instance, "share");
		cell_percent(table, instance, "share_then");
		cell_percent(table, instance, "share_by_weight");
	}
	if (i) {
		putchar('\n');
		table_print(table, stdout, table_colour_wanted(stdout));
	}
	table_free(table);
}

/* More than its weight's share: rounding is none. */
static void print_overload(const json_t *instance, bool traffic)
{
	double then = json_number_value(json_object_get(instance, "share_then"));
	double weight = json_number_value(json_object_get(instance, "share_by_weight"));

	if (weight <= 0 || then <= weight * 1.02)
		return;
	printf("%s would carry %.3g %% of all %s, %.2g times its weight's share when all are in\n",
	       tool_string(instance, "name"), 100 * then, traffic ? "traffic" : "flows", then / weight);
}

static void print_names(const json_t *names, const char *what)
{
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		printf("connection %s would %s\n", json_string_value(name), what);
}

void drain_plan_print(const json_t *plan)
{
	const json_t *instances = json_object_get(plan, "instances"), *instance;
	long long flows = (long long)json_integer_value(json_object_get(plan, "flows"));
	size_t connections = json_array_size(json_object_get(plan, "connections")), i;
	char packets[TEXT_BYTES], bits[TEXT_BYTES];

	if (!connections) {
		printf("%s is %s: a drain would move nothing\n", tool_string(plan, "name"), tool_string(plan, "state"));
		return;
	}
	printf("without %s: %zu connection%s, %s packets/s, %s bit/s would move", tool_string(plan, "name"),
	       connections, connections == 1 ? "" : "s",
	       text_of_rate(json_integer_value(json_object_get(plan, "tx_pps")), packets),
	       text_of_rate(json_integer_value(json_object_get(plan, "tx_bps")), bits));
	if (flows)
		printf("; %lld pinned flow%s stay%s until the end or the deadline", flows, flows == 1 ? "" : "s",
		       flows == 1 ? "s" : "");
	putchar('\n');
	print_moves(json_object_get(plan, "connections"));
	print_instances(instances);
	putchar('\n');
	json_array_foreach (instances, i, instance)
		print_overload(instance, json_object_get(instance, "tx_bps"));
	print_names(json_object_get(plan, "at_risk"), "be at-risk: one instance is left to it");
	print_names(json_object_get(plan, "cut"), "have no usable tunnel");
	puts("nothing was changed");
}
