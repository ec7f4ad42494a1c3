/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notes through which tunnel each packet of traffic_send comes: listens on the peer's tunnel interfaces until SIGTERM.
 *
 *   traffic_watch -o LOG [-p PORT] [-R] [NAMESPACE:]INTERFACE=TUNNEL...
 *
 * With -R, packets of traffic_send -R: those from PORT, instead of those to it.
 * NAMESPACE is one of /run/netns; without it the interface is where the program was started.
 * Packet sockets without link header, so that the same offsets hold on xfrm interfaces, veth and tun; a socket filter
 * leaves only UDP to the port. What the sockets had to drop is counted in the log (missed_packets). Single thread; run
 * by vmtest/traffic.sh.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "traffic.h"

#define BATCH		64
#define QUIET_MS	300
#define SNAP_BYTES	(60 + 8 + sizeof(struct traffic_packet)) /* longest IPv4 header, UDP, ours */
#define IPV6_HEADER	40
#define UDP_HEADER	8
#define PROTOCOL_OFFSET (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)

/* The port looked at is at that offset of the UDP header. */
static void attach_filter(int fd, uint16_t port, uint32_t offset)
{
	/* Jumps count from the next instruction; the last two take and drop. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, PROTOCOL_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 9),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, offset),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 5, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IPV6_HEADER + offset),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SNAP_BYTES),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		err(1, "SO_ATTACH_FILTER");
}

static int open_socket(const char *interface, uint16_t port, bool reversed)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	/* Protocol 0: nothing arrives before the filter is there and the interface is chosen. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address.sll_ifindex = if_nametoindex(interface);
	if (fd < 0 || !address.sll_ifindex)
		err(1, "%s", interface);
	traffic_receive_buffer(fd);
	attach_filter(fd, port, reversed ? offsetof(struct udphdr, source) : offsetof(struct udphdr, dest));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", interface);
	return fd;
}

static void note(struct traffic_log *log, const uint8_t *data, uint32_t bytes, uint8_t tunnel, uint64_t now_ns)
{
	const uint32_t offset = ((data[0] >> 4) == 4 ? (data[0] & 15) * 4 : IPV6_HEADER) + UDP_HEADER;
	struct traffic_packet packet;

	if (bytes < offset + sizeof(packet))
		return;
	memcpy(&packet, data + offset, sizeof(packet));
	if (packet.magic == TRAFFIC_MAGIC && packet.flow < TRAFFIC_MAX_FLOWS)
		traffic_log_add(log, now_ns, &packet, tunnel);
}

static void drain_socket(int fd, struct traffic_log *log, uint8_t tunnel)
{
	uint8_t buffers[BATCH][SNAP_BYTES];
	struct sockaddr_ll from[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	int count;

	do {
		uint64_t now_ns;

		for (int i = 0; i < BATCH; i++) {
			parts[i] = (struct iovec){.iov_base = buffers[i], .iov_len = SNAP_BYTES};
			messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
							      .msg_iovlen = 1,
							      .msg_name = &from[i],
							      .msg_namelen = sizeof(from[i])};
		}
		count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
		now_ns = traffic_now_ns();
		for (int i = 0; i < count; i++)
			if (from[i].sll_pkttype != PACKET_OUTGOING)
				note(log, buffers[i], messages[i].msg_len, tunnel, now_ns);
	} while (count == BATCH);
}

static uint32_t dropped_packets(int fd)
{
	struct tpacket_stats stats = {0};
	socklen_t bytes = sizeof(stats);

	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes);
	return stats.tp_drops;
}

/* A socket stays in the namespace that it was opened in. */
static void enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	close(fd);
}

static int open_tunnel(struct traffic_log *log, char *argument, uint16_t port, bool reversed, int home)
{
	char *equal = strchr(argument, '='), *colon = strchr(argument, ':');
	const char *interface = colon ? colon + 1 : argument;
	char path[128];
	int fd;

	if (equal)
		*equal = 0;
	snprintf(log->head.names[log->head.tunnels++], sizeof(log->head.names[0]), "%s", equal ? equal + 1 : interface);
	if (!colon)
		return open_socket(interface, port, reversed);
	*colon = 0;
	snprintf(path, sizeof(path), "/run/netns/%s", argument);
	enter(path);
	fd = open_socket(interface, port, reversed);
	if (setns(home, CLONE_NEWNET))
		err(1, "back from %s", path);
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd fds[TRAFFIC_MAX_TUNNELS];
	static struct traffic_log log;
	const char *output = NULL;
	uint16_t port = 9000;
	bool reversed = false;
	int option, home;

	while ((option = getopt(argc, argv, "o:p:R")) != -1) {
		switch (option) {
		case 'o':
			output = optarg;
			break;
		case 'p':
			port = strtoul(optarg, NULL, 10);
			break;
		case 'R':
			reversed = true;
			break;
		default:
			return 2;
		}
	}
	if (!output || optind == argc || argc - optind > TRAFFIC_MAX_TUNNELS)
		errx(2, "usage: traffic_watch -o LOG [-p PORT] [-R] [NAMESPACE:]INTERFACE=TUNNEL...");
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	traffic_log_open(&log);
	traffic_handle_signals();
	for (int i = optind; i < argc; i++)
		fds[i - optind] =
			(struct pollfd){.fd = open_tunnel(&log, argv[i], port, reversed, home), .events = POLLIN};
	traffic_ready();
	for (;;) {
		int events = poll(fds, log.head.tunnels, traffic_ended ? QUIET_MS : 1000);

		if (events == 0 && traffic_ended)
			break;
		for (uint32_t i = 0; i < log.head.tunnels; i++)
			drain_socket(fds[i].fd, &log, i);
	}
	for (uint32_t i = 0; i < log.head.tunnels; i++)
		log.head.missed_packets += dropped_packets(fds[i].fd);
	traffic_log_write(&log, output);
	fprintf(stderr, "traffic_watch: %u seen, %u missed\n", log.count, log.head.missed_packets);
	return 0;
}
