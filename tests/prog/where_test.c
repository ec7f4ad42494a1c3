// SPDX-License-Identifier: GPL-2.0-only
/*
 * `where`: steer_tc answers what it would do with a packet, does not do it, and counts nothing.
 */
#include "prog.h"

static struct where_answer assert_only_answered(const struct frame *frame, uint32_t verdict, uint32_t detail)
{
	struct run run = ask(frame);

	assert_int_equal(run.verdict, TC_ACT_UNSPEC);
	assert_unchanged(run, *frame);
	assert_int_equal(run.mark, 0);
	assert_int_equal(counted_packets(), 0);
	assert_int_equal(run.answer.verdict, verdict);
	assert_int_equal(run.answer.detail, detail);
	return run.answer;
}

static void test_where__names_tunnel_connection_hash_and_rank(void **state)
{
	struct frame frame = frame_to(LAYER3);
	struct where_answer answer = assert_only_answered(&frame, WHERE_TUNNEL, LAYER3);

	(void)state;
	assert_int_equal(answer.connection, HQ);
	assert_int_equal((answer.flow_hash & RIG_ROW_MASK) % HQ_MEMBERS, LAYER3);
	assert_int_equal(answer.rank, 0);
	rig.tunnel_health[LAYER3].device_missing = 1;
	answer = assert_only_answered(&frame, WHERE_TUNNEL, ETHERNET);
	assert_int_equal(answer.rank, 1);
}

static void test_where__names_remote_tunnel(void **state)
{
	struct frame frame = frame_to(REMOTE);

	(void)state;
	assert_only_answered(&frame, WHERE_TUNNEL, REMOTE);
}

static void test_where__names_reasons_to_pass(void **state)
{
	struct frame stranger = frame_of_udp(CLIENT, 1, STRANGER, 1), own = frame_of_udp(CLIENT, 1, NEIGHBOR, 1);
	struct frame ttl = frame_to(LAYER3), arp = frame_start(ETH_P_ARP), other = frame_to(LAYER3),
		     bad = frame_to(LAYER3);

	(void)state;
	frame_set_ttl(&ttl, 1);
	frame_payload(&arp, 46);
	other.data[5] ^= 1;
	bad.data[ETH_HLEN] = 0x41;
	assert_int_equal(assert_only_answered(&stranger, WHERE_PASS, PASS_no_connection).connection, NO_CONNECTION);
	assert_int_equal(assert_only_answered(&own, WHERE_PASS, PASS_own_network).connection, NO_CONNECTION);
	assert_int_equal(assert_only_answered(&ttl, WHERE_PASS, PASS_ttl_expires).connection, HQ);
	assert_only_answered(&arp, WHERE_PASS, PASS_not_ip);
	assert_only_answered(&other, WHERE_PASS, PASS_not_for_gateway);
	assert_only_answered(&bad, WHERE_PASS, PASS_malformed);
}

static void test_where__names_reasons_to_drop(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	rig.tunnels[LAYER3].egress.kind = EGRESS_NONE;
	assert_only_answered(&frame, WHERE_DROP, DROP_no_egress);
	for (unsigned i = 0; i < HQ_MEMBERS; i++)
		rig.instance_health[i].admin_out = 1;
	assert_int_equal(assert_only_answered(&frame, WHERE_DROP, DROP_no_usable_tunnel).connection, HQ);
}

static void test_where__packet_that_almost_asks_is_sent(void **state)
{
	static const uint32_t question[] = WHERE_QUESTION;
	struct frame frame = frame_to(LAYER3);

	for (unsigned word = 0; word < 5; word++) {
		struct __sk_buff context = {.mark = 0};

		rig_reset(state);
		memcpy(context.cb, question, sizeof(question));
		context.cb[word] ^= 1;
		assert_sent_to(run_tc_with(bpf_program__fd(rig.tc->progs.steer_tc), &frame, &context), LAYER3);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_where__##name, rig_reset)
	static const struct CMUnitTest tests[] = {
		TEST(names_tunnel_connection_hash_and_rank),
		TEST(names_remote_tunnel),
		TEST(names_reasons_to_pass),
		TEST(names_reasons_to_drop),
		TEST(packet_that_almost_asks_is_sent),
	};
#undef TEST

	return cmocka_run_group_tests_name("where", tests, rig_set_up, rig_tear_down);
}
