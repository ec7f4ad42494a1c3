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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../loader/config.h"

#define DIRECTORY "tests/config"

static const char *duration_text(uint64_t ns, char buffer[32])
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"m", 60000000000}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}};
	unsigned unit = ns ? 0 : 1;

	while (ns % units[unit].ns)
		unit++;
	snprintf(buffer, 32, "%llu%s", (unsigned long long)(ns / units[unit].ns), units[unit].name);
	return buffer;
}

/* Of a key, its length alone, as asterisks. */
static void probe_write(FILE *file, const struct config_probe *probe, int indent)
{
	static const char *const kinds[] = {[SESSION_BFD] = "bfd", [SESSION_ICMP] = "icmp"};
	char text[CONFIG_ADDRESS_TEXT], duration[32];

	if (probe->kind == SESSION_NONE)
		return;
	fprintf(file, "%*sprobe:\n", indent, "");
	indent += 2;
	fprintf(file, "%*skind: %s\n", indent, "", kinds[probe->kind]);
	if (probe->has_local)
		fprintf(file, "%*slocal: '%s'\n", indent, "", config_address_text(&probe->local, text));
	fprintf(file, "%*speer: '%s'\n", indent, "", config_address_text(&probe->peer, text));
	fprintf(file, "%*sinterval: %s\n", indent, "", duration_text(probe->interval_ns, duration));
	fprintf(file, "%*smultiplier: %u\n", indent, "", probe->multiplier);
	fprintf(file, "%*shold: %s\n", indent, "", duration_text(probe->hold_ns, duration));
	fprintf(file, "%*shold-max: %s\n", indent, "", duration_text(probe->hold_max_ns, duration));
	if (probe->kind == SESSION_BFD)
		fprintf(file, "%*smultihop: %s\n", indent, "", probe->multihop ? "true" : "false");
	if (probe->auth != SESSION_AUTH_NONE)
		fprintf(file, "%*sauth: %s\n%*skey-id: %u\n%*skey: '%.*s'\n", indent, "",
			probe->auth == SESSION_AUTH_SHA1 ? "keyed-sha1" : "meticulous-keyed-sha1", indent, "",
			probe->key_id, indent, "", probe->key_bytes, "********************");
}

/* The configuration as YAML again, every default written out. */
static void config_write(FILE *file, const struct config *config)
{
	char text[CONFIG_ADDRESS_TEXT];

	fprintf(file,
		"gateway:\n  name: %s\n  mode: %s\n  preempt: %s\n  path: %s\n  install-routes: %s\n  hash-seed: "
		"0x%llx\n  flows: %u\n",
		config->name, config_mode_text(config->mode), config->preempt ? "true" : "false",
		config->path == PATH_STACK ? "stack" : "fast", config->install_routes ? "true" : "false",
		(unsigned long long)config->hash_seed, config->flows);
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
		probe_write(file, &instance->probe, 4);
		if (instance->reset)
			fprintf(file, "    reset: '%s'\n", instance->reset);
		if (instance->slow_start_ns)
			fprintf(file, "    slow-start: %lluus\n", (unsigned long long)instance->slow_start_ns / 1000);
		if (instance->on_drain)
			fprintf(file, "    on-drain: '%s'\n", instance->on_drain);
		if (instance->on_undrain)
			fprintf(file, "    on-undrain: '%s'\n", instance->on_undrain);
	}
	fprintf(file, "connections:%s\n", config->connection_count ? "" : " []");
	for (size_t c = 0; c < config->connection_count; c++) {
		const struct config_connection *connection = &config->connections[c];

		fprintf(file, "  - name: %s\n    remote:%s\n", connection->name, connection->routed ? " routes" : "");
		for (size_t i = 0; i < connection->remote_count; i++)
			fprintf(file, "      - '%s'\n", config_address_text(&connection->remote[i], text));
		fprintf(file, "    affinity: %s\n    idle: %lluus\n", config_affinity_text(connection->affinity),
			(unsigned long long)connection->idle_ns / 1000);
		if (connection->flowlet_ns)
			fprintf(file, "    drain:\n      flowlet: %lluus\n",
				(unsigned long long)connection->flowlet_ns / 1000);
		fprintf(file, "    tunnels:\n");
		for (size_t t = 0; t < connection->tunnel_count; t++) {
			const struct config_tunnel *tunnel = &connection->tunnels[t];

			fprintf(file, "      - name: %s\n        instance: %s\n        weight: %u\n", tunnel->name,
				config->instances[tunnel->instance].name, tunnel->weight);
			if (tunnel->device[0])
				fprintf(file, "        device: %s\n", tunnel->device);
			if (tunnel->has_via)
				fprintf(file, "        via: '%s'\n", config_address_text(&tunnel->via, text));
			probe_write(file, &tunnel->probe, 8);
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

/* A directory with a file `key` of these bytes and mode, and `aa-steer.yaml`, one of whose probes has that key file. */
struct key_files {
	char directory[64], key[128], yaml[128];
};

static void file_write(const char *path, const char *bytes, size_t length, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static char *key_files_make(struct key_files *files, const char *bytes, size_t length, mode_t mode)
{
	char *text = NULL;

	snprintf(files->directory, sizeof(files->directory), "/tmp/aa-steer-config-test.XXXXXX");
	assert_non_null(mkdtemp(files->directory));
	snprintf(files->key, sizeof(files->key), "%s/key", files->directory);
	snprintf(files->yaml, sizeof(files->yaml), "%s/aa-steer.yaml", files->directory);
	assert_true(asprintf(&text,
			     "gateway: {name: g, inside: [lan0]}\n"
			     "instances: [{name: a, public: 192.0.2.1, via: 10.0.0.2, dev: lan1, probe: {kind: bfd,\n"
			     " auth: keyed-sha1, key-id: 1, key-file: %s}}]\n",
			     files->key) > 0);
	file_write(files->key, bytes, length, mode);
	file_write(files->yaml, text, strlen(text), 0600);
	return text;
}

static void key_files_remove(struct key_files *files)
{
	unlink(files->key);
	unlink(files->yaml);
	assert_int_equal(rmdir(files->directory), 0);
}

/* The key that is read from a file of these bytes. */
static void key_file_is(const char *bytes, size_t length, const char *key, size_t key_bytes)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	struct key_files files;

	free(key_files_make(&files, bytes, length, 0600));
	assert_int_equal(config_load(files.yaml, &config, &faults), 0);
	assert_int_equal(config->instances[0].probe.key_bytes, key_bytes);
	assert_memory_equal(config->instances[0].probe.key, key, key_bytes);
	config_free(config);
	key_files_remove(&files);
}

/* The fault that a file of these bytes has, its position and path cut off. */
static void key_file_fault(const char *bytes, size_t length, mode_t mode, const char *fault)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	struct key_files files;

	free(key_files_make(&files, bytes, length, mode));
	assert_int_equal(config_load(files.yaml, &config, &faults), -EINVAL);
	assert_int_equal(faults.count, 1);
	assert_int_equal(faults.fault[0].line, 3);
	assert_non_null(strstr(faults.fault[0].text, "instances[0].probe.key-file: '"));
	if (!strstr(faults.fault[0].text, fault))
		fail_msg("%s", faults.fault[0].text);
	config_faults_free(&faults);
	key_files_remove(&files);
}

static void test_config__key_file_is_read_without_its_newline(void **state)
{
	(void)state;
	key_file_is("secret\n", 7, "secret", 6);
	key_file_is("secret", 6, "secret", 6);
	key_file_is("secret\n\n", 8, "secret\n", 7);
	key_file_is("\0\xff\n", 3, "\0\xff", 2);
	key_file_is("12345678901234567890\n", 21, "12345678901234567890", 20);
}

static void test_config__key_file_that_will_not_do_is_a_fault(void **state)
{
	(void)state;
	key_file_fault("", 0, 0600, "holds no key; keys are 1..20 bytes long");
	key_file_fault("\n", 1, 0600, "holds no key; keys are 1..20 bytes long");
	key_file_fault("123456789012345678901", 21, 0600, "holds more than a key; keys are 1..20 bytes long");
	key_file_fault("12345678901234567890\n\n", 22, 0600, "holds more than a key; keys are 1..20 bytes long");
	key_file_fault("secret\n", 7, 0644, "is open to every user; chmod 600 it, and change the key");
}

static void test_config__parsing_opens_no_key_file(void **state)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	struct key_files files;
	char *text = key_files_make(&files, "secret\n", 7, 0644);

	(void)state;
	assert_int_equal(config_parse(text, strlen(text), &config, &faults), 0);
	assert_int_equal(config->instances[0].probe.auth, SESSION_AUTH_SHA1);
	assert_int_equal(config->instances[0].probe.key_bytes, 0);
	config_free(config);
	free(text);
	key_files_remove(&files);
}

/* A configuration of so many tunnels with a probe. Returns NULL or its first fault, to be freed. */
static char *parse_probes(unsigned count)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	char *text = NULL, *fault = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	fprintf(file, "gateway: {name: g, inside: [lan0]}\ninstances: [{name: a, public: 192.0.2.1}]\nconnections:\n");
	for (unsigned c = 0; c < count; c++)
		fprintf(file,
			"- {name: c%u, remote: [10.0.%u.%u/32], tunnels: [{name: t%u, instance: a, device: d%u, "
			"probe: {kind: icmp, peer: 10.9.9.9}}]}\n",
			c, c >> 8, c & 255, c, c);
	fclose(file);
	if (config_parse(text, length, &config, &faults))
		fault = strdup(faults.fault[0].text);
	config_faults_free(&faults);
	config_free(config);
	free(text);
	return fault;
}

static void test_config__probes_are_as_many_as_sessions_at_most(void **state)
{
	char *fault = parse_probes(MAX_SESSIONS);

	(void)state;
	assert_null(fault);
	fault = parse_probes(MAX_SESSIONS + 1);
	assert_non_null(fault);
	assert_string_equal(fault, "4097 probes in all; 4096 is the most");
	free(fault);
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
		cmocka_unit_test(test_config__key_file_is_read_without_its_newline),
		cmocka_unit_test(test_config__key_file_that_will_not_do_is_a_fault),
		cmocka_unit_test(test_config__parsing_opens_no_key_file),
		cmocka_unit_test(test_config__probes_are_as_many_as_sessions_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
