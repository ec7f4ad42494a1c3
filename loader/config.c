/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The schema of aa-steer.yaml: one reader a key, tables of keys a mapping. What concerns more than one key is
 * config_check.c's.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config_check.h"
#include "config_probe.h"
#include "config_reader.h"
#include "config_values.h"

#define FILE_BYTES_MAX	  (64u << 20)
#define COMMAND_BYTES_MAX 1024u
#define SLOW_START_MAX_NS (3600ull * 1000000000)

#define FLOWS_UNLESS_SAID   1000000
#define IDLE_UNLESS_SAID_NS (60 * NS_PER_SECOND)
#define IDLE_LEAST_NS	    NS_PER_SECOND
#define IDLE_MOST_NS	    (24 * 3600 * NS_PER_SECOND)
#define FLOWLET_LEAST_NS    (NS_PER_MS / 10)
#define FLOWLET_MOST_NS	    (10 * NS_PER_SECOND)

static void read_name(struct config_reader *reader, const yaml_node_t *node, char *name)
{
	CONFIG_READER_VALUE(reader, node, config_value_name, name);
	if (name[0])
		config_reader_claim(reader, &reader->names, node, name);
}

static void read_device(struct config_reader *reader, const yaml_node_t *node, char *device)
{
	CONFIG_READER_VALUE(reader, node, config_value_device, device);
}

/* --- gateway -------------------------------------------------------------------------------------------------------
 */

static void gateway_name(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config *config = target;

	CONFIG_READER_VALUE(reader, node, config_value_name, config->name);
}

static const char *const mode_words[] = {
	[MODE_ACTIVE_ACTIVE] = "active-active", [MODE_ACTIVE_STANDBY] = "active-standby"};

static void gateway_mode(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	int index = MODE_ACTIVE_ACTIVE;

	config_reader_word(reader, node, mode_words, CONFIG_READER_COUNT(mode_words), &index);
	((struct config *)target)->mode = (enum config_mode)index;
}

static void gateway_preempt(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config *config = target;

	CONFIG_READER_VALUE(reader, node, config_value_bool, &config->preempt);
}

static void gateway_path(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	static const char *const words[] = {"fast", "stack"};
	int index = PATH_FAST;

	config_reader_word(reader, node, words, CONFIG_READER_COUNT(words), &index);
	((struct config *)target)->path = (enum config_path)index;
}

static void gateway_routes(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config *config = target;

	CONFIG_READER_VALUE(reader, node, config_value_bool, &config->install_routes);
}

static void gateway_seed(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config *config = target;

	CONFIG_READER_VALUE(reader, node, config_value_number, &config->hash_seed);
}

static void gateway_flows(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	uint64_t flows = FLOWS_UNLESS_SAID;

	CONFIG_READER_VALUE(reader, node, config_value_number, &flows);
	if (flows < MIN_FLOWS || flows > MAX_FLOWS)
		config_reader_fault(reader, node, "%llu is out of range; room is for %d..%d flows",
				    (unsigned long long)flows, MIN_FLOWS, MAX_FLOWS);
	else
		((struct config *)target)->flows = (uint32_t)flows;
}

static void inside_read(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	char *device = target;

	read_device(reader, node, device);
	if (device[0])
		config_reader_claim(reader, &reader->devices, node, device);
}

static void outside_read(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	char *device = target;

	read_device(reader, node, device);
	if (device[0])
		config_reader_claim(reader, &reader->outside, node, device);
}

static void gateway_inside(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config *config = target;

	config->inside_count = config_reader_items(reader, node, MAX_INSIDE_NICS);
	if (node->type == YAML_SEQUENCE_NODE && !config->inside_count)
		config_reader_fault(reader, node, "names no NIC; it needs one at least");
	for (size_t i = 0; i < config->inside_count; i++)
		config_reader_item(reader, node, i, inside_read, config->inside[i]);
}

static void gateway_outside(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config *config = target;

	config->outside_count = config_reader_items(reader, node, MAX_OUTSIDE_NICS);
	for (size_t i = 0; i < config->outside_count; i++)
		config_reader_item(reader, node, i, outside_read, config->outside[i]);
}

static void read_gateway(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	static const struct config_field fields[] = {
		{"name", true, gateway_name},
		{"mode", false, gateway_mode},
		{"preempt", false, gateway_preempt},
		{"inside", true, gateway_inside},
		{"outside", false, gateway_outside},
		{"path", false, gateway_path},
		{"install-routes", false, gateway_routes},
		{"hash-seed", false, gateway_seed},
		{"flows", false, gateway_flows},
	};

	config_reader_mapping(reader, node, fields, CONFIG_READER_COUNT(fields), target);
}

/* --- instances -----------------------------------------------------------------------------------------------------
 */

static void instance_name(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	read_name(reader, node, ((struct config_instance *)target)->name);
}

static void instance_public(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_instance *instance = target;

	CONFIG_READER_VALUE(reader, node, config_value_host, &instance->public);
}

static void instance_via(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_instance *instance = target;

	instance->remote = true;
	CONFIG_READER_VALUE(reader, node, config_value_host, &instance->via);
}

static void instance_dev(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	read_device(reader, node, ((struct config_instance *)target)->dev);
}

/* A shell command. */
static void command_read(struct config_reader *reader, const yaml_node_t *node, char **command)
{
	const char *text = config_reader_scalar(reader, node);

	if (!text)
		return;
	if (!*text || strlen(text) > COMMAND_BYTES_MAX) {
		config_reader_fault(reader, node, "a shell command of 1..%u bytes is wanted", COMMAND_BYTES_MAX);
		return;
	}
	*command = strdup(text);
	if (!*command)
		reader->out_of_memory = true;
}

static void instance_reset(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	command_read(reader, node, &((struct config_instance *)target)->reset);
}

static void instance_on_drain(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	command_read(reader, node, &((struct config_instance *)target)->on_drain);
}

static void instance_on_undrain(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	command_read(reader, node, &((struct config_instance *)target)->on_undrain);
}

static void instance_slow_start(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	uint64_t duration_ns = 0;

	CONFIG_READER_VALUE(reader, node, config_value_duration, &duration_ns);
	if (duration_ns > SLOW_START_MAX_NS)
		config_reader_fault(reader, node, "'%.80s' is out of range; slow starts are 0s..60m",
				    (const char *)node->data.scalar.value);
	else
		((struct config_instance *)target)->slow_start_ns = duration_ns;
}

static void instance_read(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	static const struct config_field fields[] = {
		{"name", true, instance_name},
		{"public", true, instance_public},
		{"via", false, instance_via},
		{"dev", false, instance_dev},
		{"probe", false, config_probe_of_instance},
		{"reset", false, instance_reset},
		{"on-drain", false, instance_on_drain},
		{"on-undrain", false, instance_on_undrain},
		{"slow-start", false, instance_slow_start},
	};
	struct config_instance *instance = target;

	instance->line = (unsigned)node->start_mark.line + 1;
	config_reader_mapping(reader, node, fields, CONFIG_READER_COUNT(fields), instance);
	if (instance->remote && !instance->dev[0])
		config_reader_fault(reader, node, "'via' without 'dev'; name the NIC that the next hop is behind");
	if (!instance->remote && instance->dev[0])
		config_reader_fault(reader, node, "'dev' without 'via'; name the next hop behind that NIC");
}

static void read_instances(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config *config = target;
	size_t count = config_reader_items(reader, node, MAX_INSTANCES);

	if (node->type == YAML_SEQUENCE_NODE && !count)
		config_reader_fault(reader, node, "lists no instance; it needs one at least");
	config->instances = calloc(count + 1, sizeof(*config->instances));
	if (!config->instances) {
		reader->out_of_memory = true;
		return;
	}
	config->instance_count = count;
	for (size_t i = 0; i < count; i++)
		config_reader_item(reader, node, i, instance_read, &config->instances[i]);
}

/* --- connections ---------------------------------------------------------------------------------------------------
 */

static void tunnel_name(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	read_name(reader, node, ((struct config_tunnel *)target)->name);
}

static void tunnel_instance(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_tunnel *tunnel = target;
	char name[NAME_BYTES] = "";

	CONFIG_READER_VALUE(reader, node, config_value_name, name);
	if (name[0])
		config_check_reference(reader, node, tunnel, name);
}

static void tunnel_device(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_tunnel *tunnel = target;

	read_device(reader, node, tunnel->device);
	if (tunnel->device[0])
		config_reader_claim(reader, &reader->devices, node, tunnel->device);
}

static void tunnel_via(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_tunnel *tunnel = target;

	tunnel->has_via = true;
	CONFIG_READER_VALUE(reader, node, config_value_host, &tunnel->via);
}

static void tunnel_weight(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	uint64_t weight = 100;

	CONFIG_READER_VALUE(reader, node, config_value_number, &weight);
	if (weight < MIN_WEIGHT || weight > MAX_WEIGHT)
		config_reader_fault(reader, node, "%llu is out of range; weights are %d..%d",
				    (unsigned long long)weight, MIN_WEIGHT, MAX_WEIGHT);
	else
		((struct config_tunnel *)target)->weight = (uint16_t)weight;
}

static void tunnel_read(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	static const struct config_field fields[] = {
		{"name", true, tunnel_name},	  {"instance", true, tunnel_instance},
		{"device", false, tunnel_device}, {"via", false, tunnel_via},
		{"weight", false, tunnel_weight}, {"probe", false, config_probe_of_tunnel},
	};
	struct config_tunnel *tunnel = target;

	tunnel->line = (unsigned)node->start_mark.line + 1;
	tunnel->weight = 100;
	tunnel->instance = UINT_MAX; /* until the one is found that it names */
	config_reader_mapping(reader, node, fields, CONFIG_READER_COUNT(fields), tunnel);
}

static void connection_name(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	read_name(reader, node, ((struct config_connection *)target)->name);
}

static const char *const affinity_words[] = {
	[AFFINITY_HASH] = "hash", [AFFINITY_STICKY] = "sticky", [AFFINITY_SYMMETRIC] = "symmetric"};

static void connection_affinity(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	int index = AFFINITY_HASH;

	config_reader_word(reader, node, affinity_words, CONFIG_READER_COUNT(affinity_words), &index);
	((struct config_connection *)target)->affinity = (enum affinity)index;
}

static void connection_idle(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	config_reader_duration(reader, node, IDLE_LEAST_NS, IDLE_MOST_NS, "idle times are 1s..1440m",
			       &((struct config_connection *)target)->idle_ns);
}

static void drain_flowlet(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	config_reader_duration(reader, node, FLOWLET_LEAST_NS, FLOWLET_MOST_NS, "flowlets are 100us..10s",
			       &((struct config_connection *)target)->flowlet_ns);
}

static void connection_drain(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	static const struct config_field fields[] = {{"flowlet", true, drain_flowlet}};

	config_reader_mapping(reader, node, fields, CONFIG_READER_COUNT(fields), target);
}

static void prefix_read(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_address *prefix = target;
	char complaint[CONFIG_COMPLAINT_BYTES], text[CONFIG_ADDRESS_TEXT];
	struct config_address network = {.length = 255};

	CONFIG_READER_VALUE(reader, node, config_value_network, &network, complaint);
	if (network.length == 255)
		return;
	*prefix = network;
	config_reader_claim(reader, &reader->prefixes, node, config_address_text(prefix, text));
}

/* One word instead of a list. */
static void remote_word(struct config_reader *reader, const yaml_node_t *node, struct config_connection *connection)
{
	const char *word = (const char *)node->data.scalar.value;

	if (strcmp(word, "routes"))
		config_reader_fault(
			reader, node,
			"'%.40s' is no list of prefixes; for those that the kernel routes into its tunnels, "
			"by BGP or otherwise, write routes",
			word);
	else
		connection->routed = reader->config->routed = true;
}

static void connection_remote(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_connection *connection = target;
	size_t count;

	if (node->type == YAML_SCALAR_NODE) {
		remote_word(reader, node, connection);
		return;
	}
	count = config_reader_items(reader, node, MAX_PREFIXES);
	if (node->type == YAML_SEQUENCE_NODE && !count)
		config_reader_fault(reader, node, "lists no prefix; it needs one at least");
	connection->remote = calloc(count + 1, sizeof(*connection->remote));
	if (!connection->remote) {
		reader->out_of_memory = true;
		return;
	}
	connection->remote_count = count;
	for (size_t i = 0; i < count; i++)
		config_reader_item(reader, node, i, prefix_read, &connection->remote[i]);
}

static void connection_tunnels(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_connection *connection = target;
	size_t count = config_reader_items(reader, node, MAX_MEMBERS);

	if (node->type == YAML_SEQUENCE_NODE && !count)
		config_reader_fault(reader, node,
				    "lists no tunnel; it needs one at least (route-based: with a device)");
	connection->tunnels = calloc(count + 1, sizeof(*connection->tunnels));
	if (!connection->tunnels) {
		reader->out_of_memory = true;
		return;
	}
	connection->tunnel_count = count;
	for (size_t i = 0; i < count; i++)
		config_reader_item(reader, node, i, tunnel_read, &connection->tunnels[i]);
}

static void connection_read(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	static const struct config_field fields[] = {
		{"name", true, connection_name},	  {"remote", true, connection_remote},
		{"affinity", false, connection_affinity}, {"idle", false, connection_idle},
		{"drain", false, connection_drain},	  {"tunnels", true, connection_tunnels},
	};
	struct config_connection *connection = target;

	connection->line = (unsigned)node->start_mark.line + 1;
	connection->idle_ns = IDLE_UNLESS_SAID_NS;
	config_reader_mapping(reader, node, fields, CONFIG_READER_COUNT(fields), connection);
}

static void read_connections(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config *config = target;
	size_t count = config_reader_is_null(node) ? 0 : config_reader_items(reader, node, MAX_CONNECTIONS);

	config->connections = calloc(count + 1, sizeof(*config->connections));
	if (!config->connections) {
		reader->out_of_memory = true;
		return;
	}
	config->connection_count = count;
	for (size_t i = 0; i < count; i++)
		config_reader_item(reader, node, i, connection_read, &config->connections[i]);
}

/* --- the file ------------------------------------------------------------------------------------------------------
 */

static void root_read(struct config_reader *reader, const yaml_node_t *root)
{
	static const struct config_field fields[] = {
		{"gateway", true, read_gateway},
		{"instances", true, read_instances},
		{"connections", false, read_connections},
	};

	config_reader_mapping(reader, root, fields, CONFIG_READER_COUNT(fields), reader->config);
	config_check(reader);
}

/* libyaml tells where it stopped reading by the byte alone. */
static void reader_fault(const yaml_parser_t *parser, const char *text, size_t length, struct config_faults *faults)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < parser->problem_offset && i < length; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if ((text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	config_faults_add(faults, line, column, "not a text in UTF-8: %s", parser->problem);
}

static void syntax_fault(const yaml_parser_t *parser, const char *text, size_t length, struct config_faults *faults)
{
	if (parser->error == YAML_READER_ERROR)
		reader_fault(parser, text, length, faults);
	else
		config_faults_add(faults, (unsigned)parser->problem_mark.line + 1,
				  (unsigned)parser->problem_mark.column + 1, "not YAML: %s",
				  parser->problem ?: "out of memory");
}

/* What follows a document must be the end. */
static void rest_check(yaml_parser_t *parser, const char *text, size_t length, struct config_faults *faults)
{
	yaml_document_t more;
	const yaml_node_t *root;

	if (!yaml_parser_load(parser, &more)) {
		syntax_fault(parser, text, length, faults);
		return;
	}
	root = yaml_document_get_root_node(&more);
	if (root)
		config_faults_add(faults, (unsigned)root->start_mark.line + 1, (unsigned)root->start_mark.column + 1,
				  "a second document begins; a file holds one");
	yaml_document_delete(&more);
}

static int document_read(struct config_reader *reader)
{
	const yaml_node_t *root = yaml_document_get_root_node(&reader->document);

	if (!root) {
		config_faults_add(reader->faults, 1, 1, "empty; 'gateway' and 'instances' are needed");
		return 0;
	}
	reader->visited =
		calloc((size_t)(reader->document.nodes.top - reader->document.nodes.start), sizeof(*reader->visited));
	if (!reader->visited)
		return -ENOMEM;
	root_read(reader, root);
	return reader->out_of_memory ? -ENOMEM : 0;
}

static int text_parse(const char *text, size_t length, bool reads_key_files, struct config **ret_config,
		      struct config_faults *faults)
{
	struct config_reader reader = {
		.faults = faults, .config = calloc(1, sizeof(struct config)), .reads_key_files = reads_key_files};
	yaml_parser_t parser;
	int err = 0;

	if (!reader.config || !yaml_parser_initialize(&parser)) {
		free(reader.config);
		return -ENOMEM;
	}
	reader.config->install_routes = true;
	reader.config->preempt = true;
	reader.config->flows = FLOWS_UNLESS_SAID;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	if (yaml_parser_load(&parser, &reader.document)) {
		err = document_read(&reader);
		rest_check(&parser, text, length, faults);
		yaml_document_delete(&reader.document);
	} else {
		syntax_fault(&parser, text, length, faults);
	}
	yaml_parser_delete(&parser);
	free(reader.visited);
	config_check_free(&reader);
	config_faults_sort(faults);
	if (!err && faults->count)
		err = -EINVAL;
	if (err)
		config_free(reader.config);
	else
		*ret_config = reader.config;
	return err;
}

int config_parse(const char *text, size_t length, struct config **ret_config, struct config_faults *faults)
{
	return text_parse(text, length, false, ret_config, faults);
}

static int file_read(const char *path, char **ret_text, size_t *ret_length)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t length = 0, room = 0;
	int err = file ? 0 : -errno;

	while (!err && !feof(file)) {
		if (length == room) {
			char *grown = room < FILE_BYTES_MAX ? realloc(text, room = room ? 2 * room : 65536) : NULL;

			if (!grown) {
				err = room < FILE_BYTES_MAX ? -ENOMEM : -EFBIG;
				break;
			}
			text = grown;
		}
		length += fread(text + length, 1, room - length, file);
		if (ferror(file))
			err = errno ? -errno : -EIO;
	}
	if (file)
		fclose(file);
	if (err) {
		free(text);
		return err;
	}
	*ret_text = text;
	*ret_length = length;
	return 0;
}

int config_load(const char *path, struct config **ret_config, struct config_faults *faults)
{
	char *text = NULL;
	size_t length = 0;
	int err = file_read(path, &text, &length);

	if (err) {
		config_faults_add(faults, 0, 0, "cannot be read: %s", strerror(-err));
		return err;
	}
	err = text_parse(text, length, true, ret_config, faults);
	free(text);
	return err;
}

const char *config_affinity_text(enum affinity affinity)
{
	return affinity_words[affinity];
}

const char *config_mode_text(enum config_mode mode)
{
	return mode_words[mode];
}

int config_mode_of(const char *text, enum config_mode *ret_mode)
{
	for (size_t i = 0; i < CONFIG_READER_COUNT(mode_words); i++) {
		if (strcmp(text, mode_words[i]))
			continue;
		*ret_mode = (enum config_mode)i;
		return 0;
	}
	return -EINVAL;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t c = 0; c < config->connection_count; c++) {
		free(config->connections[c].remote);
		free(config->connections[c].tunnels);
	}
	free(config->connections);
	for (size_t i = 0; i < config->instance_count; i++) {
		free(config->instances[i].reset);
		free(config->instances[i].on_drain);
		free(config->instances[i].on_undrain);
	}
	free(config->instances);
	free(config);
}
