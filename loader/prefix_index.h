/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All prefixes of a configuration in one order, so that those that share addresses with a network are found without a
 * look at the others. Pure.
 *
 * Prefixes are nested or apart. In order of family, address and length, what lies within one follows it directly, and
 * each knows the nearest that it lies within.
 */
#ifndef LOADER_PREFIX_INDEX_H
#define LOADER_PREFIX_INDEX_H

#include "config.h"

#define PREFIX_NO_PARENT SIZE_MAX

struct prefix_entry {
	struct config_address prefix;
	uint32_t connection; /* its index in the configuration */
	size_t parent;	     /* entry of the longest prefix that holds this one; PREFIX_NO_PARENT */
};

struct prefix_index {
	struct prefix_entry *entry;
	size_t count;
};

/* Returns 0 or -ENOMEM. The index needs the configuration no longer. */
int prefix_index_new(const struct config *config, struct prefix_index **ret_index);
void prefix_index_free(struct prefix_index *index);

/* Has the outer one every address of the inner one? */
bool prefix_holds(const struct config_address *outer, const struct config_address *inner);

/* The longest prefix that holds this one, itself included; NULL: there is none. */
const struct prefix_entry *prefix_index_holder(const struct prefix_index *index, const struct config_address *prefix);

typedef void prefix_each_fn(const struct prefix_entry *entry, void *context);

/* Calls each() for every prefix that has an address in common with the network, whose host bits are zero. */
void prefix_index_sharing(const struct prefix_index *index, const struct config_address *network, prefix_each_fn *each,
			  void *context);

#endif
