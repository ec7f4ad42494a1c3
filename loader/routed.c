/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections whose prefixes are the kernel's routes (`remote: routes`): from the routing table into the map
 * `prefixes`.
 *
 * A change walks: the kernel -> fib.c (which prefix) -> later, once the loop is idle: here (take some of those that
 * changed) -> ways.c (to a connection, through which of its tunnels) -> subsets.c (an index in `connections`) -> one
 * entry of `prefixes`. A new generation is filled with all of them before it runs, so that none is missed meanwhile.
 *
 * Who may say where a prefix leads, first comes first: the file, the box's own addresses and networks, the routing
 * table. A route that leads elsewhere is left to the kernel, and so must be said in the map where a shorter prefix is
 * steered; within a prefix of the file it says nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fib.h"
#include "fill.h"
#include "log.h"
#include "prefix_index.h"
#include "steerd.h"
#include "subsets.h"
#include "ways.h"

#define FLUSH_PRIORITY	5   /* as states are settled: after what has just been heard is heard in full */
#define PREFIXES_A_TURN 256 /* then others in the loop have theirs: some 0.5 ms */

enum routed_verdict {
	ROUTED_ABSENT,	  /* no route; or a default route past the tunnels, which needs no entry */
	ROUTED_FOREIGN,	  /* the file's, or the box's own */
	ROUTED_STEERED,	  /* a connection's */
	ROUTED_ELSEWHERE, /* the kernel's, for it leads past the tunnels */
	ROUTED_MIXED,	  /* the kernel's, for it leads both ways */
	ROUTED_CROWDED,	  /* the kernel's, for there is no room */
	ROUTED_VERDICTS
};

struct generation {
	struct model *model; /* NULL: there is none */
	struct datapath *datapath;
	struct ways *ways;
	struct prefix_index *configured;
	unsigned slot;			  /* of fib_prefix.marks */
	size_t entries;			  /* in the map, ours */
	size_t verdicts[ROUTED_VERDICTS]; /* prefixes by verdict; of the first two none are counted */
	bool room_made;			  /* since the last look at those that are left out */
	struct config_address mixed;	  /* the latest such prefix */
};

struct routed {
	struct fib *fib;
	struct generation running, building;
	sd_event_source *flush;
	bool links_changed;
	bool crowded; /* it has been told */
};

/* --- one prefix ------------------------------------------------------------------------------------------------------
 */

static bool is_default(const struct config_address *prefix)
{
	return prefix->length == (prefix->is_ipv4 ? IPV4_MAPPED_BITS : 0);
}

static struct fib_mark decide_steered(const struct generation *generation, const struct way *way)
{
	struct model_connection *connection = &generation->model->connections[way->connection];
	uint32_t index = subsets_find(generation->model, connection, way->tunnels);

	return (struct fib_mark){index, index == NO_CONNECTION ? ROUTED_CROWDED : ROUTED_STEERED};
}

static struct fib_mark decide(const struct steerd *steerd, const struct generation *generation,
			      const struct fib_prefix *prefix)
{
	const struct prefix_entry *holder = prefix_index_holder(generation->configured, &prefix->prefix);
	uint32_t kernels = holder || is_default(&prefix->prefix) ? NO_PREFIX : NO_CONNECTION;
	struct fib_hops hops;
	struct way way;

	if ((holder && holder->prefix.length == prefix->prefix.length) || fill_is_link_scope(&prefix->prefix) ||
	    facts_is_own_prefix(steerd, &prefix->prefix))
		return (struct fib_mark){NO_PREFIX, ROUTED_FOREIGN};
	if (!prefix->routes)
		return (struct fib_mark){NO_PREFIX, ROUTED_ABSENT};
	fib_hops(steerd->routed->fib, prefix, &hops);
	switch (ways_match(generation->ways, hops.hop, hops.count, &way)) {
	case WAYS_FOUND:
		return decide_steered(generation, &way);
	case WAYS_MIXED:
		return (struct fib_mark){kernels, ROUTED_MIXED};
	case WAYS_ELSEWHERE:
		break;
	}
	return (struct fib_mark){kernels, kernels == NO_PREFIX ? ROUTED_ABSENT : ROUTED_ELSEWHERE};
}

/* A prefix begins (1) or ends (-1) to count as what its mark says. */
static void account(struct generation *generation, const struct fib_mark *mark, int change)
{
	struct model *model = generation->model;
	struct model_connection *connection;
	uint64_t tunnels;

	generation->verdicts[mark->verdict] += mark->verdict > ROUTED_FOREIGN ? change : 0;
	generation->entries += mark->connection != NO_PREFIX ? change : 0;
	connection = subsets_owner(model, mark->connection, &tunnels);
	if (!connection)
		return;
	connection->prefixes += change;
	if (mark->connection < model->config->connection_count)
		return;
	connection->partial += change;
	model->subsets[mark->connection - model->config->connection_count].prefixes += change;
}

/* What fill.c had there before a default route of IPv4 came. */
static int entry_remove(struct datapath *datapath, const struct config_address *prefix)
{
	return prefix->is_ipv4 && is_default(prefix) ? datapath_set_prefix(datapath, prefix, NO_PREFIX)
						     : datapath_remove_prefix(datapath, prefix);
}

static void apply(const struct steerd *steerd, struct generation *generation, struct fib_prefix *prefix)
{
	struct fib_mark *mark = &prefix->marks[generation->slot], wanted = decide(steerd, generation, prefix);
	bool has = mark->connection != NO_PREFIX;
	int err = 0;

	if (!has && wanted.connection != NO_PREFIX &&
	    generation->entries + generation->configured->count >= MAX_PREFIXES)
		wanted = (struct fib_mark){NO_PREFIX, ROUTED_CROWDED};
	if (wanted.connection == NO_PREFIX && has && wanted.verdict != ROUTED_FOREIGN)
		err = entry_remove(generation->datapath, &prefix->prefix);
	else if (wanted.connection != NO_PREFIX && wanted.connection != mark->connection)
		err = datapath_set_prefix(generation->datapath, &prefix->prefix, wanted.connection);
	if (err) {
		log_error("a route's prefix cannot be written: %s", strerror(-err));
		return;
	}
	account(generation, mark, -1);
	*mark = wanted;
	account(generation, mark, 1);
	generation->room_made |= has && wanted.connection == NO_PREFIX;
	if (wanted.verdict == ROUTED_MIXED)
		generation->mixed = prefix->prefix;
}

/* --- those that changed ----------------------------------------------------------------------------------------------
 */

static void flush_soon(void *context)
{
	struct steerd *steerd = context;

	if (steerd->routed && steerd->routed->flush)
		sd_event_source_set_enabled(steerd->routed->flush, SD_EVENT_ONESHOT);
}

/* Devices may have got other indexes: then every route may lead elsewhere. */
static void links_follow(struct routed *routed)
{
	struct ways *ways;

	if (!routed->links_changed || ways_new(routed->running.model, &ways) < 0)
		return;
	routed->links_changed = false;
	if (!ways_alike(ways, routed->running.ways))
		fib_change_all(routed->fib);
	ways_free(routed->running.ways);
	routed->running.ways = ways;
}

/* Once all is written: tells when the room ends, and gives what was left out another try when there is some again. */
static void crowd_tell(struct steerd *steerd)
{
	struct routed *routed = steerd->routed;
	size_t left = routed->running.verdicts[ROUTED_CROWDED];

	if (left && !routed->crowded)
		steerd_event(
			steerd, "prefixes-crowded", NULL,
			"routes into tunnels are left to the kernel, for want of room: %d prefixes are the most, and "
			"%d different sets of tunnels",
			MAX_PREFIXES, SUBSETS_MAX);
	routed->crowded = left != 0;
	if (left && routed->running.room_made)
		fib_change_all(routed->fib);
	routed->running.room_made = false;
}

static int on_flush(sd_event_source *source, void *context)
{
	struct steerd *steerd = context;
	struct routed *routed = steerd->routed;
	struct fib_prefix *prefix;
	unsigned taken;

	(void)source;
	if (!routed->running.model)
		return 0;
	links_follow(routed);
	for (taken = 0; taken < PREFIXES_A_TURN && (prefix = fib_take(routed->fib)); taken++) {
		apply(steerd, &routed->running, prefix);
		fib_release(routed->fib, prefix);
	}
	if (taken == PREFIXES_A_TURN)
		flush_soon(steerd);
	else
		crowd_tell(steerd);
	return 0;
}

void routed_link_changed(struct steerd *steerd)
{
	if (!steerd->routed)
		return;
	steerd->routed->links_changed = true;
	flush_soon(steerd);
}

static void own_changed(struct routed *routed, const struct config_address *address)
{
	struct fib_prefix *prefix = fib_find(routed->fib, address);
	struct fib_mark *mark;

	if (!prefix)
		return;
	/* The entry is not ours any more, or was not and is gone now. */
	mark = &prefix->marks[routed->running.slot];
	account(&routed->running, mark, -1);
	*mark = (struct fib_mark){NO_PREFIX, ROUTED_ABSENT};
	fib_change(routed->fib, prefix);
}

void routed_own_address(struct steerd *steerd, const struct own_address *own)
{
	struct config_address network = facts_own_network(own);

	if (!steerd->routed || !steerd->routed->running.model)
		return;
	own_changed(steerd->routed, &own->address);
	own_changed(steerd->routed, &network);
}

/* --- generations -----------------------------------------------------------------------------------------------------
 */

int routed_prepare(struct steerd *steerd, const struct config *config, char *error, size_t error_size)
{
	int err;

	if (!config->routed || steerd->routed)
		return 0;
	steerd->routed = calloc(1, sizeof(*steerd->routed));
	err = steerd->routed ? sd_event_add_defer(steerd->loop, &steerd->routed->flush, on_flush, steerd) : -ENOMEM;
	if (err >= 0)
		err = sd_event_source_set_priority(steerd->routed->flush, FLUSH_PRIORITY);
	if (err >= 0)
		err = sd_event_source_set_enabled(steerd->routed->flush, SD_EVENT_OFF);
	if (err >= 0)
		err = fib_open(steerd->loop, flush_soon, steerd, &steerd->routed->fib);
	if (err >= 0)
		return 0;
	snprintf(error, error_size, "the kernel's routing table cannot be watched: %s", strerror(-err));
	routed_close(steerd);
	return err;
}

static void generation_drop(struct generation *generation)
{
	ways_free(generation->ways);
	prefix_index_free(generation->configured);
	*generation = (struct generation){0};
}

static void fill_one(struct fib_prefix *prefix, void *context)
{
	struct steerd *steerd = context;
	struct generation *building = &steerd->routed->building;

	prefix->marks[building->slot] = (struct fib_mark){NO_PREFIX, ROUTED_ABSENT};
	apply(steerd, building, prefix);
}

int routed_fill(struct steerd *steerd, struct model *model, struct datapath *datapath)
{
	struct generation *building = &steerd->routed->building;
	int err;

	generation_drop(building);
	building->model = model;
	building->datapath = datapath;
	building->slot = !steerd->routed->running.slot;
	err = prefix_index_new(model->config, &building->configured) ?: ways_new(model, &building->ways);
	if (err)
		return err;
	subsets_prepare(&datapath->maps);
	fib_catch_up(steerd->routed->fib);
	fib_each(steerd->routed->fib, fill_one, steerd);
	return 0;
}

void routed_swap(struct steerd *steerd)
{
	struct routed *routed = steerd->routed;

	if (!routed)
		return;
	generation_drop(&routed->running);
	if (!steerd->model->config->routed) {
		routed_close(steerd);
		return;
	}
	routed->running = routed->building;
	routed->building = (struct generation){0};
	flush_soon(steerd);
}

/* What was opened for the one that never ran closes with it. */
void routed_undo(struct steerd *steerd)
{
	if (!steerd->routed)
		return;
	generation_drop(&steerd->routed->building);
	if (!steerd->routed->running.model)
		routed_close(steerd);
}

void routed_close(struct steerd *steerd)
{
	struct routed *routed = steerd->routed;

	if (!routed)
		return;
	sd_event_source_disable_unref(routed->flush);
	routed->flush = NULL;
	fib_close(routed->fib);
	generation_drop(&routed->running);
	generation_drop(&routed->building);
	free(routed);
	steerd->routed = NULL;
}

/* --- reports ---------------------------------------------------------------------------------------------------------
 */

json_t *routed_json(const struct model_connection *connection)
{
	return connection->config->routed ? json_pack("{s:i, s:i}", "prefixes", (int)connection->prefixes,
						      "prefixes_partial", (int)connection->partial)
					  : NULL;
}

static void warn(json_t *warnings, const struct steerd *steerd, json_t *message)
{
	json_array_append_new(warnings, json_pack("{s:s, s:s, s:o}", "level", "warning", "subject",
						  steerd->model->config->name, "message", message));
}

void routed_warn(const struct steerd *steerd, const char *name, json_t *warnings)
{
	const struct generation *running = steerd->routed ? &steerd->routed->running : NULL;
	char text[CONFIG_ADDRESS_TEXT];

	if (!running || name)
		return;
	if (running->verdicts[ROUTED_MIXED])
		warn(warnings, steerd,
		     json_sprintf(
			     "%zu routes (the latest: %s) lead only in part through tunnels of one connection with "
			     "remote: routes, and are left to the kernel; have their other next hops withdrawn, or "
			     "name all of them as tunnels",
			     running->verdicts[ROUTED_MIXED], config_address_text(&running->mixed, text)));
	if (running->verdicts[ROUTED_CROWDED])
		warn(warnings, steerd,
		     json_sprintf(
			     "%zu routes into tunnels are left to the kernel, for want of room: %d prefixes are the "
			     "most, and %d different sets of tunnels; have fewer announced, or aggregated",
			     running->verdicts[ROUTED_CROWDED], MAX_PREFIXES, SUBSETS_MAX));
}
