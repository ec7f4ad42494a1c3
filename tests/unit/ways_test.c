/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose next hops are these: tunnels by their device, by their next hop, and remote instances; and what becomes of a
 * connection through some of its tunnels only.
 *
 *            in0 (here)           in1 (by lan1)      in2 (by lan1)
 *   hq     hq-0 t0              hq-1               hq-2
 *   lab    lab-0 t3 10.9.0.2    lab-1
 *   file   file-0 t4            (its prefixes stand in the file)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/judge.h"
#include "../../loader/sizes.h"
#include "../../loader/subsets.h"
#include "../../loader/ways.h"

enum { HQ, LAB, STATIC };
enum { LAN1 = 20, T0 = 30, T3 = 33, T4 = 34, WAN = 40 };

struct fixture {
	struct health tunnel_health[MAX_TUNNELS], instance_health[MAX_INSTANCES];
	struct tunnel tunnels[64];
	struct instance instances[MAX_INSTANCES];
	struct connection connections[3 + SUBSETS_MAX];
	struct model *model;
	struct ways *ways;
};

static const char text[] =
	"gateway: {name: gw, inside: [lan0]}\n"
	"instances:\n"
	"  - {name: in0, public: 203.0.113.10}\n"
	"  - {name: in1, public: 203.0.113.11, via: 10.0.1.12, dev: lan1}\n"
	"  - {name: in2, public: 203.0.113.12, via: 10.0.1.13, dev: lan1}\n"
	"connections:\n"
	"  - {name: hq, remote: routes, tunnels: [{name: hq-0, instance: in0, device: t0},\n"
	"     {name: hq-1, instance: in1}, {name: hq-2, instance: in2}]}\n"
	"  - {name: lab, remote: routes, tunnels: [\n"
	"     {name: lab-0, instance: in0, device: t3, via: 10.9.0.2}, {name: lab-1, instance: in1}]}\n"
	"  - {name: file, remote: [10.8.0.0/16], tunnels: [{name: file-0, instance: in0, device: t4}]}\n";

static void set_device(struct fixture *fixture, const char *name, int ifindex)
{
	model_tunnel_by_name(fixture->model, name)->unit.ifindex = ifindex;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct config_faults faults = {0};
	struct config *config = NULL;
	struct model_maps maps;

	assert_non_null(fixture);
	maps = (struct model_maps){fixture->tunnel_health, fixture->instance_health, fixture->tunnels,
				   fixture->instances, fixture->connections};
	assert_int_equal(config_parse(text, sizeof(text) - 1, &config, &faults), 0);
	assert_int_equal(model_create(config, NULL, &fixture->model), 0);
	model_place(fixture->model, &maps);
	set_device(fixture, "hq-0", T0);
	set_device(fixture, "lab-0", T3);
	set_device(fixture, "file-0", T4);
	fixture->model->instances[1].unit.ifindex = fixture->model->instances[2].unit.ifindex = LAN1;
	assert_int_equal(ways_new(fixture->model, &fixture->ways), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	ways_free(fixture->ways);
	model_free(fixture->model);
	free(fixture);
	return 0;
}

static struct route_hop hop(int ifindex, const char *via)
{
	struct route_hop made = {.ifindex = ifindex, .has_via = via != NULL, .via = {.length = 128}};

	if (via && strchr(via, ':')) {
		assert_int_equal(inet_pton(AF_INET6, via, made.via.byte), 1);
	} else if (via) {
		made.via.is_ipv4 = true;
		made.via.byte[10] = made.via.byte[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, via, made.via.byte + 12), 1);
	}
	return made;
}

#define HOPS(...)                                                                                                      \
	((const struct route_hop[]){__VA_ARGS__}),                                                                     \
		sizeof((const struct route_hop[]){__VA_ARGS__}) / sizeof(struct route_hop)

static void assert_found(const struct fixture *fixture, const struct route_hop *hops, size_t count, uint32_t connection,
			 uint64_t tunnels)
{
	struct way way = {0};

	assert_int_equal(ways_match(fixture->ways, hops, count, &way), WAYS_FOUND);
	assert_int_equal(way.connection, connection);
	assert_int_equal(way.tunnels, tunnels);
}

static void assert_verdict(const struct fixture *fixture, const struct route_hop *hops, size_t count,
			   enum ways_verdict verdict)
{
	struct way way;

	assert_int_equal(ways_match(fixture->ways, hops, count, &way), verdict);
}

static void test_ways__all_tunnels_of_a_connection(void **state)
{
	assert_found(*state, HOPS(hop(T0, NULL), hop(LAN1, "10.0.1.12"), hop(LAN1, "10.0.1.13")), HQ, 7);
	assert_found(*state, HOPS(hop(LAN1, "10.0.1.13"), hop(T0, NULL), hop(LAN1, "10.0.1.12")), HQ, 7);
}

static void test_ways__some_of_its_tunnels(void **state)
{
	assert_found(*state, HOPS(hop(T0, NULL)), HQ, 1);
	assert_found(*state, HOPS(hop(LAN1, "10.0.1.13"), hop(T0, NULL)), HQ, 5);
	assert_found(*state, HOPS(hop(T0, NULL), hop(T0, NULL)), HQ, 1);
}

static void test_ways__a_device_alone_names_its_tunnel(void **state)
{
	assert_found(*state, HOPS(hop(T0, "169.254.0.2")), HQ, 1);
	assert_found(*state, HOPS(hop(T0, "fe80::1")), HQ, 1);
}

static void test_ways__a_next_hop_behind_a_device_has_to_be_the_same(void **state)
{
	assert_found(*state, HOPS(hop(T3, "10.9.0.2")), LAB, 1);
	assert_verdict(*state, HOPS(hop(T3, "10.9.0.3")), WAYS_ELSEWHERE);
	assert_verdict(*state, HOPS(hop(T3, NULL)), WAYS_ELSEWHERE);
}

static void test_ways__what_cannot_be_compared_is_the_device_s_only_tunnel(void **state)
{
	assert_found(*state, HOPS(hop(T3, "2001:db8::2")), LAB, 1);
	assert_found(*state, HOPS(hop(T3, "fe80::2")), LAB, 1);
}

static void test_ways__remote_instances_are_told_apart_by_next_hop(void **state)
{
	assert_verdict(*state, HOPS(hop(LAN1, "10.0.1.14")), WAYS_ELSEWHERE);
	assert_verdict(*state, HOPS(hop(LAN1, NULL)), WAYS_ELSEWHERE);
	assert_verdict(*state, HOPS(hop(LAN1, "fe80::12")), WAYS_ELSEWHERE);
}

static void test_ways__where_two_connections_would_do_the_first_has_it(void **state)
{
	assert_found(*state, HOPS(hop(LAN1, "10.0.1.12")), HQ, 2);
	assert_found(*state, HOPS(hop(LAN1, "10.0.1.12"), hop(T3, "10.9.0.2")), LAB, 3);
}

static void test_ways__through_two_connections_is_neither_s(void **state)
{
	assert_verdict(*state, HOPS(hop(T0, NULL), hop(T3, "10.9.0.2")), WAYS_MIXED);
	assert_verdict(*state, HOPS(hop(T3, "10.9.0.2"), hop(LAN1, "10.0.1.13")), WAYS_MIXED);
}

static void test_ways__in_part_past_the_tunnels_is_nobody_s(void **state)
{
	assert_verdict(*state, HOPS(hop(T0, NULL), hop(WAN, "192.0.2.1")), WAYS_MIXED);
	assert_verdict(*state, HOPS(hop(WAN, "192.0.2.1"), hop(T0, NULL)), WAYS_MIXED);
}

static void test_ways__elsewhere(void **state)
{
	struct way way;

	assert_verdict(*state, HOPS(hop(WAN, "192.0.2.1")), WAYS_ELSEWHERE);
	assert_verdict(*state, HOPS(hop(T4, NULL)), WAYS_ELSEWHERE);
	assert_int_equal(ways_match(((struct fixture *)*state)->ways, NULL, 0, &way), WAYS_ELSEWHERE);
}

static void test_ways__alike_until_a_device_is_another(void **state)
{
	struct fixture *fixture = *state;
	struct ways *ways = NULL;

	assert_int_equal(ways_new(fixture->model, &ways), 0);
	assert_true(ways_alike(ways, fixture->ways));
	ways_free(ways);
	set_device(fixture, "hq-0", T0 + 1);
	assert_int_equal(ways_new(fixture->model, &ways), 0);
	assert_false(ways_alike(ways, fixture->ways));
	ways_free(ways);
	set_device(fixture, "hq-0", 0);
	assert_int_equal(ways_new(fixture->model, &ways), 0);
	assert_false(ways_alike(ways, fixture->ways));
	ways_free(ways);
}

static void test_subsets__all_tunnels_are_the_connection_itself(void **state)
{
	struct fixture *fixture = *state;
	uint64_t tunnels;

	assert_int_equal(subsets_find(fixture->model, &fixture->model->connections[HQ], 7), HQ);
	assert_int_equal(fixture->model->subset_count, 0);
	assert_ptr_equal(subsets_owner(fixture->model, HQ, &tunnels), &fixture->model->connections[HQ]);
	assert_int_equal(tunnels, 7);
}

static void test_subsets__are_copies_without_the_other_tunnels(void **state)
{
	struct fixture *fixture = *state;
	struct model_connection *hq = &fixture->model->connections[HQ];
	uint64_t tunnels = 0;
	uint32_t index;

	*hq->value = (struct connection){.first_row = 7, .row_mask = 4095, .members = 3, .name = "hq"};
	for (uint16_t t = 0; t < 3; t++)
		hq->value->member[t].tunnel = t;
	subsets_prepare(&(struct model_maps){.tunnel_health = fixture->tunnel_health});
	index = subsets_find(fixture->model, hq, 5);
	assert_int_equal(index, 3);
	assert_int_equal(fixture->connections[index].first_row, 7);
	assert_int_equal(fixture->connections[index].members, 3);
	assert_int_equal(fixture->connections[index].member[0].tunnel, 0);
	assert_int_equal(fixture->connections[index].member[1].tunnel, SUBSETS_NO_TUNNEL);
	assert_int_equal(fixture->connections[index].member[2].tunnel, 2);
	assert_int_equal(fixture->tunnel_health[SUBSETS_NO_TUNNEL].device_missing, 1);
	assert_int_equal(subsets_find(fixture->model, hq, 5), index);
	assert_int_equal(subsets_find(fixture->model, &fixture->model->connections[LAB], 1), index + 1);
	assert_ptr_equal(subsets_owner(fixture->model, index, &tunnels), hq);
	assert_int_equal(tunnels, 5);
	assert_null(subsets_owner(fixture->model, index + 2, &tunnels));
	assert_null(subsets_owner(fixture->model, NO_CONNECTION, &tunnels));
}

static void test_subsets__have_their_connection_s_mtu(void **state)
{
	struct fixture *fixture = *state;
	struct model_connection *hq = &fixture->model->connections[HQ];
	uint32_t index = subsets_find(fixture->model, hq, 1);

	hq->tunnels[0].unit.egress->mtu_bytes = 1400;
	sizes_connection(hq);
	assert_int_equal(fixture->connections[index].mtu_bytes, 1400);
}

static void test_subsets__end_where_the_room_does(void **state)
{
	struct fixture *fixture = *state;
	struct model_connection *hq = &fixture->model->connections[HQ];

	assert_int_equal(subsets_find(fixture->model, hq, 1), 3);
	fixture->model->subset_count = SUBSETS_MAX;
	assert_int_equal(subsets_find(fixture->model, hq, 2), NO_CONNECTION);
	assert_int_equal(subsets_find(fixture->model, hq, 1), 3);
}

/* in0 can go while prefixes have all tunnels, but not while one has hq-0 alone. */
static void test_subsets__a_drain_cuts_what_has_no_other_tunnel(void **state)
{
	struct fixture *fixture = *state;
	struct model_connection *hq = &fixture->model->connections[HQ];
	uint32_t index;

	for (size_t i = 0; i < 3; i++)
		memset(&fixture->model->instances[i].unit.facts, 0, sizeof(struct health));
	for (size_t t = 0; t < 3; t++)
		memset(&hq->tunnels[t].unit.facts, 0, sizeof(struct health));
	index = subsets_find(fixture->model, hq, 1);
	assert_null(judge_cut_by(fixture->model, NULL, &hq->tunnels[0]));
	fixture->model->subsets[index - 3].prefixes = 1;
	assert_ptr_equal(judge_cut_by(fixture->model, NULL, &hq->tunnels[0]), hq);
	assert_null(judge_cut_by(fixture->model, NULL, &hq->tunnels[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ways__all_tunnels_of_a_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways__some_of_its_tunnels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways__a_device_alone_names_its_tunnel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways__a_next_hop_behind_a_device_has_to_be_the_same, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_ways__what_cannot_be_compared_is_the_device_s_only_tunnel, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_ways__remote_instances_are_told_apart_by_next_hop, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_ways__where_two_connections_would_do_the_first_has_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_ways__through_two_connections_is_neither_s, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways__in_part_past_the_tunnels_is_nobody_s, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways__elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways__alike_until_a_device_is_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subsets__all_tunnels_are_the_connection_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subsets__are_copies_without_the_other_tunnels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subsets__have_their_connection_s_mtu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subsets__end_where_the_room_does, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subsets__a_drain_cuts_what_has_no_other_tunnel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
