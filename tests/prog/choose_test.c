// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice of a tunnel: first usable of the row, every cause of health, tiers, 64 members, connections without rows.
 * Asked by `where`, which takes the path of a packet that is sent (shown in parse_paths_test.c).
 */
#include "prog.h"

#include "../../bpf/rank.h"

#define FLOWS 600

static struct where_answer answer_for(const struct frame *frame)
{
	return ask(frame).answer;
}

static struct frame flow_number(const char *server, unsigned i)
{
	return frame_of_udp(CLIENT, 1024 + i, server, 2000);
}

static void assert_goes_to(const struct frame *frame, uint32_t tunnel, uint32_t rank)
{
	struct where_answer answer = answer_for(frame);

	assert_int_equal(answer.verdict, WHERE_TUNNEL);
	assert_int_equal(answer.detail, tunnel);
	assert_int_equal(answer.rank, rank);
}

static void test_choose__all_well_uses_first_candidate(void **state)
{
	(void)state;
	for (unsigned member = 0; member < HQ_MEMBERS; member++) {
		struct frame frame = frame_to(member), frame6 = frame6_to(member);

		assert_goes_to(&frame, member, 0);
		assert_goes_to(&frame6, member, 0);
	}
}

static void test_choose__dead_primary_uses_next(void **state)
{
	(void)state;
	for (unsigned member = 0; member < HQ_MEMBERS; member++) {
		struct frame frame = frame_to(member);

		rig.tunnel_health[member].link_down = 1;
		assert_goes_to(&frame, (member + 1) % HQ_MEMBERS, 1);
		rig.tunnel_health[(member + 1) % HQ_MEMBERS].link_down = 1;
		assert_goes_to(&frame, (member + 2) % HQ_MEMBERS, 2);
		memset(rig.tunnel_health, 0, HQ_MEMBERS * sizeof(struct health));
		assert_goes_to(&frame, member, 0);
	}
}

static void test_choose__each_cause_takes_tunnel_or_instance_out(void **state)
{
	struct frame frame = frame_to(LAYER3);

	(void)state;
	for (unsigned cause = 0; cause < offsetof(struct health, slow_start); cause++) {
		uint8_t *tunnel = (uint8_t *)&rig.tunnel_health[LAYER3] + cause;
		uint8_t *instance = (uint8_t *)&rig.instance_health[LAYER3] + cause;

		*tunnel = 1;
		assert_goes_to(&frame, ETHERNET, 1);
		*tunnel = 0;
		*instance = 0x80;
		assert_goes_to(&frame, ETHERNET, 1);
		*instance = 0;
		assert_goes_to(&frame, LAYER3, 0);
	}
}

static void test_choose__failure_moves_the_victims_flows_alone(void **state)
{
	uint32_t before[FLOWS];
	unsigned moved[HQ_MEMBERS] = {0};

	(void)state;
	for (unsigned i = 0; i < FLOWS; i++) {
		struct frame frame = flow_number(SERVER, i);

		before[i] = answer_for(&frame).detail;
	}
	rig.instance_health[ETHERNET].sa_missing = 1;
	for (unsigned i = 0; i < FLOWS; i++) {
		struct frame frame = flow_number(SERVER, i);
		uint32_t now = answer_for(&frame).detail;

		if (before[i] == ETHERNET)
			moved[now]++;
		else
			assert_int_equal(now, before[i]);
	}
	assert_int_equal(moved[ETHERNET], 0);
	assert_true(moved[LAYER3] + moved[REMOTE] > FLOWS / 5);
}

static void test_choose__nothing_usable_is_a_drop(void **state)
{
	struct frame frame = frame_to(LAYER3), wide = flow_number(WIDE_SERVER, 0),
		     rowless = flow_number(ROWLESS_SERVER, 0);

	(void)state;
	for (unsigned i = 0; i < MAX_INSTANCES; i++)
		rig.instance_health[i].next_hop_missing = 1;
	assert_int_equal(answer_for(&frame).verdict, WHERE_DROP);
	assert_int_equal(answer_for(&wide).verdict, WHERE_DROP);
	assert_int_equal(answer_for(&rowless).verdict, WHERE_DROP);
	assert_int_equal(answer_for(&rowless).detail, DROP_no_usable_tunnel);
}

/* The usable member of the lowest tier that ranks best, and how many that are out rank before it: written down anew. */
struct expected {
	uint32_t tunnel, rank;
};

static unsigned no_tier(unsigned ordinal)
{
	(void)ordinal;
	return 0;
}

static unsigned tier_of_eight(unsigned ordinal)
{
	return ordinal / 8;
}

static bool before(uint32_t key, unsigned one, unsigned other, unsigned (*tier)(unsigned))
{
	if (tier(one) != tier(other))
		return tier(one) < tier(other);
	return rank_score(key, one, 100) > rank_score(key, other, 100);
}

static struct expected expect_scan(uint32_t key, unsigned (*tier)(unsigned))
{
	unsigned best = MAX_MEMBERS;
	struct expected expected = {0, 0};

	for (unsigned i = 0; i < MAX_MEMBERS; i++) {
		if (!rig.instance_health[i].admin_out && (best == MAX_MEMBERS || before(key, i, best, tier)))
			best = i;
	}
	assert_true(best < MAX_MEMBERS);
	for (unsigned i = 0; i < MAX_MEMBERS; i++)
		expected.rank += rig.instance_health[i].admin_out && before(key, i, best, tier);
	expected.tunnel = WIDE_TUNNEL + best;
	return expected;
}

static void assert_scanned(const char *server, uint32_t key_mask, unsigned (*tier)(unsigned))
{
	for (unsigned i = 0; i < FLOWS; i++) {
		struct frame frame = flow_number(server, i);
		struct where_answer answer = answer_for(&frame);
		struct expected expected = expect_scan(answer.flow_hash & key_mask, tier);

		assert_int_equal(answer.verdict, WHERE_TUNNEL);
		assert_int_equal(answer.detail, expected.tunnel);
		assert_int_equal(answer.rank, expected.rank);
	}
}

static void test_choose__exhausted_row_ranks_all_64_members(void **state)
{
	struct frame frame = flow_number(WIDE_SERVER, 0);
	unsigned first = answer_for(&frame).detail - WIDE_TUNNEL;

	(void)state;
	for (unsigned i = 0; i < ROW_CANDIDATES - 1; i++)
		rig.instance_health[(first + i) % MAX_MEMBERS].admin_out = 1;
	assert_goes_to(&frame, WIDE_TUNNEL + (first + 7) % MAX_MEMBERS, 7);
	rig.instance_health[(first + 7) % MAX_MEMBERS].admin_out = 1;
	assert_goes_to(&frame, expect_scan(answer_for(&frame).flow_hash & RIG_ROW_MASK, no_tier).tunnel,
		       expect_scan(answer_for(&frame).flow_hash & RIG_ROW_MASK, no_tier).rank);
	/* One member is left, wherever it is. */
	for (unsigned last = 0; last < MAX_MEMBERS; last++) {
		for (unsigned i = 0; i < MAX_MEMBERS; i++)
			rig.instance_health[i].admin_out = i != last;
		assert_int_equal(answer_for(&frame).detail, WIDE_TUNNEL + last);
	}
}

static void test_choose__connection_without_rows_ranks_by_the_whole_hash(void **state)
{
	unsigned taken[MAX_MEMBERS] = {0}, used = 0;

	(void)state;
	assert_scanned(ROWLESS_SERVER, UINT32_MAX, no_tier);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct frame frame = flow_number(ROWLESS_SERVER, i);

		taken[answer_for(&frame).detail - WIDE_TUNNEL]++;
	}
	for (unsigned i = 0; i < MAX_MEMBERS; i++)
		used += taken[i] > 0;
	assert_true(used > MAX_MEMBERS - 4);
	for (unsigned i = 0; i < MAX_MEMBERS; i += 2)
		rig.instance_health[i].admin_out = 1;
	assert_scanned(ROWLESS_SERVER, UINT32_MAX, no_tier);
}

static void test_choose__lower_tier_comes_first(void **state)
{
	(void)state;
	rig_wide_connection(ROWLESS, NO_ROWS, tier_of_eight);
	assert_scanned(ROWLESS_SERVER, UINT32_MAX, tier_of_eight);
	for (unsigned i = 0; i < 8; i++)
		rig.instance_health[i].admin_out = i != 3;
	assert_scanned(ROWLESS_SERVER, UINT32_MAX, tier_of_eight);
	rig.instance_health[3].admin_out = 1;
	assert_scanned(ROWLESS_SERVER, UINT32_MAX, tier_of_eight);
}

static void test_choose__scan_heeds_weights(void **state)
{
	uint32_t index = ROWLESS;
	struct connection connection;
	unsigned heavy = 0;

	(void)state;
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(rig.tc->maps.connections), &index, &connection), 0);
	connection.members = 2;
	connection.rank[0].weight = 900;
	connection.rank[1].weight = 100;
	rig_update(rig.tc->maps.connections, &index, &connection);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct frame frame = flow_number(ROWLESS_SERVER, i);
		uint32_t tunnel = answer_for(&frame).detail;

		assert_true(tunnel == WIDE_TUNNEL || tunnel == WIDE_TUNNEL + 1);
		heavy += tunnel == WIDE_TUNNEL;
	}
	assert_true(heavy > FLOWS * 85 / 100 && heavy < FLOWS * 95 / 100);
}

static void test_choose__both_directions_take_one_tunnel(void **state)
{
	/* The peer's gateway: the same seed, the same rows, and our client behind its tunnels. */
	(void)state;
	rig_prefix("10.1.0.0", 16, HQ);
	rig_prefix("2001:db8:aaaa::", 48, HQ);
	for (unsigned i = 0; i < 200; i++) {
		struct frame there = frame_of_udp(CLIENT, 1024 + i, SERVER, 443);
		struct frame back = frame_of_udp(SERVER, 443, CLIENT, 1024 + i);
		struct frame there6 = frame_of_udp(CLIENT6, 1024 + i, SERVER6, 443);
		struct frame back6 = frame_of_udp(SERVER6, 443, CLIENT6, 1024 + i);

		assert_int_equal(answer_for(&there).detail, answer_for(&back).detail);
		assert_int_equal(answer_for(&there6).detail, answer_for(&back6).detail);
	}
}

/* An error about a packet of the flow, in either direction, from an end or from a router in between. */
static void assert_error_follows(const char *from, const char *to, const char *quoted_from, unsigned quoted_from_port,
				 const char *quoted_to, unsigned quoted_to_port)
{
	struct frame flow = frame_of_udp(quoted_from, quoted_from_port, quoted_to, quoted_to_port), error;
	bool ipv6 = strchr(from, ':');

	error = frame_start(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	(ipv6 ? frame_ipv6 : frame_ipv4)(&error, from, to, ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	frame_icmp(&error, ipv6 ? 1 : 3, 0);
	(ipv6 ? frame_ipv6 : frame_ipv4)(&error, quoted_from, quoted_to, IPPROTO_UDP);
	frame_udp(&error, quoted_from_port, quoted_to_port);
	frame_end(&error);
	assert_int_equal(answer_for(&flow).verdict, WHERE_TUNNEL);
	assert_int_equal(answer_for(&error).verdict, WHERE_TUNNEL);
	assert_int_equal(answer_for(&flow).detail, answer_for(&error).detail);
}

static void test_choose__icmp_errors_take_their_flows_tunnel(void **state)
{
	(void)state;
	rig_prefix("10.1.0.0", 16, HQ);
	rig_prefix("2001:db8:aaaa::", 48, HQ);
	for (unsigned port = 1024; port < 1124; port++) {
		assert_error_follows(CLIENT, SERVER, SERVER, 443, CLIENT, port);
		assert_error_follows(NEIGHBOR, SERVER, SERVER, 443, CLIENT, port);
		assert_error_follows(SERVER, CLIENT, CLIENT, port, SERVER, 443);
		assert_error_follows(ROUTER, CLIENT, CLIENT, port, SERVER, 443);
		assert_error_follows(CLIENT6, SERVER6, SERVER6, 443, CLIENT6, port);
		assert_error_follows(ROUTER6, CLIENT6, CLIENT6, port, SERVER6, 443);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_choose__##name, rig_reset)
	static const struct CMUnitTest tests[] = {
		TEST(all_well_uses_first_candidate),
		TEST(dead_primary_uses_next),
		TEST(each_cause_takes_tunnel_or_instance_out),
		TEST(failure_moves_the_victims_flows_alone),
		TEST(nothing_usable_is_a_drop),
		TEST(exhausted_row_ranks_all_64_members),
		TEST(connection_without_rows_ranks_by_the_whole_hash),
		TEST(lower_tier_comes_first),
		TEST(scan_heeds_weights),
		TEST(both_directions_take_one_tunnel),
		TEST(icmp_errors_take_their_flows_tunnel),
	};
#undef TEST

	return cmocka_run_group_tests_name("choose", tests, rig_set_up, rig_tear_down);
}
