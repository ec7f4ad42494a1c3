// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes the packet parser as compiled C. Input: one byte that says how much of the frame is linear, then the frame.
 * The sanitizers find what is read out of bounds; the invariants below what is wrong and still in bounds.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/flow_hash.h"
#include "../lib/parse_both.h"

#define SEED 0x5eed

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

static struct flow reversed(const struct flow *flow)
{
	struct flow back = *flow;

	back.source = flow->destination;
	back.destination = flow->source;
	back.source_port = flow->destination_port;
	back.destination_port = flow->source_port;
	return back;
}

static void check_flow(const struct flow *flow)
{
	struct flow back = reversed(flow);

	require(flow_hash(flow, SEED) == flow_hash(&back, SEED));
}

static void check_ip(const struct ip_packet *ip, size_t linear)
{
	require(!ip->transport_offset || ip->transport_offset + 4 <= linear);
	require(!ip->transport_offset || !ip->is_fragment);
	require(ip->transport_offset || (!ip->flow.source_port && !ip->flow.destination_port && !ip->is_icmp_error));
	require(ip->ip_bytes >= (ip->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)));
	if (!ip->is_ipv6)
		require(!ip->flow.source.word[0] && ip->flow.source.word[2] == htonl(0xffff) &&
			!ip->flow.destination.word[1] && ip->flow.destination.word[2] == htonl(0xffff));
	check_flow(&ip->flow);
}

static void check_packet(const struct packet *packet, size_t linear, size_t frame_bytes)
{
	size_t ip_header = packet->ip.is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	require(packet->ip_offset == 14 || packet->ip_offset == 18 || packet->ip_offset == 22);
	require(packet->ip_offset + ip_header <= linear);
	require(packet->ip_offset + packet->ip.ip_bytes <= frame_bytes);
	require(!packet->quotes || packet->ip.is_icmp_error);
	check_ip(&packet->ip, linear);
	if (packet->quotes)
		check_ip(&packet->quote, linear);
}

static enum parse_result parse(const uint8_t *frame, size_t linear, size_t frame_bytes, struct packet *ret_packet)
{
	enum parse_result result = parse_both(frame, linear, frame_bytes, ret_packet);

	if (result == PARSE_OK)
		check_packet(ret_packet, linear, frame_bytes);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet packet, whole;
	enum parse_result result, whole_result;
	size_t linear;

	if (size < 1)
		return 0;
	size--;
	linear = data[0] < size ? data[0] : size;
	result = parse(data + 1, linear, size, &packet);
	whole_result = parse(data + 1, size, size, &whole);
	/* Where nothing was missing, what is behind the linear part changes nothing. */
	if (!packet.truncated) {
		require(result == whole_result);
		if (result == PARSE_OK)
			require(flow_hash(parse_flow(&packet), SEED) == flow_hash(parse_flow(&whole), SEED));
	}
	require(!whole.truncated || size < PARSE_BYTES + sizeof(struct ipv6hdr));
	return 0;
}
