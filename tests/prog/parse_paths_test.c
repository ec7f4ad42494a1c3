// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser as loaded: every path of parse_cases.h leads to the flow's hash, its fragments and ICMP errors included,
 * and a packet cut at any byte to a defined verdict.
 */
#include "prog.h"

static uint32_t hash_of(const struct parse_case *parse_case)
{
	struct flow flow = case_flow(parse_case->from, parse_case->from_port, parse_case->to, parse_case->to_port,
				     parse_case->protocol);

	return flow_hash(&flow, SEED);
}

static void test_case(void **state)
{
	const struct parse_case *parse_case = *state;
	struct frame frame = case_frame(parse_case);
	uint32_t hash = hash_of(parse_case), tunnel = (hash & RIG_ROW_MASK) % HQ_MEMBERS;
	struct run run = ask(&frame);

	assert_int_equal(run.answer.verdict, WHERE_TUNNEL);
	assert_int_equal(run.answer.connection, HQ);
	assert_int_equal(run.answer.flow_hash, hash);
	assert_int_equal(run.answer.detail, tunnel);
	assert_int_equal(run.answer.rank, 0);

	/* What is told is what is done. */
	rig_reset(NULL);
	run = run_tc(&frame);
	assert_sent_to(run, tunnel);
	assert_int_equal(tx_bytes(tunnel), frame.length - frame.ip[0]);
}

/* Of what is shorter the kernel makes no test run at TC (6.18: not without an IP header where the ethertype names one).
 */
static size_t shortest_run(const struct frame *frame)
{
	size_t ip_bytes = frame->data[frame->ip[0]] >> 4 == 6 ? 40 : 20;

	return frame->ip[0] == ETH_HLEN ? ETH_HLEN + ip_bytes : ETH_HLEN + 1;
}

static void test_steer_tc__cut_frame_passes_as_malformed_or_not_ip(void **state)
{
	(void)state;
	for (size_t i = 0; i < PARSE_CASES; i++) {
		struct frame frame = case_frame(&parse_cases[i]);
		uint64_t passed = passes_of(PASS_malformed) + passes_of(PASS_not_ip);
		size_t whole = frame.length, runs = 0;

		for (frame.length = shortest_run(&frame); frame.length < whole; frame.length++, runs++)
			assert_int_equal(run_tc(&frame).verdict, TC_ACT_UNSPEC);
		assert_int_equal(passes_of(PASS_malformed) + passes_of(PASS_not_ip), passed + runs);
	}
}

static void test_steer_xdp__cut_frame_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < PARSE_CASES; i++) {
		struct frame frame = case_frame(&parse_cases[i]);
		size_t whole = frame.length;

		for (frame.length = ETH_HLEN; frame.length < whole; frame.length++)
			assert_int_equal(run_xdp(&frame).verdict, XDP_PASS);
	}
}

/* The same headers, cut short behind a sound IP header: the transport header is what is missing. */
static void test_steer_tc__cut_transport_header_is_steered_without_ports(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < 4; bytes++) {
		struct frame frame = frame_start(ETH_P_IP);
		struct flow flow = case_flow(CLIENT, 0, SERVER, 0, IPPROTO_TCP);

		frame_ipv4(&frame, CLIENT, SERVER, IPPROTO_TCP);
		frame_payload(&frame, bytes);
		frame_end(&frame);
		assert_int_equal(ask(&frame).answer.flow_hash, flow_hash(&flow, SEED));
		assert_int_equal(run_tc(&frame).verdict, TC_ACT_REDIRECT);
	}
}

static void test_steer_tc__fragments_take_one_tunnel_in_any_order(void **state)
{
	static const struct {
		unsigned offset, more;
	} fragments[] = {{185, 1}, {0, 1}, {370, 0}, {0, 1}, {185, 1}};

	(void)state;
	for (unsigned i = 0; i < sizeof(fragments) / sizeof(*fragments); i++) {
		struct frame frame = frame_start(ETH_P_IP), frame6 = frame_start(ETH_P_IPV6);
		struct flow flow = case_flow(CLIENT, 0, SERVER, 0, IPPROTO_UDP);
		struct flow flow6 = case_flow(CLIENT6, 0, SERVER6, 0, IPPROTO_UDP);

		frame_ipv4(&frame, CLIENT, SERVER, IPPROTO_UDP);
		frame_ipv4_fragment(&frame, fragments[i].offset, fragments[i].more);
		frame_udp(&frame, 1000 + i, 2000); /* a header only in the first: elsewhere it is payload */
		frame_end(&frame);
		assert_int_equal(ask(&frame).answer.flow_hash, flow_hash(&flow, SEED));

		frame_ipv6(&frame6, CLIENT6, SERVER6, IPPROTO_FRAGMENT);
		frame_ipv6_fragment(&frame6, IPPROTO_UDP, fragments[i].offset, fragments[i].more);
		frame_udp(&frame6, 1000 + i, 2000);
		frame_end(&frame6);
		assert_int_equal(ask(&frame6).answer.flow_hash, flow_hash(&flow6, SEED));
	}
}

/* A router quotes a packet that was not yet segmented and has no length (BIG TCP), and quotes but its beginning. */
static void test_steer_tc__error_quoting_big_tcp_goes_with_its_flow(void **state)
{
	struct flow flow = case_flow(CLIENT, 1000, SERVER, 2000, IPPROTO_TCP);
	struct flow flow6 = case_flow(CLIENT6, 1000, SERVER6, 2000, IPPROTO_TCP);
	struct frame frame = frame_start(ETH_P_IP), frame6 = frame_start(ETH_P_IPV6);

	(void)state;
	frame_ipv4(&frame, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(&frame, 3, 0);
	frame_ipv4(&frame, SERVER, CLIENT, IPPROTO_TCP);
	frame_tcp(&frame, 2000, 1000);
	frame_end(&frame);
	frame_put16(frame.data + frame.ip[1] + 2, 0);
	frame_ipv4_seal(frame.data + frame.ip[1]);
	assert_int_equal(ask(&frame).answer.flow_hash, flow_hash(&flow, SEED));

	frame_ipv6(&frame6, CLIENT6, SERVER6, IPPROTO_ICMPV6);
	frame_icmp(&frame6, 2, 0);
	frame_ipv6(&frame6, SERVER6, CLIENT6, IPPROTO_TCP);
	frame_tcp(&frame6, 2000, 1000);
	frame_end(&frame6);
	frame_put16(frame6.data + frame6.ip[1] + 4, 0);
	assert_int_equal(ask(&frame6).answer.flow_hash, flow_hash(&flow6, SEED));
}

int main(void)
{
	static struct CMUnitTest tests[PARSE_CASES + 5] = {
		cmocka_unit_test_setup(test_steer_tc__cut_frame_passes_as_malformed_or_not_ip, rig_reset),
		cmocka_unit_test_setup(test_steer_xdp__cut_frame_passes, rig_reset),
		cmocka_unit_test_setup(test_steer_tc__cut_transport_header_is_steered_without_ports, rig_reset),
		cmocka_unit_test_setup(test_steer_tc__fragments_take_one_tunnel_in_any_order, rig_reset),
		cmocka_unit_test_setup(test_steer_tc__error_quoting_big_tcp_goes_with_its_flow, rig_reset),
	};
	static char names[PARSE_CASES][80];

	for (size_t i = 0; i < PARSE_CASES; i++) {
		snprintf(names[i], sizeof(names[i]), "test_steer_tc__%s_takes_its_flows_tunnel", parse_cases[i].name);
		tests[5 + i] = (struct CMUnitTest){names[i], test_case, NULL, NULL, (void *)&parse_cases[i]};
	}
	return cmocka_run_group_tests_name("parse_paths", tests, rig_set_up, rig_tear_down);
}
