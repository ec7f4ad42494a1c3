// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to pin flows: steer_tc with one sticky connection, and with the same one at affinity hash.
 *
 * Both get the same packets, by BPF_PROG_TEST_RUN. "over" is over an empty program, run the same way.
 *
 *	busy        one flow, 200 packets in a row: caches are warm
 *	known       flows that are pinned already, each as likely as any other
 *	flood       2^24 sources, more than may be pinned: the guard is shut but for 8,000 or so a second
 *	all pinned  each packet begins a flow that the guard lets in
 *
 * But for "busy" every packet is another flow's, and takes a system call, so that caches are cold, for hash too.
 *
 * Rounds of the three programs alternate. Prints a table with medians and the memory of the map, writes
 * build/bench-flows.json. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <unistd.h>

#include "../prog/packets.h"
#include "bench.h"

#include "../../maps/connections.h"
#include "../../maps/flows.h"
#include "../../maps/limits.h"
#include "../../maps/prefixes.h"
#include "../../maps/tunnels.h"

#define ROOM	     1000000	/* gateway.flows as it is by default */
#define MARK_ENTRIES (1u << 18) /* and what aa-steerd makes of it */
#define PACKETS	     50000	/* a round */
#define FLOOD	     (1u << 24)
#define IDLE_NS	     60000000000ull
#define SOURCE_AT    (ETH_HLEN + 13) /* the last three bytes of an IPv4 source */
#define OUTPUT_FILE  "build/bench-flows.json"

static const struct scenario {
	const char *name;
	uint32_t sources;
	uint32_t pinned_before;
	uint32_t repeat; /* each packet this often; its TTL allows 254 */
	uint64_t burst_ns;
} scenarios[] = {
	{"busy", 1000, 1000, 200, IDLE_NS},
	{"known, 1,000 flows", 1000, 1000, 1, IDLE_NS},
	{"known, 100,000 flows", 100000, 100000, 1, IDLE_NS},
	{"known, 1,000,000 flows", ROOM, ROOM, 1, UINT64_MAX / 2},
	{"flood", FLOOD, ROOM / 2, 1, IDLE_NS},
	{"all pinned", FLOOD, 0, 1, UINT64_MAX / 2},
};

static uint64_t random_state;

static uint32_t random_below(uint32_t limit) /* splitmix64 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return ((z ^ (z >> 31)) >> 32) * limit >> 32;
}

static struct steer_tc *load(enum affinity affinity, uint64_t burst_ns)
{
	struct connection connection = {.row_mask = MIN_ROWS - 1,
					.members = TUNNELS,
					.mtu_bytes = 1400,
					.affinity = affinity,
					.idle_ns = IDLE_NS};
	struct prefix_key key = {.prefix_length_bits = IPV4_MAPPED_BITS + 8,
				 .address = {[10] = 0xff, [11] = 0xff, [12] = 10}};
	struct steer_tc *tc = steer_tc__open();
	struct prefix value = {0};
	uint32_t zero = 0;

	if (!tc)
		die("open");
	tc->rodata->hash_seed = 0x5eed;
	tc->rodata->prefix_cache = true;
	tc->rodata->flows_kept = affinity != AFFINITY_HASH;
	tc->rodata->flow_burst_ns = burst_ns;
	tc->rodata->flow_interval_ns = IDLE_NS / (ROOM / 2);
	bpf_map__set_max_entries(tc->maps.flows, affinity == AFFINITY_HASH ? 1 : ROOM);
	tc->rodata->flow_mark_mask = MARK_ENTRIES * FLOW_MARKS - 1;
	bpf_map__set_max_entries(tc->maps.flow_marks, 1 + MARK_ENTRIES);
	bpf_map__set_max_entries(tc->maps.connections, 1);
	bpf_map__set_max_entries(tc->maps.tunnels, TUNNELS);
	bpf_map__set_max_entries(tc->maps.counters, TUNNELS);
	if (steer_tc__load(tc))
		die("load steer_tc");
	for (unsigned m = 0; m < TUNNELS; m++) {
		connection.member[m] = (struct member){.tunnel = m, .instance = m};
		connection.rank[m].weight = 100;
	}
	update(tc->maps.connections, &zero, &connection);
	update(tc->maps.prefixes, &key, &value);
	fill_rows(tc);
	fill_egresses(tc);
	return tc;
}

/* Nanoseconds of one run. */
static uint32_t run_ns(int program, struct frame *frame, uint32_t source, uint32_t repeat, int verdict)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data, .data_size_in = frame->length,
		    .repeat = (int)repeat);

	frame->data[SOURCE_AT] = source >> 16;
	frame->data[SOURCE_AT + 1] = source >> 8;
	frame->data[SOURCE_AT + 2] = source;
	if (bpf_prog_test_run_opts(program, &options))
		die("test run");
	if ((int)options.retval != verdict) {
		fprintf(stderr, "flows: verdict %d, not %d\n", (int)options.retval, verdict);
		exit(1);
	}
	return options.duration;
}

/* seed: the same sources in the same order for each program of a round. */
static double round_ns(int program, uint64_t seed, const struct scenario *scenario, int verdict)
{
	unsigned packets = PACKETS / scenario->repeat;
	struct frame frame = frame_of_udp("11.0.0.0", 1024, "10.0.0.5", 2000);
	uint64_t sum_ns = 0;

	memset(frame.data, 0, ETH_ALEN);
	frame_set_ttl(&frame, 255);
	random_state = seed;
	for (unsigned i = 0; i < packets; i++)
		sum_ns += run_ns(program, &frame, random_below(scenario->sources), scenario->repeat, verdict);
	return (double)sum_ns / packets;
}

static void pin_flows(int program, uint32_t count)
{
	struct frame frame = frame_of_udp("11.0.0.0", 1024, "10.0.0.5", 2000);

	memset(frame.data, 0, ETH_ALEN);
	for (uint32_t i = 0; i < count; i++)
		run_ns(program, &frame, i, 1, TC_ACT_REDIRECT);
}

/* What the kernel says that the map holds of its memory. */
static uint64_t map_memory_bytes(const struct bpf_map *map)
{
	char path[64], line[128];
	uint64_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
	file = fopen(path, "r");
	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "memlock: %" SCNu64, &bytes);
	fclose(file);
	return bytes;
}

static struct flow_counts counts(struct steer_tc *tc)
{
	unsigned cpus = libbpf_num_possible_cpus();
	struct flow_counts *each = calloc(cpus, sizeof(*each)), sum = {0};
	uint32_t zero = 0;

	if (!each || bpf_map_lookup_elem(bpf_map__fd(tc->maps.flow_counts), &zero, each))
		die("flow_counts");
	for (unsigned i = 0; i < cpus; i++) {
		sum.pinned += each[i].pinned;
		sum.unpinned += each[i].unpinned;
	}
	free(each);
	return sum;
}

static void measure(const struct scenario *scenario, FILE *out)
{
	struct steer_tc *hash = load(AFFINITY_HASH, 0), *sticky = load(AFFINITY_STICKY, scenario->burst_ns);
	int hash_fd = bpf_program__fd(hash->progs.steer_tc), sticky_fd = bpf_program__fd(sticky->progs.steer_tc);
	int empty_fd = empty_program(BPF_PROG_TYPE_SCHED_CLS);
	struct figure hash_ns, sticky_ns, ratio;
	struct flow_counts before, after;

	pin_flows(sticky_fd, scenario->pinned_before);
	before = counts(sticky);
	for (uint64_t round = 0; round < ROUNDS; round++) {
		double empty_ns = round_ns(empty_fd, round, scenario, TC_ACT_OK);

		hash_ns.round[round] = round_ns(hash_fd, round, scenario, TC_ACT_REDIRECT) - empty_ns;
		sticky_ns.round[round] = round_ns(sticky_fd, round, scenario, TC_ACT_REDIRECT) - empty_ns;
		ratio.round[round] = sticky_ns.round[round] / hash_ns.round[round];
	}
	after = counts(sticky);
	summarize(&hash_ns);
	summarize(&sticky_ns);
	summarize(&ratio);
	printf("%-24s %7.1f %6.1f-%-6.1f %7.1f %6.1f-%-6.1f %5.2f %4.2f-%-4.2f %8llu %8llu %8.1f\n", scenario->name,
	       hash_ns.round[ROUNDS / 2], hash_ns.round[0], hash_ns.round[ROUNDS - 1], sticky_ns.round[ROUNDS / 2],
	       sticky_ns.round[0], sticky_ns.round[ROUNDS - 1], ratio.round[ROUNDS / 2], ratio.round[0],
	       ratio.round[ROUNDS - 1], after.pinned - before.pinned, after.unpinned - before.unpinned,
	       map_memory_bytes(sticky->maps.flows) / 1048576.0);
	fprintf(out, "  {\"name\": \"%s\", ", scenario->name);
	write_figure(out, "hash_over_ns", &hash_ns);
	fprintf(out, ", ");
	write_figure(out, "sticky_over_ns", &sticky_ns);
	fprintf(out, ", \"ratio\": {\"median\": %.2f, \"min\": %.2f, \"max\": %.2f}", ratio.round[ROUNDS / 2],
		ratio.round[0], ratio.round[ROUNDS - 1]);
	fprintf(out, ", \"pinned\": %llu, \"unpinned\": %llu, \"flows_map_bytes\": %" PRIu64 "}",
		after.pinned - before.pinned, after.unpinned - before.unpinned, map_memory_bytes(sticky->maps.flows));
	close(empty_fd);
	steer_tc__destroy(hash);
	steer_tc__destroy(sticky);
}

int main(void)
{
	const char *separator = "[\n";
	FILE *out = begin(OUTPUT_FILE);

	printf("%-24s %7s %13s %7s %13s %5s %9s %8s %8s %8s\n", "flows, ns over empty", "hash", "range", "sticky",
	       "range", "ratio", "range", "pinned", "unpinned", "map, MiB");
	for (unsigned i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		fprintf(out, "%s", separator);
		measure(&scenarios[i], out);
		separator = ",\n";
	}
	fprintf(out, "\n]\n");
	return fclose(out) ? 1 : 0;
}
