// SPDX-License-Identifier: GPL-2.0-only
/*
 * tunnel_tc: counts what a tunnel's device receives, and lets all of it pass.
 */
#include "prog.h"

#include "netns.h"

#define TUNNEL 7

static int reset(void **state)
{
	rig_reset(state);
	rig_device(LOOPBACK, TUNNEL);
	return 0;
}

static uint64_t rx_packets(uint32_t tunnel)
{
	return rig_count(rig.tc->maps.counters, tunnel, offsetof(struct counters, rx_packets) / 8);
}

static uint64_t rx_bytes(uint32_t tunnel)
{
	return rig_count(rig.tc->maps.counters, tunnel, offsetof(struct counters, rx_bytes) / 8);
}

static void receive(const struct frame *frame, uint32_t gso_size, uint32_t gso_segs)
{
	struct __sk_buff context = {.gso_size = gso_size, .gso_segs = gso_segs};
	struct run run = run_tc_with(bpf_program__fd(rig.tc->progs.tunnel_tc), frame, &context);

	assert_int_equal(run.verdict, TC_ACT_UNSPEC);
	assert_unchanged(run, *frame);
	assert_int_equal(counted_packets(), 0); /* sent, dropped or passed */
}

static void test_tunnel_tc__packets_are_counted_by_ip_length(void **state)
{
	struct frame frame = frame_of_udp(SERVER, 1, CLIENT, 2), frame6 = frame_of_udp(SERVER6, 1, CLIENT6, 2);

	(void)state;
	frame_payload(&frame, 10); /* behind the IP packet: padding */
	receive(&frame, 0, 0);
	assert_int_equal(rx_packets(TUNNEL), 1);
	assert_int_equal(rx_bytes(TUNNEL), 20 + 8 + 64);
	receive(&frame6, 0, 0);
	assert_int_equal(rx_packets(TUNNEL), 2);
	assert_int_equal(rx_bytes(TUNNEL), 20 + 8 + 64 + 40 + 8 + 64);
}

static void test_tunnel_tc__gro_packet_counts_as_its_segments(void **state)
{
	struct frame frame = frame_start(ETH_P_IP), frame6 = frame_start(ETH_P_IPV6),
		     udp = frame_of_udp(SERVER, 1, CLIENT, 2);

	frame_ipv4(&frame, SERVER, CLIENT, IPPROTO_TCP);
	frame_ports(&frame, 32, 1, 2)[12] = 8 << 4;
	frame_payload(&frame, 2500);
	frame_end(&frame);
	receive(&frame, 1000, 3);
	assert_int_equal(rx_packets(TUNNEL), 3);
	assert_int_equal(rx_bytes(TUNNEL), 2500 + 3 * 52);

	reset(state);
	frame_ipv6(&frame6, SERVER6, CLIENT6, IPPROTO_TCP);
	frame_tcp(&frame6, 1, 2);
	frame_payload(&frame6, 2500);
	frame_end(&frame6);
	receive(&frame6, 1000, 3);
	assert_int_equal(rx_packets(TUNNEL), 3);
	assert_int_equal(rx_bytes(TUNNEL), 2500 + 3 * 60);

	reset(state);
	receive(&udp, 32, 2);
	assert_int_equal(rx_packets(TUNNEL), 2);
	assert_int_equal(rx_bytes(TUNNEL), 64 + 2 * 28);
}

static void test_tunnel_tc__other_devices_are_not_counted(void **state)
{
	struct frame frame = frame_of_udp(SERVER, 1, CLIENT, 2);
	uint32_t ifindex = LOOPBACK;

	(void)state;
	rig_device(LOOPBACK, NO_TUNNEL);
	receive(&frame, 0, 0);
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(rig.tc->maps.devices), &ifindex), 0);
	receive(&frame, 0, 0);
	for (uint32_t i = 0; i < RIG_TUNNELS; i++)
		assert_int_equal(rx_packets(i), 0);
}

static void test_tunnel_tc__what_is_not_ip_is_not_counted(void **state)
{
	struct frame frame = frame_start(ETH_P_ARP);

	(void)state;
	frame_payload(&frame, 46);
	receive(&frame, 0, 0);
	assert_int_equal(rx_packets(TUNNEL), 0);
}

static uint64_t rx_through(void)
{
	return rig_count(rig.tc->maps.counters, TUNNEL, offsetof(struct counters, rx_through_packets) / 8);
}

static void test_tunnel_tc__what_is_for_the_gateway_holds_up_no_drain(void **state)
{
	struct frame through = frame_of_udp(SERVER, 1, CLIENT, 2), through6 = frame_of_udp(SERVER6, 1, CLIENT6, 2);
	struct frame own = frame_of_udp(CLIENT, 1, SERVER, 2), own6 = frame_of_udp(CLIENT6, 1, SERVER6, 2);
	struct health *health[] = {&rig.tunnel_health[TUNNEL], &rig.instance_health[rig.tunnels[TUNNEL].instance]};

	(void)state;
	netns_enter();
	assert_int_equal(system("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && "
				"ip address add " SERVER " dev lo && ip address add " SERVER6 " dev lo && "
				"ip route add default dev lo && ip -6 route add default dev lo"),
			 0);
	receive(&own, 0, 0);
	receive(&own6, 0, 0);
	assert_int_equal(rx_through(), 2); /* nobody asks */
	for (size_t i = 0; i < sizeof(health) / sizeof(health[0]); i++) {
		reset_counters();
		health[i]->admin_out = ADMIN_DRAINING;
		receive(&own, 0, 0);
		receive(&own6, 0, 0);
		assert_int_equal(rx_through(), 0);
		assert_int_equal(rx_packets(TUNNEL), 2);
		receive(&through, 0, 0);
		receive(&through6, 0, 0);
		assert_int_equal(rx_through(), 2);
		health[i]->admin_out = 0;
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_tunnel_tc__##name, reset)
	static const struct CMUnitTest tests[] = {
		TEST(packets_are_counted_by_ip_length),
		TEST(gro_packet_counts_as_its_segments),
		TEST(other_devices_are_not_counted),
		TEST(what_is_not_ip_is_not_counted),
		TEST(what_is_for_the_gateway_holds_up_no_drain),
	};
#undef TEST

	return cmocka_run_group_tests_name("tunnel_tc", tests, rig_set_up, rig_tear_down);
}
