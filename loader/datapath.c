/* SPDX-License-Identifier: GPL-2.0-only */
/* A generation's life: load, map, pin, close. What it takes over is in datapath_state.c, access to single maps in
 * datapath_maps.c. */
#include "datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../maps/gateway.h"
#include "datapath_state.h"
#include "prefix_flat.h"
#include "steer_tc.skel.h"

static char last_error[256];

const char *datapath_error(void)
{
	return last_error;
}

/* Keeps the first line of each burst: what libbpf says later is what follows from it. The verifier's log is -v's. */
static int libbpf_say(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (getenv("AA_STEER_DEBUG_BPF"))
		return vfprintf(stderr, format, arguments);
	if (level == LIBBPF_WARN && !last_error[0]) {
		vsnprintf(last_error, sizeof(last_error), format, arguments);
		last_error[strcspn(last_error, "\n")] = 0;
	}
	return 0;
}

/* Flows that an entry of `flow_marks` has marks for. */
#define FLOW_MARKS_ENTRY_FLOWS (FLOW_MARKS / FLOW_MARKS_PER_FLOW)

static uint32_t entries_for(uint32_t needed)
{
	uint32_t entries = 64;

	while (entries < needed)
		entries *= 2;
	return entries;
}

static int map_memory(const struct bpf_map *map, void *ret_memory)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t length = ((size_t)bpf_map__max_entries(map) * bpf_map__value_size(map) + page - 1) / page * page;
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		return -errno;
	*(void **)ret_memory = memory;
	return 0;
}

static void unmap_memory(const struct bpf_map *map, void *memory)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (memory)
		munmap(memory, ((size_t)bpf_map__max_entries(map) * bpf_map__value_size(map) + page - 1) / page * page);
}

static int maps_map(struct datapath *datapath)
{
	struct steer_tc *skeleton = datapath->skeleton;

	return map_memory(skeleton->maps.tunnel_health, &datapath->maps.tunnel_health) ?:
	       map_memory(skeleton->maps.instance_health, &datapath->maps.instance_health) ?:
	       map_memory(skeleton->maps.tunnels, &datapath->maps.tunnels) ?:
	       map_memory(skeleton->maps.instances, &datapath->maps.instances) ?:
	       map_memory(skeleton->maps.connections, &datapath->maps.connections) ?:
	       map_memory(skeleton->maps.rows, &datapath->rows) ?:
	       map_memory(skeleton->maps.session_configs, &datapath->session_configs) ?:
	       map_memory(skeleton->maps.tunnel_epochs, &datapath->tunnel_epochs) ?:
	       map_memory(skeleton->maps.flow_marks, &datapath->flow_marks) ?:
	       map_memory(skeleton->maps.prefix_chunks, &datapath->prefix_chunks) ?:
	       map_memory(skeleton->maps.gateway, &datapath->gateway);
}

static int prefixes_begin(struct datapath *datapath)
{
	datapath->prefix_flat = prefix_flat_new(datapath->prefix_chunks, PREFIX_CHUNKS);
	return datapath->prefix_flat ? 0 : -ENOMEM;
}

static void sizes_set(struct datapath *datapath, const struct datapath_options *options)
{
	struct steer_tc *skeleton = datapath->skeleton;

	datapath->tunnel_entries = entries_for(options->tunnels);
	datapath->row_entries = options->rows ?: 1;
	bpf_map__set_max_entries(skeleton->maps.tunnels, datapath->tunnel_entries);
	bpf_map__set_max_entries(skeleton->maps.counters, datapath->tunnel_entries);
	bpf_map__set_max_entries(skeleton->maps.connections, options->connections ?: 1);
	bpf_map__set_max_entries(skeleton->maps.rows, datapath->row_entries);
	bpf_map__set_max_entries(skeleton->maps.flows, options->flows ?: 1);
	bpf_map__set_max_entries(skeleton->maps.flow_marks, 1 + entries_for(options->flows / FLOW_MARKS_ENTRY_FLOWS));
}

/* Half of the table may fill at once, and the other half within each idle time: see flow_guard in maps/flows.h. */
static void flow_guard_set(struct datapath *datapath, const struct datapath_options *options)
{
	struct steer_tc *skeleton = datapath->skeleton;

	datapath->flows_kept = options->flows != 0;
	datapath->flow_burst_ns = options->flow_idle_ns;
	datapath->flow_interval_ns = options->flow_idle_ns / (options->flows / 2 ?: 1);
	skeleton->rodata->flows_kept = datapath->flows_kept;
	skeleton->rodata->flow_burst_ns = datapath->flow_burst_ns;
	datapath->flow_mark_mask = (bpf_map__max_entries(skeleton->maps.flow_marks) - 1) * FLOW_MARKS - 1;
	skeleton->rodata->flow_mark_mask = datapath->flow_mark_mask;
	skeleton->rodata->flow_interval_ns = datapath->flow_interval_ns;
}

static int gateway_describe(struct datapath *datapath, const struct datapath_options *options)
{
	struct gateway gateway = {.map_abi_version = MAP_ABI_VERSION,
				  .hash_seed = options->hash_seed,
				  .keeps_routes = options->keeps_routes},
		       old;
	__u32 zero = 0;

	if (!datapath_state_gateway(&datapath->pins, &old)) {
		gateway.generation = old.generation;
		datapath->before_abi = old.map_abi_version;
	}
	gateway.generation++;
	snprintf(gateway.name, sizeof(gateway.name), "%s", options->gateway);
	return bpf_map_update_elem(bpf_map__fd(datapath->skeleton->maps.gateway), &zero, &gateway, 0) ? -errno : 0;
}

/* tunnel_tc reads nothing of the map `gateway`, by which attach_owner.h knows whose program it is. */
static int tunnel_tc_sign(const struct datapath *datapath)
{
	return bpf_prog_bind_map(bpf_program__fd(datapath->skeleton->progs.tunnel_tc),
				 bpf_map__fd(datapath->skeleton->maps.gateway), NULL);
}

int datapath_load(const struct datapath_options *options, struct datapath **ret_datapath)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));
	int err;

	if (!datapath)
		return -ENOMEM;
	libbpf_set_print(libbpf_say);
	last_error[0] = 0;
	err = pins_open(options->gateway, &datapath->pins);
	if (err)
		goto fail;
	datapath->skeleton = steer_tc__open();
	if (!datapath->skeleton) {
		err = -errno;
		goto fail;
	}
	datapath->object = datapath->skeleton->obj;
	datapath->hash_seed = datapath->skeleton->rodata->hash_seed = options->hash_seed;
	datapath->path_stack = datapath->skeleton->rodata->path_stack = options->path_stack;
	sizes_set(datapath, options);
	flow_guard_set(datapath, options);
	err = datapath_state_share(datapath) ?: steer_tc__load(datapath->skeleton) ?: tunnel_tc_sign(datapath) ?:
	      maps_map(datapath) ?: prefixes_begin(datapath) ?: gateway_describe(datapath, options) ?: datapath_state_copy(datapath);
	if (err)
		goto fail;
	datapath->steer_tc_fd = bpf_program__fd(datapath->skeleton->progs.steer_tc);
	datapath->tunnel_tc_fd = bpf_program__fd(datapath->skeleton->progs.tunnel_tc);
	datapath->session_control_fd = bpf_program__fd(datapath->skeleton->progs.session_control);
	*ret_datapath = datapath;
	return 0;
fail:
	datapath_close(datapath);
	return err;
}

/* What a daemon that died had not pinned in full, and maps that another ABI had. */
static int stale_unpin(const char *name, void *context)
{
	const struct datapath *datapath = context;

	return bpf_object__find_map_by_name(datapath->object, name) ? 0 : pins_remove(datapath->pins.maps, name);
}

int datapath_pin(const struct datapath *datapath)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map (map, datapath->object) {
		if (!bpf_map__is_internal(map))
			err = err ?: pins_put(datapath->pins.maps, bpf_map__name(map), bpf_map__fd(map));
	}
	return err ?: pins_each(datapath->pins.maps, stale_unpin, (void *)datapath);
}

void datapath_close(struct datapath *datapath)
{
	if (!datapath)
		return;
	if (datapath->skeleton) {
		unmap_memory(datapath->skeleton->maps.tunnel_health, datapath->maps.tunnel_health);
		unmap_memory(datapath->skeleton->maps.instance_health, datapath->maps.instance_health);
		unmap_memory(datapath->skeleton->maps.tunnels, datapath->maps.tunnels);
		unmap_memory(datapath->skeleton->maps.instances, datapath->maps.instances);
		unmap_memory(datapath->skeleton->maps.connections, datapath->maps.connections);
		unmap_memory(datapath->skeleton->maps.rows, datapath->rows);
		unmap_memory(datapath->skeleton->maps.session_configs, datapath->session_configs);
		unmap_memory(datapath->skeleton->maps.tunnel_epochs, datapath->tunnel_epochs);
		unmap_memory(datapath->skeleton->maps.flow_marks, datapath->flow_marks);
		unmap_memory(datapath->skeleton->maps.prefix_chunks, datapath->prefix_chunks);
		unmap_memory(datapath->skeleton->maps.gateway, datapath->gateway);
		steer_tc__destroy(datapath->skeleton);
	}
	prefix_flat_free(datapath->prefix_flat);
	free(datapath);
}
