/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks a YAML document by a schema: tables of fields say which keys a mapping may have and what reads each one's
 * value.
 *
 * libyaml rather than a library that maps YAML onto structs, because those stop at the first fault; here every fault of
 * a file is told at once, with the line and column that libyaml keeps for each node. Aliases are refused: no node is
 * read twice, so no small file can unfold into a large one. Pure.
 */
#ifndef LOADER_CONFIG_READER_H
#define LOADER_CONFIG_READER_H

#include <yaml.h>

#include "config_faults.h"

#define CONFIG_PATH_BYTES 256

/* Entries of a table of fields or words. */
#define CONFIG_READER_COUNT(table) (sizeof(table) / sizeof(*(table)))

/* Reads a scalar by one of config_values.h and complains in its words. */
#define CONFIG_READER_VALUE(reader, node, parse, ...)                                                                  \
	do {                                                                                                           \
		const char *text_ = config_reader_scalar(reader, node);                                                \
		const char *complaint_ = text_ ? parse(text_, __VA_ARGS__) : NULL;                                     \
		if (complaint_)                                                                                        \
			config_reader_fault(reader, node, "'%.80s' %s", text_, complaint_);                            \
	} while (0)

/* A text that may stand only once among its kind, and where it stood. */
struct config_claim {
	char text[CONFIG_ADDRESS_TEXT];
	unsigned line, column;
	char *path; /* owned; "connections[0].name" */
};

struct config_claims {
	struct config_claim *claim;
	size_t count, room;
};

/* A tunnel that names its instance. */
struct config_reference {
	struct config_tunnel *tunnel;
	unsigned line, column;
	char instance[NAME_BYTES];
	char path[64];
};

/* A probe, and whose it is. */
struct config_probe_site {
	struct config_probe *probe;
	struct config_instance *instance;   /* NULL of a tunnel's probe ... */
	const struct config_tunnel *tunnel; /* ... and this one NULL of an instance's */
	bool has_peer;			    /* given in the file, rightly or not */
	const yaml_node_t *node;
	char path[64];
};

struct config_reader {
	yaml_document_t document;
	bool *visited; /* by node */
	struct config_faults *faults;
	struct config *config;
	char path[CONFIG_PATH_BYTES];				       /* of the node that is being read */
	struct config_claims names, devices, outside, prefixes, peers; /* a NIC may be inside and outside both */
	struct config_reference *references;
	size_t reference_count, reference_room;
	struct config_probe_site *probes;
	size_t probe_count, probe_room;
	bool reads_key_files; /* else their contents are left out */
	bool out_of_memory;
};

struct config_field {
	const char *name;
	bool required;
	void (*read)(struct config_reader *reader, const yaml_node_t *value, void *target);
};

/* A fault of this node, its path in front. */
void config_reader_fault(struct config_reader *reader, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The text of a scalar, or NULL and a fault. */
const char *config_reader_scalar(struct config_reader *reader, const yaml_node_t *node);

/* A duration within these bounds, which range names; *value stays as it is where there is a fault. */
void config_reader_duration(struct config_reader *reader, const yaml_node_t *node, uint64_t least_ns, uint64_t most_ns,
			    const char *range, uint64_t *value);

/* Stores the index of the scalar among these words, or leaves it and adds a fault. */
void config_reader_word(struct config_reader *reader, const yaml_node_t *node, const char *const *words, size_t count,
			int *ret_index);

/* Reads a mapping by its fields; count of them. */
void config_reader_mapping(struct config_reader *reader, const yaml_node_t *node, const struct config_field *fields,
			   size_t count, void *target);

/* The scalar that a mapping has for this key, read or not; NULL where there is none. No fault. */
const char *config_reader_peek(struct config_reader *reader, const yaml_node_t *node, const char *key);

/* Items of a sequence, or 0 and a fault; more than limit is a fault too, and limit is returned. */
size_t config_reader_items(struct config_reader *reader, const yaml_node_t *node, size_t limit);
/* Calls read() for item `index` with the path "...[index]". */
void config_reader_item(struct config_reader *reader, const yaml_node_t *node, size_t index,
			void (*read)(struct config_reader *reader, const yaml_node_t *value, void *target),
			void *target);

/* Is this node null, that is, has its key no value? */
bool config_reader_is_null(const yaml_node_t *node);

/* Notes that a text stands here. */
void config_reader_claim(struct config_reader *reader, struct config_claims *claims, const yaml_node_t *node,
			 const char *text);
/* Faults for what stands twice; `what` as in "is the name of something else already". */
void config_reader_claims_check(struct config_reader *reader, struct config_claims *claims, const char *what);
void config_reader_claims_free(struct config_claims *claims);

#endif
