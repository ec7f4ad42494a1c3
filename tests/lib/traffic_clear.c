/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts clear text where only IPsec belongs: listens on interfaces of the wan segment until SIGTERM, then writes
 * {"clear_text_packets":N,"first":["interface protocol bytes"...]} to the output.
 *
 *   traffic_clear -o JSON INTERFACE...
 *
 * Clear is every packet, in either direction, that is not ESP, IKE (UDP 500 and 4500), ARP, or ICMPv6 neighbour
 * discovery and multicast listener reports. A socket filter lets ESP pass by in the kernel, so that fast tunnels cost
 * the measured machine nothing here; the few others are judged below. The caller proves that it sees anything at all by
 * sending one clear packet of its own.
 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <unistd.h>

#include "traffic.h"

#define MAX_INTERFACES	16
#define FIRST_SHOWN	8
#define QUIET_MS	300
#define SNAP_BYTES	128
#define IPV6_HEADER	40
#define PROTOCOL_OFFSET (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)
#define IKE_PORT	500
#define IKE_NAT_PORT	4500

struct counter {
	uint64_t clear_packets;
	uint64_t missed_packets;
	char first[FIRST_SHOWN][128];
};

static void attach_filter(int fd)
{
	/* Jumps count from the next instruction; the last two drop and take. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, PROTOCOL_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ESP, 3, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ESP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, SNAP_BYTES),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		err(1, "SO_ATTACH_FILTER");
}

static bool is_ike(const uint8_t *udp)
{
	for (int i = 0; i < 4; i += 2) {
		uint16_t port = udp[i] << 8 | udp[i + 1];

		if (port == IKE_PORT || port == IKE_NAT_PORT)
			return true;
	}
	return false;
}

/* Multicast listener 130-132 and 143, router and neighbour discovery 133-137. */
static bool is_discovery(uint8_t type)
{
	return (type >= 130 && type <= 137) || type == 143;
}

static bool is_allowed(uint16_t ethertype, const uint8_t *data, uint32_t bytes)
{
	uint32_t header;

	switch (ethertype) {
	case ETH_P_ARP:
		return true;
	case ETH_P_IP:
		header = (data[0] & 15) * 4;
		return bytes >= header + 4 && data[9] == IPPROTO_UDP && is_ike(data + header);
	case ETH_P_IPV6:
		if (bytes < IPV6_HEADER + 9)
			return false;
		if (data[6] == IPPROTO_UDP)
			return is_ike(data + IPV6_HEADER);
		if (data[6] == IPPROTO_HOPOPTS) /* 8 bytes of router alert stand before a listener report */
			return data[IPV6_HEADER] == IPPROTO_ICMPV6 && is_discovery(data[IPV6_HEADER + 8]);
		return data[6] == IPPROTO_ICMPV6 && is_discovery(data[IPV6_HEADER]);
	default:
		return false;
	}
}

static void judge(struct counter *counter, const char *interface, uint16_t ethertype, const uint8_t *data,
		  uint32_t bytes)
{
	char *text;
	int at;

	if (is_allowed(ethertype, data, bytes))
		return;
	if (counter->clear_packets < FIRST_SHOWN) {
		text = counter->first[counter->clear_packets];
		at = snprintf(text, sizeof(counter->first[0]), "%s %04x", interface, ethertype);
		for (uint32_t i = 0; i < bytes && i < 44; i++)
			at += snprintf(text + at, sizeof(counter->first[0]) - at, i % 4 ? "%02x" : " %02x", data[i]);
	}
	counter->clear_packets++;
}

static int open_socket(const char *interface)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	/* Protocol 0: nothing arrives before the filter is there and the interface is chosen. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address.sll_ifindex = if_nametoindex(interface);
	if (fd < 0 || !address.sll_ifindex)
		err(1, "%s", interface);
	traffic_receive_buffer(fd);
	attach_filter(fd);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", interface);
	return fd;
}

static void drain_socket(int fd, const char *interface, struct counter *counter)
{
	uint8_t data[SNAP_BYTES] = {0};
	struct sockaddr_ll from;
	socklen_t from_bytes = sizeof(from);
	ssize_t bytes;

	while ((bytes = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_bytes)) >= 0) {
		judge(counter, interface, ntohs(from.sll_protocol), data, bytes);
		memset(data, 0, sizeof(data));
		from_bytes = sizeof(from);
	}
}

static void write_result(const struct counter *counter, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		err(1, "%s", path);
	fprintf(file, "{\"clear_text_packets\":%llu,\"missed_packets\":%llu,\"first\":[",
		(unsigned long long)counter->clear_packets, (unsigned long long)counter->missed_packets);
	for (uint64_t i = 0; i < counter->clear_packets && i < FIRST_SHOWN; i++)
		fprintf(file, "%s\"%s\"", i ? "," : "", counter->first[i]);
	fprintf(file, "]}\n");
	if (fclose(file))
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	static struct counter counter;
	struct pollfd fds[MAX_INTERFACES];
	const char *output = NULL;
	int option, count;

	while ((option = getopt(argc, argv, "o:")) != -1) {
		if (option != 'o')
			return 2;
		output = optarg;
	}
	count = argc - optind;
	if (!output || count < 1 || count > MAX_INTERFACES)
		errx(2, "usage: traffic_clear -o JSON INTERFACE...");
	traffic_handle_signals();
	for (int i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = open_socket(argv[optind + i]), .events = POLLIN};
	traffic_ready();
	for (;;) {
		int events = poll(fds, count, traffic_ended ? QUIET_MS : 1000);

		if (events == 0 && traffic_ended)
			break;
		for (int i = 0; i < count; i++)
			drain_socket(fds[i].fd, argv[optind + i], &counter);
	}
	for (int i = 0; i < count; i++) {
		struct tpacket_stats stats = {0};
		socklen_t bytes = sizeof(stats);

		getsockopt(fds[i].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes);
		counter.missed_packets += stats.tp_drops;
	}
	write_result(&counter, output);
	return 0;
}
