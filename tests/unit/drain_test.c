/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a drain has come: whom it waits for, when it is over, and what is said of it meanwhile. Over plain arrays in
 * the place of maps.
 *
 *            in0        in1
 *   hq     hq-0       hq-1
 *   lab    lab-0      lab-1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../loader/clock.h"
#include "../../loader/drain.h"
#include "../../loader/judge.h"
#include "../../loader/slow_start.h"

#define START_NS (1000 * NS_PER_SECOND)

struct fixture {
	struct health tunnel_health[64], instance_health[MAX_INSTANCES];
	struct tunnel tunnels[64];
	struct instance instances[MAX_INSTANCES];
	struct connection connections[2];
	struct model *model;
	struct model_tunnel *hq0, *lab0;
	struct model_instance *in0;
	struct judge judge;
};

static const char text[] =
	"gateway: {name: gw, inside: [lan0]}\n"
	"instances:\n"
	"  - {name: in0, public: 203.0.113.10}\n"
	"  - {name: in1, public: 203.0.113.11}\n"
	"connections:\n"
	"  - {name: hq, remote: [192.168.0.0/16], tunnels: [{name: hq-0, instance: in0, device: t0},\n"
	"     {name: hq-1, instance: in1, device: t1}]}\n"
	"  - {name: lab, remote: [192.0.2.0/24], tunnels: [{name: lab-0, instance: in0, device: t2},\n"
	"     {name: lab-1, instance: in1, device: t3}]}\n";

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct model_maps maps = {fixture->tunnel_health, fixture->instance_health, fixture->tunnels,
				  fixture->instances, fixture->connections};
	struct config_faults faults = {0};
	struct config *config = NULL;

	assert_int_equal(config_parse(text, sizeof(text) - 1, &config, &faults), 0);
	assert_int_equal(model_create(config, NULL, &fixture->model), 0);
	model_place(fixture->model, &maps);
	for (size_t t = 0; t < fixture->model->config->tunnel_count; t++)
		fixture->model->tunnels[t].unit.facts.device_missing = 0;
	judge_all(fixture->model);
	judge_settle(&fixture->judge, fixture->model);
	fixture->hq0 = model_tunnel_by_name(fixture->model, "hq-0");
	fixture->lab0 = model_tunnel_by_name(fixture->model, "lab-0");
	fixture->in0 = model_instance_by_name(fixture->model, "in0");
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	model_free(fixture->model);
	free(fixture);
	return 0;
}

/* in0 goes out; both of its tunnels received something at the start. */
static void drain_in0(struct fixture *fixture, enum admin_out out)
{
	fixture->hq0->last_rx_ns = fixture->lab0->last_rx_ns = START_NS;
	fixture->in0->unit.facts.admin_out = out;
	judge_instance(fixture->model, fixture->in0);
	judge_settle(&fixture->judge, fixture->model);
}

static bool watch(struct fixture *fixture, uint64_t after_ns)
{
	bool changed = drain_watch(fixture->model, START_NS + after_ns);

	judge_settle(&fixture->judge, fixture->model);
	return changed;
}

static void assert_reason(struct fixture *fixture, const char *name, const char *expected)
{
	struct drain_target target = drain_target_find(fixture->model, name);
	char reason[DRAIN_REASON_BYTES];

	assert_string_equal(drain_reason(fixture->model, &target, reason), expected);
}

static void test_drain__is_over_when_the_peer_has_been_silent_for_a_second(void **state)
{
	struct fixture *fixture = *state;

	drain_in0(fixture, ADMIN_DRAINING);
	assert_false(watch(fixture, NS_PER_SECOND - 1));
	assert_int_equal(fixture->in0->unit.state, UNIT_DRAINING);
	fixture->lab0->last_rx_ns += NS_PER_SECOND;
	assert_true(watch(fixture, NS_PER_SECOND));
	assert_int_equal(fixture->hq0->unit.state, UNIT_DRAINED);
	assert_int_equal(fixture->in0->unit.state, UNIT_DRAINING);
	assert_true(watch(fixture, 2 * NS_PER_SECOND));
	assert_int_equal(fixture->in0->unit.state, UNIT_DRAINED);
	/* The peer is back. */
	fixture->lab0->last_rx_ns = START_NS + 3 * NS_PER_SECOND;
	assert_true(watch(fixture, 3 * NS_PER_SECOND));
	assert_int_equal(fixture->lab0->unit.state, UNIT_DRAINING);
	assert_int_equal(fixture->in0->unit.state, UNIT_DRAINING);
}

static void test_drain__waits_for_pinned_flows_until_they_are_moved(void **state)
{
	struct fixture *fixture = *state;

	drain_in0(fixture, ADMIN_DRAINING);
	fixture->hq0->flows = 3;
	watch(fixture, 10 * NS_PER_SECOND);
	assert_int_equal(fixture->lab0->unit.state, UNIT_DRAINED);
	assert_int_equal(fixture->hq0->unit.state, UNIT_DRAINING);
	assert_int_equal(fixture->in0->unit.state, UNIT_DRAINING);
	/* What is counted of one that nobody uses has lost its tunnel already. */
	fixture->in0->unit.facts.admin_out = ADMIN_OUT;
	watch(fixture, 10 * NS_PER_SECOND);
	assert_int_equal(fixture->hq0->unit.state, UNIT_DRAINED);
	assert_int_equal(fixture->in0->unit.state, UNIT_DRAINED);
}

static void test_drain__of_a_tunnel_does_not_soften_that_of_its_instance(void **state)
{
	struct fixture *fixture = *state;

	drain_in0(fixture, ADMIN_OUT);
	fixture->hq0->unit.facts.admin_out = ADMIN_DRAINING;
	fixture->hq0->flows = 3;
	assert_int_equal(model_tunnel_out(fixture->hq0), ADMIN_OUT);
	watch(fixture, NS_PER_SECOND);
	assert_int_equal(fixture->hq0->unit.state, UNIT_DRAINED);
	fixture->in0->unit.facts.admin_out = 0;
	assert_int_equal(model_tunnel_out(fixture->hq0), ADMIN_DRAINING);
}

static void test_drain__that_was_ended_by_hand_waits_for_nobody(void **state)
{
	struct fixture *fixture = *state;

	drain_in0(fixture, ADMIN_OUT);
	fixture->hq0->unit.silenced = fixture->lab0->unit.silenced = true;
	watch(fixture, 0);
	assert_int_equal(fixture->in0->unit.state, UNIT_DRAINED);
}

static void test_drain__says_what_it_waits_for(void **state)
{
	struct fixture *fixture = *state;

	assert_reason(fixture, "in0", "");
	drain_in0(fixture, ADMIN_DRAINING);
	assert_reason(fixture, "in0", "administratively out: waits for a second of silence");
	fixture->hq0->flows = 11;
	fixture->lab0->flows = 1;
	assert_reason(fixture, "in0", "administratively out: waits for 12 flows");
	assert_reason(fixture, "lab-0", "its instance is administratively out: waits for 1 flow");
	fixture->lab0->rate.rx_through_packets = 34;
	assert_reason(fixture, "in0",
		      "administratively out: waits for 12 flows, and the peer still sends 34 packets/s");
	fixture->in0->unit.facts.admin_out = ADMIN_OUT;
	assert_reason(fixture, "in0", "administratively out: the peer still sends 34 packets/s");
	assert_reason(fixture, "in1", "");
	fixture->lab0->rate.rx_through_packets = 0;
	watch(fixture, NS_PER_SECOND);
	assert_reason(fixture, "in0", "administratively out");
}

static void test_drain__slow_start_after_it_is_told_as_a_share(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(slow_start_level(0, 30 * NS_PER_SECOND), 255);
	assert_int_equal(slow_start_level(15 * NS_PER_SECOND, 30 * NS_PER_SECOND), 128);
	assert_int_equal(slow_start_level(30 * NS_PER_SECOND, 30 * NS_PER_SECOND), 0);
	assert_int_equal(slow_start_level(90 * NS_PER_SECOND, 30 * NS_PER_SECOND), 0);
	fixture->in0->unit.facts.slow_start = 128;
	assert_reason(fixture, "in0", "slow start: 50 %");
	assert_reason(fixture, "hq-0", "slow start: 50 %");
	fixture->hq0->unit.facts.slow_start = 192;
	assert_reason(fixture, "hq-0", "slow start: 25 %");
	assert_reason(fixture, "lab-0", "slow start: 50 %");
	assert_reason(fixture, "hq-1", "");
	/* Of one that is out for something else, that is what is told. */
	fixture->hq0->unit.facts.link_down = 1;
	judge_tunnel(fixture->hq0);
	judge_settle(&fixture->judge, fixture->model);
	assert_reason(fixture, "hq-0", "link down");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_drain__##name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(is_over_when_the_peer_has_been_silent_for_a_second),
		TEST(waits_for_pinned_flows_until_they_are_moved),
		TEST(of_a_tunnel_does_not_soften_that_of_its_instance),
		TEST(that_was_ended_by_hand_waits_for_nobody),
		TEST(says_what_it_waits_for),
		TEST(slow_start_after_it_is_told_as_a_share),
	};
#undef TEST

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
