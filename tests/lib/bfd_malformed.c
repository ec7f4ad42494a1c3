/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sends one BFD packet with one fault, from the address of a session's real peer: what a receiver must throw away, by
 * RFC 5880, section 6.8.6, and RFC 5881, section 5.
 *
 *   bfd_malformed list                                           "KIND REASON" a line; the reason as in maps/sessions.h
 *   bfd_malformed KIND LOCAL PEER OUR_DISCRIMINATOR THEIR_DISCRIMINATOR
 *   bfd_malformed again|changed INTERFACE LOCAL PEER             what went out of INTERFACE to PEER is sent once more:
 *                                                                later, its sequence number old; at once, the number
 *                                                                new and its digest thereby wrong
 *   bfd_malformed reply LOCAL PEER IDENTIFIER                    an ICMP echo reply to nothing; IPv4 and IPv6
 *
 * Apart from its fault a packet is one that the peer could have sent: state Up, both discriminators right, intervals
 * 50 ms x 3. "valid" has no fault. Run in the namespace of the peer; it needs no privilege but for again, changed and
 * reply.
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BFD_BYTES	  24
#define BFD_MAX_BYTES	  64
#define PORT_SINGLE_HOP	  3784
#define PORT_MULTIHOP	  4784
#define FIRST_SOURCE_PORT 61000 /* above those that FRR and BIRD take first */
#define AUTH_SIMPLE	  1
#define AUTH_SHA1	  4
#define AUTH_SHA1_BYTES	  28
#define SEQUENCE_OFFSET	  28
#define OLD_AFTER_MS	  1500 /* BIRD counts its packets up once a second where it need not each time */

enum place { /* byte offsets, RFC 5880, section 4.1 */
	     VERSION = 0,
	     FLAGS = 1,
	     MULTIPLIER = 2,
	     LENGTH = 3,
	     MINE = 4,
	     YOURS = 8,
	     DESIRED_TX = 12,
	     REQUIRED_RX = 16,
	     AUTH_TYPE = 24,
	     AUTH_LENGTH = 25,
	     AUTH_KEY = 26
};

enum flag {
	STATE_UP = 3 << 6,
	POLL = 0x20,
	FINAL = 0x10,
	AUTHENTICATED = 0x04,
	MULTIPOINT = 0x01,
};

struct packet {
	uint8_t data[BFD_MAX_BYTES];
	size_t bytes;
	int ttl;
	uint16_t port, source_port;
};

static void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static void packet_good(struct packet *packet, uint32_t mine, uint32_t yours)
{
	memset(packet, 0, sizeof(*packet));
	packet->bytes = BFD_BYTES;
	packet->ttl = 255;
	packet->port = PORT_SINGLE_HOP;
	packet->source_port = FIRST_SOURCE_PORT + getpid() % 4096;
	packet->data[VERSION] = 1 << 5;
	packet->data[FLAGS] = STATE_UP;
	packet->data[MULTIPLIER] = 3;
	packet->data[LENGTH] = BFD_BYTES;
	put32(packet->data + MINE, mine);
	put32(packet->data + YOURS, yours);
	put32(packet->data + DESIRED_TX, 50000);
	put32(packet->data + REQUIRED_RX, 50000);
}

/* One fault: byte `at` becomes (byte & keep) ^ flip, where one of them is given; the rest says what else is otherwise
 * than in a good packet. */
static const struct kind {
	const char *name, *reason;
	uint8_t at, keep, flip;
	bool zero_word; /* the four bytes from `at` */
	uint8_t cut_bytes;
	uint8_t auth_type, auth_bytes;
	int ttl;
	uint16_t port, source_port;
} kinds[] = {
	{"valid", "-", .keep = 0xff},
	{"ttl", "ttl", .ttl = 254},
	{"other_port", "port", .port = PORT_MULTIHOP},
	{"empty", "truncated", .cut_bytes = BFD_BYTES},
	{"short", "truncated", .cut_bytes = 1},
	{"shorter_than_said", "truncated", .at = LENGTH, .flip = BFD_BYTES + 4},
	{"version_0", "version", .at = VERSION, .keep = 0x1f},
	{"version_2", "version", .at = VERSION, .keep = 0x1f, .flip = 2 << 5},
	{"length", "length", .at = LENGTH, .flip = BFD_BYTES - 1},
	{"length_auth", "length", .at = FLAGS, .keep = 0xff, .flip = AUTHENTICATED},
	{"multiplier", "multiplier", .at = MULTIPLIER},
	{"multipoint", "multipoint", .at = FLAGS, .keep = 0xff, .flip = MULTIPOINT},
	{"my_discriminator", "my_discriminator", .at = MINE, .zero_word = true},
	{"your_discriminator", "your_discriminator", .at = YOURS, .keep = 0xff, .flip = 0xff},
	{"your_discriminator_0", "your_discriminator", .at = YOURS, .zero_word = true},
	{"poll_final", "poll_final", .at = FLAGS, .keep = 0xff, .flip = POLL | FINAL},
	{"auth_unexpected", "auth_unexpected", .auth_type = AUTH_SHA1, .auth_bytes = AUTH_SHA1_BYTES},
	/* To a session that authenticates, with key 1: */
	{"auth_missing", "auth_missing", .keep = 0xff},
	{"auth_simple", "auth_type", .auth_type = AUTH_SIMPLE, .auth_bytes = 9},
	{"auth_key_id", "auth_type", .auth_type = AUTH_SHA1, .auth_bytes = AUTH_SHA1_BYTES, .at = AUTH_KEY, .flip = 99},
	{"auth_length", "auth_type", .auth_type = AUTH_SHA1, .auth_bytes = AUTH_SHA1_BYTES, .at = AUTH_LENGTH,
	 .flip = 27},
};

static void packet_spoil(struct packet *packet, const struct kind *kind)
{
	uint8_t *at = packet->data + kind->at;

	if (kind->auth_bytes) {
		packet->data[FLAGS] |= AUTHENTICATED;
		packet->data[AUTH_TYPE] = kind->auth_type;
		packet->data[AUTH_LENGTH] = kind->auth_bytes;
		packet->data[AUTH_KEY] = 1;
		packet->bytes += kind->auth_bytes;
		packet->data[LENGTH] = packet->bytes;
	}
	if (kind->zero_word)
		put32(at, 0);
	else if (kind->at || kind->keep)
		*at = (*at & kind->keep) ^ kind->flip;
	packet->bytes -= kind->cut_bytes;
	packet->ttl = kind->ttl ? kind->ttl : packet->ttl;
	packet->port = kind->port ? kind->port : packet->port;
	packet->source_port = kind->source_port ? kind->source_port : packet->source_port;
}

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct addrinfo *resolve(const char *address, uint16_t port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM}, *info;
	char service[8];
	int error;

	snprintf(service, sizeof(service), "%u", port);
	error = getaddrinfo(address, service, &hints, &info);
	if (error)
		errx(2, "%s: %s", address, gai_strerror(error));
	return info;
}

static void packet_send(const struct packet *packet, const char *local, const char *peer)
{
	struct addrinfo *from = resolve(local, packet->source_port), *to = resolve(peer, packet->port);
	int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0 || bind(fd, from->ai_addr, from->ai_addrlen))
		err(1, "%s port %u", local, packet->source_port);
	if (to->ai_family == AF_INET6)
		error = setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &packet->ttl, sizeof(packet->ttl));
	else
		error = setsockopt(fd, IPPROTO_IP, IP_TTL, &packet->ttl, sizeof(packet->ttl));
	if (error || sendto(fd, packet->data, packet->bytes, 0, to->ai_addr, to->ai_addrlen) != (ssize_t)packet->bytes)
		err(1, "to %s", peer);
	close(fd);
	freeaddrinfo(from);
	freeaddrinfo(to);
}

/* The UDP payload of the next packet to the single-hop port that leaves the interface; IPv4 without options, or IPv6.
 */
static void packet_capture(struct packet *packet, const char *interface)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)}, from;
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint8_t data[256];

	address.sll_ifindex = if_nametoindex(interface);
	if (fd < 0 || !address.sll_ifindex || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", interface);
	while (poll(&wait, 1, 5000) > 0) {
		socklen_t from_bytes = sizeof(from);
		ssize_t bytes = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_bytes);
		const size_t header = (data[0] >> 4) == 4 ? 20 : 40;

		if (from.sll_pkttype != PACKET_OUTGOING || bytes < (ssize_t)header + 8 + BFD_BYTES ||
		    data[header == 20 ? 9 : 6] != IPPROTO_UDP ||
		    (data[header + 2] << 8 | data[header + 3]) != PORT_SINGLE_HOP)
			continue;
		packet->bytes = bytes - header - 8;
		memcpy(packet->data, data + header + 8, packet->bytes);
		close(fd);
		return;
	}
	errx(1, "%s: no BFD packet goes out", interface);
}

static void repeat(bool changed, const char *interface, const char *local, const char *peer)
{
	const struct timespec later = {.tv_sec = OLD_AFTER_MS / 1000, .tv_nsec = OLD_AFTER_MS % 1000 * 1000000};
	struct packet packet;

	packet_good(&packet, 0, 0);
	packet_capture(&packet, interface);
	if (packet.bytes < SEQUENCE_OFFSET + 4)
		errx(1, "%s: what goes out is not authenticated", interface);
	/* Two ahead: the next one that the peer itself sends would have one ahead. */
	if (changed)
		put32(packet.data + SEQUENCE_OFFSET, get32(packet.data + SEQUENCE_OFFSET) + 2);
	else
		nanosleep(&later, NULL);
	packet_send(&packet, local, peer);
}

static void reply(const char *local, const char *peer, uint16_t identifier)
{
	struct addrinfo *from = resolve(local, 0), *to = resolve(peer, 0);
	const bool is_ipv6 = to->ai_family == AF_INET6;
	int fd = socket(to->ai_family, SOCK_RAW | SOCK_CLOEXEC, is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	uint8_t data[64] = {is_ipv6 ? 129 : 0, 0, 0, 0, identifier >> 8, identifier & 0xff, 0x7f, 0xff};
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(data); i += 2)
		sum += data[i] << 8 | data[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	if (!is_ipv6) { /* of ICMPv6 the kernel computes it */
		data[2] = ~sum >> 8 & 0xff;
		data[3] = ~sum & 0xff;
	}
	if (fd < 0 || bind(fd, from->ai_addr, from->ai_addrlen) ||
	    sendto(fd, data, sizeof(data), 0, to->ai_addr, to->ai_addrlen) != sizeof(data))
		err(1, "to %s", peer);
	close(fd);
	freeaddrinfo(from);
	freeaddrinfo(to);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	struct packet packet;

	if (argc == 2 && !strcmp(name, "list")) {
		for (size_t i = 0; i < KINDS; i++)
			printf("%s %s\n", kinds[i].name, kinds[i].reason);
		return 0;
	}
	if (argc == 5 && (!strcmp(name, "again") || !strcmp(name, "changed"))) {
		repeat(!strcmp(name, "changed"), argv[2], argv[3], argv[4]);
		return 0;
	}
	if (argc == 5 && !strcmp(name, "reply")) {
		reply(argv[2], argv[3], strtoul(argv[4], NULL, 0));
		return 0;
	}
	for (size_t i = 0; argc == 6 && i < KINDS; i++) {
		if (strcmp(name, kinds[i].name))
			continue;
		packet_good(&packet, strtoul(argv[4], NULL, 0), strtoul(argv[5], NULL, 0));
		packet_spoil(&packet, &kinds[i]);
		packet_send(&packet, argv[2], argv[3]);
		return 0;
	}
	errx(2, "usage: see the head of tests/lib/bfd_malformed.c");
}
