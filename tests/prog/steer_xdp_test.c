// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer_xdp: sends what goes to a remote instance, and leaves all else to steer_tc as it was.
 */
#include "prog.h"

static void assert_left(const struct frame *frame)
{
	struct run run;

	reset_counters();
	run = run_xdp(frame);
	assert_int_equal(run.verdict, XDP_PASS);
	assert_unchanged(run, *frame);
	assert_int_equal(passes_of(PASS_to_tc), 1);
	assert_int_equal(counted_packets(), 1);
}

static void assert_sent(const struct frame *frame)
{
	struct run run;
	const uint8_t *ip = run.data + ETH_HLEN;
	bool ipv6 = frame->data[12] == 0x86;

	reset_counters();
	run = run_xdp(frame);
	assert_int_equal(run.verdict, XDP_REDIRECT);
	assert_int_equal(run.length, frame->length);
	assert_memory_equal(run.data, REMOTE_HOP_MAC, ETH_ALEN);
	assert_memory_equal(run.data + ETH_ALEN, REMOTE_OWN_MAC, ETH_ALEN);
	assert_memory_equal(run.data + 12, frame->data + 12, 2);
	assert_int_equal(ip[ipv6 ? 7 : 8], 63);
	assert_int_equal(ipv6 ? 0 : frame_ipv4_fault(ip), 0);
	assert_memory_equal(ip + 12, frame->data + ETH_HLEN + 12, frame->length - ETH_HLEN - 12);
	assert_int_equal(tx_packets(REMOTE), 1);
	assert_int_equal(tx_bytes(REMOTE), frame->length - ETH_HLEN);
	assert_int_equal(counted_packets(), 1);
}

static void test_steer_xdp__remote_instance_gets_its_next_hop_mac(void **state)
{
	struct frame frame = frame_to(REMOTE), frame6 = frame6_to(REMOTE);

	(void)state;
	assert_sent(&frame);
	assert_sent(&frame6);
}

static void test_steer_xdp__local_tunnel_is_left(void **state)
{
	struct frame layer3 = frame_to(LAYER3), ethernet = frame_to(ETHERNET);

	(void)state;
	assert_left(&layer3);
	assert_left(&ethernet);
}

static void test_steer_xdp__remote_takes_over_from_local_and_back(void **state)
{
	struct frame local = frame_to(ETHERNET), remote = frame_to(REMOTE);

	(void)state;
	rig.instance_health[ETHERNET].admin_out = 1;
	assert_sent(&local);
	rig.instance_health[REMOTE].probe_dead = 1;
	assert_left(&local);
	assert_left(&remote);
}

static void test_steer_xdp__frame_for_another_host_is_left(void **state)
{
	struct frame frame = frame_to(REMOTE);

	(void)state;
	for (unsigned i = 0; i < ETH_ALEN; i++) {
		frame.data[i] ^= 0x10;
		assert_left(&frame);
		frame.data[i] ^= 0x10;
	}
	memset(frame.data, 0xff, ETH_ALEN);
	assert_left(&frame);
}

static void test_steer_xdp__nic_without_address_is_left(void **state)
{
	static const uint8_t none[6];
	struct frame frame = frame_to(REMOTE);

	(void)state;
	rig_inside_nic(none);
	assert_left(&frame);
}

static void test_steer_xdp__expiring_ttl_is_left(void **state)
{
	struct frame frame = frame_to(REMOTE), frame6 = frame6_to(REMOTE);

	(void)state;
	frame_set_ttl(&frame, 1);
	assert_left(&frame);
	frame_set_ttl(&frame6, 0);
	assert_left(&frame6);
}

static void test_steer_xdp__too_big_is_left(void **state)
{
	struct frame frame = frame_to(REMOTE);

	(void)state;
	rig.instances[REMOTE].egress.mtu_bytes = frame.length - ETH_HLEN;
	assert_sent(&frame);
	rig.instances[REMOTE].egress.mtu_bytes--;
	assert_left(&frame);
}

static void test_steer_xdp__instance_without_next_hop_is_left(void **state)
{
	struct frame frame = frame_to(REMOTE);
	uint32_t remote = REMOTE;

	(void)state;
	rig.instances[REMOTE].egress.kind = EGRESS_NONE;
	assert_left(&frame);
	rig.instances[REMOTE].egress.kind = EGRESS_ETHERNET;
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(rig.tc->maps.remote_ports), &remote), 0);
	assert_left(&frame);
}

static void test_steer_xdp__drops_and_passes_are_left(void **state)
{
	struct frame stranger = frame_of_udp(CLIENT, 1, STRANGER, 1), own = frame_of_udp(CLIENT, 1, NEIGHBOR, 1);
	struct frame arp = frame_start(ETH_P_ARP), frame = frame_to(REMOTE);

	(void)state;
	frame_payload(&arp, 46);
	assert_left(&stranger);
	assert_left(&own);
	assert_left(&arp);
	for (unsigned i = 0; i < HQ_MEMBERS; i++)
		rig.instance_health[i].admin_out = 1;
	assert_left(&frame);
}

static void test_steer_xdp__vlan_tags_are_left_to_tc(void **state)
{
	struct frame frame = frame_start(ETH_P_8021Q);

	(void)state;
	rig.instance_health[LAYER3].admin_out = rig.instance_health[ETHERNET].admin_out = 1;
	frame_tag(&frame, 5, ETH_P_IP);
	case_ipv4_udp(&frame);
	frame_end(&frame);
	assert_left(&frame);
	reset_counters();
	assert_sent_to(run_tc(&frame), REMOTE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_steer_xdp__##name, rig_reset)
	static const struct CMUnitTest tests[] = {
		TEST(remote_instance_gets_its_next_hop_mac),
		TEST(local_tunnel_is_left),
		TEST(remote_takes_over_from_local_and_back),
		TEST(frame_for_another_host_is_left),
		TEST(nic_without_address_is_left),
		TEST(expiring_ttl_is_left),
		TEST(too_big_is_left),
		TEST(instance_without_next_hop_is_left),
		TEST(drops_and_passes_are_left),
		TEST(vlan_tags_are_left_to_tc),
	};
#undef TEST

	return cmocka_run_group_tests_name("steer_xdp", tests, rig_set_up, rig_tear_down);
}
