// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a decision and a failover grow with the gateway: steer_tc by BPF_PROG_TEST_RUN with 1, 100 and 10,000 connections
 * of four tunnels, and with one connection of 2, 8 and 64 tunnels.
 *
 *	busy      one packet 200 times, then one of another connection: caches are warm
 *	each      every packet is of another connection, and takes a system call, so that caches are cold
 *	store     a failover's write: the byte that takes a tunnel out, of any tunnel in turn, in the mapped
 *tunnel_health
 *
 * "the row's eight out" is the slow way of a connection that has more tunnels than a row names: the program ranks the
 * others itself. Decisions are over an empty program. All gateways are loaded at once, and rounds go through all of
 * them, so each ratio compares what was measured within the same moments. What one store does is looked at, too: with
 * instance 0 out, a packet to each of the connections must leave by another. Flows that are pinned are in flows.c.
 *
 * Prints a table, writes build/bench-growth.json. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../prog/packets.h"
#include "bench.h"

#include "../../maps/connections.h"
#include "../../maps/counters.h"
#include "../../maps/health.h"
#include "../../maps/prefixes.h"
#include "../../maps/tunnels.h"

#define PACKETS	       20000 /* a round */
#define BUSY_REPEAT    200   /* TTL 255 allows 254 */
#define STORES	       (1 << 20)
#define SOURCES	       1000
#define SOURCE_AT      (ETH_HLEN + 14) /* the last two bytes of an IPv4 source */
#define DESTINATION_AT (ETH_HLEN + 17) /* the middle ones of a destination */
#define OUTPUT_FILE    "build/bench-growth.json"

static const struct size {
	const char *name;
	unsigned connections, members;
	bool row_out;
	unsigned against; /* which of these it is compared with */
} sizes[] = {
	{"1 connection", 1, 4, false, 0},
	{"100 connections", 100, 4, false, 0},
	{"10,000 connections", 10000, 4, false, 0},
	{"2 tunnels", 1, 2, false, 3},
	{"8 tunnels", 1, 8, false, 3},
	{"64 tunnels", 1, 64, false, 3},
	{"64 tunnels, the row's eight out", 1, 64, true, 3},
};

#define SIZES (sizeof(sizes) / sizeof(*sizes))

enum kind { BUSY, EACH, STORE, KINDS };

static const char *const kind_names[KINDS] = {"decision, busy", "decision, each", "failover store"};

static struct gateway_under_test {
	struct steer_tc *tc;
	struct health *tunnel_health, *instance_health; /* mapped */
	struct figure figures[KINDS];
} gateways[SIZES];

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit) /* xorshift */
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return (uint64_t)random_state * limit >> 32;
}

static void *mapped(const struct bpf_map *map)
{
	size_t bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *memory = mmap(NULL, (bytes + 4095) & ~4095ul, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		die(bpf_map__name(map));
	return memory;
}

/* Connection i owns 10.x.y.0/24, where x.y is i, and the tunnels from i * members on, one of each instance. */
static void fill_connection(struct steer_tc *tc, struct prefix_flat *flat, const struct size *size, uint32_t i)
{
	struct connection connection = {.row_mask = MIN_ROWS - 1, .members = size->members, .mtu_bytes = 1400};
	struct prefix_key key = {.prefix_length_bits = IPV4_MAPPED_BITS + 24,
				 .address = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = i >> 8, [14] = i & 0xff}};

	for (uint32_t m = 0; m < size->members; m++) {
		uint32_t index = i * size->members + m;
		struct tunnel tunnel = {.egress = egress(EGRESS_LAYER3), .connection = i, .ordinal = m, .instance = m};

		connection.member[m] = (struct member){.tunnel = (uint16_t)index, .instance = (uint8_t)m};
		connection.rank[m].weight = 100;
		update(tc->maps.tunnels, &index, &tunnel);
	}
	update(tc->maps.connections, &i, &connection);
	prefix_set(tc, flat, &key, i);
}

/* All flows have the same eight members first where these are to be out. */
static void fill_size_rows(struct steer_tc *tc, const struct size *size)
{
	for (uint32_t i = 0; i < MIN_ROWS; i++) {
		struct row row;

		for (unsigned k = 0; k < ROW_CANDIDATES; k++) {
			unsigned first = size->row_out ? 0 : i;

			row.candidate[k] = k < size->members ? (first + k) % size->members : NO_CANDIDATE;
		}
		update(tc->maps.rows, &i, &row);
	}
}

static void load(struct gateway_under_test *gateway, const struct size *size)
{
	struct steer_tc *tc = steer_tc__open();
	struct prefix_flat *flat;

	if (!tc)
		die("open");
	tc->rodata->hash_seed = 0x5eed;
	tc->rodata->prefix_cache = true;
	bpf_map__set_max_entries(tc->maps.connections, size->connections);
	bpf_map__set_max_entries(tc->maps.tunnels, size->connections * size->members);
	bpf_map__set_max_entries(tc->maps.counters, size->connections * size->members);
	if (steer_tc__load(tc))
		die("load steer_tc");
	gateway->tc = tc;
	gateway->tunnel_health = mapped(tc->maps.tunnel_health);
	gateway->instance_health = mapped(tc->maps.instance_health);
	flat = prefixes_begin(tc);
	fill_size_rows(tc, size);
	for (uint32_t i = 0; i < size->connections; i++)
		fill_connection(tc, flat, size, i);
	for (unsigned k = 0; size->row_out && k < ROW_CANDIDATES; k++)
		gateway->tunnel_health[k].admin_out = ADMIN_OUT;
}

/* Nanoseconds of one run of a packet to that connection. */
static uint32_t run_ns(int program, uint32_t connection, uint32_t repeat, int verdict)
{
	struct frame frame = frame_of_udp("11.0.0.0", 1024, "10.0.0.5", 2000);
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data, .data_size_in = frame.length,
		    .repeat = (int)repeat);
	uint32_t source = random_below(SOURCES);

	memset(frame.data, 0, ETH_ALEN);
	frame_set_ttl(&frame, 255);
	frame.data[SOURCE_AT] = source >> 8;
	frame.data[SOURCE_AT + 1] = source & 0xff;
	frame.data[DESTINATION_AT] = connection >> 8;
	frame.data[DESTINATION_AT + 1] = connection & 0xff;
	if (bpf_prog_test_run_opts(program, &options))
		die("test run");
	if ((int)options.retval != verdict) {
		fprintf(stderr, "growth: verdict %d, not %d\n", (int)options.retval, verdict);
		exit(1);
	}
	return options.duration;
}

static double decision_ns(int program, const struct size *size, uint32_t repeat, int verdict)
{
	unsigned packets = PACKETS / repeat;
	uint64_t sum_ns = 0;

	for (unsigned i = 0; i < packets; i++)
		sum_ns += run_ns(program, random_below(size->connections), repeat, verdict);
	return (double)sum_ns / packets;
}

/* Which tunnel is next is read from memory, in order, so that the store is most of what is timed. */
static double store_ns(struct health *health, uint32_t tunnels)
{
	static uint16_t next[STORES];
	struct timespec begin, end;

	for (unsigned i = 0; i < STORES; i++)
		next[i] = (uint16_t)random_below(tunnels);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned i = 0; i < STORES; i++)
		*(volatile __u8 *)&health[next[i]].device_missing = 1;
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (uint32_t i = 0; i < tunnels; i++)
		health[i].device_missing = 0;
	return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / STORES;
}

static uint64_t sent_by_instance_0(const struct gateway_under_test *gateway, const struct size *size)
{
	unsigned cpus = (unsigned)libbpf_num_possible_cpus();
	struct counters *each = calloc(cpus, sizeof(*each));
	uint64_t sum = 0;

	for (uint32_t i = 0; i < size->connections; i++) {
		uint32_t tunnel = i * size->members;

		if (!each || bpf_map_lookup_elem(bpf_map__fd(gateway->tc->maps.counters), &tunnel, each))
			die("counters");
		for (unsigned cpu = 0; cpu < cpus; cpu++)
			sum += each[cpu].tx_packets;
	}
	free(each);
	return sum;
}

/* Some packets for each connection; true if instance 0 got any of them. */
static bool instance_0_is_used(const struct gateway_under_test *gateway, const struct size *size)
{
	uint64_t before = sent_by_instance_0(gateway, size);
	unsigned packets = size->connections < 1000 ? 1000 : size->connections;

	for (uint32_t i = 0; i < packets; i++)
		run_ns(bpf_program__fd(gateway->tc->progs.steer_tc), i % size->connections, 1, TC_ACT_REDIRECT);
	return sent_by_instance_0(gateway, size) != before;
}

static void check_one_store_is_enough(struct gateway_under_test *gateway, const struct size *size)
{
	bool used = size->row_out || instance_0_is_used(gateway, size), used_while_out;

	gateway->instance_health[0].admin_out = ADMIN_OUT;
	used_while_out = instance_0_is_used(gateway, size);
	gateway->instance_health[0].admin_out = 0;
	if (used && !used_while_out)
		return;
	fprintf(stderr, "growth: %s: instance 0 is %s\n", size->name, used ? "used though it is out" : "not used");
	exit(1);
}

static void measure_round(unsigned round, int empty)
{
	for (unsigned i = 0; i < SIZES; i++) {
		struct gateway_under_test *gateway = &gateways[i];
		int program = bpf_program__fd(gateway->tc->progs.steer_tc);

		gateway->figures[BUSY].round[round] = decision_ns(program, &sizes[i], BUSY_REPEAT, TC_ACT_REDIRECT) -
						      decision_ns(empty, &sizes[i], BUSY_REPEAT, TC_ACT_OK);
		gateway->figures[EACH].round[round] = decision_ns(program, &sizes[i], 1, TC_ACT_REDIRECT) -
						      decision_ns(empty, &sizes[i], 1, TC_ACT_OK);
		if (!sizes[i].row_out)
			gateway->figures[STORE].round[round] =
				store_ns(gateway->tunnel_health, sizes[i].connections * sizes[i].members);
	}
}

static void report(enum kind kind, unsigned i, bool *first, FILE *out)
{
	struct figure ours = gateways[i].figures[kind], theirs = gateways[sizes[i].against].figures[kind], ratio;

	for (unsigned round = 0; round < ROUNDS; round++)
		ratio.round[round] = ours.round[round] / theirs.round[round];
	summarize(&ours);
	summarize(&theirs);
	summarize(&ratio);
	printf("%-16s %-32s %8.2f %8.2f-%-8.2f %6.2f %5.2f-%-5.2f\n", kind_names[kind], sizes[i].name,
	       ours.round[ROUNDS / 2], ours.round[0], ours.round[ROUNDS - 1], ratio.round[ROUNDS / 2], ratio.round[0],
	       ratio.round[ROUNDS - 1]);
	fprintf(out, "%s  {\"name\": \"%s, %s\", \"against\": \"%s\", \"unit\": \"ns\", ", *first ? "[\n" : ",\n",
		kind_names[kind], sizes[i].name, sizes[sizes[i].against].name);
	write_figure(out, "ours", &ours);
	fprintf(out, ", ");
	write_figure(out, "theirs", &theirs);
	fprintf(out, ", ");
	write_figure(out, "ratio", &ratio);
	fprintf(out, ", \"goal\": null}");
	*first = false;
}

int main(void)
{
	int empty = empty_program(BPF_PROG_TYPE_SCHED_CLS);
	FILE *out = begin(OUTPUT_FILE);
	bool first = true;

	for (unsigned i = 0; i < SIZES; i++) {
		load(&gateways[i], &sizes[i]);
		check_one_store_is_enough(&gateways[i], &sizes[i]);
	}
	for (unsigned round = 0; round < ROUNDS; round++)
		measure_round(round, empty);
	printf("%-16s %-32s %8s %17s %6s %11s\n", "growth", "", "ns", "range", "ratio", "range");
	for (enum kind kind = 0; kind < KINDS; kind++) {
		for (unsigned i = 0; i < SIZES; i++) {
			if (kind != STORE || !sizes[i].row_out)
				report(kind, i, &first, out);
		}
	}
	fprintf(out, "\n]\n");
	return fclose(out) ? 1 : 0;
}
