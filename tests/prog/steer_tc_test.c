// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer_tc: what it does to the packets that it sends, and why it passes or drops the others. Each reason of
 * maps/reasons.h that TC gives on path: fast is here.
 */
#include "prog.h"

static void assert_ttl_lowered(const struct run *run, size_t ip_offset, unsigned ttl)
{
	const uint8_t *ip = run->data + ip_offset;

	if (ip[0] >> 4 == 6) {
		assert_int_equal(ip[7], ttl);
		return;
	}
	assert_int_equal(ip[8], ttl);
	assert_int_equal(frame_ipv4_fault(ip), 0);
}

/* Behind the IP header's first twelve bytes, where TTL and checksum are, nothing may change. */
static void assert_rest_unchanged(const struct run *run, const struct frame *frame, size_t ip_offset)
{
	size_t rest = frame->length - frame->ip[0];

	assert_int_equal(run->length, ip_offset + rest);
	assert_memory_equal(run->data + ip_offset + 12, frame->data + frame->ip[0] + 12, rest - 12);
}

static void assert_macs(const struct run *run, const uint8_t *destination, const uint8_t *source, uint16_t ethertype)
{
	assert_memory_equal(run->data, destination, ETH_ALEN);
	assert_memory_equal(run->data + ETH_ALEN, source, ETH_ALEN);
	assert_int_equal(frame_get16(run->data + 12), ethertype);
}

static void test_steer_tc__layer3_tunnel_gets_ttl_lowered(void **state)
{
	struct frame frame = frame_to(LAYER3), frame6 = frame6_to(LAYER3);
	struct run run = run_tc(&frame);

	assert_sent_to(run, LAYER3);
	assert_int_equal(tx_bytes(LAYER3), frame.length - ETH_HLEN);
	assert_ttl_lowered(&run, ETH_HLEN, 63);
	assert_rest_unchanged(&run, &frame, ETH_HLEN);

	rig_reset(state);
	run = run_tc(&frame6);
	assert_sent_to(run, LAYER3);
	assert_int_equal(tx_bytes(LAYER3), frame6.length - ETH_HLEN);
	assert_ttl_lowered(&run, ETH_HLEN, 63);
	assert_rest_unchanged(&run, &frame6, ETH_HLEN);
}

/* The checksum is patched, not computed: try all that it can be. */
static void test_steer_tc__checksum_stays_right_for_any_header(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	for (unsigned id = 0; id < 65536; id += 7) {
		struct run run;

		frame_put16(frame.data + ETH_HLEN + 4, id);
		frame_set_ttl(&frame, 2 + id % 254);
		run = run_tc(&frame);
		assert_ttl_lowered(&run, ETH_HLEN, 1 + id % 254);
	}
}

static void test_steer_tc__ethernet_tunnel_gets_next_hop_mac(void **state)
{
	struct frame frame = frame_to(ETHERNET), frame6 = frame6_to(ETHERNET);
	struct run run = run_tc(&frame);

	assert_sent_to(run, ETHERNET);
	assert_macs(&run, NEXT_HOP_MAC, OWN_MAC, ETH_P_IP);
	assert_ttl_lowered(&run, ETH_HLEN, 63);
	assert_rest_unchanged(&run, &frame, ETH_HLEN);

	rig_reset(state);
	run = run_tc(&frame6);
	assert_sent_to(run, ETHERNET);
	assert_macs(&run, NEXT_HOP_MAC, OWN_MAC, ETH_P_IPV6);
	assert_ttl_lowered(&run, ETH_HLEN, 63);
}

static void test_steer_tc__remote_instance_gets_its_next_hop_mac(void **state)
{
	struct frame frame = frame_to(REMOTE);
	struct run run = run_tc(&frame);

	(void)state;
	assert_sent_to(run, REMOTE);
	assert_macs(&run, REMOTE_HOP_MAC, REMOTE_OWN_MAC, ETH_P_IP);
	assert_ttl_lowered(&run, ETH_HLEN, 63);
}

/* Puts tags behind the MAC addresses of a finished frame. */
static struct frame tagged(const struct frame *frame, unsigned tags)
{
	static const uint8_t tag[] = {0x81, 0x00, 0x00, 0x05, 0x81, 0x00, 0x00, 0x06};
	struct frame result = *frame;

	memcpy(result.data + 12, tag, 4 * tags);
	memcpy(result.data + 12 + 4 * tags, frame->data + 12, frame->length - 12);
	result.length += 4 * tags;
	result.ip[0] += 4 * tags;
	return result;
}

static void test_steer_tc__vlan_tags_come_off(void **state)
{
	for (unsigned tags = 1; tags <= 2; tags++) {
		for (unsigned member = 0; member < HQ_MEMBERS; member++) {
			struct frame plain = frame_to(member), frame = tagged(&plain, tags);
			struct run run;

			rig_reset(state);
			run = run_tc(&frame);
			assert_sent_to(run, member);
			assert_int_equal(tx_bytes(member), plain.length - ETH_HLEN);
			assert_int_equal(frame_get16(run.data + 12), ETH_P_IP);
			assert_ttl_lowered(&run, ETH_HLEN, 63);
			assert_rest_unchanged(&run, &frame, ETH_HLEN);
		}
	}
}

static void test_steer_tc__padding_does_not_enter_a_layer3_tunnel(void **state)
{
	struct frame frame = frame_to(LAYER3);
	size_t length;
	struct run run;

	(void)state;
	frame.length = frame.ip[0] + 28;
	frame_end(&frame);
	length = frame.length;
	frame_payload(&frame, 18);
	run = run_tc(&frame);
	assert_sent_to(run, LAYER3);
	assert_int_equal(tx_bytes(LAYER3), 28);
	assert_int_equal(run.length, length);
}

static void test_steer_tc__expiring_ttl_passes_unchanged(void **state)
{
	for (unsigned ttl = 0; ttl <= 1; ttl++) {
		for (unsigned member = 0; member < HQ_MEMBERS; member++) {
			struct frame frame = ttl ? frame_to(member) : frame6_to(member);
			struct run run;

			rig_reset(state);
			frame_set_ttl(&frame, ttl);
			run = run_tc(&frame);
			assert_passed(run, PASS_ttl_expires);
			assert_unchanged(run, frame);
		}
	}
}

static void test_steer_tc__frame_for_another_host_passes(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct run run;

	(void)state;
	frame.data[5] ^= 1;
	run = run_tc(&frame);
	assert_passed(run, PASS_not_for_gateway);
	assert_unchanged(run, frame);
}

static void test_steer_tc__broadcast_and_multicast_pass(void **state)
{
	struct frame frame = frame_to(LAYER3);

	memset(frame.data, 0xff, ETH_ALEN);
	assert_passed(run_tc(&frame), PASS_not_for_gateway);
	rig_reset(state);
	memcpy(frame.data, "\x01\x00\x5e\x01\x02\x03", ETH_ALEN);
	assert_passed(run_tc(&frame), PASS_not_for_gateway);
}

static void test_steer_tc__what_is_not_ip_passes(void **state)
{
	struct frame frame = frame_start(ETH_P_ARP);

	(void)state;
	frame_payload(&frame, 46);
	assert_passed(run_tc(&frame), PASS_not_ip);
}

static void test_steer_tc__malformed_header_passes(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	frame.data[frame.ip[0]] = 0x43;
	assert_passed(run_tc(&frame), PASS_malformed);
}

static void test_steer_tc__destination_of_no_connection_passes(void **state)
{
	struct frame frame = frame_of_udp(CLIENT, 1000, STRANGER, 2000);
	struct frame frame6 = frame_of_udp(CLIENT6, 1000, "2001:db8:2::1", 2000);

	assert_passed(run_tc(&frame), PASS_no_connection);
	rig_reset(state);
	assert_passed(run_tc(&frame6), PASS_no_connection);
}

static void test_steer_tc__own_network_passes(void **state)
{
	struct frame frame = frame_of_udp(CLIENT, 1000, NEIGHBOR, 2000);

	(void)state;
	assert_passed(run_tc(&frame), PASS_own_network);
}

static void test_steer_tc__own_address_inside_a_connections_prefix_passes(void **state)
{
	struct frame frame = frame_of_udp(CLIENT, 1000, "192.168.200.1", 2000);
	struct frame other = frame_of_udp(CLIENT, 1000, "192.168.200.2", 2000);

	rig_prefix("192.168.200.1", 32, NO_CONNECTION);
	assert_passed(run_tc(&frame), PASS_own_network);
	rig_reset(state);
	assert_int_equal(run_tc(&other).verdict, TC_ACT_REDIRECT);
}

static void test_steer_tc__mapped_ipv4_prefix_catches_no_ipv6(void **state)
{
	/* Outside of every prefix, with the bits of 192.168.7.9 at its end. */
	struct frame frame = frame_of_udp(CLIENT6, 1000, "64:ff9b::c0a8:709", 2000);

	(void)state;
	assert_passed(run_tc(&frame), PASS_no_connection);
}

/* A host should not send this; the kernel forwards it by its IPv6 routes all the same. */
static void test_steer_tc__mapped_destination_of_ipv6_is_no_ipv4(void **state)
{
	struct frame frame = frame_of_udp(CLIENT6, 1000, "::ffff:192.168.7.9", 2000);

	assert_passed(run_tc(&frame), PASS_no_connection);
	/* As a connection to ::/0 is filled in: it holds this address, and no IPv4. */
	rig_prefix("::", 0, WIDE);
	rig_prefix("::ffff:0:0", IPV4_MAPPED_BITS, NO_PREFIX);
	rig_reset(state);
	assert_int_equal(run_tc(&frame).verdict, TC_ACT_REDIRECT);
	assert_int_equal(ask(&frame).answer.connection, WIDE);
	rig_prefix("::", 0, NO_PREFIX);
}

/* The kernel takes the length of a packet not segmented yet from elsewhere. */
static void test_steer_tc__unsegmented_packet_without_length_drops(void **state)
{
	struct frame frame = frame_start(ETH_P_IP);

	(void)state;
	frame_ipv4(&frame, CLIENT, SERVER, IPPROTO_TCP);
	frame_tcp(&frame, 1000, 2000);
	frame_payload(&frame, 1400);
	frame_end(&frame);
	frame_put16(frame.data + frame.ip[0] + 2, 0);
	assert_dropped(run_tc_gso(&frame, 700, 2), DROP_no_protected_route);
	rig_reset(state);
	assert_passed(run_tc(&frame), PASS_malformed);
}

static void test_steer_tc__link_local_source_passes(void **state)
{
	struct frame frame = frame_start(ETH_P_IPV6);

	(void)state;
	frame_ipv6(&frame, "fe80::77", SERVER6, IPPROTO_UDP);
	frame_udp(&frame, 1000, 2000);
	frame_end(&frame);
	assert_passed(run_tc(&frame), PASS_link_local);
}

static void test_steer_tc__tunnel_without_device_drops(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	rig.tunnels[LAYER3].egress.kind = EGRESS_NONE;
	assert_dropped(run_tc(&frame), DROP_no_egress);
}

static void test_steer_tc__nothing_usable_drops(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	for (unsigned i = 0; i < HQ_MEMBERS; i++)
		rig.instance_health[i].admin_out = 1;
	assert_dropped(run_tc(&frame), DROP_no_usable_tunnel);
}

static void test_steer_tc__what_xdp_sent_is_not_sent_again(void **state)
{
	struct frame frame = frame_to(REMOTE);
	struct run run = run_xdp(&frame);

	assert_int_equal(run.verdict, XDP_REDIRECT);
	memcpy(frame.data, run.data, run.length);
	rig_reset(state);
	assert_passed(run_tc(&frame), PASS_not_for_gateway);
	assert_int_equal(run_xdp(&frame).verdict, XDP_PASS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_steer_tc__##name, rig_reset)
	static const struct CMUnitTest tests[] = {
		TEST(layer3_tunnel_gets_ttl_lowered),
		TEST(checksum_stays_right_for_any_header),
		TEST(ethernet_tunnel_gets_next_hop_mac),
		TEST(remote_instance_gets_its_next_hop_mac),
		TEST(vlan_tags_come_off),
		TEST(padding_does_not_enter_a_layer3_tunnel),
		TEST(expiring_ttl_passes_unchanged),
		TEST(frame_for_another_host_passes),
		TEST(broadcast_and_multicast_pass),
		TEST(what_is_not_ip_passes),
		TEST(malformed_header_passes),
		TEST(destination_of_no_connection_passes),
		TEST(own_network_passes),
		TEST(own_address_inside_a_connections_prefix_passes),
		TEST(mapped_ipv4_prefix_catches_no_ipv6),
		TEST(mapped_destination_of_ipv6_is_no_ipv4),
		TEST(unsegmented_packet_without_length_drops),
		TEST(link_local_source_passes),
		TEST(tunnel_without_device_drops),
		TEST(nothing_usable_drops),
		TEST(what_xdp_sent_is_not_sent_again),
	};
#undef TEST

	return cmocka_run_group_tests_name("steer_tc", tests, rig_set_up, rig_tear_down);
}
