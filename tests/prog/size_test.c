// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer_tc and sizes: what exceeds its tunnel's MTU goes to the kernel, which owes the sender an answer, but only where
 * the kernel's own route keeps it inside the tunnels; and a GSO packet counts as the packets that it becomes.
 *
 * The namespace forwards, and its routes lead from lo into one of two veth devices, "plain" and "shielded" (protected).
 */
#include <net/if.h>

#include "prog.h"

static int set_up(void **state)
{
	if (rig_set_up(state))
		return -1;
	shell("ip link add plain type veth peer name plain2 && ip link add shielded type veth peer name shielded2");
	shell("ip addr add 10.50.0.1/24 dev plain && ip addr add 10.51.0.1/24 dev shielded");
	shell("ip -6 addr add 2001:db8:50::1/64 dev plain nodad && ip -6 addr add 2001:db8:51::1/64 dev shielded "
	      "nodad");
	shell("for i in plain plain2 shielded shielded2; do ip link set $i up; done");
	shell("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
	return 0;
}

static int reset(void **state)
{
	rig_reset(state);
	rig_device(if_nametoindex("shielded"), LAYER3);
	shell("ip route flush root 192.168.0.0/16; ip -6 route flush root 2001:db8:1::/48; ip route flush root "
	      "0.0.0.0/0 proto static; "
	      "true");
	return 0;
}

static void route(const char *kind, const char *where)
{
	char command[200];

	snprintf(command, sizeof(command),
		 "ip route replace %s 192.168.0.0/16 %s && ip -6 route replace %s 2001:db8:1::/48 %s", kind, where,
		 kind, where);
	shell(command);
}

/* A UDP packet to member LAYER3 whose IP packet has this length. */
static struct frame frame_of(const char *to, size_t ip_bytes)
{
	struct frame frame = strchr(to, ':') ? frame6_to(LAYER3) : frame_to(LAYER3);

	frame_payload(&frame, ip_bytes - (frame.length - ETH_HLEN));
	frame_end(&frame);
	return frame;
}

static void assert_too_big(enum pass_reason reason)
{
	static const char *const destinations[] = {SERVER, SERVER6};

	for (unsigned i = 0; i < 2; i++) {
		struct frame frame = frame_of(destinations[i], MTU_BYTES + 1);
		struct run run;

		reset_counters();
		run = run_tc(&frame);
		assert_passed(run, reason);
		assert_unchanged(run, frame);
	}
}

static void assert_kept_from_leaking(void)
{
	static const char *const destinations[] = {SERVER, SERVER6};

	for (unsigned i = 0; i < 2; i++) {
		struct frame frame = frame_of(destinations[i], MTU_BYTES + 1);

		reset_counters();
		assert_dropped(run_tc(&frame), DROP_no_protected_route);
	}
}

static void test_size__packet_of_the_mtu_is_sent(void **state)
{
	struct frame frame = frame_of(SERVER, MTU_BYTES), frame6 = frame_of(SERVER6, MTU_BYTES);

	assert_sent_to(run_tc(&frame), LAYER3);
	assert_int_equal(tx_bytes(LAYER3), MTU_BYTES);
	reset(state);
	assert_sent_to(run_tc(&frame6), LAYER3);
}

static void test_size__too_big_passes_where_the_route_is_protected(void **state)
{
	(void)state;
	route("", "dev shielded");
	assert_too_big(PASS_too_big);
}

static void test_size__too_big_drops_where_the_route_leads_past_the_tunnels(void **state)
{
	(void)state;
	route("", "dev plain");
	assert_kept_from_leaking();
}

/* The look-up takes the interface's own switch for IPv6's, which is that of all interfaces. */
static void test_size__too_big_drops_where_ipv6_forwards_all_the_same(void **state)
{
	struct frame frame = frame_of(SERVER6, MTU_BYTES + 1);

	(void)state;
	route("", "dev plain");
	shell("echo 0 > /proc/sys/net/ipv6/conf/lo/forwarding");
	assert_dropped(run_tc(&frame), DROP_no_protected_route);
	shell("echo 1 > /proc/sys/net/ipv6/conf/lo/forwarding");
}

static void test_size__too_big_drops_where_only_the_default_route_is_left(void **state)
{
	(void)state;
	shell("ip route replace default dev plain proto static && ip -6 route replace default dev plain proto static");
	assert_kept_from_leaking();
	shell("ip route del default && ip -6 route del default");
}

static void test_size__too_big_drops_where_the_device_is_unknown(void **state)
{
	uint32_t ifindex = if_nametoindex("shielded");

	(void)state;
	route("", "dev shielded");
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(rig.tc->maps.devices), &ifindex), 0);
	assert_kept_from_leaking();
}

static void test_size__too_big_passes_where_the_kernel_refuses(void **state)
{
	static const char *const kinds[] = {"unreachable", "blackhole", "prohibit"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		route(kinds[i], "");
		assert_too_big(PASS_too_big);
	}
}

static void test_size__too_big_passes_where_there_is_no_route(void **state)
{
	(void)state;
	assert_too_big(PASS_too_big);
}

/* The NIC of a remote instance, as a LAN with another router on it. */
static void remote_nic(void)
{
	rig_device(if_nametoindex("plain"), NO_TUNNEL);
	rig.instances[REMOTE].egress.ifindex = if_nametoindex("plain");
	shell("ip neigh replace 10.50.0.2 lladdr 02:00:00:00:02:aa dev plain");
	shell("ip neigh replace 2001:db8:50::2 lladdr 02:00:00:00:02:aa dev plain");
	shell("ip neigh replace 10.50.0.3 lladdr 02:00:00:00:09:99 dev plain");
	shell("ip neigh replace 2001:db8:50::3 lladdr 02:00:00:00:09:99 dev plain");
}

static void route_by_host(unsigned host)
{
	char command[200];

	snprintf(command, sizeof(command),
		 "ip route replace 192.168.0.0/16 via 10.50.0.%u && ip -6 route replace 2001:db8:1::/48 via "
		 "2001:db8:50::%u",
		 host, host);
	shell(command);
}

static void test_size__too_big_passes_where_the_route_leads_to_a_remote_instance(void **state)
{
	(void)state;
	remote_nic();
	route_by_host(2);
	assert_too_big(PASS_too_big);
}

static void test_size__too_big_drops_where_another_router_is_behind_the_instances_nic(void **state)
{
	(void)state;
	remote_nic();
	route_by_host(3);
	assert_kept_from_leaking();
	route_by_host(4); /* whose MAC address nobody knows */
	assert_kept_from_leaking();
	route("", "dev plain"); /* to the destination itself */
	assert_kept_from_leaking();
}

static void test_size__too_big_is_answered_the_same_when_asked(void **state)
{
	struct frame frame = frame_of(SERVER, MTU_BYTES + 1);
	struct run run;

	(void)state;
	route("", "dev plain");
	run = ask(&frame);
	assert_int_equal(run.answer.verdict, WHERE_DROP);
	assert_int_equal(run.answer.detail, DROP_no_protected_route);
	assert_int_equal(counted_packets(), 0);
}

static void test_size__remote_instance_has_its_own_mtu(void **state)
{
	struct frame frame = frame_to(REMOTE);

	frame_payload(&frame, 300);
	frame_end(&frame);
	rig.instances[REMOTE].egress.mtu_bytes = frame.length - ETH_HLEN;
	assert_sent_to(run_tc(&frame), REMOTE);
	reset(state);
	rig.instances[REMOTE].egress.mtu_bytes = frame.length - ETH_HLEN - 1;
	assert_passed(run_tc(&frame), PASS_too_big);
}

/* A TCP packet to member LAYER3 with 12 bytes of options. */
static struct frame tcp_frame(uint16_t ethertype, size_t payload_bytes)
{
	for (unsigned port = 1024; port < 65536; port++) {
		bool ipv6 = ethertype == ETH_P_IPV6;
		const char *from = ipv6 ? CLIENT6 : CLIENT, *to = ipv6 ? SERVER6 : SERVER;
		struct flow flow = case_flow(from, port, to, 443, IPPROTO_TCP);
		struct frame frame = frame_start(ethertype);

		if ((flow_hash(&flow, SEED) & RIG_ROW_MASK) % HQ_MEMBERS != LAYER3)
			continue;
		(ipv6 ? frame_ipv6 : frame_ipv4)(&frame, from, to, IPPROTO_TCP);
		frame_ports(&frame, 32, port, 443)[12] = 8 << 4;
		frame_payload(&frame, payload_bytes);
		frame_end(&frame);
		return frame;
	}
	abort();
}

static void test_size__gso_packet_is_measured_by_its_segments(void **state)
{
	struct frame frame = tcp_frame(ETH_P_IP, 2500), frame6 = tcp_frame(ETH_P_IPV6, 2500);

	assert_int_equal(run_tc_gso(&frame, MTU_BYTES - 52, 2).verdict, TC_ACT_REDIRECT);
	assert_int_equal(run_tc_gso(&frame6, MTU_BYTES - 72, 2).verdict, TC_ACT_REDIRECT);
	reset(state);
	assert_passed(run_tc_gso(&frame, MTU_BYTES - 51, 2), PASS_too_big);
	reset(state);
	assert_passed(run_tc_gso(&frame6, MTU_BYTES - 71, 2), PASS_too_big);
}

static void test_size__gso_packet_counts_as_its_segments(void **state)
{
	struct frame frame = tcp_frame(ETH_P_IP, 2500), frame6 = tcp_frame(ETH_P_IPV6, 2500);

	assert_int_equal(run_tc_gso(&frame, 1000, 3).verdict, TC_ACT_REDIRECT);
	assert_int_equal(tx_packets(LAYER3), 3);
	assert_int_equal(tx_bytes(LAYER3), 2500 + 3 * 52);
	reset(state);
	assert_int_equal(run_tc_gso(&frame6, 1000, 3).verdict, TC_ACT_REDIRECT);
	assert_int_equal(tx_packets(LAYER3), 3);
	assert_int_equal(tx_bytes(LAYER3), 2500 + 3 * 72);
}

static void test_size__gso_packet_without_a_count_is_counted(void **state)
{
	struct frame frame = tcp_frame(ETH_P_IP, 2500);

	(void)state;
	assert_int_equal(run_tc_gso(&frame, 1000, 0).verdict, TC_ACT_REDIRECT);
	assert_int_equal(tx_packets(LAYER3), 3);
	assert_int_equal(tx_bytes(LAYER3), 2500 + 3 * 52);
}

static void test_size__udp_gso_packet_is_measured_by_its_segments(void **state)
{
	struct frame frame = frame_of(SERVER, 2028);

	assert_int_equal(run_tc_gso(&frame, MTU_BYTES - 28, 2).verdict, TC_ACT_REDIRECT);
	assert_int_equal(tx_packets(LAYER3), 2);
	assert_int_equal(tx_bytes(LAYER3), 2000 + 2 * 28);
	reset(state);
	assert_passed(run_tc_gso(&frame, MTU_BYTES - 27, 2), PASS_too_big);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_size__##name, reset)
	static const struct CMUnitTest tests[] = {
		TEST(packet_of_the_mtu_is_sent),
		TEST(too_big_passes_where_the_route_is_protected),
		TEST(too_big_drops_where_the_route_leads_past_the_tunnels),
		TEST(too_big_drops_where_ipv6_forwards_all_the_same),
		TEST(too_big_drops_where_only_the_default_route_is_left),
		TEST(too_big_drops_where_the_device_is_unknown),
		TEST(too_big_passes_where_the_kernel_refuses),
		TEST(too_big_passes_where_there_is_no_route),
		TEST(too_big_passes_where_the_route_leads_to_a_remote_instance),
		TEST(too_big_drops_where_another_router_is_behind_the_instances_nic),
		TEST(too_big_is_answered_the_same_when_asked),
		TEST(remote_instance_has_its_own_mtu),
		TEST(gso_packet_is_measured_by_its_segments),
		TEST(gso_packet_counts_as_its_segments),
		TEST(gso_packet_without_a_count_is_counted),
		TEST(udp_gso_packet_is_measured_by_its_segments),
	};
#undef TEST

	return cmocka_run_group_tests_name("size", tests, set_up, rig_tear_down);
}
