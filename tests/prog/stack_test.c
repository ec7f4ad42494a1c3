// SPDX-License-Identifier: GPL-2.0-only
/*
 * path: stack. The packet is marked for its tunnel's routing table and left to the kernel as it is.
 */
#include "prog.h"

static int set_up(void **state)
{
	(void)state;
	return rig_open(true);
}

static void assert_marked(const struct frame *frame, uint32_t tunnel)
{
	struct run run;

	reset_counters();
	run = run_tc(frame);
	assert_int_equal(run.verdict, TC_ACT_UNSPEC);
	assert_int_equal(run.mark, STACK_MARK_TUNNEL + tunnel);
	assert_unchanged(run, *frame);
	assert_int_equal(passes_of(PASS_to_stack), 1);
	assert_int_equal(tx_packets(tunnel), 1);
	assert_int_equal(tx_bytes(tunnel), frame->length - ETH_HLEN);
	assert_int_equal(counted_packets(), 2); /* as passed and as sent */
}

static void test_stack__packet_is_marked_for_its_tunnel(void **state)
{
	(void)state;
	for (unsigned member = 0; member < HQ_MEMBERS; member++) {
		struct frame frame = frame_to(member), frame6 = frame6_to(member);

		assert_marked(&frame, member);
		assert_marked(&frame6, member);
	}
}

static void test_stack__ttl_and_size_are_the_kernels(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	frame_payload(&frame, MTU_BYTES);
	frame_set_ttl(&frame, 1);
	assert_marked(&frame, LAYER3);
}

/* The kernel would answer by the MTU of the tunnel that the mark leads to. */
static void test_stack__too_big_for_another_tunnel_is_answered(void **state)
{
	struct inside_nic nic = {.ifindex = LOOPBACK, .ipv4 = htonl(0x0a010201)};
	struct frame fits = frame_to(LAYER3), large;
	uint32_t number = INSIDE_NIC;

	(void)state;
	frame_payload(&fits, 1300 - (fits.length - ETH_HLEN));
	frame_end(&fits);
	large = fits;
	frame_payload(&large, 1);
	frame_end(&large);
	rig.connections[HQ].mtu_bytes = 1300;
	rig_update(rig.tc->maps.inside_nics, &number, &nic);
	assert_marked(&large, LAYER3); /* may be fragmented */
	frame_put16(fits.data + ETH_HLEN + 6, 0x4000);
	frame_put16(large.data + ETH_HLEN + 6, 0x4000);
	frame_end(&fits);
	frame_end(&large);
	assert_marked(&fits, LAYER3);
	reset_counters();
	assert_int_equal(run_tc(&large).verdict, TC_ACT_REDIRECT);
	assert_int_equal(drops_of(DROP_too_big_answered), 1);
	assert_int_equal(counted_packets(), 1);
}

static void test_stack__failure_changes_the_mark(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	rig.tunnel_health[LAYER3].sa_missing = 1;
	assert_marked(&frame, ETHERNET);
}

static void test_stack__no_mark_drops(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	rig.tunnels[LAYER3].egress.mark = 0;
	assert_dropped(run_tc(&frame), DROP_no_egress);
}

static void test_stack__nothing_usable_drops(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	for (unsigned i = 0; i < HQ_MEMBERS; i++)
		rig.instance_health[i].admin_out = 1;
	assert_dropped(run_tc(&frame), DROP_no_usable_tunnel);
}

static void test_stack__others_pass_unmarked(void **state)
{
	struct frame frame = frame_of_udp(CLIENT, 1000, STRANGER, 2000);
	struct run run = run_tc(&frame);

	(void)state;
	assert_passed(run, PASS_no_connection);
	assert_int_equal(run.mark, 0);
}

static void test_stack__xdp_leaves_all_to_tc(void **state)
{
	struct frame frame = frame_to(REMOTE);
	struct run run = run_xdp(&frame);

	(void)state;
	assert_int_equal(run.verdict, XDP_PASS);
	assert_unchanged(run, frame);
	assert_int_equal(passes_of(PASS_to_tc), 1);
	assert_int_equal(counted_packets(), 1);
}

static void test_stack__where_marks_nothing(void **state)
{
	struct frame frame = frame_to(ETHERNET);
	struct run run = ask(&frame);

	(void)state;
	assert_int_equal(run.answer.verdict, WHERE_TUNNEL);
	assert_int_equal(run.answer.detail, ETHERNET);
	assert_int_equal(run.mark, 0);
	assert_int_equal(counted_packets(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_stack__##name, rig_reset)
	static const struct CMUnitTest tests[] = {
		TEST(packet_is_marked_for_its_tunnel),
		TEST(ttl_and_size_are_the_kernels),
		TEST(too_big_for_another_tunnel_is_answered),
		TEST(failure_changes_the_mark),
		TEST(no_mark_drops),
		TEST(nothing_usable_drops),
		TEST(others_pass_unmarked),
		TEST(xdp_leaves_all_to_tc),
		TEST(where_marks_nothing),
	};
#undef TEST

	return cmocka_run_group_tests_name("stack", tests, set_up, rig_tear_down);
}
