/* SPDX-License-Identifier: GPL-2.0-only */
/* What the audit finds in a configuration alone; what it finds on a box is for the netns suites. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/audit.h"

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

/* Every finding as "level subject: message", a line each; to be freed. */
static char *findings_text(const char *yaml, int *ret_worst)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	json_t *findings = json_array(), *finding;
	char *text = NULL;
	size_t length, index;
	FILE *file = open_memstream(&text, &length);

	if (config_parse(yaml, strlen(yaml), &config, &faults))
		fail_msg("%s", faults.fault[0].text);
	*ret_worst = audit_config(config, findings);
	json_array_foreach (findings, index, finding)
		fprintf(file, "%s %s: %s\n", json_string_value(json_object_get(finding, "level")),
			json_string_value(json_object_get(finding, "subject")),
			json_string_value(json_object_get(finding, "message")));
	fclose(file);
	json_decref(findings);
	config_free(config);
	return text;
}

static void assert_findings(const char *yaml, const char *expected)
{
	int worst;
	char *found = findings_text(yaml, &worst);

	assert_string_equal(found, expected);
	assert_int_equal(worst, *expected ? AUDIT_WARNING : 0);
	free(found);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_audit__probes_everywhere_are_sound),
		cmocka_unit_test(test_audit__no_probe_anywhere_is_no_finding),
		cmocka_unit_test(test_audit__multiplier_of_one_is_named),
		cmocka_unit_test(test_audit__detection_shorter_than_a_pause_is_named),
		cmocka_unit_test(test_audit__tunnel_without_the_probe_that_another_has_is_named),
		cmocka_unit_test(test_audit__connection_without_probe_is_named_once_where_others_have_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
