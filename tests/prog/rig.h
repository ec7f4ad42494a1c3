/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rig of the program tests: both objects loaded over one set of maps, in a network namespace of their own whose
 *loopback device stands for the inside NIC. prog.h runs packets through it.
 *
 *	            10.0.0.0/24, own
 *	CLIENT ---- lo (GATEWAY_MAC) ---- connection "hq": 192.168.0.0/16, 2001:db8:1::/48
 *	                                     tunnel 0, instance 0: local, layer 3
 *	                                     tunnel 1, instance 1: local, Ethernet
 *	                                     tunnel 2, instance 2: remote
 *	                                  connection "wide": 172.16.0.0/16, 64 tunnels from 100 on, instance = ordinal,
 *local connection "rowless": 172.17.0.0/16, the same tunnels, ranked packet by packet
 *
 * Each row of "hq" names the members in the order row % 3, + 1, + 2; of "wide" the eight from row % 64 on.
 */
#ifndef TESTS_PROG_RIG_H
#define TESTS_PROG_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

#include "packets.h"
#include "parse_cases.h"
#include "steer_tc.skel.h"
#include "steer_xdp.skel.h"

#include "../../bpf/flow_hash.h"
#include "../../maps/connections.h"
#include "../../maps/counters.h"
#include "../../maps/flows.h"
#include "../../maps/gateway.h"
#include "../../maps/health.h"
#include "../../maps/limits.h"
#include "../../maps/prefixes.h"
#include "../../maps/reasons.h"
#include "../../maps/tunnels.h"

#define SEED	   0x5eedull
#define LOOPBACK   1
#define INSIDE_NIC 3 /* as if it were the fourth */
#define MTU_BYTES  1400

enum { HQ, WIDE, ROWLESS, CONNECTIONS };
enum { LAYER3, ETHERNET, REMOTE, HQ_MEMBERS };

#define WIDE_TUNNEL	       100 /* the first of 64 */
#define WIDE_ROW	       4096
#define RIG_TUNNELS	       256
#define RIG_ROWS	       8192
#define RIG_ROW_MASK	       4095
#define RIG_MARK_ENTRIES       1024
#define TUNNEL_IFINDEX(tunnel) (1000 + (tunnel))

#define WIDE_SERVER    "172.16.0.5"
#define ROWLESS_SERVER "172.17.0.5"

static const uint8_t NEXT_HOP_MAC[8] = {0x02, 0, 0, 0, 1, 0xaa};
static const uint8_t OWN_MAC[8] = {0x02, 0, 0, 0, 1, 0xbb};
static const uint8_t REMOTE_HOP_MAC[8] = {0x02, 0, 0, 0, 2, 0xaa};
static const uint8_t REMOTE_OWN_MAC[8] = {0x02, 0, 0, 0, 2, 0xbb};

struct rig {
	struct steer_tc *tc;
	struct steer_xdp *xdp;
	struct prefix_chunk *prefix_chunks;		/* mapped; zeros, so that `prefixes` is asked */
	struct health *tunnel_health, *instance_health; /* mapped */
	struct tunnel *tunnels;				/* mapped */
	struct instance *instances;			/* mapped */
	struct connection *connections;			/* mapped */
	struct gateway *gateway;			/* mapped */
	struct tunnel_epoch *tunnel_epochs;		/* mapped */
	struct flow_marks *flow_marks;			/* mapped, RIG_MARK_ENTRIES and one */
};

static struct rig rig;

/* Set before the rig is opened: room for pinned flows, of connections that a test makes sticky or symmetric. */
static uint32_t rig_flows;
static uint64_t rig_flow_burst_ns, rig_flow_interval_ns;

static inline void shell(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static inline void *rig_map(const struct bpf_map *map)
{
	size_t page = 4096, bytes = (size_t)((bpf_map__value_size(map) + 7) & ~7u) * bpf_map__max_entries(map);
	void *memory =
		mmap(NULL, (bytes + page - 1) & ~(page - 1), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static inline void rig_update(const struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

static inline void rig_prefix(const char *address, unsigned length, uint32_t connection)
{
	struct address binary = case_address(address);
	struct prefix_key key = {.prefix_length_bits = length + (strchr(address, ':') ? 0 : IPV4_MAPPED_BITS)};
	struct prefix value = {connection};

	memcpy(key.address, &binary, sizeof(key.address));
	rig_update(rig.tc->maps.prefixes, &key, &value);
	rig.gateway->prefix_changes++;
}

static inline void rig_device(uint32_t ifindex, uint32_t tunnel)
{
	struct device device = {.tunnel = tunnel};

	rig_update(rig.tc->maps.devices, &ifindex, &device);
}

static inline void rig_inside_nic(const uint8_t mac[6])
{
	uint32_t number = INSIDE_NIC;
	struct inside_nic nic = {0};

	memcpy(nic.mac, mac, 6);
	rig_update(rig.tc->maps.inside_nics, &number, &nic);
}

static inline void rig_row(uint32_t number, unsigned first, unsigned members)
{
	struct row row;

	for (unsigned i = 0; i < ROW_CANDIDATES; i++)
		row.candidate[i] = i < members ? (first + i) % members : NO_CANDIDATE;
	rig_update(rig.tc->maps.rows, &number, &row);
}

static inline void rig_egress(struct egress *egress, uint32_t kind, uint32_t number, const uint8_t *hop,
			      const uint8_t *own)
{
	*egress = (struct egress){.ifindex = TUNNEL_IFINDEX(number),
				  .mtu_bytes = MTU_BYTES,
				  .kind = kind,
				  .mark = STACK_MARK_TUNNEL + number};
	memcpy(egress->next_hop_mac, hop, sizeof(egress->next_hop_mac));
	memcpy(egress->source_mac, own, sizeof(egress->source_mac));
}

static inline void rig_hq(void)
{
	uint32_t index = HQ;
	struct connection connection = {
		.first_row = 0, .row_mask = RIG_ROW_MASK, .members = HQ_MEMBERS, .mtu_bytes = MTU_BYTES, .name = "hq"};

	for (unsigned i = 0; i < HQ_MEMBERS; i++) {
		connection.member[i] = (struct member){.tunnel = i, .instance = i, .remote = i == REMOTE};
		connection.rank[i].weight = 100;
	}
	rig_update(rig.tc->maps.connections, &index, &connection);
	for (uint32_t row = 0; row <= RIG_ROW_MASK; row++)
		rig_row(row, row % HQ_MEMBERS, HQ_MEMBERS);
	rig_egress(&rig.tunnels[LAYER3].egress, EGRESS_LAYER3, LAYER3, NEXT_HOP_MAC, OWN_MAC);
	rig_egress(&rig.tunnels[ETHERNET].egress, EGRESS_ETHERNET, ETHERNET, NEXT_HOP_MAC, OWN_MAC);
	rig_egress(&rig.instances[REMOTE].egress, EGRESS_ETHERNET, REMOTE, REMOTE_HOP_MAC, REMOTE_OWN_MAC);
	rig_prefix("192.168.0.0", 16, HQ);
	rig_prefix("2001:db8:1::", 48, HQ);
}

/* Tier of each member: 0, or as tier() says. */
static inline void rig_wide_connection(uint32_t index, uint32_t first_row, unsigned (*tier)(unsigned ordinal))
{
	struct connection connection = {.first_row = first_row,
					.row_mask = RIG_ROW_MASK,
					.members = MAX_MEMBERS,
					.mtu_bytes = MTU_BYTES,
					.name = "wide"};

	for (unsigned i = 0; i < MAX_MEMBERS; i++) {
		connection.member[i] = (struct member){.tunnel = WIDE_TUNNEL + i, .instance = i};
		connection.rank[i] = (struct member_rank){.weight = 100, .tier = tier ? tier(i) : 0};
	}
	rig_update(rig.tc->maps.connections, &index, &connection);
}

static inline void rig_wide(void)
{
	rig_wide_connection(WIDE, WIDE_ROW, NULL);
	rig_wide_connection(ROWLESS, NO_ROWS, NULL);
	for (uint32_t row = 0; row <= RIG_ROW_MASK; row++)
		rig_row(WIDE_ROW + row, row % MAX_MEMBERS, MAX_MEMBERS);
	for (unsigned i = 0; i < MAX_MEMBERS; i++)
		rig_egress(&rig.tunnels[WIDE_TUNNEL + i].egress, EGRESS_LAYER3, WIDE_TUNNEL + i, NEXT_HOP_MAC, OWN_MAC);
	rig_prefix("172.16.0.0", 16, WIDE);
	rig_prefix("172.17.0.0", 16, ROWLESS);
}

static inline void rig_share_maps(void)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, rig.xdp->obj) {
		if (!bpf_map__is_internal(map))
			assert_int_equal(bpf_map__reuse_fd(
						 map, bpf_object__find_map_fd_by_name(rig.tc->obj, bpf_map__name(map))),
					 0);
	}
}

static inline void rig_load(bool path_stack)
{
	rig.tc = steer_tc__open();
	rig.xdp = steer_xdp__open();
	assert_true(rig.tc && rig.xdp);
	rig.tc->rodata->hash_seed = rig.xdp->rodata->hash_seed = SEED;
	rig.xdp->rodata->inside_nic = INSIDE_NIC;
	rig.tc->rodata->path_stack = rig.xdp->rodata->path_stack = path_stack;
	rig.tc->rodata->flows_kept = rig.xdp->rodata->flows_kept = rig_flows != 0;
	rig.tc->rodata->flow_burst_ns = rig.xdp->rodata->flow_burst_ns = rig_flow_burst_ns;
	rig.tc->rodata->flow_interval_ns = rig.xdp->rodata->flow_interval_ns = rig_flow_interval_ns;
	bpf_map__set_max_entries(rig.tc->maps.flows, rig_flows ?: 1);
	rig.tc->rodata->flow_mark_mask = rig.xdp->rodata->flow_mark_mask = RIG_MARK_ENTRIES * FLOW_MARKS - 1;
	bpf_map__set_max_entries(rig.tc->maps.flow_marks, 1 + RIG_MARK_ENTRIES);
	bpf_map__set_max_entries(rig.tc->maps.connections, CONNECTIONS);
	bpf_map__set_max_entries(rig.tc->maps.rows, RIG_ROWS);
	bpf_map__set_max_entries(rig.tc->maps.tunnels, RIG_TUNNELS);
	bpf_map__set_max_entries(rig.tc->maps.counters, RIG_TUNNELS);
	assert_int_equal(steer_tc__load(rig.tc), 0);
	rig_share_maps();
	assert_int_equal(steer_xdp__load(rig.xdp), 0);
	rig.tunnel_health = rig_map(rig.tc->maps.tunnel_health);
	rig.instance_health = rig_map(rig.tc->maps.instance_health);
	rig.tunnels = rig_map(rig.tc->maps.tunnels);
	rig.instances = rig_map(rig.tc->maps.instances);
	rig.connections = rig_map(rig.tc->maps.connections);
	rig.gateway = rig_map(rig.tc->maps.gateway);
	rig.prefix_chunks = rig_map(rig.tc->maps.prefix_chunks);
	rig.flow_marks = rig_map(rig.tc->maps.flow_marks);
	rig.tunnel_epochs = rig_map(rig.tc->maps.tunnel_epochs);
}

static inline void rig_fill(void)
{
	uint32_t remote = REMOTE, port = LOOPBACK;

	rig_hq();
	rig_wide();
	rig_prefix("10.0.0.0", 24, NO_CONNECTION);
	rig_inside_nic(GATEWAY_MAC);
	rig_update(rig.tc->maps.remote_ports, &remote, &port);
}

/* Group set-up: a namespace, the programs, the maps. */
static inline int rig_open(bool path_stack)
{
	if (unshare(CLONE_NEWNET))
		return -1;
	shell("ip link set lo address 02:00:00:00:00:01 up");
	rig_load(path_stack);
	rig_fill();
	return 0;
}

static inline int rig_set_up(void **state)
{
	(void)state;
	return rig_open(false);
}

static inline int rig_tear_down(void **state)
{
	(void)state;
	steer_xdp__destroy(rig.xdp);
	steer_tc__destroy(rig.tc);
	return 0;
}

/* Before each test: all well, all counters zero. */
static inline void rig_clear_percpu(const struct bpf_map *map)
{
	static uint64_t zeroes[65536]; /* of all CPUs */
	uint32_t entries = bpf_map__max_entries(map);

	assert_true(libbpf_num_possible_cpus() * bpf_map__value_size(map) <= sizeof(zeroes));
	for (uint32_t i = 0; i < entries; i++)
		rig_update(map, &i, zeroes);
}

static inline void reset_counters(void)
{
	rig_clear_percpu(rig.tc->maps.counters);
	rig_clear_percpu(rig.tc->maps.drops);
	rig_clear_percpu(rig.tc->maps.passes);
}

static inline int rig_reset(void **state)
{
	(void)state;
	memset(rig.tunnel_health, 0, MAX_TUNNELS * sizeof(struct health));
	memset(rig.instance_health, 0, MAX_INSTANCES * sizeof(struct health));
	reset_counters();
	rig_fill();
	return 0;
}

#endif
