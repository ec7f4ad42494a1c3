/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From what the watchers tell to the facts of tunnels and instances, over a list of links in the place of the kernel's.
 * Here for xfrm interfaces above all, which this host's kernel may not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/steerd.h"

#define LINKS 8

static struct {
	struct link links[LINKS]; /* ifindex 0: free */
	struct health tunnel_health[64], instance_health[MAX_INSTANCES];
	struct tunnel tunnels[64];
	struct instance instances[MAX_INSTANCES];
	struct connection connections[2];
	struct steerd steerd;
	size_t watches;		 /* of next hops */
	uint32_t expiring_if_id; /* 0: none */
} rig;

static const char text[] =
	"gateway: {name: gw, inside: [lan0], outside: [wan0]}\n"
	"instances:\n"
	"  - {name: in0, public: 203.0.113.10}\n"
	"  - {name: in1, public: 203.0.113.11, via: 10.0.1.12, dev: lan1}\n"
	"connections:\n"
	"  - {name: hq, remote: [192.168.0.0/16], tunnels: [{name: hq-0, instance: in0, device: ipsec0},\n"
	"     {name: hq-1, instance: in0, device: ipsec1}, {name: hq-2, instance: in0, device: v0, via: 10.7.0.2}]}\n"
	"  - {name: far, remote: [172.16.0.0/16], tunnels: [{name: far-0, instance: in1}]}\n";

/* --- what facts.c calls, beside the model and the judge --- */

const struct link *links_by_index(const struct links *links, int ifindex)
{
	(void)links;
	for (size_t i = 0; i < LINKS; i++)
		if (ifindex && rig.links[i].ifindex == ifindex)
			return &rig.links[i];
	return NULL;
}

const struct link *links_by_name(const struct links *links, const char *name)
{
	(void)links;
	for (size_t i = 0; i < LINKS; i++)
		if (rig.links[i].ifindex && !strcmp(rig.links[i].name, name))
			return &rig.links[i];
	return NULL;
}

int neighbours_watch(struct neighbours *neighbours, int ifindex, const struct config_address *next_hop)
{
	(void)neighbours;
	rig.watches++;
	facts_next_hop_changed(ifindex, next_hop, true, (const uint8_t *)"\2\0\0\0\0\1", &rig.steerd);
	return 0;
}

bool sas_present(const struct sas *sas, uint32_t if_id)
{
	(void)sas;
	return if_id == 42;
}

bool sas_expiring(const struct sas *sas, uint32_t if_id)
{
	(void)sas;
	return if_id && if_id == rig.expiring_if_id;
}

bool addresses_is_own(const struct addresses *addresses, const struct config_address *address)
{
	(void)addresses;
	(void)address;
	return false;
}

int addresses_each(const struct addresses *addresses, int (*each)(const struct own_address *address, void *context),
		   void *context)
{
	(void)addresses;
	(void)each;
	(void)context;
	return 0;
}

int datapath_set_prefix(struct datapath *datapath, const struct config_address *prefix, uint32_t connection)
{
	(void)datapath;
	(void)prefix;
	(void)connection;
	return 0;
}

int datapath_remove_prefix(struct datapath *datapath, const struct config_address *prefix)
{
	(void)datapath;
	(void)prefix;
	return 0;
}

enum admin_out admin_is_out(const struct admin *admin, const char *name)
{
	(void)admin;
	(void)name;
	return 0;
}

void steerd_unsettle(struct steerd *steerd)
{
	(void)steerd;
}

void sessions_follow(struct steerd *steerd, int ifindex)
{
	(void)steerd;
	(void)ifindex;
}

/* --- the kernel's part --- */

static struct link *find(int ifindex)
{
	for (size_t i = 0; i < LINKS; i++)
		if (rig.links[i].ifindex == ifindex)
			return &rig.links[i];
	fail_msg("no link %d", ifindex);
	return NULL;
}

static struct link nic(int ifindex, const char *name)
{
	struct link link = {.ifindex = ifindex, .mtu_bytes = 1500, .ethernet = true, .up = true};

	snprintf(link.name, sizeof(link.name), "%s", name);
	return link;
}

static struct link xfrm(int ifindex, const char *name, uint32_t if_id, int lower_ifindex)
{
	struct link link = {
		.ifindex = ifindex, .kind = "xfrm", .if_id = if_id, .lower_ifindex = lower_ifindex, .up = true};

	snprintf(link.name, sizeof(link.name), "%s", name);
	return link;
}

static struct link of_mtu(struct link link, uint32_t mtu_bytes)
{
	link.mtu_bytes = mtu_bytes;
	return link;
}

static void appears(struct link link)
{
	*find(0) = link;
	facts_link_changed(&rig.steerd, &link);
}

static void vanishes(int ifindex)
{
	struct link last = *find(ifindex);

	find(ifindex)->ifindex = 0;
	facts_link_removed(&rig.steerd, &last);
}

static void is_renamed(int ifindex, const char *name)
{
	struct link *link = find(ifindex);

	snprintf(link->name, sizeof(link->name), "%s", name);
	facts_link_changed(&rig.steerd, link);
}

static void changes_mtu(int ifindex, uint32_t mtu_bytes)
{
	find(ifindex)->mtu_bytes = mtu_bytes;
	facts_link_changed(&rig.steerd, find(ifindex));
}

static void goes_down(int ifindex)
{
	find(ifindex)->up = false;
	facts_link_changed(&rig.steerd, find(ifindex));
}

static const struct unit *tunnel(const char *name)
{
	return &model_tunnel_by_name(rig.steerd.model, name)->unit;
}

static uint32_t mtu_of(const char *connection)
{
	return rig.connections[model_connection_by_name(rig.steerd.model, connection)->index].mtu_bytes;
}

static const struct unit *instance(const char *name)
{
	return &model_instance_by_name(rig.steerd.model, name)->unit;
}

static int set_up(void **state)
{
	struct model_maps maps = {rig.tunnel_health, rig.instance_health, rig.tunnels, rig.instances, rig.connections};
	struct config_faults faults = {0};
	struct config *config = NULL;

	(void)state;
	memset(&rig, 0, sizeof(rig));
	assert_int_equal(config_parse(text, sizeof(text) - 1, &config, &faults), 0);
	config_faults_free(&faults);
	assert_int_equal(model_create(config, NULL, &rig.steerd.model), 0);
	model_place(rig.steerd.model, &maps);
	rig.steerd.sas = (struct sas *)&rig; /* never looked into */
	appears(nic(2, "wan0"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	model_free(rig.steerd.model);
	return 0;
}

static void test_link__that_takes_another_tunnels_name_leaves_its_own(void **state)
{
	(void)state;
	appears(xfrm(5, "ipsec0", 42, 2));
	assert_true(unit_usable(tunnel("hq-0")));
	is_renamed(5, "ipsec1");
	assert_true(unit_usable(tunnel("hq-1")));
	assert_int_equal(tunnel("hq-1")->ifindex, 5);
	assert_true(tunnel("hq-0")->facts.device_missing);
	assert_int_equal(tunnel("hq-0")->ifindex, 0);
	/* Names change hands. */
	appears(xfrm(6, "ipsec0", 42, 2));
	is_renamed(5, "x");
	is_renamed(6, "ipsec1");
	is_renamed(5, "ipsec0");
	assert_int_equal(tunnel("hq-0")->ifindex, 5);
	assert_int_equal(tunnel("hq-1")->ifindex, 6);
}

static void test_link__of_a_remote_instance_that_vanishes_is_missing(void **state)
{
	(void)state;
	appears(nic(7, "lan1"));
	assert_true(unit_usable(instance("in1")));
	/* Up to its end, as far as we heard: the rest was lost in an overrun. */
	vanishes(7);
	assert_true(instance("in1")->facts.device_missing);
	assert_int_equal(instance("in1")->ifindex, 0);
	appears(nic(8, "lan1"));
	assert_true(unit_usable(instance("in1")));
	assert_int_equal(instance("in1")->ifindex, 8);
}

/* A dialled line has another index each time, and the xfrm interface still names the first. */
static void test_link__lower_that_vanished_comes_back_under_another_index(void **state)
{
	(void)state;
	appears(xfrm(5, "ipsec0", 42, 2));
	goes_down(2);
	assert_true(tunnel("hq-0")->facts.link_down);
	vanishes(2);
	assert_true(tunnel("hq-0")->facts.link_down);
	appears(nic(9, "wan0"));
	assert_true(unit_usable(tunnel("hq-0")));
	goes_down(9);
	assert_true(tunnel("hq-0")->facts.link_down);
}

static void test_link__without_if_id_is_no_matter_of_sas_or_outside_nics(void **state)
{
	(void)state;
	appears(xfrm(5, "ipsec0", 43, 0));
	assert_true(tunnel("hq-0")->facts.sa_missing);
	appears(xfrm(6, "ipsec1", 0, 0));
	assert_true(unit_usable(tunnel("hq-1")));
	goes_down(2);
	assert_true(tunnel("hq-0")->facts.link_down);
	assert_true(unit_usable(tunnel("hq-1")));
}

static void test_link__of_no_concern_asks_for_no_next_hop(void **state)
{
	size_t before;

	(void)state;
	appears(nic(5, "v0"));
	assert_true(unit_usable(tunnel("hq-2")));
	before = rig.watches;
	appears(nic(6, "other"));
	goes_down(6);
	vanishes(6);
	assert_int_equal(rig.watches, before);
}

static void test_mtu__of_a_connection_is_its_smallest(void **state)
{
	(void)state;
	assert_int_equal(mtu_of("hq"), 0);
	appears(of_mtu(xfrm(5, "ipsec0", 42, 2), 1400));
	assert_int_equal(mtu_of("hq"), 1400);
	appears(of_mtu(xfrm(6, "ipsec1", 43, 2), 1280));
	assert_int_equal(mtu_of("hq"), 1280); /* though it has no SA now */
	appears(of_mtu(nic(7, "v0"), 1450));
	assert_int_equal(mtu_of("hq"), 1280);
	changes_mtu(6, 1420);
	assert_int_equal(mtu_of("hq"), 1400);
	changes_mtu(7, 1350);
	assert_int_equal(mtu_of("hq"), 1350);
	assert_int_equal(mtu_of("far"), 0);
}

static void test_mtu__of_a_device_that_is_gone_counts_until_it_comes_back(void **state)
{
	(void)state;
	appears(of_mtu(xfrm(5, "ipsec0", 42, 2), 1400));
	appears(of_mtu(xfrm(6, "ipsec1", 43, 2), 1280));
	vanishes(6);
	assert_int_equal(mtu_of("hq"), 1280);
	appears(of_mtu(xfrm(7, "ipsec1", 43, 2), 1390));
	assert_int_equal(mtu_of("hq"), 1390);
}

static void test_mtu__of_a_remote_instances_nic_is_its_connections(void **state)
{
	(void)state;
	appears(of_mtu(nic(7, "lan1"), 1500));
	assert_int_equal(mtu_of("far"), 1500);
	changes_mtu(7, 1300);
	assert_int_equal(mtu_of("far"), 1300);
	assert_int_equal(mtu_of("hq"), 0);
}

static void test_mtu__is_gathered_for_a_model_that_is_to_run(void **state)
{
	(void)state;
	appears(of_mtu(xfrm(5, "ipsec0", 42, 2), 1400));
	appears(of_mtu(xfrm(6, "ipsec1", 43, 2), 1280));
	appears(of_mtu(nic(7, "lan1"), 1500));
	memset(rig.connections, 0, sizeof(rig.connections));
	facts_gather(&rig.steerd, rig.steerd.model);
	assert_int_equal(mtu_of("hq"), 1280);
	assert_int_equal(mtu_of("far"), 1500);
}

static void sa_expires(uint32_t if_id, bool expires)
{
	rig.expiring_if_id = expires ? if_id : 0;
	facts_sa_expiring(if_id, expires, &rig.steerd);
}

static void test_sa__that_expires_is_a_cause_until_its_successor_is_there(void **state)
{
	uint32_t hq0;

	(void)state;
	appears(xfrm(5, "ipsec0", 42, 2));
	hq0 = model_tunnel_by_name(rig.steerd.model, "hq-0")->index;
	sa_expires(43, true);
	assert_true(unit_usable(tunnel("hq-0")));
	sa_expires(42, true);
	assert_false(unit_usable(tunnel("hq-0")));
	assert_int_equal(rig.tunnel_health[hq0].sa_expiring, 1);
	assert_int_equal(rig.tunnel_health[hq0].sa_missing, 0);
	/* News of the link does not free it. */
	facts_link_changed(&rig.steerd, find(5));
	assert_int_equal(rig.tunnel_health[hq0].sa_expiring, 1);
	sa_expires(42, false);
	assert_true(unit_usable(tunnel("hq-0")));
	assert_int_equal(rig.tunnel_health[hq0].sa_expiring, 0);
}

static void test_sa__that_expires_is_known_to_a_device_that_appears_and_gone_with_it(void **state)
{
	(void)state;
	sa_expires(42, true);
	appears(xfrm(5, "ipsec0", 42, 2));
	assert_true(tunnel("hq-0")->facts.sa_expiring);
	vanishes(5);
	assert_false(tunnel("hq-0")->facts.sa_expiring);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_link__that_takes_another_tunnels_name_leaves_its_own),
		TEST(test_link__of_a_remote_instance_that_vanishes_is_missing),
		TEST(test_link__lower_that_vanished_comes_back_under_another_index),
		TEST(test_link__without_if_id_is_no_matter_of_sas_or_outside_nics),
		TEST(test_link__of_no_concern_asks_for_no_next_hop),
		TEST(test_mtu__of_a_connection_is_its_smallest),
		TEST(test_mtu__of_a_device_that_is_gone_counts_until_it_comes_back),
		TEST(test_mtu__of_a_remote_instances_nic_is_its_connections),
		TEST(test_mtu__is_gathered_for_a_model_that_is_to_run),
		TEST(test_sa__that_expires_is_a_cause_until_its_successor_is_there),
		TEST(test_sa__that_expires_is_known_to_a_device_that_appears_and_gone_with_it),
	};

	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
