/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the audit finds in a configuration alone, and in facts about a box that a test makes up; how the facts are
 * gathered is for the netns suites.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/audit.h"
#include "../../loader/sa_set.h"

/* Two local instances and a remote one; connections by the test. */
#define INSTANCES(remote_probe)                                                                                        \
	"gateway: {name: g, inside: [lan0]}\n"                                                                         \
	"instances:\n"                                                                                                 \
	"- {name: a, public: 192.0.2.1}\n"                                                                             \
	"- {name: b, public: 192.0.2.2}\n"                                                                             \
	"- {name: far, public: 192.0.2.3, via: 10.0.0.3, dev: lan1" remote_probe "}\n"                                 \
	"connections:\n"
#define HQ   "- name: hq\n  remote: [10.1.0.0/16]\n  tunnels:\n"
#define SITE "- name: site\n  remote: [10.2.0.0/16]\n  tunnels:\n"

#define BOTH "  - {name: t0, instance: a, device: d0}\n  - {name: t1, instance: b, device: d1}\n"

/* Changes the facts of a sound box. */
typedef void spoil_fn(struct audit_facts *facts);

static void be_xfrm(struct link *link, int ifindex)
{
	*link = (struct link){
		.ifindex = ifindex, .kind = "xfrm", .if_id = (uint32_t)ifindex, .mtu_bytes = 1400, .up = true};
}

static void be_sound(struct audit_facts *facts, const struct config *config)
{
	*facts = (struct audit_facts){.kernel = {.release = "6.1.0-17-amd64", .loads_tc = true, .loads_xdp = true}};
	facts->tunnels = calloc(config->tunnel_count + 1, sizeof(*facts->tunnels));
	facts->connections = calloc(config->connection_count + 1, sizeof(*facts->connections));
	for (size_t i = 0; i < config->inside_count; i++)
		facts->inside[i] = (struct link){.ifindex = 100, .name = "lan0", .ethernet = true};
	for (size_t t = 0; t < config->tunnel_count; t++) {
		be_xfrm(&facts->tunnels[t].link, (int)t + 1);
		strcpy(facts->tunnels[t].link.name, t ? "d1" : "d0");
		facts->tunnels[t].window_packets = SA_NO_WINDOW;
	}
}

static int audit_text(const char *yaml, spoil_fn *spoil, json_t *findings)
{
	struct config_faults faults = {0};
	struct prefix_index *prefixes = NULL;
	struct config *config = NULL;
	struct audit_facts facts;
	int worst;

	if (config_parse(yaml, strlen(yaml), &config, &faults))
		fail_msg("%s", faults.fault[0].text);
	assert_int_equal(prefix_index_new(config, &prefixes), 0);
	be_sound(&facts, config);
	if (spoil)
		spoil(&facts);
	worst = audit_findings(config, prefixes, spoil ? &facts : NULL, findings);
	free(facts.tunnels);
	free(facts.connections);
	prefix_index_free(prefixes);
	config_free(config);
	return worst;
}

/* Every finding as "level subject: message", a line each; to be freed. spoil: NULL: without a box. */
static char *findings_text(const char *yaml, spoil_fn *spoil, int *ret_worst)
{
	json_t *findings = json_array(), *finding;
	char *text = NULL;
	size_t length, index;
	FILE *file = open_memstream(&text, &length);

	*ret_worst = audit_text(yaml, spoil, findings);
	json_array_foreach (findings, index, finding)
		fprintf(file, "%s %s: %s\n", json_string_value(json_object_get(finding, "level")),
			json_string_value(json_object_get(finding, "subject")),
			json_string_value(json_object_get(finding, "message")));
	fclose(file);
	json_decref(findings);
	return text;
}

static void assert_box(const char *yaml, spoil_fn *spoil, int worst, const char *expected)
{
	int found_worst;
	char *found = findings_text(yaml, spoil, &found_worst);

	assert_string_equal(found, expected);
	assert_int_equal(found_worst, worst);
	free(found);
}

static void assert_findings(const char *yaml, const char *expected)
{
	assert_box(yaml, NULL, *expected ? AUDIT_WARNING : 0, expected);
}

/* --- the file alone --- */

static void test_audit__probes_everywhere_are_sound(void **state)
{
	(void)state;
	assert_findings(INSTANCES(", probe: {kind: bfd, interval: 3ms}") HQ
			"  - {name: t0, instance: a, device: d0, probe: {kind: icmp, peer: 10.9.0.2}}\n"
			"  - {name: t1, instance: far}\n",
			"");
}

static void test_audit__no_probe_anywhere_is_no_finding(void **state)
{
	(void)state;
	assert_findings(INSTANCES("") HQ "  - {name: t0, instance: a, device: d0}\n"
					 "  - {name: t1, instance: b, device: d1}\n",
			"");
}

static void test_audit__multiplier_of_one_is_named(void **state)
{
	(void)state;
	assert_findings(INSTANCES("") HQ
			"  - {name: t0, instance: a, device: d0, probe: {kind: bfd, peer: 10.9.0.2, multiplier: 1}}\n"
			"  - {name: t1, instance: b, device: d1, probe: {kind: bfd, peer: 10.9.1.2}}\n",
			"warning t0: its probe has multiplier 1: one lost packet is a failure; 3 is usual\n");
}

static void test_audit__detection_shorter_than_a_pause_is_named(void **state)
{
	(void)state;
	assert_findings(INSTANCES(", probe: {kind: bfd, interval: 4499us, multiplier: 2}") HQ
			"  - {name: t0, instance: a, device: d0, probe: {kind: icmp, peer: 10.9.0.2, interval: 4500us, "
			"multiplier: 2}}\n"
			"  - {name: t1, instance: far}\n",
			"warning far: its probe gives up after 8.998 ms, which a host can stand still for even when "
			"idle: failures "
			"that are none; let interval times multiplier be 9ms at least\n");
}

static void test_audit__tunnel_without_the_probe_that_another_has_is_named(void **state)
{
	(void)state;
	assert_findings(
		INSTANCES("") HQ "  - {name: t0, instance: a, device: d0}\n"
				 "  - {name: t1, instance: b, device: d1, probe: {kind: bfd, peer: 10.9.1.2}}\n"
				 "  - {name: t2, instance: far}\n",
		"warning t0: has no probe, as tunnel 't1' has: its silent failure is not seen; add probe to it\n"
		"warning t2: has no probe, as tunnel 't1' has: its silent failure is not seen; add probe to instance "
		"'far'\n");
}

static void test_audit__connection_without_probe_is_named_once_where_others_have_one(void **state)
{
	(void)state;
	assert_findings(
		INSTANCES(", probe: {kind: icmp}") HQ
		"  - {name: t0, instance: a, device: d0}\n"
		"  - {name: t1, instance: b, device: d1}\n" SITE "  - {name: t2, instance: far}\n"
		"  - {name: t3, instance: b, device: d3, probe: {kind: bfd, peer: 10.9.3.2}}\n",
		"warning hq: no probe: a peer or an instance that dies without a word is not noticed; add probe to "
		"its tunnels\n");
}

static void test_audit__single_instance_is_named(void **state)
{
	(void)state;
	assert_findings(
		"gateway: {name: g, inside: [lan0]}\ninstances: [{name: a, public: 192.0.2.1}]\n"
		"connections:\n" HQ "  - {name: t0, instance: a, device: d0}\n",
		"warning a: active-active needs two instances: with one, its maintenance cuts every connection; add "
		"a second\n"
		"warning hq: not redundant: its only tunnel is on instance 'a'; add a tunnel of another instance\n");
}

static void test_audit__tunnels_of_one_instance_are_named(void **state)
{
	(void)state;
	assert_findings(
		INSTANCES("") HQ "  - {name: t0, instance: b, device: d0}\n"
				 "  - {name: t1, instance: b, device: d1}\n",
		"warning hq: not redundant: all its tunnels are on instance 'b'; add a tunnel of another instance\n");
}

static void test_audit__public_address_of_two_instances_is_named(void **state)
{
	(void)state;
	assert_findings("gateway: {name: g, inside: [lan0]}\n"
			"instances: [{name: a, public: 192.0.2.1}, {name: b, public: 192.0.2.1}]\n"
			"connections:\n" HQ BOTH,
			"warning b: public address 192.0.2.1 is that of instance 'a' too: each needs its own\n");
}

static void test_audit__prefix_within_another_connections_is_named(void **state)
{
	(void)state;
	assert_findings(
		INSTANCES("") "- name: hq\n  remote: [10.0.0.0/8, 10.1.0.0/16]\n  tunnels:\n" BOTH
			      "- name: site\n  remote: [10.1.2.0/24, 11.0.0.0/8]\n  tunnels:\n"
			      "  - {name: t2, instance: a, device: d2}\n"
			      "  - {name: t3, instance: b, device: d3}\n"
			      "- name: shop\n  remote: [10.200.0.0/16, 10.1.2.128/25]\n  tunnels:\n"
			      "  - {name: t4, instance: a, device: d4}\n"
			      "  - {name: t5, instance: b, device: d5}\n",
		"warning hq: its prefix 10.1.0.0/16 holds 10.1.2.0/24 of connection 'site' and 1 more: packets there "
		"go "
		"the longer prefix's way; if that is not meant, give each address to one connection\n"
		"warning site: its prefix 10.1.2.0/24 holds 10.1.2.128/25 of connection 'shop': packets there go the "
		"longer prefix's way; if that is not meant, give each address to one connection\n");
}

static void test_audit__neither_default_nor_own_prefixes_are_overlaps(void **state)
{
	(void)state;
	assert_findings(
		INSTANCES("") "- name: hq\n  remote: [0.0.0.0/0, \"::/0\"]\n  tunnels:\n" BOTH
			      "- name: site\n  remote: [10.1.0.0/16, 10.1.2.0/24, \"2001:db8::/32\"]\n  tunnels:\n"
			      "  - {name: t2, instance: a, device: d2}\n"
			      "  - {name: t3, instance: b, device: d3}\n",
		"");
}

static void test_audit__too_many_findings_are_counted(void **state)
{
	char *yaml = NULL;
	size_t length, count = AUDIT_FINDINGS_MAX + 7;
	json_t *findings = json_array(), *last;
	FILE *file = open_memstream(&yaml, &length);

	(void)state;
	fputs(INSTANCES(""), file);
	for (size_t c = 0; c < count; c++)
		fprintf(file,
			"- {name: c%zu, remote: [10.%zu.%zu.0/24], tunnels: [{name: t%zu, instance: a, device: "
			"d%zu}]}\n",
			c, c / 256, c % 256, c, c);
	fclose(file);
	assert_int_equal(audit_text(yaml, NULL, findings), AUDIT_WARNING);
	assert_int_equal(json_array_size(findings), AUDIT_FINDINGS_MAX + 1);
	last = json_array_get(findings, AUDIT_FINDINGS_MAX);
	assert_string_equal(json_string_value(json_object_get(last, "subject")), "g");
	assert_string_equal(json_string_value(json_object_get(last, "message")),
			    "7 findings more are not shown: mend those that are, and look again");
	json_decref(findings);
	free(yaml);
}

/* --- a box --- */

#define SOUND INSTANCES("") HQ BOTH

static void nothing(struct audit_facts *facts)
{
	(void)facts;
}

static void test_audit__sound_box_has_no_findings(void **state)
{
	(void)state;
	assert_box(SOUND, nothing, 0, "");
}

static void old_kernel(struct audit_facts *facts)
{
	strcpy(facts->kernel.release, "5.19.17");
}

static void newest_kernel(struct audit_facts *facts)
{
	strcpy(facts->kernel.release, "10.0-rc1");
}

static void test_audit__old_kernel_is_an_error(void **state)
{
	(void)state;
	assert_box(SOUND, old_kernel, AUDIT_ERROR,
		   "error kernel: Linux 5.19.17 is too old: 6.1 is the oldest that is tested; boot a newer one\n");
	assert_box(SOUND, newest_kernel, 0, "");
}

static void no_xdp(struct audit_facts *facts)
{
	facts->kernel.loads_xdp = false;
}

static void test_audit__kernel_without_xdp_is_named(void **state)
{
	(void)state;
	assert_box(SOUND, no_xdp, AUDIT_WARNING,
		   "warning kernel: it does not load XDP programs: steer_tc does all of the work\n");
}

static void not_root(struct audit_facts *facts)
{
	facts->ipsec_error = facts->netfilter_error = -EPERM;
}

static void no_ipsec(struct audit_facts *facts)
{
	facts->ipsec_error = -EPROTONOSUPPORT;
}

static void table_moves(struct audit_facts *facts)
{
	facts->netfilter_error = -EAGAIN;
}

static void test_audit__what_cannot_be_read_is_not_sound(void **state)
{
	(void)state;
	assert_box(
		SOUND, not_root, AUDIT_WARNING,
		"warning kernel: SAs, IPsec policies and netfilter rules are not shown to this user: check as root\n");
	assert_box(SOUND, no_ipsec, 0, "");
	assert_box(SOUND, table_moves, AUDIT_WARNING,
		   "warning netfilter: its chains cannot be read, so they are not checked: Resource temporarily "
		   "unavailable; try again\n");
}

static void chains(struct audit_facts *facts)
{
	facts->forward_chains = 2;
}

static void test_audit__netfilter_rules_are_named_where_they_are_passed_by(void **state)
{
	(void)state;
	assert_box(SOUND, chains, AUDIT_WARNING,
		   "warning netfilter: 2 chains with rules on the forward hook: path: fast passes them by; use path: "
		   "stack where they matter\n");
	assert_box("gateway: {name: g, inside: [lan0], path: stack}\n"
		   "instances: [{name: a, public: 192.0.2.1}, {name: b, public: 192.0.2.2}]\nconnections:\n" HQ BOTH,
		   chains, 0, "");
}

static void dynamic(struct audit_facts *facts)
{
	facts->dynamic[1] = true;
}

static void test_audit__dynamic_public_address_is_named(void **state)
{
	(void)state;
	assert_box(SOUND, dynamic, AUDIT_WARNING,
		   "warning b: its public address 192.0.2.2 is a dynamic one on this host, which can be gone when its "
		   "lease ends; active-active needs static ones: configure it for good\n");
}

static void no_device(struct audit_facts *facts)
{
	facts->tunnels[1].link = (struct link){0};
}

static void no_if_id(struct audit_facts *facts)
{
	facts->tunnels[1].link.if_id = 0;
}

static void plain_veth(struct audit_facts *facts)
{
	strcpy(facts->tunnels[1].link.kind, "veth");
}

static void test_audit__tunnel_devices_that_will_not_do_are_named(void **state)
{
	(void)state;
	assert_box(SOUND, no_device, AUDIT_WARNING,
		   "warning t1: its device 'd1' does not exist now: the tunnel is down until it does; make it with ip "
		   "link "
		   "add d1 type xfrm if_id N\n");
	assert_box(SOUND, no_if_id, AUDIT_ERROR,
		   "error t1: its device 'd1' has no if_id, so no SA can be told to be its own; make it anew with "
		   "if_id\n");
	assert_box(SOUND, plain_veth, AUDIT_WARNING,
		   "warning t1: its device 'd1' is no xfrm interface (veth): nothing here shows that it encrypts\n");
}

static void no_nic(struct audit_facts *facts)
{
	facts->inside[0] = (struct link){0};
}

static void test_audit__missing_inside_nic_is_named(void **state)
{
	(void)state;
	assert_box(SOUND, no_nic, AUDIT_WARNING,
		   "warning lan0: there is no such interface now: nothing is steered from it until there is\n");
}

static void smaller_mtu(struct audit_facts *facts)
{
	facts->tunnels[0].link.mtu_bytes = 1438;
}

static void test_audit__mtus_that_differ_are_named(void **state)
{
	(void)state;
	assert_box(SOUND, smaller_mtu, AUDIT_WARNING,
		   "warning hq: the MTUs of its tunnels differ, from 1400 of 't1' to 1438 of 't0': packets of all of "
		   "them are held to the smallest; let them be one, with ip link set d0 mtu 1400\n");
}

/* The NIC before a remote instance says nothing of that box's tunnel; a device that is missing has no MTU. */
static void test_audit__mtus_of_local_devices_alone_are_compared(void **state)
{
	(void)state;
	assert_box(INSTANCES("") HQ "  - {name: t0, instance: far}\n  - {name: t1, instance: b, device: d1}\n",
		   smaller_mtu, 0, "");
}

static void window_zero(struct audit_facts *facts)
{
	facts->tunnels[0].window_packets = 0;
}

static void window_small(struct audit_facts *facts)
{
	facts->tunnels[0].window_packets = 63;
	facts->tunnels[1].window_packets = 64;
}

static void test_audit__small_replay_windows_are_named(void **state)
{
	(void)state;
	assert_box(SOUND, window_zero, AUDIT_WARNING,
		   "warning t0: an inbound SA of it has replay window 0: whoever recorded a packet can send it in once "
		   "more; set "
		   "a window, 1024 say (swanctl.conf: replay_window), and rekey\n");
	assert_box(SOUND, window_small, AUDIT_WARNING,
		   "warning t0: an inbound SA of it has a replay window of 63 packets: those that the way, or the "
		   "peer's CPUs, "
		   "put out of order by more are dropped; set 1024 say (swanctl.conf: replay_window), and rekey\n");
}

static struct config_address ipv4(uint8_t a, uint8_t b, uint8_t length)
{
	return (struct config_address){.byte = {[10] = 0xff, 0xff, a, b}, .length = 96 + length, .is_ipv4 = true};
}

static void diverting(struct audit_facts *facts)
{
	facts->connections[0] = (struct audit_connection){
		.policy = {.source = ipv4(0, 0, 0), .destination = ipv4(10, 0, 8), .out = true, .encrypts = true},
		.diverted = ipv4(10, 1, 16),
		.diverted_count = 3,
	};
}

static void blocking(struct audit_facts *facts)
{
	diverting(facts);
	facts->connections[0].policy.blocks = true;
	facts->connections[0].diverted_count = 1;
}

static void test_audit__policies_over_a_connections_prefixes_are_named(void **state)
{
	(void)state;
	assert_box(SOUND, diverting, AUDIT_WARNING,
		   "warning hq: an IPsec policy without if_id, from 0.0.0.0/0 to 10.0.0.0/8, takes past the tunnels "
		   "what the "
		   "kernel routes to its prefix 10.1.0.0/16 (and there are 2 more such overlaps); give the policy the "
		   "if_id of "
		   "a tunnel (swanctl.conf: if_id_out), or remove it\n");
	assert_box(
		SOUND, blocking, AUDIT_WARNING,
		"warning hq: an IPsec policy without if_id, from 0.0.0.0/0 to 10.0.0.0/8, drops what the kernel routes "
		"to its "
		"prefix 10.1.0.0/16; give the policy the if_id of a tunnel (swanctl.conf: if_id_out), or remove it\n");
}

static void past(struct audit_facts *facts)
{
	facts->connections[0].unrouted = ipv4(10, 1, 16);
	facts->connections[0].unrouted_count = 2;
}

static void nowhere(struct audit_facts *facts)
{
	facts->connections[0].unrouted = (struct config_address){.byte = {0x20, 0x01}, .length = 16};
	facts->connections[0].unreachable = true;
	facts->connections[0].unrouted_count = 1;
}

static void test_audit__missing_routes_are_named(void **state)
{
	(void)state;
	assert_box(SOUND, past, AUDIT_WARNING,
		   "warning hq: the kernel has no route to its prefix 10.1.0.0/16 (nor to 1 more) through a tunnel's "
		   "device: "
		   "while no program is attached its packets leave in clear, past the tunnels; set install-routes: "
		   "true, or ip "
		   "route add 10.1.0.0/16 dev d0\n");
	assert_box(INSTANCES("") HQ "  - {name: t0, instance: far}\n  - {name: t1, instance: b, device: d1}\n", past,
		   AUDIT_WARNING,
		   "warning hq: the kernel has no route to its prefix 10.1.0.0/16 (nor to 1 more) through a tunnel's "
		   "device: "
		   "while no program is attached its packets leave in clear, past the tunnels; set install-routes: "
		   "true, or ip "
		   "route add 10.1.0.0/16 via 10.0.0.3 dev lan1\n");
	assert_box(SOUND, nowhere, AUDIT_WARNING,
		   "warning hq: the kernel has no route to its prefix 2001::/16 through a tunnel's device: while no "
		   "program is "
		   "attached its packets are lost, and an xfrm interface loses IPv6 that no route leads anywhere at "
		   "any time; "
		   "set install-routes: true, or ip route add 2001::/16 dev d0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_audit__probes_everywhere_are_sound),
		cmocka_unit_test(test_audit__no_probe_anywhere_is_no_finding),
		cmocka_unit_test(test_audit__multiplier_of_one_is_named),
		cmocka_unit_test(test_audit__detection_shorter_than_a_pause_is_named),
		cmocka_unit_test(test_audit__tunnel_without_the_probe_that_another_has_is_named),
		cmocka_unit_test(test_audit__connection_without_probe_is_named_once_where_others_have_one),
		cmocka_unit_test(test_audit__single_instance_is_named),
		cmocka_unit_test(test_audit__tunnels_of_one_instance_are_named),
		cmocka_unit_test(test_audit__public_address_of_two_instances_is_named),
		cmocka_unit_test(test_audit__prefix_within_another_connections_is_named),
		cmocka_unit_test(test_audit__neither_default_nor_own_prefixes_are_overlaps),
		cmocka_unit_test(test_audit__too_many_findings_are_counted),
		cmocka_unit_test(test_audit__sound_box_has_no_findings),
		cmocka_unit_test(test_audit__old_kernel_is_an_error),
		cmocka_unit_test(test_audit__kernel_without_xdp_is_named),
		cmocka_unit_test(test_audit__what_cannot_be_read_is_not_sound),
		cmocka_unit_test(test_audit__netfilter_rules_are_named_where_they_are_passed_by),
		cmocka_unit_test(test_audit__dynamic_public_address_is_named),
		cmocka_unit_test(test_audit__tunnel_devices_that_will_not_do_are_named),
		cmocka_unit_test(test_audit__missing_inside_nic_is_named),
		cmocka_unit_test(test_audit__mtus_that_differ_are_named),
		cmocka_unit_test(test_audit__mtus_of_local_devices_alone_are_compared),
		cmocka_unit_test(test_audit__small_replay_windows_are_named),
		cmocka_unit_test(test_audit__policies_over_a_connections_prefixes_are_named),
		cmocka_unit_test(test_audit__missing_routes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
