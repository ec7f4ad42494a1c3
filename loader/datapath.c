/* SPDX-License-Identifier: GPL-2.0-only */
/* A generation's life: load with the state maps taken over, map, pin, close. Access to single maps is in
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
#include "flow_carry.h"
#include "steer_tc.skel.h"

static const char *const state_maps[] = {
	"tunnel_health",   "instance_health", "counters",	"drops",	 "passes",
	"session_configs", "sessions",	      "session_timers", "session_peers", "session_events",
	"probe_rejects",   "flows",	      "tunnel_epochs",	"flow_guard",	 "flow_counts",
};

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

static uint32_t entries_for(uint32_t needed)
{
	uint32_t entries = 64;

	while (entries < needed)
		entries *= 2;
	return entries;
}

/* A ring buffer has neither keys nor values, on both sides alike. Flows take the memory that they are given. */
static bool same_shape(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
	       info.map_flags == bpf_map__map_flags(map) &&
	       (info.type == BPF_MAP_TYPE_LRU_HASH ? info.max_entries == bpf_map__max_entries(map)
						   : info.max_entries >= bpf_map__max_entries(map));
}

/* What is pinned as `gateway`. False: nothing is, or it is of another ABI. */
static bool gateway_read(const struct pins *pins, struct gateway *ret_gateway)
{
	__u32 zero = 0;
	int fd = pins_get(pins->maps, "gateway");
	bool ours = fd >= 0 && !bpf_map_lookup_elem(fd, &zero, ret_gateway) &&
		    ret_gateway->map_abi_version == MAP_ABI_VERSION;

	if (fd >= 0)
		close(fd);
	return ours;
}

bool datapath_abi_is_ours(const struct pins *pins)
{
	struct gateway gateway;

	return gateway_read(pins, &gateway);
}

bool datapath_kept_routes(const char *gateway)
{
	struct gateway latest;
	struct pins pins;

	if (pins_find(gateway, &pins))
		return false;
	return !gateway_read(&pins, &latest) || latest.keeps_routes;
}

static int state_maps_take_over(struct datapath *datapath)
{
	int err = 0;

	if (!datapath_abi_is_ours(&datapath->pins))
		return 0;
	for (size_t i = 0; i < sizeof(state_maps) / sizeof(*state_maps) && !err; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(datapath->object, state_maps[i]);
		int fd = pins_get(datapath->pins.maps, state_maps[i]);

		if (fd < 0)
			continue;
		if (same_shape(map, fd))
			err = bpf_map__reuse_fd(map, fd);
		close(fd);
	}
	return err;
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
	       map_memory(skeleton->maps.gateway, &datapath->gateway);
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
	skeleton->rodata->flow_interval_ns = datapath->flow_interval_ns;
}

/* The old counters, where the new map had to be a larger one. */
static void counters_copy(const struct datapath *datapath)
{
	int cpus = libbpf_num_possible_cpus();
	int old = pins_get(datapath->pins.maps, "counters");
	int fresh = bpf_map__fd(datapath->skeleton->maps.counters);
	struct bpf_map_info info = {0}, fresh_info = {0};
	__u32 length = sizeof(info), fresh_length = sizeof(fresh_info);
	struct counters *values = calloc((size_t)cpus, sizeof(*values));

	if (old < 0 || !values || !datapath_abi_is_ours(&datapath->pins) ||
	    bpf_obj_get_info_by_fd(old, &info, &length) || bpf_obj_get_info_by_fd(fresh, &fresh_info, &fresh_length) ||
	    info.id == fresh_info.id || info.value_size != sizeof(*values))
		goto out;
	for (__u32 i = 0; i < info.max_entries && i < fresh_info.max_entries; i++)
		if (!bpf_map_lookup_elem(old, &i, values))
			bpf_map_update_elem(fresh, &i, values, 0);
out:
	if (old >= 0)
		close(old);
	free(values);
}

void datapath_carry_flows(const struct datapath *datapath)
{
	struct bpf_map_info info = {0}, fresh_info = {0};
	__u32 length = sizeof(info), fresh_length = sizeof(fresh_info);
	int old = pins_get(datapath->pins.maps, "flows"), fresh = bpf_map__fd(datapath->skeleton->maps.flows);

	if (old < 0)
		return;
	if (datapath->flows_kept && datapath_abi_is_ours(&datapath->pins) &&
	    !bpf_obj_get_info_by_fd(old, &info, &length) &&
	    !bpf_obj_get_info_by_fd(fresh, &fresh_info, &fresh_length) && info.id != fresh_info.id &&
	    info.key_size == fresh_info.key_size && info.value_size == fresh_info.value_size)
		flow_carry(old, fresh);
	close(old);
}

static int gateway_describe(const struct datapath *datapath, const struct datapath_options *options)
{
	struct gateway gateway = {.map_abi_version = MAP_ABI_VERSION,
				  .hash_seed = options->hash_seed,
				  .keeps_routes = options->keeps_routes},
		       old;
	__u32 zero = 0;
	int fd = pins_get(datapath->pins.maps, "gateway");

	if (fd >= 0) {
		if (!bpf_map_lookup_elem(fd, &zero, &old))
			gateway.generation = old.generation;
		close(fd);
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
	err = state_maps_take_over(datapath) ?: steer_tc__load(datapath->skeleton) ?: tunnel_tc_sign(datapath) ?:
	      maps_map(datapath) ?: gateway_describe(datapath, options);
	if (err)
		goto fail;
	counters_copy(datapath);
	datapath_carry_flows(datapath);
	datapath->steer_tc_fd = bpf_program__fd(datapath->skeleton->progs.steer_tc);
	datapath->tunnel_tc_fd = bpf_program__fd(datapath->skeleton->progs.tunnel_tc);
	datapath->session_control_fd = bpf_program__fd(datapath->skeleton->progs.session_control);
	*ret_datapath = datapath;
	return 0;
fail:
	datapath_close(datapath);
	return err;
}

int datapath_pin(const struct datapath *datapath)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map (map, datapath->object) {
		if (!bpf_map__is_internal(map))
			err = err ?: pins_put(datapath->pins.maps, bpf_map__name(map), bpf_map__fd(map));
	}
	return err;
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
		unmap_memory(datapath->skeleton->maps.gateway, datapath->gateway);
		steer_tc__destroy(datapath->skeleton);
	}
	free(datapath);
}
