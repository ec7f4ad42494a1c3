/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic at the pace of the machine, from live frames of BPF_PROG_RUN, in this network namespace:
 *
 *   live sink DIRECTORY DEVICE...               counts and drops what comes in by these devices
 *   live bare-xdp DIRECTORY DEVICE TARGET...    redirects what comes in by a device to 1, 2, 4 or 8 others in turn
 *   live bare-tc DIRECTORY DEVICE TARGET...     the same from TC
 *   live send DIRECTORY DEVICE MAC BYTES 4|6 FLOWS PREFIXES MILLISECONDS
 *                                               sends by a veth; prints packets sent, packets that the sink of
 * DIRECTORY counted meanwhile, and seconds
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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "live.skel.h"

#define TCX_INGRESS 46 /* enum bpf_attach_type BPF_TCX_INGRESS */
#define MAX_TARGETS 8
#define MAX_BYTES   1500
#define RUN_FRAMES  (1 << 16) /* of one call */
#define BATCH	    64	      /* a NAPI budget */

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

static void sink(const char *directory, char **devices, int count)
{
	struct live *live = open_programs();

	load(live);
	if (bpf_map__pin(live->maps.sunk, pin_path(directory, "sunk")))
		err(1, "pin to %s", directory);
	for (int i = 0; i < count; i++)
		attach_xdp(live->progs.live_sink, directory, devices[i]);
}

static void bare(bool by_xdp, const char *directory, const char *device, char **devices, int count)
{
	struct live *live = open_programs();

	if (count < 1 || count > MAX_TARGETS || count & (count - 1))
		errx(2, "%d targets: 1, 2, 4 or 8 are taken", count);
	live->rodata->target_mask = (__u32)count - 1;
	for (int i = 0; i < count; i++)
		live->rodata->targets[i] = (__u32)ifindex_of(devices[i]);
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

static void send_frames(char **arguments)
{
	const char *directory = arguments[0];
	size_t bytes = number(arguments[3], 64, MAX_BYTES);
	double begin_s, end_s, milliseconds = number(arguments[7], 1, 600000);
	__u8 frame[MAX_BYTES] = {0};
	struct live *live = open_programs();
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = (__u32)bytes, .repeat = RUN_FRAMES,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	__u64 sent = 0, before;

	srandom((unsigned)getpid());
	live->rodata->is_ipv6 = number(arguments[4], 4, 6) == 6;
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

int main(int argc, char **argv)
{
	if (argc >= 4 && mkdir(argv[2], 0700) && errno != EEXIST)
		err(1, "%s", argv[2]);
	if (argc >= 4 && !strcmp(argv[1], "sink"))
		sink(argv[2], argv + 3, argc - 3);
	else if (argc >= 5 && !strncmp(argv[1], "bare-", 5))
		bare(!strcmp(argv[1], "bare-xdp"), argv[2], argv[3], argv + 4, argc - 4);
	else if (argc == 10 && !strcmp(argv[1], "send"))
		send_frames(argv + 2);
	else
		errx(2, "usage: see the head of tests/lib/live.c");
	return 0;
}
