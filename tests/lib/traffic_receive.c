/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receives what traffic_send sends, IPv4 and IPv6, until SIGTERM; empties its sockets then and writes the log.
 *
 *   traffic_receive -o LOG [-p PORT] [-a EVERY]
 *
 * With -a it sends one in so many packets of each flow back, from the address that routes prefer: a gateway sees the
 * flow both ways then. An answer's whole way is this processor's work, before the next packet is looked at.
 * Packets that the sockets had to drop are counted in the log (missed_packets), so that the tester's own loss is never
 * taken for the gateway's. Single thread; run by vmtest/lib/traffic.sh in the namespace of the host behind the peer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "traffic.h"

#define BATCH	 64
#define QUIET_MS 300 /* after SIGTERM: nothing came for this long, nothing more will */

static int open_socket(int family, uint16_t port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, error;

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	traffic_receive_buffer(fd);
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		error = bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	} else {
		error = bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	}
	if (error)
		err(1, "bind to port %u", port);
	return fd;
}

/* The kernel tells the socket's drops so far with every packet. */
static void note_overflow(struct msghdr *message, uint32_t *ret_dropped)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL)
			memcpy(ret_dropped, CMSG_DATA(part), sizeof(*ret_dropped));
}

static void drain_socket(int fd, struct traffic_log *log, uint32_t *ret_dropped, uint32_t answer_every)
{
	struct traffic_packet packets[BATCH];
	struct sockaddr_storage senders[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	char control[BATCH][CMSG_SPACE(sizeof(uint32_t))];
	int count;

	do {
		uint64_t now_ns;

		for (int i = 0; i < BATCH; i++) {
			parts[i] = (struct iovec){.iov_base = &packets[i], .iov_len = sizeof(packets[i])};
			messages[i].msg_hdr = (struct msghdr){.msg_name = &senders[i],
							      .msg_namelen = sizeof(senders[i]),
							      .msg_iov = &parts[i],
							      .msg_iovlen = 1,
							      .msg_control = control[i],
							      .msg_controllen = sizeof(control[i])};
		}
		count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
		now_ns = traffic_now_ns();
		for (int i = 0; i < count; i++) {
			note_overflow(&messages[i].msg_hdr, ret_dropped);
			if (messages[i].msg_len < sizeof(packets[i]) || packets[i].magic != TRAFFIC_MAGIC ||
			    packets[i].flow >= TRAFFIC_MAX_FLOWS)
				continue;
			traffic_log_add(log, now_ns, &packets[i], 0);
			if (answer_every && packets[i].sequence % answer_every == 0)
				sendto(fd, &packets[i], sizeof(packets[i]), 0, (struct sockaddr *)&senders[i],
				       messages[i].msg_hdr.msg_namelen);
		}
	} while (count == BATCH);
}

int main(int argc, char **argv)
{
	static struct traffic_log log;
	const char *output = NULL;
	uint32_t dropped[2] = {0};
	uint16_t port = 9000;
	struct pollfd fds[2];
	uint32_t answer_every = 0; /* never */
	int option;

	while ((option = getopt(argc, argv, "o:p:a:")) != -1) {
		switch (option) {
		case 'o':
			output = optarg;
			break;
		case 'p':
			port = strtoul(optarg, NULL, 10);
			break;
		case 'a':
			answer_every = strtoul(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	if (!output)
		errx(2, "usage: traffic_receive -o LOG [-p PORT] [-a EVERY]");
	traffic_log_open(&log);
	traffic_handle_signals();
	fds[0] = (struct pollfd){.fd = open_socket(AF_INET, port), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = open_socket(AF_INET6, port), .events = POLLIN};
	traffic_ready();
	for (;;) {
		int events = poll(fds, 2, traffic_ended ? QUIET_MS : 1000);

		if (events == 0 && traffic_ended)
			break;
		for (int i = 0; i < 2; i++)
			drain_socket(fds[i].fd, &log, &dropped[i], answer_every);
	}
	log.head.missed_packets += dropped[0] + dropped[1];
	traffic_log_write(&log, output);
	fprintf(stderr, "traffic_receive: %u received, %u missed\n", log.count, log.head.missed_packets);
	return 0;
}
