/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Golden files: tests/config/NAME.yaml parses to what NAME.ok says, or fails with the lines of NAME.err. UPDATE=1
 * writes them anew, to be read before they are committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../loader/config.h"

#define DIRECTORY "tests/config"

/* The configuration as YAML again, every default written out. */
static void config_write(FILE *file, const struct config *config)
{
	char text[CONFIG_ADDRESS_TEXT];

	fprintf(file, "gateway:\n  name: %s\n  mode: %s\n  path: %s\n  install-routes: %s\n  hash-seed: 0x%llx\n",
		config->name, config->mode == MODE_ACTIVE_STANDBY ? "active-standby" : "active-active",
		config->path == PATH_STACK ? "stack" : "fast", config->install_routes ? "true" : "false",
		(unsigned long long)config->hash_seed);
	fprintf(file, "  inside:\n");
	for (size_t i = 0; i < config->inside_count; i++)
		fprintf(file, "    - %s\n", config->inside[i]);
	fprintf(file, "  outside:%s\n", config->outside_count ? "" : " []");
	for (size_t i = 0; i < config->outside_count; i++)
		fprintf(file, "    - %s\n", config->outside[i]);
	fprintf(file, "instances:\n");
	for (size_t i = 0; i < config->instance_count; i++) {
		const struct config_instance *instance = &config->instances[i];

		fprintf(file, "  - name: %s\n    public: '%s'\n", instance->name,
			config_address_text(&instance->public, text));
		if (instance->remote)
			fprintf(file, "    via: '%s'\n    dev: %s\n", config_address_text(&instance->via, text),
				instance->dev);
	}
	fprintf(file, "connections:%s\n", config->connection_count ? "" : " []");
	for (size_t c = 0; c < config->connection_count; c++) {
		const struct config_connection *connection = &config->connections[c];

		fprintf(file, "  - name: %s\n    remote:\n", connection->name);
		for (size_t i = 0; i < connection->remote_count; i++)
			fprintf(file, "      - '%s'\n", config_address_text(&connection->remote[i], text));
		fprintf(file, "    tunnels:\n");
		for (size_t t = 0; t < connection->tunnel_count; t++) {
			const struct config_tunnel *tunnel = &connection->tunnels[t];

			fprintf(file, "      - name: %s\n        instance: %s\n        weight: %u\n", tunnel->name,
				config->instances[tunnel->instance].name, tunnel->weight);
			if (tunnel->device[0])
				fprintf(file, "        device: %s\n", tunnel->device);
			if (tunnel->has_via)
				fprintf(file, "        via: '%s'\n", config_address_text(&tunnel->via, text));
		}
	}
}

static char *config_text(const struct config *config)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	config_write(file, config);
	fclose(file);
	return text;
}

static char *faults_text(const struct config_faults *faults, const char *path)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	for (size_t i = 0; i < faults->count; i++)
		config_fault_print(file, path, &faults->fault[i]);
	fclose(file);
	return text;
}

static void compare(const char *path, const char *found)
{
	char *expected = NULL;
	size_t size = 0;
	FILE *file;

	if (getenv("UPDATE")) {
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(found, file);
		fclose(file);
		return;
	}
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s is missing; found:\n%s", path, found);
	if (getdelim(&expected, &size, 0, file) < 0)
		fail_msg("%s is empty", path);
	assert_string_equal(found, expected);
	free(expected);
	fclose(file);
}

static void check_file(const char *name)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	char source[512], golden[512], *text;
	int err;

	snprintf(source, sizeof(source), DIRECTORY "/%s.yaml", name);
	err = config_load(source, &config, &faults);
	snprintf(golden, sizeof(golden), DIRECTORY "/%s.%s", name, err ? "err" : "ok");
	text = err ? faults_text(&faults, source) : config_text(config);
	compare(golden, text);
	config_faults_free(&faults);
	if (!err) {
		struct config *again = NULL;
		char *text_again;

		assert_int_equal(config_parse(text, strlen(text), &again, &faults), 0);
		text_again = config_text(again);
		assert_string_equal(text, text_again);
		free(text_again);
		config_free(again);
		config_free(config);
	}
	free(text);
}

static void test_config__files_read_as_their_golden_ones_say(void **state)
{
	DIR *directory = opendir(DIRECTORY);
	struct dirent *entry;
	unsigned files = 0;

	(void)state;
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".yaml"))
			continue;
		*dot = 0;
		check_file(entry->d_name);
		files++;
	}
	closedir(directory);
	assert_true(files >= 5);
}

static void test_config__missing_file_is_one_fault(void **state)
{
	struct config_faults faults = {0};
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_load("/nonexistent/aa-steer.yaml", &config, &faults), -ENOENT);
	assert_int_equal(faults.count, 1);
	assert_null(config);
	config_faults_free(&faults);
}

static void test_config__aliases_cannot_unfold(void **state)
{
	static const char bomb[] = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
				   "gateway: {name: g, inside: [*b,*b,*b,*b,*b,*b,*b,*b]}\ninstances: *b\n";
	struct config_faults faults = {0};
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_parse(bomb, sizeof(bomb) - 1, &config, &faults), -EINVAL);
	config_faults_free(&faults);
}

/* An instance whose address is this text. */
static void parse_address(const char *address, struct config_faults *faults)
{
	struct config *config = NULL;
	char text[512];

	snprintf(text, sizeof(text), "gateway: {name: g, inside: [lan0]}\ninstances: [{name: a, public: \"%s\"}]\n",
		 address);
	assert_int_equal(config_parse(text, strlen(text), &config, faults), -EINVAL);
}

static void test_config__quoted_piece_is_not_cut_inside_a_character(void **state)
{
	struct config_faults faults = {0};
	char address[256] = "x";
	json_t *string;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		strcat(address, "\u00e9");
	parse_address(address, &faults);
	assert_int_equal(faults.count, 1);
	string = json_string(faults.fault[0].text); /* refuses what is not UTF-8 */
	assert_non_null(string);
	assert_non_null(strstr(faults.fault[0].text, "x\u00e9"));
	json_decref(string);
	config_faults_free(&faults);
}

static void test_config__faults_that_are_not_told_are_owned_up_to(void **state)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		fprintf(file, "key%u: 1\n", i);
	fclose(file);
	assert_int_equal(config_parse(text, length, &config, &faults), -EINVAL);
	assert_string_equal(faults.fault[0].text, "has more faults than are told here");
	assert_int_equal(faults.fault[1].line, 1);
	config_faults_free(&faults);
	free(text);
}

static void test_config__ten_thousand_connections_are_read(void **state)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	fprintf(file, "gateway: {name: g, inside: [lan0]}\ninstances: [{name: a, public: 192.0.2.1}, {name: b, public: "
		      "192.0.2.2}]\nconnections:\n");
	for (unsigned c = 0; c < MAX_CONNECTIONS; c++) {
		fprintf(file, "- name: c%u\n  remote: [", c);
		for (unsigned p = 0; p < 5; p++)
			fprintf(file, "%s10.%u.%u.%u/32", p ? ", " : "", (c * 5 + p) >> 16, (c * 5 + p) >> 8 & 255,
				(c * 5 + p) & 255);
		fprintf(file, "]\n  tunnels:\n");
		for (unsigned t = 0; t < 4; t++)
			fprintf(file, "  - {name: t%u-%u, instance: %s, device: d%u-%u}\n", c, t, t % 2 ? "b" : "a", c,
				t);
	}
	fclose(file);
	assert_int_equal(config_parse(text, length, &config, &faults), 0);
	assert_int_equal(config->connection_count, MAX_CONNECTIONS);
	assert_int_equal(config->tunnel_count, 4 * MAX_CONNECTIONS);
	config_free(config);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config__files_read_as_their_golden_ones_say),
		cmocka_unit_test(test_config__missing_file_is_one_fault),
		cmocka_unit_test(test_config__aliases_cannot_unfold),
		cmocka_unit_test(test_config__quoted_piece_is_not_cut_inside_a_character),
		cmocka_unit_test(test_config__faults_that_are_not_told_are_owned_up_to),
		cmocka_unit_test(test_config__ten_thousand_connections_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
