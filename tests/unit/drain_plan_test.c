/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * drain --dry-run: shares of flows and traffic against rows that are built as in earnest, over plain arrays in the
 * place of maps.
 *
 *            in0           in1           in2
 *   hq     hq-0 (100)    hq-1 (100)    hq-2 (200)
 *   lab    lab-0         lab-1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/drain_plan.h"
#include "../../loader/judge.h"
#include "../../loader/rows.h"

#define ROWS 4096

struct fixture {
	struct health tunnel_health[64], instance_health[MAX_INSTANCES];
	struct tunnel tunnels[64];
	struct instance instances[MAX_INSTANCES];
	struct connection connections[2];
	struct row rows[2 * ROWS];
	struct model *model;
	struct judge judge;
};

static const char text[] =
	"gateway: {name: gw, inside: [lan0], mode: %s}\n"
	"instances:\n"
	"  - {name: in0, public: 203.0.113.10}\n"
	"  - {name: in1, public: 203.0.113.11}\n"
	"  - {name: in2, public: 203.0.113.12}\n"
	"connections:\n"
	"  - {name: hq, remote: [192.168.0.0/16], tunnels: [{name: hq-0, instance: in0, device: t0},\n"
	"     {name: hq-1, instance: in1, device: t1}, {name: hq-2, instance: in2, device: t2, weight: 200}]}\n"
	"  - {name: lab, remote: [192.0.2.0/24], tunnels: [{name: lab-0, instance: in0, device: t3},\n"
	"     {name: lab-1, instance: in1, device: t4}]}\n";

/* As fill.c does; with_rows: else each is ranked by itself. */
static void rows_fill(struct fixture *fixture, bool with_rows)
{
	for (size_t c = 0; c < fixture->model->config->connection_count; c++) {
		const struct model_connection *connection = &fixture->model->connections[c];
		struct connection *value = &fixture->connections[c];

		value->members = (uint32_t)connection->config->tunnel_count;
		for (size_t t = 0; t < value->members; t++)
			value->rank[t] = (struct member_rank){.weight = connection->config->tunnels[t].weight,
							      .tier = (uint8_t)connection->tunnels[t].instance->tier};
		value->first_row = with_rows ? (uint32_t)(c * ROWS) : NO_ROWS;
		value->row_mask = ROWS - 1;
		assert_int_equal(rows_build(value->rank, value->members, fixture->rows + c * ROWS, ROWS), 0);
	}
}

static int setup_mode(void **state, const char *mode)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct model_maps maps = {fixture->tunnel_health, fixture->instance_health, fixture->tunnels,
				  fixture->instances, fixture->connections};
	struct config_faults faults = {0};
	struct config *config = NULL;
	char yaml[2048];
	int length = snprintf(yaml, sizeof(yaml), text, mode);

	assert_int_equal(config_parse(yaml, (size_t)length, &config, &faults), 0);
	assert_int_equal(model_create(config, NULL, &fixture->model), 0);
	model_place(fixture->model, &maps);
	for (size_t t = 0; t < fixture->model->config->tunnel_count; t++)
		fixture->model->tunnels[t].unit.facts.device_missing = 0;
	judge_all(fixture->model);
	judge_settle(&fixture->judge, fixture->model);
	rows_fill(fixture, true);
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	return setup_mode(state, "active-active");
}

static int setup_standby(void **state)
{
	return setup_mode(state, "active-standby");
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	model_free(fixture->model);
	free(fixture);
	return 0;
}

static void rate_set(struct fixture *fixture, const char *name, uint64_t packets, uint64_t bytes)
{
	struct model_tunnel *tunnel = model_tunnel_by_name(fixture->model, name);

	tunnel->rate.tx_packets = packets;
	tunnel->rate.tx_bytes = bytes;
}

static void link_down(struct fixture *fixture, const char *name)
{
	struct model_tunnel *tunnel = model_tunnel_by_name(fixture->model, name);

	tunnel->unit.facts.link_down = 1;
	judge_tunnel(tunnel);
	judge_settle(&fixture->judge, fixture->model);
}

static json_t *plan_of(struct fixture *fixture, const char *name)
{
	struct drain_target target = drain_target_find(fixture->model, name);

	return drain_plan(fixture->model, fixture->rows, &target);
}

static const json_t *named(const json_t *array, const char *key, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		if (!strcmp(json_string_value(json_object_get(item, key)) ?: "", name))
			return item;
	return NULL;
}

static const json_t *connection(const json_t *plan, const char *name)
{
	return named(json_object_get(plan, "connections"), "name", name);
}

static const json_t *move_to(const json_t *plan, const char *name, const char *to)
{
	return named(json_object_get(connection(plan, name), "moves"), "to", to);
}

static double real(const json_t *object, const char *key)
{
	assert_non_null(json_object_get(object, key));
	return json_number_value(json_object_get(object, key));
}

static double instance_share(const json_t *plan, const char *name, const char *key)
{
	return real(named(json_object_get(plan, "instances"), "name", name), key);
}

static void assert_near(double value, double expected)
{
	if (fabs(value - expected) > 0.01 * expected + 0.001)
		fail_msg("%g is not near %g", value, expected);
}

static void test_plan__is_what_the_rows_say(void **state)
{
	struct fixture *fixture = *state;
	json_t *plan = plan_of(fixture, "in0");
	unsigned first = 0, then[3] = {0};

	for (size_t r = 0; r < ROWS; r++) {
		if (fixture->rows[r].candidate[0])
			continue;
		first++;
		then[fixture->rows[r].candidate[1]]++;
	}
	assert_true(first > 0 && then[1] > 0 && then[2] > 0);
	assert_true(real(connection(plan, "hq"), "share") == (double)first / ROWS);
	assert_true(real(move_to(plan, "hq", "hq-1"), "share") == (double)then[1] / ROWS);
	assert_true(real(move_to(plan, "hq", "hq-2"), "share") == (double)then[2] / ROWS);
	assert_true(real(move_to(plan, "lab", "lab-1"), "share") == 0.5);
	json_decref(plan);
}

static void test_plan__shares_traffic_as_flows(void **state)
{
	struct fixture *fixture = *state;
	json_t *plan;

	rate_set(fixture, "hq-0", 3000, 300000);
	rate_set(fixture, "hq-1", 3000, 300000);
	rate_set(fixture, "hq-2", 6000, 600000);
	model_tunnel_by_name(fixture->model, "hq-0")->flows = 12;
	plan = plan_of(fixture, "in0");
	assert_near(real(plan, "tx_pps"), 3000);
	assert_near(real(plan, "tx_bps"), 2400000);
	assert_true(real(plan, "flows") == 12);
	assert_near(real(move_to(plan, "hq", "hq-1"), "tx_pps"), 1000);
	assert_near(real(move_to(plan, "hq", "hq-2"), "tx_bps"), 1600000);
	assert_near(instance_share(plan, "in0", "share_then"), 0);
	assert_near(instance_share(plan, "in1", "share_then"), 1. / 3);
	assert_near(instance_share(plan, "in1", "share_by_weight"), 0.25);
	assert_near(instance_share(plan, "in2", "share_then"), 2. / 3);
	assert_near(instance_share(plan, "in2", "tx_bps_then"), 6400000);
	json_decref(plan);
}

static void test_plan__without_traffic_counts_each_connection_alike(void **state)
{
	struct fixture *fixture = *state;
	json_t *plan = plan_of(fixture, "in0");

	assert_near(instance_share(plan, "in0", "share"), (0.25 + 0.5) / 2);
	assert_near(instance_share(plan, "in0", "share_then"), 0);
	assert_near(instance_share(plan, "in1", "share_then"), (1. / 3 + 1) / 2);
	assert_near(instance_share(plan, "in1", "share_by_weight"), (0.25 + 0.5) / 2);
	assert_null(json_object_get(named(json_object_get(plan, "instances"), "name", "in1"), "tx_bps"));
	json_decref(plan);
}

static void test_plan__names_who_becomes_at_risk_and_who_is_cut(void **state)
{
	struct fixture *fixture = *state;
	json_t *plan = plan_of(fixture, "in0");

	assert_int_equal(json_array_size(json_object_get(plan, "cut")), 0);
	assert_int_equal(json_array_size(json_object_get(plan, "at_risk")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(plan, "at_risk"), 0)), "lab");
	assert_string_equal(json_string_value(json_object_get(connection(plan, "hq"), "state_then")), "redundant");
	json_decref(plan);
	link_down(fixture, "lab-1");
	rate_set(fixture, "lab-0", 50, 5000);
	plan = plan_of(fixture, "in0");
	assert_int_equal(json_array_size(json_object_get(plan, "at_risk")), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(plan, "cut"), 0)), "lab");
	assert_string_equal(json_string_value(json_object_get(connection(plan, "lab"), "state_then")), "down");
	assert_true(real(connection(plan, "lab"), "share") == 1);
	assert_null(json_object_get(json_array_get(json_object_get(connection(plan, "lab"), "moves"), 0), "to"));
	assert_true(real(json_array_get(json_object_get(connection(plan, "lab"), "moves"), 0), "tx_pps") == 50);
	json_decref(plan);
}

static void test_plan__of_a_tunnel_leaves_other_connections_alone(void **state)
{
	struct fixture *fixture = *state;
	json_t *plan;

	link_down(fixture, "hq-1");
	plan = plan_of(fixture, "hq-0");
	assert_null(connection(plan, "lab"));
	assert_near(real(move_to(plan, "hq", "hq-2"), "share"), 1. / 3);
	json_decref(plan);
}

static void test_plan__of_what_is_out_already_moves_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct model_instance *in0 = model_instance_by_name(fixture->model, "in0");
	json_t *plan;

	in0->unit.facts.admin_out = ADMIN_DRAINING;
	judge_instance(fixture->model, in0);
	judge_settle(&fixture->judge, fixture->model);
	plan = plan_of(fixture, "in0");
	assert_int_equal(json_array_size(json_object_get(plan, "connections")), 0);
	assert_string_equal(json_string_value(json_object_get(plan, "state")), "draining");
	json_decref(plan);
}

static void test_plan__samples_connections_without_rows(void **state)
{
	struct fixture *fixture = *state;
	json_t *plan;

	rows_fill(fixture, false);
	plan = plan_of(fixture, "in0");
	assert_true(fabs(real(connection(plan, "hq"), "share") - 0.25) < 0.03);
	assert_true(fabs(real(move_to(plan, "hq", "hq-2"), "share") - 0.5 / 3) < 0.03);
	json_decref(plan);
}

static void test_plan__standby_is_weighed_among_those_of_its_turn(void **state)
{
	struct fixture *fixture = *state;
	json_t *plan;

	rate_set(fixture, "hq-0", 1000, 100000);
	plan = plan_of(fixture, "in0");
	assert_true(real(connection(plan, "hq"), "share") == 1);
	assert_near(real(move_to(plan, "hq", "hq-1"), "tx_pps"), 1000);
	assert_null(move_to(plan, "hq", "hq-2"));
	assert_near(instance_share(plan, "in1", "share_then"), 1);
	assert_near(instance_share(plan, "in1", "share_by_weight"), 1);
	json_decref(plan);
	plan = plan_of(fixture, "in1");
	assert_true(real(connection(plan, "hq"), "share") == 0);
	assert_int_equal(json_array_size(json_object_get(connection(plan, "hq"), "moves")), 0);
	json_decref(plan);
}

int main(void)
{
#define TEST(name, set) cmocka_unit_test_setup_teardown(test_plan__##name, set, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(is_what_the_rows_say, setup),
		TEST(shares_traffic_as_flows, setup),
		TEST(without_traffic_counts_each_connection_alike, setup),
		TEST(names_who_becomes_at_risk_and_who_is_cut, setup),
		TEST(of_a_tunnel_leaves_other_connections_alone, setup),
		TEST(of_what_is_out_already_moves_nothing, setup),
		TEST(samples_connections_without_rows, setup),
		TEST(standby_is_weighed_among_those_of_its_turn, setup_standby),
	};
#undef TEST

	return cmocka_run_group_tests_name("drain_plan", tests, NULL, NULL);
}
