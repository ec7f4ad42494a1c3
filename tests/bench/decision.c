// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a decision costs: steer_tc and steer_xdp by BPF_PROG_TEST_RUN, over an empty program of the same type.
 *
 * What is measured is the whole way of a packet that is sent: parse, hash, prefix, row, health, counters, TTL and MAC
 * rewrite, the redirect's set-up; not the redirect itself, which a test run does not do. A test run repeats on the same
 * packet, whose TTL each run lowers; so a run is a batch of 250 on a packet with TTL 255, and a round is 2,000 batches,
 * each with another destination. Within a batch caches and branch predictor are warm, and the destination is known
 * after its first packet: these are figures for a busy gateway. "each destination new" goes without the cache of
 * destinations: of IPv6, every packet looks its prefix up.
 *
 * An XDP program is attached to lo while it is measured, as it is on a NIC: the kernel calls it directly then. Without
 * that each test run enters it in the kernel's XDP dispatcher and takes it out, two RCU grace periods a batch.
 *
 * Ours and the empty program alternate, round by round. "over" is the median of the rounds' differences, "least" the
 * difference of the quickest rounds: what is left where others on the same processor slow some of them down. Prints a
 * table, writes build/bench-decision.json. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <unistd.h>

#include "../prog/packets.h"
#include "bench.h"
#include "steer_xdp.skel.h"

#include "../../maps/connections.h"
#include "../../maps/prefixes.h"

#define BATCHES	    2000
#define BATCH	    250 /* TTL 255 down to 5: every run of it sends */
#define OUTPUT_FILE "build/bench-decision.json"

enum family { IPV4, IPV6 };

static struct steer_tc *tc;
static struct steer_xdp *xdp;
static struct prefix_flat *flat;

struct measure {
	const char *name;
	bool is_xdp;
	enum family family;
	bool remote;
	int verdict;
};

static const struct measure measures[] = {
	{"steer_tc IPv4", false, IPV4, false, TC_ACT_REDIRECT}, {"steer_tc IPv6", false, IPV6, false, TC_ACT_REDIRECT},
	{"steer_xdp IPv4", true, IPV4, true, XDP_REDIRECT},	{"steer_xdp IPv6", true, IPV6, true, XDP_REDIRECT},
	{"steer_xdp, to TC", true, IPV4, false, XDP_PASS},
};

/* One set of maps each. */
static const struct setting {
	unsigned prefixes;
	bool prefix_cache;
} settings[] = {{1000, true}, {1000, false}, {10000, true}, {10000, false}};

/* Connection i owns prefix i of either family: 10.x.y.0/24 and 2001:db8:x:y::/64, spread over the range. */
static uint32_t spread(unsigned i)
{
	return i * 40503u & 0xffff;
}

static void fill_prefix(unsigned i)
{
	struct prefix_key key4 = {.prefix_length_bits = IPV4_MAPPED_BITS + 24}, key6 = {.prefix_length_bits = 64};

	memcpy(key4.address, (uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, spread(i) >> 8, spread(i), 0},
	       16);
	memcpy(key6.address, (uint8_t[]){0x20, 0x01, 0x0d, 0xb8, 0, 0, spread(i) >> 8, spread(i)}, 8);
	prefix_set(tc, flat, &key4, i);
	prefix_set(tc, flat, &key6, i);
}

static void fill_connections(unsigned count, bool remote)
{
	for (uint32_t i = 0; i < count; i++) {
		struct connection connection = {.row_mask = MIN_ROWS - 1, .members = TUNNELS, .mtu_bytes = 1400};

		for (unsigned m = 0; m < TUNNELS; m++) {
			connection.member[m] = (struct member){.tunnel = m, .instance = m, .remote = remote};
			connection.rank[m].weight = 100;
		}
		update(tc->maps.connections, &i, &connection);
	}
}

static void fill(unsigned prefixes)
{
	flat = prefixes_begin(tc);
	fill_rows(tc);
	for (unsigned i = 0; i < prefixes; i++)
		fill_prefix(i);
	fill_egresses(tc);
}

static void load(unsigned prefixes, bool prefix_cache)
{
	struct bpf_map *map;

	tc = steer_tc__open();
	xdp = steer_xdp__open();
	if (!tc || !xdp)
		die("open");
	tc->rodata->hash_seed = xdp->rodata->hash_seed = 0x5eed;
	tc->rodata->prefix_cache = xdp->rodata->prefix_cache = prefix_cache;
	bpf_map__set_max_entries(tc->maps.connections, prefixes);
	bpf_map__set_max_entries(tc->maps.tunnels, TUNNELS);
	bpf_map__set_max_entries(tc->maps.counters, TUNNELS);
	if (steer_tc__load(tc))
		die("load steer_tc");
	bpf_object__for_each_map (map, xdp->obj) {
		if (!bpf_map__is_internal(map))
			bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(tc->obj, bpf_map__name(map)));
	}
	if (steer_xdp__load(xdp))
		die("load steer_xdp");
	fill(prefixes);
}

static void unload(void)
{
	steer_xdp__destroy(xdp);
	steer_tc__destroy(tc);
}

/* A 64-byte packet addressed to MAC 0, lo's, into prefix i. */
static struct frame packet(enum family family, unsigned i)
{
	char to[64];
	struct frame frame;

	if (family == IPV6)
		snprintf(to, sizeof(to), "2001:db8:0:%x::5", spread(i));
	else
		snprintf(to, sizeof(to), "10.%u.%u.5", spread(i) >> 8, spread(i) & 0xff);
	frame = frame_of_udp(family == IPV6 ? CLIENT6 : "172.20.1.2", 1024 + i, to, 2000);
	memset(frame.data, 0, ETH_ALEN);
	frame_set_ttl(&frame, 255);
	return frame;
}

/* Nanoseconds of one run, over one round; checks that the last run of each batch still did what is measured. */
static double round_ns(int program, const struct measure *measure, unsigned prefixes, int verdict)
{
	double sum_ns = 0;

	if (measure->is_xdp && bpf_xdp_attach(LOOPBACK, program, XDP_FLAGS_SKB_MODE, NULL))
		die("attach to lo");
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		struct frame frame = packet(measure->family, batch % prefixes);
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data, .data_size_in = frame.length,
			    .repeat = BATCH);

		if (bpf_prog_test_run_opts(program, &options))
			die("test run");
		if ((int)options.retval != verdict) {
			fprintf(stderr, "decision: %s: verdict %d, not %d\n", measure->name, (int)options.retval,
				verdict);
			exit(1);
		}
		sum_ns += options.duration;
	}
	return sum_ns / BATCHES;
}

static void measure_one(const struct measure *measure, const struct setting *setting, FILE *out)
{
	char name[80];
	int empty = empty_program(measure->is_xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS);
	int ours = bpf_program__fd(measure->is_xdp ? xdp->progs.steer_xdp : tc->progs.steer_tc);
	struct figure ours_ns, empty_ns, over_ns;

	snprintf(name, sizeof(name), "%s%s", measure->name, setting->prefix_cache ? "" : ", each destination new");
	fill_connections(setting->prefixes, measure->remote);
	for (unsigned round = 0; round < ROUNDS; round++) {
		ours_ns.round[round] = round_ns(ours, measure, setting->prefixes, measure->verdict);
		empty_ns.round[round] =
			round_ns(empty, measure, setting->prefixes, measure->is_xdp ? XDP_PASS : TC_ACT_OK);
		over_ns.round[round] = ours_ns.round[round] - empty_ns.round[round];
	}
	summarize(&ours_ns);
	summarize(&empty_ns);
	summarize(&over_ns);
	printf("%-38s %8u %7.1f %6.1f-%-6.1f %7.1f %6.1f %6.1f\n", name, setting->prefixes, ours_ns.round[ROUNDS / 2],
	       ours_ns.round[0], ours_ns.round[ROUNDS - 1], empty_ns.round[ROUNDS / 2], over_ns.round[ROUNDS / 2],
	       ours_ns.round[0] - empty_ns.round[0]);
	fprintf(out, "  {\"name\": \"%s\", \"prefixes\": %u, ", name, setting->prefixes);
	write_figure(out, "ours_ns", &ours_ns);
	fprintf(out, ", ");
	write_figure(out, "empty_ns", &empty_ns);
	fprintf(out, ", ");
	write_figure(out, "over_ns", &over_ns);
	fprintf(out, "}");
	close(empty);
}

int main(void)
{
	const char *separator = "[\n";
	FILE *out = begin(OUTPUT_FILE);

	printf("%-38s %8s %7s %13s %7s %6s %6s\n", "decision, ns per packet", "prefixes", "ours", "range", "empty",
	       "over", "least");
	for (unsigned i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		load(settings[i].prefixes, settings[i].prefix_cache);
		for (unsigned m = 0; m < sizeof(measures) / sizeof(*measures); m++) {
			fprintf(out, "%s", separator);
			measure_one(&measures[m], &settings[i], out);
			separator = ",\n";
		}
		unload();
	}
	fprintf(out, "\n]\n");
	return fclose(out) ? 1 : 0;
}
