/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parses a frame as compiled C, for the unit test and the fuzzer alike, from a block of memory of its very size, so
 * that the sanitizers find a byte read too far. Aborts where the short way for plain packets and the parser disagree:
 * it has to take just the TCP and UDP packets whose ports lie behind nothing but Ethernet and IP.
 */
#ifndef TESTS_LIB_PARSE_BOTH_H
#define TESTS_LIB_PARSE_BOTH_H

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/parse.h"

static inline bool parse_both_is_plain(const struct packet *packet)
{
	return packet->ip_offset == ETH_HLEN && packet->ip.transport_offset &&
	       (packet->ip.flow.protocol == IPPROTO_TCP || packet->ip.flow.protocol == IPPROTO_UDP) &&
	       (!packet->ip.is_ipv6 || packet->ip.transport_offset == ETH_HLEN + sizeof(struct ipv6hdr));
}

/* linear_bytes: of data, what the cursor sees; frame_bytes: of the whole frame. */
static inline enum parse_result parse_both(const uint8_t *data, size_t linear_bytes, size_t frame_bytes,
					   struct packet *ret_packet)
{
	uint8_t *copy = malloc(2 + linear_bytes); /* on from where NICs place a frame */
	struct cursor cursor = cursor_over(copy + 2, copy + 2 + linear_bytes), plain_cursor = cursor;
	struct packet plain = {};
	enum parse_result result;
	bool is_plain;

	memset(ret_packet, 0, sizeof(*ret_packet));
	memcpy(copy + 2, data, linear_bytes);
	result = parse_packet(&cursor, frame_bytes, ret_packet);
	is_plain = parse_plain(&plain_cursor, frame_bytes, &plain);
	free(copy);
	if (is_plain != (result == PARSE_OK && parse_both_is_plain(ret_packet)))
		abort();
	if (is_plain && memcmp(&plain, ret_packet, sizeof(plain)) != 0)
		abort();
	return result;
}

#endif
