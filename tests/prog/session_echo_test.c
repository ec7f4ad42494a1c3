// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions of ICMP echo: requests, answers, silence, and silence that proves nothing.
 */
#include "session_peer.h"

/* --- ICMP --------------------------------------------------------------------------------------------------------- */

/* The next echo request; what it asked is in the peer, for answer_echo(). */
static bool heard_echo(struct peer *peer)
{
	size_t header = peer->ipv6 ? 40 : 20, length;
	uint8_t ip[2048];

	length = heard(peer, SILENCE_MS, ip);
	if (!length)
		return false;
	assert_int_equal(length, header + 8 + 16);
	assert_int_equal(ip[header], peer->ipv6 ? 128 : 8);
	assert_int_equal(transport_fault(ip, length), 0);
	assert_int_equal(frame_get16(ip + header + 4), DISCRIMINATOR & 0xffff);
	peer->echo_sequence = (uint16_t)frame_get16(ip + header + 6);
	memcpy(&peer->echo_sent_ns, ip + header + 8, 8);
	return true;
}

static void answer_echo(const struct peer *peer)
{
	struct frame frame = frame_start(peer->ipv6 ? ETH_P_IPV6 : ETH_P_IP);

	if (peer->ipv6)
		frame_ipv6(&frame, peer->peer, peer->local, IPPROTO_ICMPV6);
	else
		frame_ipv4(&frame, peer->peer, peer->local, IPPROTO_ICMP);
	frame_icmp(&frame, peer->ipv6 ? 129 : 0, DISCRIMINATOR & 0xffff);
	frame_put16(frame.data + frame.length - 2, peer->echo_sequence);
	memcpy(frame_add(&frame, 16), &peer->echo_sent_ns, 8);
	frame_end(&frame);
	utter(peer, &frame);
}

/* Sends requests as they are due, for so long; answers them, or does not. */
static void echo_for(struct peer *peer, unsigned ms, bool answers)
{
	uint64_t end_ns = now_ns() + ms * MS;

	while (now_ns() < end_ns) {
		uint64_t sent = session().sent_packets;

		send_due(peer);
		if (session().sent_packets != sent && heard_echo(peer) && answers)
			answer_echo(peer);
		pause_ms(1);
	}
}

static void check_echo(struct peer *peer)
{
	struct session now;

	start(peer, SESSION_ICMP);
	assert_true(is_dead(peer));
	echo_for(peer, 2 * MULTIPLIER * INTERVAL_US / 1000, true);
	assert_false(is_dead(peer));
	now = session();
	assert_in_range(now.rtt_ns, 1, 1000 * MS);
	assert_true(now.answered_packets >= MULTIPLIER);
	echo_for(peer, 3 * MULTIPLIER * INTERVAL_US / 1000, false);
	assert_true(is_dead(peer));
	assert_true(was_told(SESSION_NEWS_silent));
}

static void test_session_echo__lives_and_dies(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	check_echo(&peer);
}

static void test_session_echo__over_ipv6_and_ethernet(void **state)
{
	struct peer peer = over_eth();

	(void)state;
	peer.ipv6 = true;
	peer.local = LOCAL6;
	peer.peer = PEER6;
	check_echo(&peer);
}

static void test_session_echo__is_blind_while_nothing_is_sent(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_ICMP);
	echo_for(&peer, 2 * MULTIPLIER * INTERVAL_US / 1000, true);
	assert_false(is_dead(&peer));
	pause_ms(4 * MULTIPLIER * INTERVAL_US / 1000);
	assert_false(is_dead(&peer));
	send_due(&peer);
	assert_true(was_told(SESSION_NEWS_blind));
	assert_true(session().blind_ns >= 4 * MULTIPLIER * INTERVAL_US * 1000ull);
	assert_true(heard_echo(&peer));
	answer_echo(&peer);
	assert_false(is_dead(&peer));
	assert_true(session().gap_max_ns < 4 * MULTIPLIER * INTERVAL_US * 1000ull);
}

static void test_session_echo__reply_to_nothing_asked_is_refused(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_ICMP);
	send_due(&peer);
	assert_true(heard_echo(&peer));
	answer_echo(&peer);
	answer_echo(&peer);
	assert_int_equal(rejects_of(PROBE_REJECT_echo), 1);
	assert_int_equal(session().answered_packets, 1);
}

static void test_session_echo__unit_in_use_whose_peer_never_answers_is_left_alone(void **state)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_ICMP);

	(void)state;
	configure(&config);
	assert_int_equal(command(SESSION, SESSION_JOIN, false, NULL), 0);
	echo_for(&peer, 3 * MULTIPLIER * INTERVAL_US / 1000, false);
	assert_false(is_dead(&peer));
	echo_for(&peer, 2 * MULTIPLIER * INTERVAL_US / 1000, true);
	assert_false(was_told(SESSION_NEWS_holding));
	echo_for(&peer, 3 * MULTIPLIER * INTERVAL_US / 1000, false);
	assert_true(is_dead(&peer));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_session_echo__##name, reset, ended)
	static const struct CMUnitTest tests[] = {
		TEST(lives_and_dies),
		TEST(over_ipv6_and_ethernet),
		TEST(is_blind_while_nothing_is_sent),
		TEST(reply_to_nothing_asked_is_refused),
		TEST(unit_in_use_whose_peer_never_answers_is_left_alone),
	};
#undef TEST

	return cmocka_run_group_tests_name("session_echo", tests, set_up, rig_tear_down);
}
