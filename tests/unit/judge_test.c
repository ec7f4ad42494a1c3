/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The judge over plain arrays in the place of maps: which byte a fact becomes, and which states follow.
 *
 *            in0        in1        in2
 *   hq     hq-0       hq-1
 *   lab    lab-0                 lab-1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/judge.h"

struct fixture {
	struct health tunnel_health[64], instance_health[MAX_INSTANCES];
	struct tunnel tunnels[64];
	struct instance instances[MAX_INSTANCES];
	struct connection connections[2];
	struct model *model;
	char told[4096]; /* "tunnel hq-0 down; " for every change */
	char dead[256];	 /* whose probe it was: "hq-0 for hq-0; " */
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
	"     {name: hq-1, instance: in1, device: t1}]}\n"
	"  - {name: lab, remote: [192.0.2.0/24], tunnels: [{name: lab-0, instance: in0, device: t2},\n"
	"     {name: lab-1, instance: in2, device: t3}]}\n";

static void note(const struct judge_change *change, void *context)
{
	static const char *const subjects[] = {"tunnel", "instance", "connection"};
	struct fixture *fixture = context;
	size_t length = strlen(fixture->told);

	snprintf(fixture->told + length, sizeof(fixture->told) - length, "%s %s %s; ", subjects[change->subject],
		 change->name, change->to);
	length = strlen(fixture->dead);
	if (change->dead)
		snprintf(fixture->dead + length, sizeof(fixture->dead) - length, "%s for %s; ", change->dead->name,
			 change->name);
}

static struct config *config_of(const char *mode)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	char yaml[2048];
	int length = snprintf(yaml, sizeof(yaml), text, mode);

	assert_int_equal(config_parse(yaml, (size_t)length, &config, &faults), 0);
	config_faults_free(&faults);
	return config;
}

static int setup_mode(void **state, const char *mode)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct model_maps maps = {fixture->tunnel_health, fixture->instance_health, fixture->tunnels,
				  fixture->instances, fixture->connections};

	assert_int_equal(model_create(config_of(mode), NULL, &fixture->model), 0);
	model_place(fixture->model, &maps);
	for (size_t t = 0; t < fixture->model->config->tunnel_count; t++)
		fixture->model->tunnels[t].unit.facts.device_missing = 0;
	fixture->judge = (struct judge){.changed = note, .context = fixture};
	judge_all(fixture->model);
	judge_settle(&fixture->judge, fixture->model);
	fixture->told[0] = 0;
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

static struct model_tunnel *tunnel(struct fixture *fixture, const char *name)
{
	return model_tunnel_by_name(fixture->model, name);
}

static struct model_instance *instance(struct fixture *fixture, const char *name)
{
	return model_instance_by_name(fixture->model, name);
}

static void settle(struct fixture *fixture)
{
	judge_settle(&fixture->judge, fixture->model);
}

static void test_judge__all_well_is_redundant(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(fixture->model->state, CONNECTION_REDUNDANT);
	assert_int_equal(tunnel(fixture, "hq-0")->unit.state, UNIT_ACTIVE);
	assert_int_equal(instance(fixture, "in0")->unit.state, UNIT_ACTIVE);
	assert_int_equal(instance(fixture, "in0")->tunnels_usable, 2);
}

static void test_judge__lost_sa_is_stored_at_once_and_told_when_settled(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0");

	hq0->unit.facts.sa_missing = 1;
	judge_tunnel(hq0);
	assert_int_equal(fixture->tunnel_health[hq0->index].sa_missing, 1);
	assert_string_equal(fixture->told, "");
	settle(fixture);
	assert_string_equal(fixture->told, "tunnel hq-0 down; connection hq at-risk; ");
	assert_string_equal(hq0->unit.reason, "no SA");
	assert_int_equal(fixture->model->state, CONNECTION_AT_RISK);
}

static void test_judge__instance_drain_changes_one_byte(void **state)
{
	struct fixture *fixture = *state;
	struct model_instance *in0 = instance(fixture, "in0");
	struct health before[MAX_INSTANCES], tunnels_before[64];
	unsigned differing = 0;

	memcpy(before, fixture->instance_health, sizeof(before));
	memcpy(tunnels_before, fixture->tunnel_health, sizeof(tunnels_before));
	in0->unit.facts.admin_out = 1;
	judge_instance(fixture->model, in0);
	settle(fixture);
	for (size_t i = 0; i < sizeof(before); i++)
		differing += ((uint8_t *)before)[i] != ((uint8_t *)fixture->instance_health)[i];
	assert_int_equal(differing, 1);
	assert_memory_equal(tunnels_before, fixture->tunnel_health, sizeof(tunnels_before));
	assert_int_equal(tunnel(fixture, "lab-0")->unit.state, UNIT_DRAINING);
	assert_int_equal(in0->unit.state, UNIT_DRAINING);
}

static void test_judge__silence_makes_draining_drained(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0");

	hq0->unit.facts.admin_out = 1;
	judge_tunnel(hq0);
	settle(fixture);
	assert_int_equal(hq0->unit.state, UNIT_DRAINING);
	hq0->unit.silent = true;
	judge_tunnel(hq0);
	settle(fixture);
	assert_int_equal(hq0->unit.state, UNIT_DRAINED);
}

static void test_judge__failure_of_a_draining_tunnel_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0");
	struct model_instance *in0 = instance(fixture, "in0");

	hq0->unit.facts.admin_out = 1;
	judge_tunnel(hq0);
	settle(fixture);
	fixture->told[0] = 0;
	hq0->unit.facts.link_down = 1;
	judge_tunnel(hq0);
	settle(fixture);
	assert_string_equal(fixture->told, "tunnel hq-0 failed; ");
	assert_int_equal(hq0->unit.state, UNIT_DRAINING);
	/* It is told once, and so is its end. */
	judge_tunnel(hq0);
	settle(fixture);
	hq0->unit.facts.link_down = 0;
	judge_tunnel(hq0);
	settle(fixture);
	assert_string_equal(fixture->told, "tunnel hq-0 failed; tunnel hq-0 draining; ");
	/* A failure of its instance is one of its own. */
	fixture->told[0] = 0;
	fixture->instance_health[in0->index].probe_dead = 1;
	judge_instance(fixture->model, in0);
	settle(fixture);
	assert_non_null(strstr(fixture->told, "tunnel hq-0 failed; "));
	assert_non_null(strstr(fixture->dead, "in0 for hq-0; "));
	/* Put back, it is down. */
	fixture->told[0] = 0;
	hq0->unit.facts.admin_out = 0;
	judge_tunnel(hq0);
	settle(fixture);
	assert_string_equal(fixture->told, "tunnel hq-0 down; ");
}

static void test_judge__failure_of_a_drained_tunnel_moves_nothing_and_is_not_told(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0");

	hq0->unit.facts.admin_out = 1;
	hq0->unit.silent = true;
	judge_tunnel(hq0);
	settle(fixture);
	fixture->told[0] = 0;
	hq0->unit.facts.link_down = 1;
	judge_tunnel(hq0);
	settle(fixture);
	assert_string_equal(fixture->told, "");
}

static void test_judge__slow_start_is_stored_and_is_no_cause(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0"), *hq1 = tunnel(fixture, "hq-1");
	struct model_instance *in0 = instance(fixture, "in0");

	in0->unit.facts.slow_start = 200;
	judge_instance(fixture->model, in0);
	settle(fixture);
	assert_int_equal(fixture->instance_health[in0->index].slow_start, 200);
	assert_string_equal(fixture->told, "");
	assert_true(model_tunnel_usable(hq0));
	assert_null(judge_cut_by(fixture->model, instance(fixture, "in1"), NULL));
	/* What is told of a cause beside it is the cause's. */
	fixture->tunnel_health[hq0->index].probe_dead = fixture->tunnel_health[hq1->index].probe_dead = 1;
	hq0->unit.facts.slow_start = 100;
	judge_tunnel(hq0);
	judge_tunnel(hq1);
	settle(fixture);
	assert_true(unit_is_dead(&hq0->unit));
	assert_string_equal(model_connection_by_name(fixture->model, "hq")->panic,
			    "every tunnel of the connection fails its probe");
	hq0->unit.facts.slow_start = 0;
	judge_slow_start(&hq0->unit);
	assert_int_equal(fixture->tunnel_health[hq0->index].slow_start, 0);
	assert_int_equal(fixture->tunnel_health[hq0->index].probe_dead, 1);
}

static void test_judge__one_cause_does_not_hide_another(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0");

	hq0->unit.facts.sa_missing = 1;
	hq0->unit.facts.link_down = 1;
	judge_tunnel(hq0);
	hq0->unit.facts.link_down = 0;
	judge_tunnel(hq0);
	settle(fixture);
	assert_int_equal(hq0->unit.state, UNIT_DOWN);
	assert_int_equal(fixture->tunnel_health[hq0->index].sa_missing, 1);
}

static void test_judge__probe_byte_is_read_and_never_written(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0");

	fixture->tunnel_health[hq0->index].probe_dead = 1;
	judge_tunnel(hq0);
	settle(fixture);
	assert_int_equal(hq0->unit.state, UNIT_DOWN);
	assert_int_equal(fixture->tunnel_health[hq0->index].probe_dead, 1);
	fixture->tunnel_health[hq0->index].probe_dead = 0;
	judge_tunnel(hq0);
	settle(fixture);
	assert_int_equal(hq0->unit.state, UNIT_ACTIVE);
}

static void test_judge__nothing_usable_is_down(void **state)
{
	struct fixture *fixture = *state;

	tunnel(fixture, "hq-0")->unit.facts.link_down = 1;
	tunnel(fixture, "hq-1")->unit.facts.link_down = 1;
	judge_tunnel(tunnel(fixture, "hq-0"));
	judge_tunnel(tunnel(fixture, "hq-1"));
	settle(fixture);
	assert_int_equal(model_connection_by_name(fixture->model, "hq")->state, CONNECTION_DOWN);
	assert_int_equal(fixture->model->state, CONNECTION_DOWN);
	assert_int_equal(instance(fixture, "in1")->unit.state, UNIT_DOWN);
	assert_string_equal(instance(fixture, "in1")->unit.reason, "none of its tunnels is usable");
	assert_int_equal(instance(fixture, "in0")->unit.state, UNIT_ACTIVE);
}

static void probes_fail(struct fixture *fixture)
{
	fixture->tunnel_health[tunnel(fixture, "hq-0")->index].probe_dead = 1;
	fixture->instance_health[instance(fixture, "in1")->index].probe_dead = 1;
	judge_tunnel(tunnel(fixture, "hq-0"));
	judge_instance(fixture->model, instance(fixture, "in1"));
	settle(fixture);
}

static void test_panic__is_a_way_to_be_down_that_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct model_connection *hq = model_connection_by_name(fixture->model, "hq");

	probes_fail(fixture);
	assert_int_equal(hq->state, CONNECTION_DOWN);
	assert_string_equal(hq->panic, "every tunnel of the connection fails its probe");
	assert_string_equal(fixture->told, "tunnel hq-0 down; tunnel hq-1 down; connection hq down; "
					   "connection hq panic; instance in1 down; ");
	/* It is told once. */
	fixture->told[0] = 0;
	judge_all(fixture->model);
	settle(fixture);
	assert_string_equal(fixture->told, "");
	/* And its end is the return of any tunnel. */
	fixture->tunnel_health[tunnel(fixture, "hq-0")->index].probe_dead = 0;
	judge_tunnel(tunnel(fixture, "hq-0"));
	settle(fixture);
	assert_string_equal(fixture->told, "tunnel hq-0 active; connection hq at-risk; ");
	assert_null(hq->panic);
}

static void test_panic__ends_where_nothing_is_left_to_take(void **state)
{
	struct fixture *fixture = *state;
	struct model_connection *hq = model_connection_by_name(fixture->model, "hq");

	probes_fail(fixture);
	tunnel(fixture, "hq-0")->unit.facts.sa_missing = 1;
	judge_tunnel(tunnel(fixture, "hq-0"));
	settle(fixture);
	assert_non_null(hq->panic);
	fixture->told[0] = 0;
	instance(fixture, "in1")->unit.facts.admin_out = 1;
	judge_instance(fixture->model, instance(fixture, "in1"));
	settle(fixture);
	assert_null(hq->panic);
	assert_string_equal(fixture->told, "tunnel hq-1 draining; connection hq down; instance in1 draining; ");
}

static void test_panic__is_not_what_a_lost_sa_leads_to(void **state)
{
	struct fixture *fixture = *state;

	tunnel(fixture, "hq-0")->unit.facts.sa_missing = 1;
	tunnel(fixture, "hq-1")->unit.facts.link_down = 1;
	probes_fail(fixture);
	judge_tunnel(tunnel(fixture, "hq-1"));
	settle(fixture);
	assert_int_equal(model_connection_by_name(fixture->model, "hq")->state, CONNECTION_DOWN);
	assert_null(model_connection_by_name(fixture->model, "hq")->panic);
	assert_null(strstr(fixture->told, "panic"));
}

static void test_judge__expiring_sa_is_left_and_panicked_into_when_alone(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0"), *hq1 = tunnel(fixture, "hq-1");
	struct model_connection *hq = model_connection_by_name(fixture->model, "hq");

	hq0->unit.facts.sa_expiring = 1;
	judge_tunnel(hq0);
	assert_int_equal(fixture->tunnel_health[hq0->index].sa_expiring, 1);
	settle(fixture);
	assert_int_equal(hq0->unit.state, UNIT_DOWN);
	assert_string_equal(hq0->unit.reason, "SA expires and has no successor");
	assert_null(hq->panic);
	hq1->unit.facts.link_down = 1;
	judge_tunnel(hq1);
	settle(fixture);
	assert_string_equal(hq->panic, "no tunnel of the connection has a successor to its SA");
	hq0->unit.facts.sa_expiring = 0;
	judge_tunnel(hq0);
	settle(fixture);
	assert_int_equal(fixture->tunnel_health[hq0->index].sa_expiring, 0);
	assert_int_equal(hq0->unit.state, UNIT_ACTIVE);
	assert_null(hq->panic);
}

static void test_judge__standby_takes_over_and_gives_back(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0"), *hq1 = tunnel(fixture, "hq-1");

	assert_int_equal(hq0->unit.state, UNIT_ACTIVE);
	assert_int_equal(hq1->unit.state, UNIT_STANDBY);
	assert_int_equal(instance(fixture, "in1")->unit.state, UNIT_STANDBY);
	hq0->unit.facts.sa_missing = 1;
	judge_tunnel(hq0);
	settle(fixture);
	assert_int_equal(hq1->unit.state, UNIT_ACTIVE);
	assert_int_equal(instance(fixture, "in1")->unit.state, UNIT_ACTIVE);
	hq0->unit.facts.sa_missing = 0;
	judge_tunnel(hq0);
	settle(fixture);
	assert_int_equal(hq1->unit.state, UNIT_STANDBY);
}

static void test_judge__cut_names_the_connection_that_would_go_down(void **state)
{
	struct fixture *fixture = *state;

	assert_null(judge_cut_by(fixture->model, instance(fixture, "in0"), NULL));
	tunnel(fixture, "lab-1")->unit.facts.link_down = 1;
	judge_tunnel(tunnel(fixture, "lab-1"));
	settle(fixture);
	assert_string_equal(judge_cut_by(fixture->model, instance(fixture, "in0"), NULL)->config->name, "lab");
	assert_null(judge_cut_by(fixture->model, NULL, tunnel(fixture, "hq-0")));
	assert_string_equal(judge_cut_by(fixture->model, NULL, tunnel(fixture, "lab-0"))->config->name, "lab");
	/* What is down already is nobody's to cut. */
	assert_null(judge_cut_by(fixture->model, instance(fixture, "in2"), NULL));
}

static void test_judge__change_names_the_unit_whose_probe_it_was(void **state)
{
	struct fixture *fixture = *state;

	fixture->instance_health[instance(fixture, "in0")->index].probe_dead = 1;
	judge_instance(fixture->model, instance(fixture, "in0"));
	fixture->tunnel_health[tunnel(fixture, "hq-1")->index].probe_dead = 1;
	judge_tunnel(tunnel(fixture, "hq-1"));
	settle(fixture);
	assert_string_equal(fixture->dead, "in0 for hq-0; hq-1 for hq-1; in0 for lab-0; in0 for in0; ");
}

static void test_judge__reason_of_a_probe_is_the_probes_while_nothing_else_is_wrong(void **state)
{
	struct fixture *fixture = *state;
	struct model_tunnel *hq0 = tunnel(fixture, "hq-0");

	hq0->unit.probe_reason = "the peer says it is down";
	fixture->tunnel_health[hq0->index].probe_dead = 1;
	judge_tunnel(hq0);
	settle(fixture);
	assert_string_equal(hq0->unit.reason, "the peer says it is down");
	hq0->unit.facts.link_down = 1;
	judge_tunnel(hq0);
	settle(fixture);
	assert_string_equal(hq0->unit.reason, "link down");
	hq0->unit.facts.link_down = 0;
	hq0->unit.probe_reason = NULL;
	judge_tunnel(hq0);
	settle(fixture);
	assert_string_equal(hq0->unit.reason, "probe unanswered");
}

static void test_model__names_keep_their_indexes(void **state)
{
	char tunnels[64][NAME_BYTES] = {[5] = "hq-1", [0] = "gone", [63] = "lab-0"};
	char instances[3][NAME_BYTES] = {"in2", "in1", ""};
	struct model_indexes before = {tunnels, 64, instances, 3};
	struct model *model;

	(void)state;
	assert_int_equal(model_create(config_of("active-active"), &before, &model), 0);
	assert_int_equal(model_tunnel_by_name(model, "hq-1")->index, 5);
	assert_int_equal(model_tunnel_by_name(model, "lab-0")->index, 63);
	assert_int_equal(model_tunnel_by_name(model, "hq-0")->index, 1); /* 0 was somebody's a moment ago */
	assert_int_equal(model_tunnel_by_name(model, "lab-1")->index, 2);
	assert_int_equal(model_instance_by_name(model, "in2")->index, 0);
	assert_int_equal(model_instance_by_name(model, "in0")->index, 2);
	assert_ptr_equal(model_tunnel_by_index(model, 63), model_tunnel_by_name(model, "lab-0"));
	assert_null(model_tunnel_by_index(model, 4));
	model_free(model);
}

static void assert_order(const struct model *model, uint32_t in0, uint32_t in1, uint32_t in2)
{
	assert_int_equal(model_instance_by_name(model, "in0")->tier, in0);
	assert_int_equal(model_instance_by_name(model, "in1")->tier, in1);
	assert_int_equal(model_instance_by_name(model, "in2")->tier, in2);
}

static void test_model__order_is_the_configuration_s_but_for_who_is_first_and_who_is_behind(void **state)
{
	static const char behind[][NAME_BYTES] = {"in1", "nobody", "in0"};
	struct fixture *fixture = *state;
	struct model *model = fixture->model;

	assert_int_equal(model->mode, MODE_ACTIVE_STANDBY);
	assert_order(model, 0, 1, 2);
	model_order(model, MODE_ACTIVE_STANDBY, "in2", NULL, 0);
	assert_order(model, 1, 2, 0);
	model_order(model, MODE_ACTIVE_STANDBY, NULL, behind, 3);
	assert_order(model, 2, 1, 0);
	model_order(model, MODE_ACTIVE_STANDBY, "in1", behind, 3);
	assert_order(model, 2, 0, 1);
	model_order(model, MODE_ACTIVE_STANDBY, "nobody", behind, 2);
	assert_order(model, 0, 2, 1);
	model_order(model, MODE_ACTIVE_ACTIVE, "in1", behind, 3);
	assert_int_equal(model->mode, MODE_ACTIVE_ACTIVE);
	assert_order(model, 0, 0, 0);
}

static void test_model__states_follow_the_order(void **state)
{
	struct fixture *fixture = *state;

	model_order(fixture->model, MODE_ACTIVE_STANDBY, "in1", NULL, 0);
	judge_all(fixture->model);
	settle(fixture);
	assert_int_equal(tunnel(fixture, "hq-1")->unit.state, UNIT_ACTIVE);
	assert_int_equal(tunnel(fixture, "hq-0")->unit.state, UNIT_STANDBY);
	assert_int_equal(tunnel(fixture, "lab-0")->unit.state, UNIT_ACTIVE);
	model_order(fixture->model, MODE_ACTIVE_ACTIVE, NULL, NULL, 0);
	judge_all(fixture->model);
	settle(fixture);
	assert_int_equal(tunnel(fixture, "hq-0")->unit.state, UNIT_ACTIVE);
	assert_int_equal(tunnel(fixture, "lab-1")->unit.state, UNIT_ACTIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_judge__all_well_is_redundant, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__lost_sa_is_stored_at_once_and_told_when_settled, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_judge__instance_drain_changes_one_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__silence_makes_draining_drained, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__failure_of_a_draining_tunnel_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__failure_of_a_drained_tunnel_moves_nothing_and_is_not_told,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__slow_start_is_stored_and_is_no_cause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__one_cause_does_not_hide_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__probe_byte_is_read_and_never_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__change_names_the_unit_whose_probe_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__reason_of_a_probe_is_the_probes_while_nothing_else_is_wrong,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__nothing_usable_is_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_panic__is_a_way_to_be_down_that_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_panic__ends_where_nothing_is_left_to_take, setup, teardown),
		cmocka_unit_test_setup_teardown(test_panic__is_not_what_a_lost_sa_leads_to, setup, teardown),
		cmocka_unit_test_setup_teardown(test_judge__expiring_sa_is_left_and_panicked_into_when_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_judge__standby_takes_over_and_gives_back, setup_standby, teardown),
		cmocka_unit_test_setup_teardown(test_judge__cut_names_the_connection_that_would_go_down, setup,
						teardown),
		cmocka_unit_test(test_model__names_keep_their_indexes),
		cmocka_unit_test_setup_teardown(
			test_model__order_is_the_configuration_s_but_for_who_is_first_and_who_is_behind, setup_standby,
			teardown),
		cmocka_unit_test_setup_teardown(test_model__states_follow_the_order, setup_standby, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
