// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser as compiled C, under the sanitizers: every path of parse_cases.h, whole and cut at every byte, and what is
 * not IP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <stdio.h>

#include "../lib/parse_both.h"
#include "../prog/parse_cases.h"

#include "../../bpf/flow_hash.h"

#define SEED 0x5eed

static enum parse_result parse_frame(const struct frame *frame, struct packet *ret_packet)
{
	return parse_both(frame->data, frame->length, frame->length, ret_packet);
}

/* Either direction will do: an error quotes the way back. */
static uint32_t hash_of(const struct parse_case *parse_case)
{
	struct flow flow = case_flow(parse_case->from, parse_case->from_port, parse_case->to, parse_case->to_port,
				     parse_case->protocol);

	return flow_hash(&flow, SEED);
}

static void test_case(void **state)
{
	const struct parse_case *parse_case = *state;
	struct address destination = case_address(parse_case->to);
	struct frame frame = case_frame(parse_case);
	struct packet packet;

	assert_int_equal(parse_frame(&frame, &packet), PARSE_OK);
	assert_int_equal(flow_hash(parse_flow(&packet), SEED), hash_of(parse_case));
	assert_memory_equal(&packet.ip.flow.destination, &destination, sizeof(destination));
	assert_int_equal(packet.ip_offset, frame.ip[0]);
	assert_int_equal(packet.ip.ip_bytes, frame.length - frame.ip[0]);
	assert_int_equal(packet.ip.ttl, 64);
}

static void test_parse__frame_cut_anywhere_is_never_ok(void **state)
{
	(void)state;
	for (size_t i = 0; i < PARSE_CASES; i++) {
		struct frame frame = case_frame(&parse_cases[i]);

		for (size_t length = 0; length < frame.length; length++) {
			struct packet packet;

			assert_int_not_equal(parse_both(frame.data, length, length, &packet), PARSE_OK);
		}
	}
}

static void test_parse__headers_not_linear_are_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < PARSE_CASES; i++) {
		struct frame frame = case_frame(&parse_cases[i]);
		size_t ip_offset = frame.ip[0];

		for (size_t linear = 0; linear < frame.length; linear++) {
			struct packet packet;
			enum parse_result result = parse_both(frame.data, linear, frame.length, &packet);

			if (packet.truncated)
				continue;
			/* Nothing was missing: the answer is that of the whole frame. */
			assert_true(linear >= ip_offset + 20);
			assert_int_equal(result, PARSE_OK);
			assert_int_equal(flow_hash(parse_flow(&packet), SEED), hash_of(&parse_cases[i]));
		}
	}
}

static void test_parse__padding_is_no_transport_header(void **state)
{
	struct frame frame = frame_start(ETH_P_IP);
	struct packet packet;

	(void)state;
	frame_ipv4(&frame, CLIENT, SERVER, IPPROTO_UDP);
	frame_end(&frame);
	frame_payload(&frame, 26);
	assert_int_equal(parse_frame(&frame, &packet), PARSE_OK);
	assert_int_equal(packet.ip.flow.source_port, 0);
	assert_int_equal(packet.ip.ip_bytes, 20);
	assert_false(packet.truncated);
}

static void test_parse__not_ip(void **state)
{
	static const uint16_t ethertypes[] = {ETH_P_ARP, ETH_P_PPP_SES, ETH_P_MPLS_UC, 0x0000, 0xffff};
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(ethertypes) / sizeof(*ethertypes); i++) {
		struct frame frame = frame_start(ethertypes[i]);

		frame_payload(&frame, 46);
		assert_int_equal(parse_frame(&frame, &packet), PARSE_NOT_IP);
	}
}

static void test_parse__third_tag_is_not_ip(void **state)
{
	struct frame frame = frame_start(ETH_P_8021AD);
	struct packet packet;

	(void)state;
	frame_tag(&frame, 1, ETH_P_8021Q);
	frame_tag(&frame, 2, ETH_P_8021Q);
	frame_tag(&frame, 3, ETH_P_IP);
	case_ipv4_udp(&frame);
	frame_end(&frame);
	assert_int_equal(parse_frame(&frame, &packet), PARSE_NOT_IP);
}

/* Sets one byte of the IP header of a sound packet. */
static enum parse_result parse_spoilt(uint16_t ethertype, void (*build)(struct frame *), size_t at, uint8_t value)
{
	struct frame frame = frame_start(ethertype);
	struct packet packet;

	build(&frame);
	frame_end(&frame);
	frame.data[frame.ip[0] + at] = value;
	return parse_frame(&frame, &packet);
}

static void test_parse__unsound_ip_header_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(parse_spoilt(ETH_P_IP, case_ipv4_udp, 0, 0x65), PARSE_MALFORMED); /* version */
	assert_int_equal(parse_spoilt(ETH_P_IP, case_ipv4_udp, 0, 0x44), PARSE_MALFORMED); /* header length */
	assert_int_equal(parse_spoilt(ETH_P_IP, case_ipv4_udp, 2, 0xff), PARSE_MALFORMED); /* longer than the frame */
	assert_int_equal(parse_spoilt(ETH_P_IP, case_ipv4_udp, 3, 19), PARSE_MALFORMED);   /* shorter than its header */
	assert_int_equal(parse_spoilt(ETH_P_IP, case_ipv4_udp, 3, 0), PARSE_MALFORMED);
	assert_int_equal(parse_spoilt(ETH_P_IPV6, case_ipv6_udp, 0, 0x40), PARSE_MALFORMED);
	assert_int_equal(parse_spoilt(ETH_P_IPV6, case_ipv6_udp, 4, 0xff), PARSE_MALFORMED);
	assert_int_equal(parse_spoilt(ETH_P_IPV6, case_ipv4_udp, 0, 0x45), PARSE_MALFORMED);
}

static void test_parse__big_tcp_takes_the_frames_length(void **state)
{
	struct frame frame = case_frame(&parse_cases[1]), frame6 = frame_start(ETH_P_IPV6);
	struct packet packet;

	(void)state;
	frame_put16(frame.data + frame.ip[0] + 2, 0);
	assert_int_equal(parse_both(frame.data, frame.length, 200014, &packet), PARSE_OK);
	assert_int_equal(packet.ip.ip_bytes, 200000);
	assert_int_equal(packet.ip.flow.source_port, htons(1000));

	case_ipv6_tcp(&frame6);
	assert_int_equal(parse_both(frame6.data, frame6.length, 200014, &packet), PARSE_OK);
	assert_int_equal(packet.ip.ip_bytes, 200000);
	assert_int_equal(packet.ip.flow.source_port, htons(1000));
}

int main(void)
{
	static struct CMUnitTest tests[PARSE_CASES + 7] = {
		cmocka_unit_test(test_parse__frame_cut_anywhere_is_never_ok),
		cmocka_unit_test(test_parse__headers_not_linear_are_reported),
		cmocka_unit_test(test_parse__padding_is_no_transport_header),
		cmocka_unit_test(test_parse__not_ip),
		cmocka_unit_test(test_parse__third_tag_is_not_ip),
		cmocka_unit_test(test_parse__unsound_ip_header_is_malformed),
		cmocka_unit_test(test_parse__big_tcp_takes_the_frames_length),
	};
	static char names[PARSE_CASES][80];

	for (size_t i = 0; i < PARSE_CASES; i++) {
		snprintf(names[i], sizeof(names[i]), "test_parse__%s_is_its_flow", parse_cases[i].name);
		tests[7 + i] = (struct CMUnitTest){names[i], test_case, NULL, NULL, (void *)&parse_cases[i]};
	}
	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
