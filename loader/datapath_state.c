/* SPDX-License-Identifier: GPL-2.0-only */
/* State that outlives a generation, and the build that left it. See datapath_state.h. */
#include "datapath_state.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow_carry.h"
#include "gateway_value.h"
#include "layout.h"
#include "steer_tc.skel.h"

static const char *const value_maps[] = {
	"tunnel_health", "instance_health", "counters",	     "drops",	   "passes",
	"probe_rejects", "flows",	    "tunnel_epochs", "flow_guard", "flow_counts",
};

static const char *const session_maps[] = {
	"session_configs", "sessions", "session_timers", "session_peers", "session_events",
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int datapath_state_gateway(const struct pins *pins, struct gateway *ret_gateway)
{
	int fd = pins_get(pins->maps, "gateway");
	int err = fd < 0 ? fd : gateway_value(fd, ret_gateway);

	if (fd >= 0)
		close(fd);
	return err;
}

bool datapath_kept_routes(const char *gateway)
{
	struct gateway latest;
	struct pins pins;

	if (pins_find(gateway, &pins))
		return false;
	return datapath_state_gateway(&pins, &latest) || latest.keeps_routes;
}

static struct layout layout_of_ours(const struct datapath *datapath, const struct bpf_map *map)
{
	return (struct layout){.btf = bpf_object__btf(datapath->object),
			       .key = bpf_map__btf_key_type_id(map),
			       .value = bpf_map__btf_value_type_id(map)};
}

/* Flows take the memory that they are given; others may have more entries than are needed. */
static bool has_room(const struct bpf_map *map, const struct bpf_map_info *info)
{
	bool exactly = info->type == BPF_MAP_TYPE_LRU_HASH || !strcmp(bpf_map__name(map), "flow_marks");

	return exactly ? info->max_entries == bpf_map__max_entries(map)
		       : info->max_entries >= bpf_map__max_entries(map);
}

/* A ring buffer has neither keys nor values, on both sides alike. */
static bool same_shape(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
	       info.map_flags == bpf_map__map_flags(map) && has_room(map, &info);
}

/* Before load: then libbpf still says of our map what we want, not what it took over. */
static bool is_same(const struct datapath *datapath, const struct bpf_map *map, int fd)
{
	struct layout ours = layout_of_ours(datapath, map), theirs = {0};
	int err;
	bool same;

	if (!same_shape(map, fd))
		return false;
	err = layout_of_map(fd, &theirs);
	same = err == -ENODATA ? !ours.key && !ours.value : !err && layout_same(&ours, &theirs);
	layout_free(&theirs);
	return same;
}

/* Shares the map if it can be. *ret_shared: NULL, or whether that is so. only_look: shares nothing. */
static int share(struct datapath *datapath, const char *name, bool only_look, bool *ret_shared)
{
	struct bpf_map *map = bpf_object__find_map_by_name(datapath->object, name);
	int fd = pins_get(datapath->pins.maps, name);
	bool same = fd >= 0 && is_same(datapath, map, fd);
	int err = same && !only_look ? bpf_map__reuse_fd(map, fd) : 0;

	if (fd >= 0)
		close(fd);
	if (ret_shared)
		*ret_shared = same;
	return err;
}

static bool is_pinned(const struct datapath *datapath, const char *name)
{
	int fd = pins_get(datapath->pins.maps, name);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Marks are those of hashes, which the seed is in. */
static int flow_marks_share(struct datapath *datapath)
{
	struct gateway old;
	bool shared = false;
	int err = 0;

	if (!datapath_state_gateway(&datapath->pins, &old) && old.hash_seed == datapath->hash_seed)
		err = share(datapath, "flow_marks", false, &shared);
	datapath->flow_marks_new = !shared;
	return err;
}

int datapath_state_share(struct datapath *datapath)
{
	bool sessions = true;
	int err = flow_marks_share(datapath);

	for (size_t i = 0; i < COUNT(value_maps); i++)
		err = err ?: share(datapath, value_maps[i], false, NULL);
	for (size_t i = 0; i < COUNT(session_maps) && !err && sessions; i++)
		err = share(datapath, session_maps[i], true, &sessions);
	for (size_t i = 0; i < COUNT(session_maps) && sessions; i++)
		err = err ?: share(datapath, session_maps[i], false, NULL);
	datapath->sessions_lost = !sessions && is_pinned(datapath, "sessions");
	return err;
}

/* Two arrays whose values are being copied: what is known of both. */
struct copy {
	struct layout from, to;
	struct bpf_map_info from_info, to_info;
	size_t cpus; /* values an index has; 1 where it is not by CPU */
	char *from_values, *to_values;
};

static size_t stride_of(const struct bpf_map_info *info)
{
	return (info->value_size + 7) / 8 * 8;
}

static bool is_array(const struct bpf_map_info *info)
{
	return info->type == BPF_MAP_TYPE_ARRAY || info->type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static int copy_open(const struct datapath *datapath, const struct bpf_map *map, int from_fd, struct copy *copy)
{
	__u32 from_length = sizeof(copy->from_info), to_length = sizeof(copy->to_info);
	int cpus = libbpf_num_possible_cpus();

	if (bpf_obj_get_info_by_fd(from_fd, &copy->from_info, &from_length) ||
	    bpf_obj_get_info_by_fd(bpf_map__fd(map), &copy->to_info, &to_length))
		return -errno;
	/* Shared; or of a kind that this program cannot make its own of. */
	if (copy->from_info.id == copy->to_info.id || !is_array(&copy->from_info) ||
	    copy->from_info.type != copy->to_info.type || cpus < 0 || layout_of_map(from_fd, &copy->from))
		return -ENODATA;
	copy->to = layout_of_ours(datapath, map);
	copy->cpus = copy->to_info.type == BPF_MAP_TYPE_PERCPU_ARRAY ? (size_t)cpus : 1;
	copy->from_values = calloc(copy->cpus, stride_of(&copy->from_info));
	copy->to_values = calloc(copy->cpus, stride_of(&copy->to_info));
	return copy->from_values && copy->to_values ? 0 : -ENOMEM;
}

static void copy_value(const struct copy *copy, int from_fd, int to_fd, uint32_t index)
{
	if (bpf_map_lookup_elem(from_fd, &index, copy->from_values))
		return;
	for (size_t cpu = 0; cpu < copy->cpus; cpu++)
		layout_copy(copy->from.btf, copy->from.value, copy->from_values + cpu * stride_of(&copy->from_info),
			    copy->to.btf, copy->to.value, copy->to_values + cpu * stride_of(&copy->to_info));
	bpf_map_update_elem(to_fd, &index, copy->to_values, BPF_ANY);
}

static int map_copy(const struct datapath *datapath, const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(datapath->object, name);
	int from_fd = pins_get(datapath->pins.maps, name);
	struct copy copy = {0};
	int err = from_fd < 0 ? from_fd : copy_open(datapath, map, from_fd, &copy);

	for (uint32_t i = 0; !err && i < copy.from_info.max_entries && i < copy.to_info.max_entries; i++)
		copy_value(&copy, from_fd, bpf_map__fd(map), i);
	layout_free(&copy.from);
	free(copy.from_values);
	free(copy.to_values);
	if (from_fd >= 0)
		close(from_fd);
	return err == -ENOMEM ? err : 0;
}

void datapath_carry_flows(const struct datapath *datapath)
{
	const struct bpf_map *map = datapath->skeleton->maps.flows;
	struct layout ours = layout_of_ours(datapath, map), theirs = {0};
	struct bpf_map_info info = {0}, fresh_info = {0};
	__u32 length = sizeof(info), fresh_length = sizeof(fresh_info);
	int old = pins_get(datapath->pins.maps, "flows");

	if (old < 0)
		return;
	if (datapath->flows_kept && !bpf_obj_get_info_by_fd(old, &info, &length) &&
	    !bpf_obj_get_info_by_fd(bpf_map__fd(map), &fresh_info, &fresh_length) && info.id != fresh_info.id &&
	    !layout_of_map(old, &theirs) && layout_same(&ours, &theirs))
		flow_carry(old, bpf_map__fd(map));
	layout_free(&theirs);
	close(old);
}

/* Any flow may be among those that were pinned before, until all of them have spoken or are idle. */
static void flow_marks_begin(const struct datapath *datapath)
{
	if (!datapath->flow_marks_new || !is_pinned(datapath, "flows"))
		return;
	for (uint32_t i = 1; i < bpf_map__max_entries(datapath->skeleton->maps.flow_marks); i++)
		datapath->flow_marks[i].half[1] = UINT32_MAX;
}

int datapath_state_copy(const struct datapath *datapath)
{
	int err = 0;

	for (size_t i = 0; i < COUNT(value_maps); i++)
		err = err ?: map_copy(datapath, value_maps[i]);
	flow_marks_begin(datapath);
	datapath_carry_flows(datapath);
	return err;
}

/* Reads the field `name` of the values of an array. */
static int names_of(int fd, const struct bpf_map_info *info, uint32_t offset, uint32_t size,
		    char (**ret_names)[NAME_BYTES])
{
	char(*names)[NAME_BYTES] = calloc(info->max_entries, NAME_BYTES);
	char *value = malloc(info->value_size);

	if (!names || !value) {
		free(names);
		free(value);
		return -ENOMEM;
	}
	for (__u32 i = 0; i < info->max_entries; i++)
		if (!bpf_map_lookup_elem(fd, &i, value))
			memcpy(names[i], value + offset, size < NAME_BYTES ? size : NAME_BYTES - 1);
	free(value);
	*ret_names = names;
	return 0;
}

static int names_read(const struct pins *pins, const char *map, char (**ret_names)[NAME_BYTES], uint32_t *ret_count)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info);
	uint32_t offset, size;
	struct layout layout = {0};
	int fd = pins_get(pins->maps, map);
	int err;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &length) ? -errno : layout_of_map(fd, &layout);
	if (!err && (layout_field(layout.btf, layout.value, "name", &offset, &size) || offset + size > info.value_size))
		err = -EPROTO;
	if (!err)
		err = names_of(fd, &info, offset, size, ret_names);
	if (!err)
		*ret_count = info.max_entries;
	layout_free(&layout);
	close(fd);
	return err;
}

int datapath_indexes(const char *gateway, struct model_indexes *ret_indexes)
{
	struct model_indexes indexes = {0};
	struct pins pins;
	int err = pins_open(gateway, &pins);

	if (!err)
		err = names_read(&pins, "tunnels", &indexes.tunnel, &indexes.tunnel_count);
	if (!err)
		err = names_read(&pins, "instances", &indexes.instance, &indexes.instance_count);
	if (err)
		datapath_indexes_free(&indexes);
	else
		*ret_indexes = indexes;
	return err;
}

void datapath_indexes_free(struct model_indexes *indexes)
{
	free(indexes->tunnel);
	free(indexes->instance);
	*indexes = (struct model_indexes){0};
}
