/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builds Ethernet frames header by header, from the outside in: each call appends one header, frame_end() fills in
 *lengths and checksums. For program tests, unit tests and benches. A frame that does not fit aborts.
 *
 *	struct frame frame = frame_start(ETH_P_IP);
 *	frame_ipv4(&frame, CLIENT, SERVER, IPPROTO_UDP);
 *	frame_udp(&frame, 1000, 2000);
 *	frame_end(&frame);
 */
#ifndef TESTS_PROG_PACKETS_H
#define TESTS_PROG_PACKETS_H

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES	3200
#define FRAME_IP_LAYERS 4

/* Named addresses: a client on the inside, a server behind the tunnels, a router between them, a host of the box's own
 * network. */
#define CLIENT	 "10.1.2.3"
#define SERVER	 "192.168.7.9"
#define ROUTER	 "192.168.99.1"
#define NEIGHBOR "10.0.0.77"
#define STRANGER "198.51.100.5"
#define CLIENT6	 "2001:db8:aaaa::3"
#define SERVER6	 "2001:db8:1::9"
#define ROUTER6	 "2001:db8:1:ff::1"

static const uint8_t GATEWAY_MAC[ETH_ALEN] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t CLIENT_MAC[ETH_ALEN] = {0x02, 0, 0, 0, 0, 0x02};

struct frame {
	uint8_t lead[2]; /* so that the IP header is aligned, as NICs do it */
	uint8_t data[FRAME_BYTES];
	size_t length;
	size_t ip[FRAME_IP_LAYERS]; /* offsets of IP headers, the outermost first */
	unsigned ips;
} __attribute__((aligned(8)));

static inline void *frame_add(struct frame *frame, size_t bytes)
{
	void *here = frame->data + frame->length;

	if (frame->length + bytes > FRAME_BYTES)
		abort();
	memset(here, 0, bytes);
	frame->length += bytes;
	return here;
}

static inline void frame_put16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline unsigned frame_get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static inline struct frame frame_start(uint16_t ethertype)
{
	struct frame frame = {.length = 0};
	uint8_t *ethernet = frame_add(&frame, ETH_HLEN);

	memcpy(ethernet, GATEWAY_MAC, ETH_ALEN);
	memcpy(ethernet + ETH_ALEN, CLIENT_MAC, ETH_ALEN);
	frame_put16(ethernet + 12, ethertype);
	return frame;
}

/* A VLAN tag; ethertype is that of what follows it. The header before names ETH_P_8021Q or ETH_P_8021AD. */
static inline void frame_tag(struct frame *frame, unsigned vlan, uint16_t ethertype)
{
	uint8_t *tag = frame_add(frame, 4);

	frame_put16(tag, vlan);
	frame_put16(tag + 2, ethertype);
}

static inline uint8_t *frame_ip(struct frame *frame, size_t bytes)
{
	if (frame->ips == FRAME_IP_LAYERS)
		abort();
	frame->ip[frame->ips++] = frame->length;
	return frame_add(frame, bytes);
}

static inline void frame_ipv4_with_options(struct frame *frame, const char *from, const char *to, uint8_t protocol,
					   size_t option_bytes)
{
	uint8_t *ip = frame_ip(frame, 20 + option_bytes);

	ip[0] = 0x40 | (20 + option_bytes) / 4;
	ip[8] = 64;
	ip[9] = protocol;
	if (inet_pton(AF_INET, from, ip + 12) != 1 || inet_pton(AF_INET, to, ip + 16) != 1)
		abort();
	memset(ip + 20, 1, option_bytes); /* no operation */
}

static inline void frame_ipv4(struct frame *frame, const char *from, const char *to, uint8_t protocol)
{
	frame_ipv4_with_options(frame, from, to, protocol, 0);
}

/* Of the IPv4 header added last; offset in units of eight bytes. */
static inline void frame_ipv4_fragment(struct frame *frame, unsigned offset, int more)
{
	frame_put16(frame->data + frame->ip[frame->ips - 1] + 6, offset | (more ? 0x2000 : 0));
}

static inline void frame_ipv6(struct frame *frame, const char *from, const char *to, uint8_t next)
{
	uint8_t *ip = frame_ip(frame, 40);

	ip[0] = 0x60;
	ip[6] = next;
	ip[7] = 64;
	if (inet_pton(AF_INET6, from, ip + 8) != 1 || inet_pton(AF_INET6, to, ip + 24) != 1)
		abort();
}

/* Hop-by-hop, routing, destination options, mobility: eight bytes and more_units times eight. */
static inline void frame_extension(struct frame *frame, uint8_t next, unsigned more_units)
{
	uint8_t *extension = frame_add(frame, 8 + 8 * more_units);

	extension[0] = next;
	extension[1] = more_units;
}

static inline void frame_authentication(struct frame *frame, uint8_t next)
{
	uint8_t *extension = frame_add(frame, 24); /* with a check value of 12 bytes */

	extension[0] = next;
	extension[1] = 24 / 4 - 2;
}

static inline void frame_ipv6_fragment(struct frame *frame, uint8_t next, unsigned offset, int more)
{
	uint8_t *extension = frame_add(frame, 8);

	extension[0] = next;
	frame_put16(extension + 2, offset << 3 | !!more);
	extension[7] = 0x99;
}

static inline uint8_t *frame_ports(struct frame *frame, size_t bytes, unsigned from, unsigned to)
{
	uint8_t *transport = frame_add(frame, bytes);

	frame_put16(transport, from);
	frame_put16(transport + 2, to);
	return transport;
}

static inline void frame_udp(struct frame *frame, unsigned from, unsigned to)
{
	frame_put16(frame_ports(frame, 8, from, to) + 4, 8);
}

static inline void frame_tcp(struct frame *frame, unsigned from, unsigned to)
{
	frame_ports(frame, 20, from, to)[12] = 5 << 4;
}

static inline void frame_sctp(struct frame *frame, unsigned from, unsigned to)
{
	frame_ports(frame, 12, from, to);
}

/* ICMP and ICMPv6; a quote follows by further calls. */
static inline void frame_icmp(struct frame *frame, uint8_t type, unsigned id)
{
	uint8_t *icmp = frame_add(frame, 8);

	icmp[0] = type;
	frame_put16(icmp + 4, id);
}

static inline void frame_payload(struct frame *frame, size_t bytes)
{
	memset(frame_add(frame, bytes), 0xda, bytes);
}

static inline unsigned frame_checksum(const uint8_t *header, size_t bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < bytes; i += 2)
		sum += frame_get16(header + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* 0 if the checksum of the IPv4 header at ip is right. */
static inline unsigned frame_ipv4_fault(const uint8_t *ip)
{
	return frame_checksum(ip, (ip[0] & 15) * 4);
}

static inline void frame_ipv4_seal(uint8_t *ip)
{
	frame_put16(ip + 10, 0);
	frame_put16(ip + 10, frame_checksum(ip, (ip[0] & 15) * 4));
}

/* Lengths and checksums of all IP headers, for what is there now. Again after each change. */
static inline void frame_end(struct frame *frame)
{
	for (unsigned i = 0; i < frame->ips; i++) {
		uint8_t *ip = frame->data + frame->ip[i];
		size_t rest = frame->length - frame->ip[i];

		if (ip[0] >> 4 == 6) {
			frame_put16(ip + 4, rest - 40);
			continue;
		}
		frame_put16(ip + 2, rest);
		frame_ipv4_seal(ip);
	}
}

static inline void frame_set_ttl(struct frame *frame, uint8_t ttl)
{
	uint8_t *ip = frame->data + frame->ip[0];

	ip[ip[0] >> 4 == 6 ? 7 : 8] = ttl;
	frame_end(frame);
}

#define FRAME_UDP_PAYLOAD_BYTES 64

static inline struct frame frame_of_udp(const char *from, unsigned from_port, const char *to, unsigned to_port)
{
	int ipv6 = strchr(from, ':') != NULL;
	struct frame frame = frame_start(ipv6 ? ETH_P_IPV6 : ETH_P_IP);

	if (ipv6)
		frame_ipv6(&frame, from, to, IPPROTO_UDP);
	else
		frame_ipv4(&frame, from, to, IPPROTO_UDP);
	frame_udp(&frame, from_port, to_port);
	frame_put16(frame.data + frame.length - 4, 8 + FRAME_UDP_PAYLOAD_BYTES);
	frame_payload(&frame, FRAME_UDP_PAYLOAD_BYTES);
	frame_end(&frame);
	return frame;
}

#endif
