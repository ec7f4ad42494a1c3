/* SPDX-License-Identifier: GPL-2.0-only */
/* Access to single maps of a generation, and the question to its program. See datapath.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../maps/gateway.h"
#include "datapath.h"
#include "prefix_flat.h"
#include "steer_tc.skel.h"

static int map_set(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) ? -errno : 0;
}

static int map_remove(const struct bpf_map *map, const void *key)
{
	return bpf_map_delete_elem(bpf_map__fd(map), key) && errno != ENOENT ? -errno : 0;
}

int datapath_set_connection(struct datapath *datapath, uint32_t index, const struct connection *connection)
{
	return map_set(datapath->skeleton->maps.connections, &index, connection);
}

int datapath_connection(const struct datapath *datapath, uint32_t index, struct connection *ret_connection)
{
	return bpf_map_lookup_elem(bpf_map__fd(datapath->skeleton->maps.connections), &index, ret_connection) ? -errno
													      : 0;
}

static struct prefix_key prefix_key_of(const struct config_address *prefix)
{
	struct prefix_key key = {.prefix_length_bits = prefix->length};

	memcpy(key.address, prefix->byte, sizeof(key.address));
	return key;
}

/* The programs cache what they found in `prefixes`; this voids it. After the change, so that none caches what was
 * before. */
static int prefixes_changed(struct datapath *datapath, int err)
{
	__atomic_fetch_add(&datapath->gateway->prefix_changes, 1, __ATOMIC_SEQ_CST);
	return err;
}

int datapath_set_prefix(struct datapath *datapath, const struct config_address *prefix, uint32_t connection)
{
	struct prefix_key key = prefix_key_of(prefix);
	struct prefix value = {.connection = connection};
	int err = map_set(datapath->skeleton->maps.prefixes, &key, &value);

	if (!err)
		prefix_flat_set(datapath->prefix_flat, prefix, connection);
	return prefixes_changed(datapath, err);
}

int datapath_remove_prefix(struct datapath *datapath, const struct config_address *prefix)
{
	struct prefix_key key = prefix_key_of(prefix);
	int err = map_remove(datapath->skeleton->maps.prefixes, &key);

	if (!err)
		prefix_flat_remove(datapath->prefix_flat, prefix);
	return prefixes_changed(datapath, err);
}

int datapath_set_inside_nic(struct datapath *datapath, uint32_t inside_nic, const struct inside_nic *nic)
{
	return map_set(datapath->skeleton->maps.inside_nics, &inside_nic, nic);
}

int datapath_set_device(struct datapath *datapath, int ifindex, const struct device *device)
{
	return map_set(datapath->skeleton->maps.devices, &ifindex, device);
}

int datapath_device(const struct datapath *datapath, int ifindex, struct device *ret_device)
{
	return bpf_map_lookup_elem(bpf_map__fd(datapath->skeleton->maps.devices), &ifindex, ret_device) ? -errno : 0;
}

int datapath_remove_device(struct datapath *datapath, int ifindex)
{
	return map_remove(datapath->skeleton->maps.devices, &ifindex);
}

int datapath_set_remote_port(struct datapath *datapath, uint32_t instance, int ifindex)
{
	return ifindex ? map_set(datapath->skeleton->maps.remote_ports, &instance, &ifindex)
		       : map_remove(datapath->skeleton->maps.remote_ports, &instance);
}

/* Reads tunnels in batches: one call copies the counters of many, on all CPUs. */
#define BATCH 1024

int datapath_counters(const struct datapath *datapath, struct counters *ret_counters, uint32_t count)
{
	int fd = bpf_map__fd(datapath->skeleton->maps.counters);
	int cpus = libbpf_num_possible_cpus();
	struct counters *values;
	__u32 *keys;
	__u32 position = 0, done = 0;
	int err = 0;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus * BATCH, sizeof(*values));
	keys = calloc(BATCH, sizeof(*keys));
	while (values && keys && done < count) {
		__u32 got = BATCH;

		if (bpf_map_lookup_batch(fd, done ? &position : NULL, &position, keys, values, &got, NULL) &&
		    errno != ENOENT) {
			err = -errno;
			break;
		}
		if (!got)
			break;
		for (__u32 i = 0; i < got && done < count; i++, done++) {
			struct counters sum = {0};

			for (int cpu = 0; cpu < cpus; cpu++) {
				const struct counters *value = &values[(size_t)i * (size_t)cpus + (size_t)cpu];

				sum.tx_packets += value->tx_packets;
				sum.tx_bytes += value->tx_bytes;
				sum.rx_packets += value->rx_packets;
				sum.rx_bytes += value->rx_bytes;
				sum.panic_packets += value->panic_packets;
				sum.rx_through_packets += value->rx_through_packets;
			}
			ret_counters[done] = sum;
		}
	}
	if (!values || !keys)
		err = -ENOMEM;
	free(values);
	free(keys);
	return err;
}

int datapath_clear_counters(struct datapath *datapath, uint32_t tunnel)
{
	int cpus = libbpf_num_possible_cpus();
	struct counters *zeros;
	int err;

	if (cpus < 0)
		return cpus;
	zeros = calloc((size_t)cpus, sizeof(*zeros));
	if (!zeros)
		return -ENOMEM;
	err = map_set(datapath->skeleton->maps.counters, &tunnel, zeros);
	free(zeros);
	return err;
}

/* A per-CPU array of one struct of __u64 fields, summed. */
static int reasons_sum(const struct bpf_map *map, void *ret_sum, size_t fields)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *values, *sum = ret_sum;
	__u32 zero = 0;
	int err = 0;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus * fields, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(map), &zero, values))
		err = -errno;
	memset(sum, 0, fields * sizeof(*sum));
	for (size_t i = 0; i < (size_t)cpus * fields; i++)
		sum[i % fields] += values[i];
	free(values);
	return err;
}

int datapath_drops(const struct datapath *datapath, struct drops *ret_drops)
{
	return reasons_sum(datapath->skeleton->maps.drops, ret_drops, DROP_REASON_COUNT);
}

int datapath_passes(const struct datapath *datapath, struct passes *ret_passes)
{
	return reasons_sum(datapath->skeleton->maps.passes, ret_passes, PASS_REASON_COUNT);
}

int datapath_flows_fd(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->skeleton->maps.flows);
}

int datapath_flow_counts(const struct datapath *datapath, struct flow_counts *ret_counts)
{
	return reasons_sum(datapath->skeleton->maps.flow_counts, ret_counts, sizeof(*ret_counts) / sizeof(__u64));
}

int datapath_probe_rejects(const struct datapath *datapath, struct probe_rejects *ret_rejects)
{
	return reasons_sum(datapath->skeleton->maps.probe_rejects, ret_rejects, PROBE_REJECT_COUNT);
}

int datapath_where(const struct datapath *datapath, const void *frame, size_t length, struct where_answer *ret_answer)
{
	struct __sk_buff context = {.cb = WHERE_QUESTION};
	char unused[2048];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = (__u32)length, .data_out = unused,
		    .data_size_out = sizeof(unused), .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .ctx_out = &context, .ctx_size_out = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(datapath->steer_tc_fd, &options))
		return -errno;
	memcpy(ret_answer, context.cb, sizeof(*ret_answer));
	return 0;
}
