/* SPDX-License-Identifier: GPL-2.0-only */
/* Schema walk over a libyaml document. See config_reader.h. */
#include "config_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_values.h"

static const yaml_node_t *node_at(struct config_reader *reader, int index)
{
	return yaml_document_get_node(&reader->document, index);
}

void config_reader_fault(struct config_reader *reader, const yaml_node_t *node, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	config_faults_add(reader->faults, (unsigned)node->start_mark.line + 1, (unsigned)node->start_mark.column + 1,
			  "%s%s%s", reader->path, reader->path[0] ? ": " : "", text);
}

/* Each node is read once. A second time means an alias. */
static bool first_visit(struct config_reader *reader, const yaml_node_t *node)
{
	size_t index = (size_t)(node - reader->document.nodes.start);

	if (reader->visited[index]) {
		config_reader_fault(reader, node, "aliases are not taken; write the value out");
		return false;
	}
	reader->visited[index] = true;
	return true;
}

static const char *kind_text(const yaml_node_t *node)
{
	return node->type == YAML_MAPPING_NODE	  ? "a mapping"
	       : node->type == YAML_SEQUENCE_NODE ? "a list"
	       : config_reader_is_null(node)	  ? "nothing"
						  : "a single value";
}

bool config_reader_is_null(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*text || !strcmp(text, "~") || !strcmp(text, "null"));
}

const char *config_reader_scalar(struct config_reader *reader, const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	if (!first_visit(reader, node))
		return NULL;
	if (node->type != YAML_SCALAR_NODE || config_reader_is_null(node)) {
		config_reader_fault(reader, node, "a single value is wanted, not %s", kind_text(node));
		return NULL;
	}
	if (strlen(text) != node->data.scalar.length) {
		config_reader_fault(reader, node, "holds a zero byte");
		return NULL;
	}
	return text;
}

void config_reader_duration(struct config_reader *reader, const yaml_node_t *node, uint64_t least_ns, uint64_t most_ns,
			    const char *range, uint64_t *value)
{
	uint64_t duration_ns = UINT64_MAX;

	CONFIG_READER_VALUE(reader, node, config_value_duration, &duration_ns);
	if (duration_ns == UINT64_MAX)
		return;
	if (duration_ns < least_ns || duration_ns > most_ns)
		config_reader_fault(reader, node, "'%.80s' is out of range; %s", (const char *)node->data.scalar.value,
				    range);
	else
		*value = duration_ns;
}

void config_reader_word(struct config_reader *reader, const yaml_node_t *node, const char *const *words, size_t count,
			int *ret_index)
{
	const char *text = config_reader_scalar(reader, node);
	char all[128] = "";

	if (!text)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(text, words[i])) {
			*ret_index = (int)i;
			return;
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", words[i]);
	}
	config_reader_fault(reader, node, "'%.80s' is not %s%s", text, count > 1 ? "one of " : "", all);
}

/* Appends to the path; returns its old length, to be cut back to. */
static size_t path_push(struct config_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

static size_t path_push(struct config_reader *reader, const char *format, ...)
{
	size_t length = strlen(reader->path);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reader->path + length, sizeof(reader->path) - length, format, arguments);
	va_end(arguments);
	return length;
}

/* Letters that differ, for telling a slip from another word: Levenshtein's distance, up to 8. */
static unsigned slip_distance(const char *a, const char *b)
{
	unsigned row[32], columns = (unsigned)strlen(b);

	if (strlen(a) > 24 || columns > 24)
		return 8;
	for (unsigned j = 0; j <= columns; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= columns; j++) {
			unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
			unsigned least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = replaced < least ? replaced : least;
		}
	}
	return row[columns];
}

static void unknown_key(struct config_reader *reader, const yaml_node_t *key, const char *text,
			const struct config_field *fields, size_t count)
{
	const char *nearest = NULL;
	unsigned distance = 3;
	char known[256] = "";

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(known);
		unsigned slip = slip_distance(text, fields[i].name);

		snprintf(known + length, sizeof(known) - length, "%s%s", i ? ", " : "", fields[i].name);
		if (slip < distance) {
			distance = slip;
			nearest = fields[i].name;
		}
	}
	if (nearest)
		config_reader_fault(reader, key, "unknown key; did you mean '%s'?", nearest);
	else
		config_reader_fault(reader, key, "unknown key; known are %s", known);
}

static void pair_read(struct config_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
		      const struct config_field *fields, size_t count, uint64_t *seen, void *target)
{
	const char *text = config_reader_scalar(reader, key);
	size_t length;

	if (!text)
		return;
	length = path_push(reader, "%s%.64s", reader->path[0] ? "." : "", text);
	for (size_t i = 0; i <= count; i++) {
		if (i == count) {
			unknown_key(reader, key, text, fields, count);
		} else if (!strcmp(text, fields[i].name)) {
			if (*seen >> i & 1)
				config_reader_fault(reader, key, "stands here a second time");
			else
				fields[i].read(reader, value, target);
			*seen |= 1ull << i;
			break;
		}
	}
	reader->path[length] = 0;
}

void config_reader_mapping(struct config_reader *reader, const yaml_node_t *node, const struct config_field *fields,
			   size_t count, void *target)
{
	uint64_t seen = 0;

	if (!first_visit(reader, node))
		return;
	if (node->type != YAML_MAPPING_NODE) {
		config_reader_fault(reader, node, "a mapping (key: value) is wanted, not %s", kind_text(node));
		return;
	}
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
		pair_read(reader, node_at(reader, pair->key), node_at(reader, pair->value), fields, count, &seen,
			  target);
	for (size_t i = 0; i < count; i++)
		if (fields[i].required && !(seen >> i & 1))
			config_reader_fault(reader, node, "'%s' is missing", fields[i].name);
}

const char *config_reader_peek(struct config_reader *reader, const yaml_node_t *node, const char *key)
{
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = node_at(reader, pair->key), *value = node_at(reader, pair->value);

		if (name->type == YAML_SCALAR_NODE && value->type == YAML_SCALAR_NODE &&
		    !strcmp((const char *)name->data.scalar.value, key))
			return (const char *)value->data.scalar.value;
	}
	return NULL;
}

size_t config_reader_items(struct config_reader *reader, const yaml_node_t *node, size_t limit)
{
	size_t count;

	if (!first_visit(reader, node))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE) {
		config_reader_fault(reader, node, "a list is wanted, not %s", kind_text(node));
		return 0;
	}
	count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	if (count <= limit)
		return count;
	config_reader_fault(reader, node, "has %zu entries; %zu is the most", count, limit);
	return limit;
}

void config_reader_item(struct config_reader *reader, const yaml_node_t *node, size_t index,
			void (*read)(struct config_reader *reader, const yaml_node_t *value, void *target),
			void *target)
{
	size_t length = path_push(reader, "[%zu]", index);

	read(reader, node_at(reader, node->data.sequence.items.start[index]), target);
	reader->path[length] = 0;
}

void config_reader_claim(struct config_reader *reader, struct config_claims *claims, const yaml_node_t *node,
			 const char *text)
{
	struct config_claim *claim;

	if (claims->count == claims->room) {
		size_t room = claims->room ? 2 * claims->room : 64;
		struct config_claim *grown = realloc(claims->claim, room * sizeof(*grown));

		if (!grown) {
			reader->out_of_memory = true;
			return;
		}
		claims->claim = grown;
		claims->room = room;
	}
	claim = &claims->claim[claims->count];
	snprintf(claim->text, sizeof(claim->text), "%s", text);
	claim->line = (unsigned)node->start_mark.line + 1;
	claim->column = (unsigned)node->start_mark.column + 1;
	claim->path = strdup(reader->path);
	if (claim->path)
		claims->count++;
	else
		reader->out_of_memory = true;
}

static int claim_compare(const void *a, const void *b)
{
	const struct config_claim *left = a, *right = b;
	int order = strcmp(left->text, right->text);

	if (order)
		return order;
	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->column < right->column ? -1 : left->column > right->column;
}

void config_reader_claims_check(struct config_reader *reader, struct config_claims *claims, const char *what)
{
	const struct config_claim *first = claims->claim;

	if (claims->count)
		qsort(claims->claim, claims->count, sizeof(*claims->claim), claim_compare);
	for (size_t i = 1; i < claims->count; i++) {
		const struct config_claim *claim = &claims->claim[i];

		if (strcmp(claim->text, first->text)) {
			first = claim;
			continue;
		}
		config_faults_add(reader->faults, claim->line, claim->column, "%s: '%s' %s (line %u, %s)", claim->path,
				  claim->text, what, first->line, first->path);
	}
}

void config_reader_claims_free(struct config_claims *claims)
{
	for (size_t i = 0; i < claims->count; i++)
		free(claims->claim[i].path);
	free(claims->claim);
}
