// SPDX-License-Identifier: GPL-2.0-only
/*
 * What SYN and SYN-ACK promise (the MSS option) is lowered to the connection's smallest MTU: into a connection by
 * steer_tc and steer_xdp, out of a tunnel by tunnel_tc. Nothing else of a packet changes for it, and no other packet.
 */
#include "prog.h"

#define SMALLEST 1280
#define SYN	 0x02
#define ACK	 0x10
#define NOP	 1

enum way { STEER_TC, STEER_XDP, TUNNEL_TC, WAYS };

static int reset(void **state)
{
	rig_reset(state);
	rig.connections[HQ].mtu_bytes = SMALLEST;
	rig_device(LOOPBACK, LAYER3);
	return 0;
}

struct segment {
	uint8_t flags;
	uint8_t options[40];
	size_t count;	     /* of them; a multiple of 4 */
	size_t mss;	     /* place of its value in the options */
	size_t ipv4_options; /* bytes */
	bool extensions;     /* IPv6: hop-by-hop and destination options */
};

static const struct segment plain = {.flags = SYN, .options = {2, 4, 0x05, 0xb4}, .count = 4, .mss = 2};

/* What remains when everything is added up, pseudo header included; 0: the checksum is right. */
static unsigned tcp_fault(const uint8_t *frame, const struct frame *layout, size_t tcp_offset)
{
	const uint8_t *ip = frame + layout->ip[0];
	bool ipv6 = ip[0] >> 4 == 6;
	size_t bytes = layout->length - tcp_offset, addresses = ipv6 ? 32 : 8;
	uint8_t all[FRAME_BYTES + 64] = {0};

	memcpy(all, ip + (ipv6 ? 8 : 12), addresses);
	frame_put16(all + addresses, bytes);
	frame_put16(all + addresses + 2, IPPROTO_TCP);
	memcpy(all + addresses + 4, frame + tcp_offset, bytes);
	return frame_checksum(all, addresses + 4 + bytes + bytes % 2);
}

/* With its first choice `member`, and a checksum that is right. */
static struct frame frame_of(bool ipv6, const struct segment *segment, unsigned member, size_t *ret_tcp)
{
	const char *from = ipv6 ? CLIENT6 : CLIENT, *to = ipv6 ? SERVER6 : SERVER;
	struct frame frame = frame_start(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	unsigned port = 1024;
	uint8_t *tcp;

	for (;; port++) {
		struct flow flow = case_flow(from, port, to, 443, IPPROTO_TCP);

		if ((flow_hash(&flow, SEED) & RIG_ROW_MASK) % HQ_MEMBERS == member)
			break;
	}
	if (!ipv6) {
		frame_ipv4_with_options(&frame, from, to, IPPROTO_TCP, segment->ipv4_options);
	} else if (segment->extensions) {
		frame_ipv6(&frame, from, to, IPPROTO_HOPOPTS);
		frame_extension(&frame, IPPROTO_DSTOPTS, 0);
		frame_extension(&frame, IPPROTO_TCP, 1);
	} else {
		frame_ipv6(&frame, from, to, IPPROTO_TCP);
	}
	*ret_tcp = frame.length;
	tcp = frame_ports(&frame, 20 + segment->count, port, 443);
	tcp[12] = (20 + segment->count) / 4 << 4;
	tcp[13] = segment->flags;
	memcpy(tcp + 20, segment->options, segment->count);
	frame_end(&frame);
	frame_put16(tcp + 16, tcp_fault(frame.data, &frame, *ret_tcp));
	assert_int_equal(tcp_fault(frame.data, &frame, *ret_tcp), 0);
	return frame;
}

static struct run pass_by(enum way way, const struct frame *frame)
{
	struct __sk_buff context = {.mark = 0};
	struct run run;

	if (way == STEER_XDP) {
		run = run_xdp(frame);
		assert_int_equal(run.verdict, XDP_REDIRECT);
	} else if (way == STEER_TC) {
		run = run_tc(frame);
		assert_int_equal(run.verdict, TC_ACT_REDIRECT);
	} else {
		run = run_tc_with(bpf_program__fd(rig.tc->progs.tunnel_tc), frame, &context);
		assert_int_equal(run.verdict, TC_ACT_UNSPEC);
	}
	assert_int_equal(run.length, frame->length);
	return run;
}

/* From TCP's header on, nothing may differ but the value and the checksum. */
static void assert_lowered_by(enum way way, bool ipv6, const struct segment *segment, unsigned mss)
{
	size_t tcp, value;
	struct frame frame = frame_of(ipv6, segment, way == STEER_XDP ? REMOTE : LAYER3, &tcp);
	struct run run = pass_by(way, &frame);

	value = tcp + 20 + segment->mss;
	assert_int_equal(frame_get16(run.data + value), mss);
	assert_int_equal(tcp_fault(run.data, &frame, tcp), 0);
	frame_put16(run.data + value, frame_get16(frame.data + value));
	memcpy(run.data + tcp + 16, frame.data + tcp + 16, 2);
	assert_memory_equal(run.data + tcp, frame.data + tcp, frame.length - tcp);
}

static void assert_lowered(const struct segment *segment)
{
	for (enum way way = 0; way < WAYS; way++) {
		assert_lowered_by(way, false, segment, SMALLEST - 40);
		assert_lowered_by(way, true, segment, SMALLEST - 60);
	}
}

static void assert_left(const struct segment *segment)
{
	for (enum way way = 0; way < WAYS; way++) {
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			size_t tcp;
			struct frame frame = frame_of(ipv6, segment, way == STEER_XDP ? REMOTE : LAYER3, &tcp);
			struct run run = pass_by(way, &frame);

			assert_memory_equal(run.data + tcp, frame.data + tcp, frame.length - tcp);
		}
	}
}

static void test_mss__syn_is_lowered_both_ways(void **state)
{
	(void)state;
	assert_lowered(&plain);
}

static void test_mss__syn_ack_is_lowered_both_ways(void **state)
{
	struct segment segment = plain;

	(void)state;
	segment.flags = SYN | ACK;
	assert_lowered(&segment);
	segment.flags = SYN | 0xc0; /* asks for ECN */
	assert_lowered(&segment);
}

static void test_mss__options_stand_in_any_order(void **state)
{
	static const struct segment segments[] = {
		{.flags = SYN, .options = {NOP, NOP, 4, 2, 2, 4, 0x05, 0xb4}, .count = 8, .mss = 6},
		{.flags = SYN, .options = {NOP, 2, 4, 0x05, 0xb4, 3, 3, 7}, .count = 8, .mss = 3},
		{.flags = SYN,
		 .options = {8, 10, 2, 4, 5, 6, 7, 8, 9, 9, 4, 2, 2, 4, 0xff, 0xff},
		 .count = 16,
		 .mss = 14},
		{.flags = SYN, .options = {254, 35, 2, 4, 9, 9, [35] = NOP, 2, 4, 0x23, 0x28}, .count = 40, .mss = 38},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(segments) / sizeof(*segments); i++)
		assert_lowered(&segments[i]);
}

static void test_mss__lies_behind_ip_options_and_extension_headers(void **state)
{
	struct segment segment = plain;

	(void)state;
	segment.ipv4_options = 40;
	segment.extensions = true;
	assert_lowered(&segment);
}

static void test_mss__is_never_raised(void **state)
{
	struct segment segment = plain;

	(void)state;
	frame_put16(segment.options + 2, SMALLEST - 60);
	assert_left(&segment);
	frame_put16(segment.options + 2, 536);
	assert_left(&segment);
	frame_put16(segment.options + 2, 0);
	assert_left(&segment);
}

static void test_mss__syn_without_the_option_is_left(void **state)
{
	static const struct segment none = {.flags = SYN},
				    others = {.flags = SYN, .options = {4, 2, NOP, NOP}, .count = 4};

	(void)state;
	assert_left(&none);
	assert_left(&others);
}

static void test_mss__truncated_options_are_left(void **state)
{
	static const struct segment segments[] = {
		{.flags = SYN, .options = {NOP, 2, 4, 0x05}, .count = 4},
		{.flags = SYN, .options = {8, 0, 2, 4, 0x05, 0xb4}, .count = 8},
		{.flags = SYN, .options = {8, 200, 2, 4, 0x05, 0xb4}, .count = 8},
		{.flags = SYN, .options = {0, NOP, 2, 4, 0x05, 0xb4}, .count = 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(segments) / sizeof(*segments); i++)
		assert_left(&segments[i]);
}

/* The header says more than the packet has. */
static void test_mss__header_cut_off_is_left(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		size_t tcp;
		struct frame frame = frame_of(false, &plain, way == STEER_XDP ? REMOTE : LAYER3, &tcp);
		struct run run;

		frame.length -= 2;
		frame_end(&frame);
		run = pass_by(way, &frame);
		assert_memory_equal(run.data + tcp, frame.data + tcp, frame.length - tcp);
	}
}

static void test_mss__other_segments_are_left(void **state)
{
	static const uint8_t flags[] = {ACK, ACK | 0x08, ACK | 0x01, 0x04, 0};
	struct segment segment = plain;

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		segment.flags = flags[i];
		assert_left(&segment);
	}
}

static void test_mss__fragment_is_left(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		size_t tcp;
		struct frame frame = frame_of(false, &plain, REMOTE, &tcp);
		struct run run;

		for (unsigned i = 0; i < HQ_MEMBERS; i++)
			rig.tunnel_health[i].link_down = i != (way == STEER_XDP ? REMOTE : LAYER3);
		frame_ipv4_fragment(&frame, 0, 1);
		frame_end(&frame);
		run = pass_by(way, &frame);
		assert_memory_equal(run.data + tcp, frame.data + tcp, frame.length - tcp);
	}
}

static void test_mss__mtu_that_is_not_known_changes_nothing(void **state)
{
	(void)state;
	rig.connections[HQ].mtu_bytes = 0;
	assert_left(&plain);
}

static void test_mss__follows_the_mtu(void **state)
{
	(void)state;
	rig.connections[HQ].mtu_bytes = 1400;
	assert_lowered_by(TUNNEL_TC, false, &plain, 1360);
	rig.connections[HQ].mtu_bytes = 1300;
	assert_lowered_by(TUNNEL_TC, false, &plain, 1260);
	rig.connections[HQ].mtu_bytes = 1000;
	assert_lowered_by(TUNNEL_TC, false, &plain, 960);
	assert_lowered_by(TUNNEL_TC, true, &plain, 1220); /* IPv6 has 1,280 bytes everywhere */
}

/* A sum that is still to be completed by a NIC is no right one; it changes by what changes, and by nothing else. */
static void test_mss__checksum_that_is_not_whole_changes_by_the_difference(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		for (unsigned wrong = 1; wrong < 65535; wrong += 9973) {
			size_t tcp;
			struct frame frame = frame_of(false, &plain, way == STEER_XDP ? REMOTE : LAYER3, &tcp);
			unsigned fault;
			struct run run;

			frame_put16(frame.data + tcp + 16, frame_get16(frame.data + tcp + 16) ^ wrong);
			fault = tcp_fault(frame.data, &frame, tcp);
			run = pass_by(way, &frame);
			assert_int_equal(frame_get16(run.data + tcp + 22), SMALLEST - 40);
			assert_int_equal(tcp_fault(run.data, &frame, tcp) % 65535, fault % 65535);
		}
	}
}

/* The NIC before remote instances is no tunnel: its other traffic is nobody's here. */
static void test_mss__device_without_tunnel_is_left(void **state)
{
	size_t tcp;
	struct frame frame = frame_of(false, &plain, LAYER3, &tcp);
	struct run run;

	(void)state;
	rig_device(LOOPBACK, NO_TUNNEL);
	run = pass_by(TUNNEL_TC, &frame);
	assert_unchanged(run, frame);
}

static void test_mss__asking_changes_nothing(void **state)
{
	size_t tcp;
	struct frame frame = frame_of(false, &plain, LAYER3, &tcp);
	struct run run = ask(&frame);

	(void)state;
	assert_int_equal(run.answer.verdict, WHERE_TUNNEL);
	assert_unchanged(run, frame);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_mss__##name, reset)
	static const struct CMUnitTest tests[] = {
		TEST(syn_is_lowered_both_ways),
		TEST(syn_ack_is_lowered_both_ways),
		TEST(options_stand_in_any_order),
		TEST(lies_behind_ip_options_and_extension_headers),
		TEST(is_never_raised),
		TEST(syn_without_the_option_is_left),
		TEST(truncated_options_are_left),
		TEST(header_cut_off_is_left),
		TEST(other_segments_are_left),
		TEST(fragment_is_left),
		TEST(mtu_that_is_not_known_changes_nothing),
		TEST(follows_the_mtu),
		TEST(checksum_that_is_not_whole_changes_by_the_difference),
		TEST(device_without_tunnel_is_left),
		TEST(asking_changes_nothing),
	};
#undef TEST

	return cmocka_run_group_tests_name("mss", tests, rig_set_up, rig_tear_down);
}
