/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A configuration becomes what runs: start, reload and upgrade are this one way.
 *
 * Everything that can fail is done beside the running generation: read the file, find indexes, load programs, fill
 * maps, gather facts. Then the hooks are given the new programs one by one, each atomically, the maps are pinned over
 * the old ones, sessions get their new program, and the old generation is let go. A daemon that dies at any point
 * leaves hooks with one generation or the other, both whole.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fill.h"
#include "log.h"
#include "meanwhile.h"
#include "steerd.h"
#include "subsets.h"

struct build {
	struct steerd *steerd;
	struct model *model;
	struct datapath *datapath;
	bool shares_config; /* the running model's configuration is its, too */
};

static int own_address_fill(const struct own_address *address, void *context)
{
	struct build *build = context;

	facts_own_address(build->steerd, build->model, build->datapath, address, true);
	return 0;
}

static void devices_fill(struct build *build)
{
	const struct config *config = build->model->config;
	const struct link *link;

	for (size_t i = 0; i < config->inside_count; i++)
		if ((link = links_by_name(build->steerd->links, config->inside[i])))
			hooks_describe(build->steerd, build->model, build->datapath, link);
	for (size_t i = 0; i < config->instance_count; i++)
		if (config->instances[i].remote &&
		    (link = links_by_name(build->steerd->links, config->instances[i].dev)))
			hooks_describe(build->steerd, build->model, build->datapath, link);
	for (size_t t = 0; t < config->tunnel_count; t++)
		if ((link = links_by_index(build->steerd->links, build->model->tunnels[t].unit.ifindex)))
			hooks_describe(build->steerd, build->model, build->datapath, link);
}

/* Without a connection that pins flows, nothing is kept for them. */
static void flows_size(const struct config *config, struct datapath_options *options)
{
	for (size_t c = 0; c < config->connection_count; c++) {
		const struct config_connection *connection = &config->connections[c];

		if (connection->affinity == AFFINITY_HASH)
			continue;
		options->flows = config->flows;
		if (connection->idle_ns > options->flow_idle_ns)
			options->flow_idle_ns = connection->idle_ns;
	}
}

struct load {
	struct datapath_options options;
	struct datapath *datapath;
};

static int load_work(void *context)
{
	struct load *load = context;

	return datapath_load(&load->options, &load->datapath);
}

/* What takes longest, of a reload of few connections: the kernel verifies each program. */
static int datapath_load_meanwhile(struct build *build, const struct datapath_options *options)
{
	struct load load = {.options = *options};
	int err = meanwhile(build->steerd, load_work, &load);

	build->datapath = load.datapath;
	return err;
}

static int datapath_build(struct build *build)
{
	const struct config *config = build->model->config;
	struct datapath_options options = {
		.gateway = config->name,
		.hash_seed = config->hash_seed,
		.path_stack = config->path == PATH_STACK,
		.keeps_routes = build->steerd->routes != NULL,
		.connections = (uint32_t)config->connection_count + (config->routed ? SUBSETS_MAX : 0),
		.tunnels = build->model->tunnel_indexes,
	};

	struct fill_plan *plan = NULL;
	int err = fill_plan(build->model, &plan);

	flows_size(config, &options);
	if (!err) {
		options.rows = fill_plan_rows(plan);
		err = datapath_load_meanwhile(build, &options);
		/* The one that runs has gone on until here. */
		if (build->steerd->model)
			model_inherit(build->model, build->steerd->model);
	}
	if (!err)
		err = fill(build->model, plan, build->datapath);
	fill_plan_free(plan);
	if (err)
		return err;
	model_place(build->model, &build->datapath->maps);
	neighbours_begin(build->steerd->neighbours);
	facts_gather(build->steerd, build->model);
	devices_fill(build);
	addresses_each(build->steerd->addresses, own_address_fill, build);
	return config->routed ? routed_fill(build->steerd, build->model, build->datapath) : 0;
}

static bool name_held(char (*before)[NAME_BYTES], uint32_t before_count, uint32_t index, const char *name)
{
	return index < before_count && !strcmp(before[index], name);
}

/* What an index counted under a name that is gone is not the new name's, nor are its flows. */
static int counters_begin(struct build *build, const struct model_indexes *before)
{
	int err = 0;

	for (size_t t = 0; t < build->model->config->tunnel_count && before->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &build->model->tunnels[t];

		if (name_held(before->tunnel, before->tunnel_count, tunnel->index, tunnel->unit.name))
			continue;
		build->datapath->tunnel_epochs[tunnel->index].epoch++;
		err = err ?: datapath_clear_counters(build->datapath, tunnel->index);
	}
	return err;
}

static bool was_usable(const struct unit *unit)
{
	static const struct health usable;

	return !memcmp(unit->health, &usable, sizeof(usable));
}

/* What the programs that an earlier daemon left use until now. Between generations of one daemon, states tell. */
static void carried_note(struct build *build, const struct model_indexes *before)
{
	for (size_t i = 0; i < build->model->config->instance_count && !build->steerd->model; i++) {
		struct model_instance *instance = &build->model->instances[i];

		instance->unit.carried =
			name_held(before->instance, before->instance_count, instance->index, instance->unit.name) &&
			was_usable(&instance->unit);
	}
	for (size_t t = 0; t < build->model->config->tunnel_count && !build->steerd->model; t++) {
		struct model_tunnel *tunnel = &build->model->tunnels[t];

		tunnel->unit.carried =
			name_held(before->tunnel, before->tunnel_count, tunnel->index, tunnel->unit.name) &&
			was_usable(&tunnel->unit);
	}
}

static int build_all(struct build *build, struct config *config, char *error, size_t error_size)
{
	struct model_indexes indexes = {0};
	int err = datapath_indexes(config->name, &indexes);

	if (!err)
		err = model_create(config, &indexes, &build->model);
	if (err) {
		datapath_indexes_free(&indexes);
		if (!build->shares_config)
			config_free(config);
		snprintf(error, error_size, "the configuration cannot be held: %s", strerror(-err));
		return err;
	}
	mode_apply(build->steerd, build->model);
	err = datapath_build(build) ?: counters_begin(build, &indexes);
	if (!err)
		carried_note(build, &indexes);
	datapath_indexes_free(&indexes);
	if (err == -ENOTSUP)
		snprintf(error, error_size, "/sys/fs/bpf is not mounted; mount -t bpf bpf /sys/fs/bpf");
	else if (err)
		snprintf(error, error_size, "the programs cannot be loaded: %s%s%s", strerror(-err),
			 datapath_error()[0] ? ": " : "", datapath_error());
	return err;
}

/* Before the swap; what runs is as it was. */
static void build_undo(struct build *build)
{
	if (build->model && build->shares_config)
		build->model->config = NULL;
	routed_undo(build->steerd);
	datapath_close(build->datapath);
	model_free(build->model);
	failsafe_release(build->steerd);
}

/* Of a daemon that took over from one of another build. */
static void upgrade_say(struct steerd *steerd)
{
	const struct datapath *datapath = steerd->datapath;
	const char *sessions = datapath->sessions_lost ? "; its probes begin anew" : "";

	if (datapath->before_abi && datapath->before_abi != MAP_ABI_VERSION)
		steerd_event(steerd, "upgrade", NULL, "what map ABI %u left is taken over by map ABI %u%s",
			     datapath->before_abi, MAP_ABI_VERSION, sessions);
	else if (datapath->sessions_lost)
		log_warning("the probes that another daemon left cannot be taken over, and begin anew");
}

/* The way back is closed here: from now on the new generation forwards. */
static void swap(struct build *build)
{
	struct steerd *steerd = build->steerd;
	struct model *old_model = steerd->model;
	struct datapath *old_datapath = steerd->datapath;
	int err;

	steerd->model = build->model;
	steerd->datapath = build->datapath;
	/* What this configuration does not claim goes with failsafe_sweep(). */
	if (steerd->routes)
		routes_begin(steerd->routes);
	judge_all(steerd->model);
	failsafe_marks(steerd);
	hooks_nics_reset(steerd);
	hooks_attach_all(steerd);
	datapath_carry_flows(steerd->datapath);
	err = datapath_pin(steerd->datapath);
	if (err)
		log_error("the maps cannot be pinned: %s; all works, but the next start finds none of them",
			  strerror(-err));
	routed_swap(steerd);
	sessions_apply(steerd, old_datapath);
	upgrade_say(steerd);
	datapath_close(old_datapath);
	if (build->shares_config)
		old_model->config = NULL;
	model_free(old_model);
	neighbours_sweep(steerd->neighbours);
	steerd->routes_stale = true;
	steerd_settle(steerd);
	failsafe_sweep(steerd);
	audit_watch_generation(steerd);
	flows_generation(steerd);
}

static int name_keeps(const struct steerd *steerd, const struct config *config, char *error, size_t error_size)
{
	if (!steerd->model || !strcmp(steerd->model->config->name, config->name))
		return 0;
	snprintf(error, error_size, "gateway.name: '%s' cannot become '%s' while it runs; unload it, then start anew",
		 steerd->model->config->name, config->name);
	return -EINVAL;
}

int generation_replace(struct steerd *steerd, struct config_faults *faults, char *error, size_t error_size)
{
	struct build build = {.steerd = steerd};
	struct config *config = NULL;
	int err = config_load(steerd->config_path, &config, faults);

	error[0] = 0;
	if (err)
		return err;
	err = name_keeps(steerd, config, error, error_size) ?: failsafe_prepare(steerd, config, error, error_size) ?:
	      routed_prepare(steerd, config, error, error_size);
	if (err) {
		config_free(config);
		return err;
	}
	err = build_all(&build, config, error, error_size);
	if (err) {
		build_undo(&build);
		return err;
	}
	swap(&build);
	mode_loaded(steerd);
	return 0;
}

int generation_rebuild(struct steerd *steerd, char *error, size_t error_size)
{
	struct build build = {.steerd = steerd, .shares_config = true};
	int err;

	error[0] = 0;
	err = build_all(&build, steerd->model->config, error, error_size);
	if (err)
		build_undo(&build);
	else
		swap(&build);
	return err;
}

int generation_unload(struct steerd *steerd)
{
	int err;

	sessions_leave(steerd);
	err = hooks_xdp_sweep(steerd, true);
	err = attach_tc_sweep(&steerd->datapath->pins, NULL, NULL) ?: err;
	if (steerd->routes)
		err = routes_flush(steerd->routes) ?: err;
	neighbours_begin(steerd->neighbours);
	neighbours_sweep(steerd->neighbours);
	return pins_clear(steerd->model->config->name) ?: err;
}
