/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benches that use BPF_PROG_TEST_RUN share: a gateway of four tunnels on the loopback device, an empty program
 * to compare with, and medians. Errors end the bench with a message.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "steer_tc.skel.h"

#include "../../loader/prefix_flat.h"
#include "../../maps/connections.h"
#include "../../maps/prefixes.h"
#include "../../maps/tunnels.h"

#define ROUNDS	 15
#define TUNNELS	 4 /* of each connection */
#define LOOPBACK 1

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

/* Moves to a namespace of its own, whose lo has MAC address 0, and opens the file for what is measured there. */
static inline FILE *begin(const char *output_file)
{
	FILE *out;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	out = fopen(output_file, "w");
	if (!out)
		die(output_file);
	return out;
}

static inline void update(const struct bpf_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY))
		die(bpf_map__name(map));
}

/* The next hop has the NIC's own address, so that the next run of the batch takes the frame again. */
/* For prefix_set(); goes with the process. */
static inline struct prefix_flat *prefixes_begin(const struct steer_tc *tc)
{
	struct prefix_chunk *chunks = mmap(NULL, PREFIX_CHUNKS * sizeof(*chunks), PROT_READ | PROT_WRITE, MAP_SHARED,
					   bpf_map__fd(tc->maps.prefix_chunks), 0);
	struct prefix_flat *flat = chunks == MAP_FAILED ? NULL : prefix_flat_new(chunks, PREFIX_CHUNKS);

	if (!flat)
		die("prefix_chunks");
	return flat;
}

static inline void prefix_set(const struct steer_tc *tc, struct prefix_flat *flat, const struct prefix_key *key,
			      uint32_t connection)
{
	struct config_address prefix = {.length = (uint8_t)key->prefix_length_bits};
	struct prefix value = {.connection = connection};

	memcpy(prefix.byte, key->address, sizeof(prefix.byte));
	update(tc->maps.prefixes, key, &value);
	prefix_flat_set(flat, &prefix, connection);
}

static inline struct egress egress(uint32_t kind)
{
	return (struct egress){.source_mac = {2, 3}, .ifindex = LOOPBACK, .mtu_bytes = 1400, .kind = kind};
}

static inline void fill_egresses(struct steer_tc *tc)
{
	struct tunnel tunnel = {.egress = egress(EGRESS_LAYER3)}; /* of connection 0 */
	struct instance instance = {.egress = egress(EGRESS_ETHERNET)};
	uint32_t port = LOOPBACK;

	for (uint32_t i = 0; i < TUNNELS; i++) {
		tunnel.ordinal = i;
		update(tc->maps.tunnels, &i, &tunnel);
		update(tc->maps.instances, &i, &instance);
		update(tc->maps.remote_ports, &i, &port);
	}
}

static inline void fill_rows(struct steer_tc *tc)
{
	for (uint32_t i = 0; i < MIN_ROWS; i++) {
		struct row row = {{i % 4, (i + 1) % 4, (i + 2) % 4, (i + 3) % 4, NO_CANDIDATE, NO_CANDIDATE,
				   NO_CANDIDATE, NO_CANDIDATE}};

		update(tc->maps.rows, &i, &row);
	}
}

static inline int empty_program(enum bpf_prog_type type)
{
	const struct bpf_insn body[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K,
		 .dst_reg = BPF_REG_0,
		 .imm = type == BPF_PROG_TYPE_XDP ? XDP_PASS : TC_ACT_OK},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(type, "empty", "GPL", body, 2, NULL);

	if (fd < 0)
		die("load the empty program");
	return fd;
}

/* One value a round. */
struct figure {
	double round[ROUNDS]; /* sorted by summarize() */
};

static inline int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

static inline void summarize(struct figure *figure)
{
	qsort(figure->round, ROUNDS, sizeof(double), compare);
}

static inline void write_figure(FILE *out, const char *name, const struct figure *figure)
{
	fprintf(out, "\"%s\": {\"median\": %.2f, \"min\": %.2f, \"max\": %.2f}", name, figure->round[ROUNDS / 2],
		figure->round[0], figure->round[ROUNDS - 1]);
}

#endif
