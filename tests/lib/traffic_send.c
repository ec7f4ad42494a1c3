/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sends numbered UDP packets of many flows, IPv4 and IPv6, evenly paced, until SIGTERM; then writes the log of all
 * sent.
 *
 *   traffic_send -o LOG -n FLOWS -r PACKETS_PER_SECOND [-p PORT] [-s BYTES] [-d] [-R] SOURCE,DESTINATION...
 *
 * Flow i goes from port 20000+i over address pair i modulo the pairs. A packet that the kernel refuses gets no sequence
 * number: it was never sent. With -d, packets must not be fragmented, and stay as long as they are whatever ICMP says
 * of the way. With -R, flow i goes from PORT to port 20000+i: the other direction of the flows that a traffic_send
 * without it sends, where the pairs are turned as well. Its sockets are raw, since the ports are those of who is sent
 * to. After a stall of the machine the schedule moves on instead of bursting: a burst that no client sends would only
 * measure queues. Single thread; run by vmtest/lib/traffic.sh in the client's namespace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <unistd.h>

#include "traffic.h"

#define FIRST_SOURCE_PORT 20000
#define MAX_LAG_NS	  250000000ull
#define TICK_NS		  1000000ull

struct sender {
	struct traffic_log log;
	int fds[TRAFFIC_MAX_FLOWS];
	uint32_t sequences[TRAFFIC_MAX_FLOWS];
	uint32_t flows;
	uint32_t rate_pps;
	uint32_t payload_bytes;
	uint16_t reversed_port; /* 0: not reversed */
	uint32_t refused_packets;
	uint64_t worst_lag_ns;
};

static void resolve(const char *address, const char *port, struct sockaddr_storage *ret_address, socklen_t *ret_bytes)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM}, *info;
	int error = getaddrinfo(address, port, &hints, &info);

	if (error)
		errx(2, "%s: %s", address, gai_strerror(error));
	memcpy(ret_address, info->ai_addr, info->ai_addrlen);
	*ret_bytes = info->ai_addrlen;
	freeaddrinfo(info);
}

/* Sent whole, with DF, by whatever path MTU. */
static void keep_whole(int fd, int family)
{
	int probe = IP_PMTUDISC_PROBE, probe6 = IPV6_PMTUDISC_PROBE;

	if (family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe))
			      : setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6)))
		err(1, "path MTU discovery");
}

/* A raw socket's port is the protocol, and must not be given. The kernel makes the IP header, and the checksum that
 * IPv6 wants. */
static int open_socket(int family, bool raw)
{
	int fd = socket(family, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, raw ? IPPROTO_UDP : 0), nothing = 0;
	int checksum = offsetof(struct udphdr, check);

	if (fd < 0)
		err(1, "socket");
	if (raw && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &nothing, sizeof(nothing)))
		err(1, "SO_RCVBUF");
	if (raw && family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &checksum, sizeof(checksum)))
		err(1, "IPV6_CHECKSUM");
	return fd;
}

static int open_flow(const char *pair, uint32_t flow, const char *port, bool whole, bool raw)
{
	char source[64], source_port[8];
	struct sockaddr_storage address;
	socklen_t bytes;
	const char *comma = strchr(pair, ',');
	int fd;

	if (!comma || (size_t)(comma - pair) >= sizeof(source))
		errx(2, "%s: not SOURCE,DESTINATION", pair);
	snprintf(source, sizeof(source), "%.*s", (int)(comma - pair), pair);
	snprintf(source_port, sizeof(source_port), "%u", raw ? 0 : FIRST_SOURCE_PORT + flow);
	resolve(source, source_port, &address, &bytes);
	fd = open_socket(address.ss_family, raw);
	if (bind(fd, (struct sockaddr *)&address, bytes))
		err(1, "%s", source);
	if (whole)
		keep_whole(fd, address.ss_family);
	resolve(comma + 1, raw ? "0" : port, &address, &bytes);
	if (connect(fd, (struct sockaddr *)&address, bytes))
		err(1, "%s", comma + 1);
	return fd;
}

static uint32_t add_header(const struct sender *sender, uint32_t flow, uint8_t *buffer)
{
	struct udphdr header = {
		.source = htons(sender->reversed_port),
		.dest = htons(FIRST_SOURCE_PORT + flow),
		.len = htons(sizeof(header) + sender->payload_bytes),
	};

	if (!sender->reversed_port)
		return 0;
	memcpy(buffer, &header, sizeof(header));
	return sizeof(header);
}

static void send_one(struct sender *sender, uint32_t flow)
{
	uint8_t buffer[65536] __attribute__((aligned(8)));
	const uint32_t start = add_header(sender, flow, buffer);
	struct traffic_packet packet = {
		.magic = TRAFFIC_MAGIC,
		.flow = flow,
		.sequence = sender->sequences[flow],
	};
	int tries = 2; /* a first error may be an ICMP that came for an earlier packet */

	memset(buffer + start + sizeof(packet), 0, sender->payload_bytes - sizeof(packet));
	while (tries--) {
		packet.sent_ns = traffic_now_ns();
		memcpy(buffer + start, &packet, sizeof(packet));
		if (send(sender->fds[flow], buffer, start + sender->payload_bytes, 0) < 0)
			continue;
		traffic_log_add(&sender->log, packet.sent_ns, &packet, 0);
		sender->sequences[flow]++;
		return;
	}
	sender->refused_packets++;
}

static void run(struct sender *sender)
{
	const uint64_t interval_ns = 1000000000ull / sender->rate_pps;
	uint64_t due_ns = traffic_now_ns(), now_ns;
	uint32_t flow = 0;

	while (!traffic_ended) {
		struct timespec until;

		now_ns = traffic_now_ns();
		if (now_ns > due_ns + sender->worst_lag_ns)
			sender->worst_lag_ns = now_ns - due_ns;
		if (now_ns > due_ns + MAX_LAG_NS)
			due_ns = now_ns - MAX_LAG_NS;
		for (; due_ns <= now_ns; due_ns += interval_ns) {
			send_one(sender, flow);
			flow = (flow + 1) % sender->flows;
		}
		until.tv_sec = (now_ns + TICK_NS) / 1000000000ull;
		until.tv_nsec = (now_ns + TICK_NS) % 1000000000ull;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
}

int main(int argc, char **argv)
{
	static struct sender sender = {.payload_bytes = 64};
	const char *output = NULL, *port = "9000";
	bool whole = false, reversed = false;
	int option;

	while ((option = getopt(argc, argv, "o:n:r:p:s:dR")) != -1) {
		switch (option) {
		case 'o':
			output = optarg;
			break;
		case 'n':
			sender.flows = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			sender.rate_pps = strtoul(optarg, NULL, 10);
			break;
		case 'p':
			port = optarg;
			break;
		case 's':
			sender.payload_bytes = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			whole = true;
			break;
		case 'R':
			reversed = true;
			break;
		default:
			return 2;
		}
	}
	if (!output || optind == argc || !sender.flows || sender.flows > TRAFFIC_MAX_FLOWS || !sender.rate_pps ||
	    sender.payload_bytes < sizeof(struct traffic_packet) || sender.payload_bytes > 65000)
		errx(2,
		     "usage: traffic_send -o LOG -n FLOWS -r PPS [-p PORT] [-s BYTES] [-d] [-R] SOURCE,DESTINATION...");
	if (reversed)
		sender.reversed_port = strtoul(port, NULL, 10);
	for (uint32_t flow = 0; flow < sender.flows; flow++)
		sender.fds[flow] = open_flow(argv[optind + flow % (argc - optind)], flow, port, whole, reversed);
	traffic_log_open(&sender.log);
	traffic_handle_signals();
	traffic_ready();
	run(&sender);
	traffic_log_write(&sender.log, output);
	fprintf(stderr, "traffic_send: %u sent, %u refused, at worst %.1f ms late\n", sender.log.count,
		sender.refused_packets, sender.worst_lag_ns / 1e6);
	return 0;
}
