/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic at the pace of the machine, from live frames of BPF_PROG_RUN, in this network namespace:
 *
 *   live sink DIRECTORY DEVICE...               counts and drops what comes in by these devices
 *   live watch DIRECTORY DEVICE...              the same, and notes times for `live flip`
 *   live bare-xdp DIRECTORY DEVICE TARGET...    redirects what comes in by a device to 1, 2, 4 or 8 others in turn
 *   live bare-tc DIRECTORY DEVICE TARGET...     the same from TC
 *   live send DIRECTORY DEVICE MAC BYTES 4|6 FLOWS PREFIXES MILLISECONDS
 *                                               sends by a veth; prints packets sent, packets that the sink of
 * DIRECTORY counted meanwhile, and seconds
 *   live stamp ...                              as send, IPv4 only: frames carry the time, and each goes by itself
 *   live flip DIRECTORY HEALTH ROUNDS           while that runs with one flow: takes out, in the pinned map HEALTH, the
 * entry whose number is that of the watched device at which the flow arrives, by one store, and puts it back. Prints,
 * for each round and in ns: from that store until the first packet arrived at another device; between two packets
 * before; from the store until the last packet was sent that still arrived at the first device, negative if it was
 * before; and until that first packet was sent
 *
 * DIRECTORY is one of a bpf filesystem, where links and the sink's counter are pinned. All runs on the CPU that the
 * sender is bound to: send it by taskset.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../maps/health.h"
#include "../../maps/limits.h"
#include "live.skel.h"
#include "live_arrival.h"

#define TCX_INGRESS 46 /* enum bpf_attach_type BPF_TCX_INGRESS */
#define MAX_TARGETS 8
#define MAX_BYTES   1500
#define RUN_FRAMES  (1 << 16) /* of one call */
#define BATCH	    64	      /* a NAPI budget */
#define WAIT_NS	    2000000   /* of flip: a flow that arrives somewhere for as long has arrived there for good */
#define LIMIT_NS    2000000000ull
#define SPACINGS    1000 /* between packets, whose mean counts */

static struct live *open_programs(void)
{
	struct live *live = live__open();

	if (!live)
		err(1, "open");
	return live;
}

static void load(struct live *live)
{
	if (live__load(live))
		err(1, "load");
}

static int ifindex_of(const char *device)
{
	int ifindex = (int)if_nametoindex(device);

	if (!ifindex)
		err(1, "%s", device);
	return ifindex;
}

static const char *pin_path(const char *directory, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void attach_xdp(const struct bpf_program *program, const char *directory, const char *device)
{
	struct bpf_link *link = bpf_program__attach_xdp(program, ifindex_of(device));

	if (!link || bpf_link__pin(link, pin_path(directory, device)))
		err(1, "attach to %s", device);
}

static void attach_tc(const struct bpf_program *program, const char *directory, const char *device)
{
	int link =
		bpf_link_create(bpf_program__fd(program), ifindex_of(device), (enum bpf_attach_type)TCX_INGRESS, NULL);

	if (link < 0 || bpf_obj_pin(link, pin_path(directory, device)))
		err(1, "attach to %s", device);
}

static void set_targets(struct live *live, char **devices, int count)
{
	if (count > MAX_TARGETS)
		errx(2, "%d devices: %d are taken", count, MAX_TARGETS);
	for (int i = 0; i < count; i++)
		live->rodata->targets[i] = (__u32)ifindex_of(devices[i]);
}

static void sink(bool watched, const char *directory, char **devices, int count)
{
	struct live *live = open_programs();

	if (watched)
		set_targets(live, devices, count);
	load(live);
	if (bpf_map__pin(live->maps.sunk, pin_path(directory, "sunk")) ||
	    bpf_map__pin(live->maps.arrivals, pin_path(directory, "arrivals")))
		err(1, "pin to %s", directory);
	for (int i = 0; i < count; i++)
		attach_xdp(watched ? live->progs.live_watch : live->progs.live_sink, directory, devices[i]);
}

static void bare(bool by_xdp, const char *directory, const char *device, char **devices, int count)
{
	struct live *live = open_programs();

	if (count < 1 || count > MAX_TARGETS || count & (count - 1))
		errx(2, "%d targets: 1, 2, 4 or 8 are taken", count);
	live->rodata->target_mask = (__u32)count - 1;
	set_targets(live, devices, count);
	load(live);
	for (__u32 i = 0; i < (__u32)count; i++) {
		__u32 ifindex = live->rodata->targets[i];

		if (bpf_map_update_elem(bpf_map__fd(live->maps.target_ports), &i, &ifindex, BPF_ANY))
			err(1, "target %s", devices[i]);
	}
	if (by_xdp)
		attach_xdp(live->progs.live_xdp, directory, device);
	else
		attach_tc(live->progs.live_tc, directory, device);
}

/* What all frames have in common. The checksum is the sum so far, not complemented: addresses are added to it. */
static void fill_ipv4(__u8 *frame, size_t bytes)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(bytes - ETH_HLEN)};
	__u32 sum = 0;
	__u16 words[sizeof(ip) / 2];

	memcpy(words, &ip, sizeof(ip));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		sum += ntohs(words[i]);
	ip.check = htons((sum & 0xffff) + (sum >> 16));
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
}

static void fill_ipv6(__u8 *frame, size_t bytes)
{
	struct ipv6hdr ip = {.version = 6,
			     .hop_limit = 64,
			     .nexthdr = IPPROTO_UDP,
			     .payload_len = htons(bytes - ETH_HLEN - sizeof(ip))};

	inet_pton(AF_INET6, "2001:db8:b::", &ip.saddr);
	inet_pton(AF_INET6, "2001:db8::5", &ip.daddr);
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
}

static void fill_frame(__u8 *frame, const char *mac, size_t bytes, bool is_ipv6)
{
	size_t header_bytes = is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct ethhdr ethernet = {.h_proto = htons(is_ipv6 ? ETH_P_IPV6 : ETH_P_IP), .h_source = {2}};
	struct udphdr udp = {.source = htons(1024), .dest = htons(2000), .len = htons(bytes - ETH_HLEN - header_bytes)};
	const struct ether_addr *to = ether_aton(mac);

	if (!to)
		errx(2, "'%s' is no MAC address", mac);
	memcpy(ethernet.h_dest, to, ETH_ALEN);
	memcpy(frame, &ethernet, sizeof(ethernet));
	if (is_ipv6)
		fill_ipv6(frame, bytes);
	else
		fill_ipv4(frame, bytes);
	memcpy(frame + ETH_HLEN + header_bytes, &udp, sizeof(udp));
}

static __u64 sunk(const char *directory)
{
	static int map = -1;
	unsigned cpus = (unsigned)libbpf_num_possible_cpus();
	__u64 *counts = calloc(cpus, sizeof(*counts)), sum = 0;
	__u32 zero = 0;

	if (map < 0)
		map = bpf_obj_get(pin_path(directory, "sunk"));
	if (!counts || map < 0 || bpf_map_lookup_elem(map, &zero, counts))
		err(1, "%s", pin_path(directory, "sunk"));
	for (unsigned i = 0; i < cpus; i++)
		sum += counts[i];
	free(counts);
	return sum;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned number(const char *text, unsigned least, unsigned most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value < least || value > most)
		errx(2, "'%s' is not a number of %u to %u", text, least, most);
	return (unsigned)value;
}

static void send_frames(bool stamped, char **arguments)
{
	const char *directory = arguments[0];
	size_t bytes = number(arguments[3], 64, MAX_BYTES);
	double begin_s, end_s, milliseconds = number(arguments[7], 1, 600000);
	__u8 frame[MAX_BYTES] = {0};
	struct live *live = open_programs();
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = (__u32)bytes, .repeat = RUN_FRAMES,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = stamped ? 1 : BATCH);
	__u64 sent = 0, before;

	srandom((unsigned)getpid());
	live->rodata->is_stamped = stamped;
	live->rodata->is_ipv6 = number(arguments[4], 4, stamped ? 4 : 6) == 6;
	live->rodata->frame_ifindex = (__u32)ifindex_of(arguments[1]);
	live->rodata->flows = number(arguments[5], 1, 1 << 24);
	live->rodata->prefixes = number(arguments[6], 1, 1 << 16);
	/* From where no run before began: a flood is to be one each time. */
	live->bss->flow = (__u32)random() % live->rodata->flows;
	fill_frame(frame, arguments[2], bytes, live->rodata->is_ipv6);
	memcpy((void *)live->rodata->frame, frame, sizeof(live->rodata->frame));
	load(live);
	before = sunk(directory);
	begin_s = now_s();
	do {
		if (bpf_prog_test_run_opts(bpf_program__fd(live->progs.live_send), &options))
			err(1, "run");
		sent += RUN_FRAMES;
		end_s = now_s();
	} while (end_s - begin_s < milliseconds / 1000);
	printf("%llu %llu %.6f\n", sent, sunk(directory) - before, end_s - begin_s);
}

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
}

static void *map_pinned(const char *path, size_t bytes)
{
	int map = bpf_obj_get(path);
	void *memory = map < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	if (memory == MAP_FAILED)
		err(1, "%s", path);
	return memory;
}

/* Busy, because a sleep ends late. Returns the device at which a packet came last, and nowhere else for WAIT_NS. */
static int settled_at(volatile struct live_arrival *arrivals)
{
	__u64 begin_ns = now_ns();

	for (__u64 ns = begin_ns; ns < begin_ns + LIMIT_NS; ns = now_ns()) {
		int heard = 0, device = -1;

		for (int i = 0; i < MAX_TARGETS; i++) {
			if (ns < arrivals[i].last_ns + WAIT_NS) {
				heard++;
				device = i;
			}
		}
		if (heard == 1 && ns > begin_ns + WAIT_NS)
			return device;
	}
	errx(1, "packets do not arrive at one device");
}

/* Returns the device, not that one, at which the first packet came since first_ns were 0. */
static int first_elsewhere(volatile struct live_arrival *arrivals, int device)
{
	__u64 end_ns = now_ns() + LIMIT_NS;

	while (now_ns() < end_ns) {
		for (int i = 0; i < MAX_TARGETS; i++) {
			if (i != device && arrivals[i].first_ns)
				return i;
		}
	}
	errx(1, "packets stay at device %d though its entry is out", device);
}

static void flip_once(volatile struct live_arrival *arrivals, volatile struct health *health)
{
	int from = settled_at(arrivals), to;
	__u64 packets = arrivals[from].packets, begin_ns = now_ns(), store_ns, spacing_ns;

	for (int i = 0; i < MAX_TARGETS; i++)
		arrivals[i].first_ns = 0;
	while (arrivals[from].packets < packets + SPACINGS) {
		if (now_ns() > begin_ns + LIMIT_NS)
			errx(1, "packets no longer arrive");
	}
	packets = arrivals[from].packets - packets;
	store_ns = now_ns();
	spacing_ns = (store_ns - begin_ns) / packets;
	health[from].admin_out = ADMIN_OUT;
	to = first_elsewhere(arrivals, from);
	settled_at(arrivals);
	printf("%lld %llu %lld %lld\n", (long long)(arrivals[to].first_ns - store_ns), spacing_ns,
	       (long long)(arrivals[from].last_sent_ns - store_ns), (long long)(arrivals[to].first_sent_ns - store_ns));
	health[from].admin_out = 0;
}

static void flip(const char *directory, const char *health_path, unsigned rounds)
{
	volatile struct live_arrival *arrivals =
		map_pinned(pin_path(directory, "arrivals"), MAX_TARGETS * sizeof(*arrivals));
	volatile struct health *health = map_pinned(health_path, MAX_INSTANCES * sizeof(*health));

	for (unsigned i = 0; i < rounds; i++)
		flip_once(arrivals, health);
}

int main(int argc, char **argv)
{
	if (argc >= 4 && mkdir(argv[2], 0700) && errno != EEXIST)
		err(1, "%s", argv[2]);
	if (argc >= 4 && (!strcmp(argv[1], "sink") || !strcmp(argv[1], "watch")))
		sink(!strcmp(argv[1], "watch"), argv[2], argv + 3, argc - 3);
	else if (argc >= 5 && !strncmp(argv[1], "bare-", 5))
		bare(!strcmp(argv[1], "bare-xdp"), argv[2], argv[3], argv + 4, argc - 4);
	else if (argc == 10 && (!strcmp(argv[1], "send") || !strcmp(argv[1], "stamp")))
		send_frames(!strcmp(argv[1], "stamp"), argv + 2);
	else if (argc == 5 && !strcmp(argv[1], "flip"))
		flip(argv[2], argv[3], number(argv[4], 1, 1000000));
	else
		errx(2, "usage: see the head of tests/lib/live.c");
	return 0;
}
