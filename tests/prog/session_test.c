// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions of BFD: what they send and answer, and what becomes of a tunnel's health.
 */
#include "session_peer.h"

#include <sched.h>

#include "../lib/stall.h"

#define GRANTS 4 /* SESSION_GRANTS_MAX of session.bpf.h */

/* --- BFD ---------------------------------------------------------------------------------------------------------- */

static void check_handshake(const struct peer *peer)
{
	struct bfd_packet packet;

	start(peer, SESSION_BFD);
	assert_true(is_dead(peer));
	assert_true(send_due(peer) >= 750 * MS);
	packet = hear(peer);
	assert_int_equal(packet.state, BFD_DOWN);
	assert_int_equal(packet.desired_tx_us, 1000000);
	assert_int_equal(packet.required_rx_us, INTERVAL_US);
	assert_int_equal(packet.my_discriminator, DISCRIMINATOR);
	assert_int_equal(packet.your_discriminator, 0);
	assert_int_equal(packet.multiplier, MULTIPLIER);
	send_due(peer); /* not due */
	assert_nothing_heard(peer);
	come_up(peer);
	assert_int_equal(session().bfd.state, BFD_UP);
	assert_true(was_told(SESSION_NEWS_live));
}

static void test_session__comes_up_over_ethernet(void **state)
{
	struct peer peer = over_eth();

	(void)state;
	check_handshake(&peer);
}

static void test_session__comes_up_without_ethernet(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	check_handshake(&peer);
}

static void test_session__comes_up_over_ipv6(void **state)
{
	struct peer peer = over_tun6();

	(void)state;
	check_handshake(&peer);
}

static void test_session__sends_at_its_pace_once_up(void **state)
{
	struct peer peer = over_tun();
	uint64_t wait_ns;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	for (int i = 0; i < 5; i++) {
		say_state(&peer, BFD_UP);
		wait_ns = send_due(&peer);
		assert_true(wait_ns <= INTERVAL_US * 1000ull);
		while (send_due(&peer) <= wait_ns && session().send_at_ns > now_ns())
			say_state(&peer, BFD_UP);
	}
	assert_int_equal(session().bfd.state, BFD_UP);
}

static void test_session__silence_fails_the_tunnel_in_detection_time(void **state)
{
	struct peer peer = over_eth();
	uint64_t last_ns, dead_ns, detection_ns = MULTIPLIER * INTERVAL_US * 1000ull;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	say_state(&peer, BFD_UP);
	last_ns = session().answered_ns;
	while (!is_dead(&peer) && now_ns() < last_ns + 1000 * MS)
		;
	dead_ns = now_ns();
	assert_true(is_dead(&peer));
	assert_true(dead_ns - last_ns >= detection_ns);
	/* Its precision is a matter for a quiet machine: tests/bench. */
	print_message("# detected %.2f ms after %.2f\n", (double)(dead_ns - last_ns) / 1e6, (double)detection_ns / 1e6);
	assert_true(was_told(SESSION_NEWS_silent));
	assert_int_equal(last_event.session, SESSION);
	assert_int_equal(last_event.discriminator, DISCRIMINATOR);
	assert_true(last_event.silence_ns >= detection_ns);
	assert_int_equal(session().bfd.state, BFD_DOWN);
	assert_int_equal(session().bfd.diagnostic, BFD_DETECTION_EXPIRED);
}

/*
 * A CPU that stood still over a deadline proves nothing: what came meanwhile may wait behind the timer. The session is
 * given one more interval, and an answer within it is in time. Where this machine itself takes longer to come back
 * than that, the try says nothing.
 */
static void test_session__stalled_cpu_is_given_more_time(void **state)
{
	struct peer peer = over_tun();
	uint64_t stalled_ns = (MULTIPLIER + 1) * INTERVAL_US * 1000ull, limit_ns = INTERVAL_US * 1000ull / 2, from_ns;
	int program_fd = stall_load();
	bool is_valid = false, was_dead = false;
	cpu_set_t before, one;

	(void)state;
	if (program_fd == -ENOENT)
		skip();
	assert_true(program_fd >= 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (int tries = 20; tries && !is_valid; tries--) {
		start(&peer, SESSION_BFD);
		come_up(&peer);
		say_state(&peer, BFD_UP);
		from_ns = now_ns();
		assert_int_equal(stall_run(program_fd, (uint32_t)stalled_ns), 0);
		was_dead = is_dead(&peer);
		say_state(&peer, BFD_UP);
		is_valid = now_ns() - from_ns < stalled_ns + limit_ns;
		if (!is_valid)
			assert_int_equal(command(SESSION, SESSION_STOP, false, NULL), 0);
	}
	assert_true(is_valid);
	assert_false(was_dead);
	assert_false(is_dead(&peer));
	/* Silence that goes on is a failure after all. */
	pause_ms((MULTIPLIER + GRANTS + 2) * INTERVAL_US / 1000);
	assert_true(is_dead(&peer));
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	close(program_fd);
}

static void test_session__packets_into_a_dead_tunnel_are_counted(void **state)
{
	struct peer peer = over_eth();
	struct frame frame = frame_to(ETHERNET);

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	run_tc(&frame);
	say_state(&peer, BFD_UP);
	for (int i = 0; i < 3; i++)
		run_tc(&frame);
	while (!is_dead(&peer))
		pause_ms(1);
	assert_true(was_told(SESSION_NEWS_silent));
	assert_int_equal(last_event.lost_packets, 3);
}

static void test_session__failed_tunnel_returns_after_its_hold(void **state)
{
	struct peer peer = over_tun();
	struct bfd_packet packet = words(BFD_DOWN);
	uint64_t up_ns;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	while (!is_dead(&peer))
		pause_ms(1);
	packet.your_discriminator = 0;
	say(&peer, &packet);
	say_state(&peer, BFD_INIT);
	assert_int_equal(session().bfd.state, BFD_UP);
	assert_true(is_dead(&peer));
	assert_true(was_told(SESSION_NEWS_holding));
	up_ns = session().liveness.live_at_ns - 50 * MS;
	while (is_dead(&peer) && now_ns() < up_ns + 1000 * MS) {
		say_state(&peer, BFD_UP);
		pause_ms(1);
	}
	assert_false(is_dead(&peer));
	assert_true(now_ns() - up_ns >= 50 * MS);
}

static void test_session__peer_that_says_down_fails_the_tunnel_at_once(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	say_state(&peer, BFD_DOWN);
	assert_true(is_dead(&peer));
	assert_true(was_told(SESSION_NEWS_peer_down));
}

static void test_session__peer_that_leaves_is_no_failure(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	say_state(&peer, BFD_ADMIN_DOWN);
	assert_int_equal(session().bfd.state, BFD_DOWN);
	assert_false(is_dead(&peer));
	assert_true(was_told(SESSION_NEWS_peer_leaves));
	pause_ms(2 * MULTIPLIER * INTERVAL_US / 1000);
	assert_false(is_dead(&peer));
}

static void test_session__poll_is_answered_at_once(void **state)
{
	struct peer peer = over_eth();
	struct bfd_packet packet = words(BFD_UP);

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	packet.poll = 1;
	say(&peer, &packet);
	packet = hear(&peer);
	assert_true(packet.final);
	assert_false(packet.poll);
}

/* A daemon that stands still: the peer's packets are answered at our pace, and no faster. */
static void test_session__late_daemon_is_stood_in_for(void **state)
{
	struct peer peer = over_tun();
	uint64_t end_ns, before;
	unsigned said = 0, answers = 0;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	before = session().replied_packets;
	for (end_ns = now_ns() + 400 * MS; now_ns() < end_ns; said++) {
		say_state(&peer, BFD_UP);
		pause_ms(2);
	}
	answers = (unsigned)(session().replied_packets - before);
	assert_false(is_dead(&peer));
	assert_in_range(answers, 2, 400 / (INTERVAL_US / 1000) + 1);
	assert_true(answers < said);
	assert_int_equal(hear(&peer).state, BFD_UP);
}

static void test_session__checksum_that_is_not_there_stays_away(void **state)
{
	struct peer peer = over_eth();
	struct bfd_packet packet = words(BFD_UP);
	uint8_t payload[52], ip[2048];
	struct frame frame;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	packet.poll = 1;
	bfd_packet_write(&packet, payload);
	frame = frame_of_payload(&peer, 3784, 255, payload, 24);
	frame_put16(frame.data + ETH_HLEN + 20 + 6, 0);
	utter(&peer, &frame);
	assert_int_equal(heard(&peer, PATIENCE_MS, ip), 20 + 8 + 24);
	assert_int_equal(frame_get16(ip + 20 + 6), 0);
}

static void test_session__new_interval_is_polled_for(void **state)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_BFD);
	struct bfd_packet packet;

	(void)state;
	start_with(&config);
	come_up(&peer);
	config.interval_ns = 2 * INTERVAL_US * 1000ull;
	configure(&config);
	assert_int_equal(command(SESSION, SESSION_RETIME, false, NULL), 0);
	send_due(&peer);
	packet = hear(&peer);
	assert_true(packet.poll);
	assert_int_equal(packet.desired_tx_us, 2 * INTERVAL_US);
	assert_int_equal(session().bfd.tx_us, INTERVAL_US);
	packet = words(BFD_UP);
	packet.final = 1;
	say(&peer, &packet);
	assert_int_equal(session().bfd.tx_us, 2 * INTERVAL_US);
}

static void test_session__leaving_is_said_and_then_nothing_counts(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	assert_int_equal(command(SESSION, SESSION_LEAVE, false, NULL), 0);
	send_due(&peer);
	assert_int_equal(hear(&peer).state, BFD_ADMIN_DOWN);
	say_state(&peer, BFD_UP);
	assert_int_equal(rejects_of(PROBE_REJECT_left), 1);
	assert_int_equal(command(SESSION, SESSION_STOP, false, NULL), 0);
	pause_ms(2 * MULTIPLIER * INTERVAL_US / 1000);
	assert_false(is_dead(&peer));
}

/* What another generation's, or a dead daemon's, timer was to do goes on. */
static void test_session__adopted_timer_still_fails_the_tunnel(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	assert_int_equal(command(SESSION, SESSION_ADOPT, false, NULL), 0);
	for (int i = 0; i < 1000 && !is_dead(&peer); i++)
		pause_ms(1);
	assert_true(is_dead(&peer));
}

static void test_session__other_peers_are_the_kernels(void **state)
{
	struct peer peer = over_tun(), stranger = peer;

	(void)state;
	start(&peer, SESSION_BFD);
	stranger.peer = "169.254.0.9";
	say_state(&stranger, BFD_UP);
	assert_int_equal(rejects_of(PROBE_REJECT_no_session), 1);
	stranger = peer;
	stranger.local = "169.254.0.8";
	say_state(&stranger, BFD_UP);
	assert_int_equal(rejects_of(PROBE_REJECT_no_session), 2);
	assert_nothing_heard(&peer);
}

static void test_session__probes_are_not_counted_as_traffic(void **state)
{
	struct peer peer = over_tun();
	size_t rx = offsetof(struct counters, rx_packets) / 8;
	struct frame frame = frame_of_udp(SERVER, 1, CLIENT, 2);

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	assert_int_equal(rig_count(rig.tc->maps.counters, LAYER3, rx), 0);
	utter(&peer, &frame);
	assert_int_equal(rig_count(rig.tc->maps.counters, LAYER3, rx), 1);
}

/* A probe that is added to a tunnel in use moves no flow, until the peer has answered and then does not. */
static void test_session__unit_in_use_is_judged_from_its_first_answer_on(void **state)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_BFD);

	(void)state;
	configure(&config);
	assert_int_equal(command(SESSION, SESSION_JOIN, false, NULL), 0);
	assert_false(is_dead(&peer));
	pause_ms(2 * MULTIPLIER * INTERVAL_US / 1000);
	assert_false(is_dead(&peer));
	come_up(&peer);
	for (int i = 0; i < 1000 && !is_dead(&peer); i++)
		pause_ms(1);
	assert_true(is_dead(&peer));
}

/* --- authentication ----------------------------------------------------------------------------------------------- */

static void say_signed(struct peer *peer, struct bfd_packet packet, const struct session_config *config)
{
	uint8_t payload[52] __attribute__((aligned(4)));
	struct frame frame;

	packet.auth_present = 1;
	packet.auth_type = config->auth_type;
	packet.auth_key_id = config->auth_key_id;
	packet.auth_sequence = peer->sequence;
	bfd_packet_write(&packet, payload);
	bfd_auth_sign(payload, config->auth_key);
	frame = frame_of_payload(peer, 3784, 255, payload, 52);
	utter(peer, &frame);
}

static void check_authentication(enum session_auth type)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_BFD), wrong;
	uint8_t payload[52] __attribute__((aligned(4)));
	struct bfd_packet packet = words(BFD_DOWN);
	uint32_t first;

	authenticate(&config, type);
	start_with(&config);
	peer.sequence = 100;
	packet.your_discriminator = 0;
	say_signed(&peer, packet, &config);
	assert_true(heard_bfd(&peer, PATIENCE_MS, &packet, payload));
	assert_int_equal(packet.state, BFD_INIT);
	assert_int_equal(packet.auth_type, type);
	assert_int_equal(packet.auth_key_id, 5);
	assert_true(bfd_auth_holds(payload, config.auth_key));
	first = packet.auth_sequence;

	wrong = config;
	wrong.auth_key[0] ^= 1;
	peer.sequence++;
	say_signed(&peer, words(BFD_INIT), &wrong);
	assert_int_equal(rejects_of(PROBE_REJECT_auth_digest), 1);
	say_signed(&peer, words(BFD_INIT), &config);
	assert_true(heard_bfd(&peer, PATIENCE_MS, &packet, payload));
	assert_int_equal(packet.state, BFD_UP);
	assert_int_equal(packet.auth_sequence, first + 1);
	assert_true(bfd_auth_holds(payload, config.auth_key));

	say_signed(&peer, words(BFD_UP), &config); /* the same number again */
	assert_int_equal(rejects_of(PROBE_REJECT_auth_sequence), type == SESSION_AUTH_METICULOUS_SHA1);
	peer.sequence -= 2;
	say_signed(&peer, words(BFD_UP), &config);
	assert_int_equal(rejects_of(PROBE_REJECT_auth_sequence), 1 + (type == SESSION_AUTH_METICULOUS_SHA1));
	say_state(&peer, BFD_UP);
	assert_int_equal(rejects_of(PROBE_REJECT_auth_missing), 1);
	wrong = config;
	wrong.auth_key_id++;
	say_signed(&peer, words(BFD_UP), &wrong);
	assert_int_equal(rejects_of(PROBE_REJECT_auth_type), 1);
}

static void test_session__keyed_sha1(void **state)
{
	(void)state;
	check_authentication(SESSION_AUTH_SHA1);
}

static void test_session__meticulous_keyed_sha1(void **state)
{
	(void)state;
	check_authentication(SESSION_AUTH_METICULOUS_SHA1);
}

/* --- reception ---------------------------------------------------------------------------------------------------- */

static void assert_rejected(const struct peer *peer, const uint8_t *payload, size_t length, unsigned port, uint8_t ttl,
			    enum probe_reject reason)
{
	struct frame frame = frame_of_payload(peer, port, ttl, payload, length);
	uint64_t before = rejects_of(reason), answered = session().answered_packets;

	utter(peer, &frame);
	if (rejects_of(reason) != before + 1)
		fail_msg("not rejected for reason %d", reason);
	assert_int_equal(session().answered_packets, answered);
}

static void test_session__malformed_packets_change_nothing(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
		enum probe_reject reason;
	} faults[] = {
		{0, 0x40, PROBE_REJECT_version},
		{3, 23, PROBE_REJECT_length},
		{3, 25, PROBE_REJECT_truncated},
		{2, 0, PROBE_REJECT_multiplier},
		{1, 0xc1, PROBE_REJECT_multipoint},
		{7, 0, PROBE_REJECT_my_discriminator},
		{11, 0x55, PROBE_REJECT_your_discriminator},
		{1, 0xf0, PROBE_REJECT_poll_final},
	};
	struct bfd_packet packet = words(BFD_UP);
	struct peer peer = over_tun();
	uint8_t good[52], payload[52];

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	bfd_packet_write(&packet, good);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		memcpy(payload, good, sizeof(payload));
		payload[faults[i].at] = faults[i].value;
		assert_rejected(&peer, payload, 24, 3784, 255, faults[i].reason);
	}
	memcpy(payload, good, sizeof(payload));
	memset(payload + 8, 0, 4); /* our discriminator, in a packet that says Up */
	assert_rejected(&peer, payload, 24, 3784, 255, PROBE_REJECT_your_discriminator);
	assert_rejected(&peer, good, 23, 3784, 255, PROBE_REJECT_truncated);
	assert_rejected(&peer, good, 24, 3784, 254, PROBE_REJECT_ttl);
	assert_rejected(&peer, good, 24, 4784, 255, PROBE_REJECT_port);
	packet.auth_present = 1;
	packet.auth_type = SESSION_AUTH_SHA1;
	bfd_packet_write(&packet, payload);
	assert_rejected(&peer, payload, 52, 3784, 255, PROBE_REJECT_auth_unexpected);
	assert_int_equal(session().bfd.state, BFD_UP);
}

static void test_session__multihop_takes_its_own_port_and_any_ttl(void **state)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_BFD);
	struct bfd_packet packet = words(BFD_DOWN);
	uint8_t payload[52], ip[2048];
	struct frame frame;

	(void)state;
	config.is_multihop = 1;
	start_with(&config);
	packet.your_discriminator = 0;
	bfd_packet_write(&packet, payload);
	assert_rejected(&peer, payload, 24, 3784, 255, PROBE_REJECT_port);
	frame = frame_of_payload(&peer, 4784, 60, payload, 24);
	utter(&peer, &frame);
	assert_int_equal(session().bfd.state, BFD_INIT);
	assert_int_equal(heard(&peer, PATIENCE_MS, ip), 20 + 8 + 24);
	assert_int_equal(frame_get16(ip + 22), 4784);
	assert_int_equal(ip[8], 255);
}

static void test_session__commands_to_nobody_are_refused(void **state)
{
	(void)state;
	assert_int_equal(command(SESSION + 1, SESSION_SEND, false, NULL), -ENOENT);
	assert_int_equal(command(MAX_SESSIONS, SESSION_START, false, NULL), -ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_session__##name, reset, ended)
	static const struct CMUnitTest tests[] = {
		TEST(comes_up_over_ethernet),
		TEST(comes_up_without_ethernet),
		TEST(comes_up_over_ipv6),
		TEST(sends_at_its_pace_once_up),
		TEST(silence_fails_the_tunnel_in_detection_time),
		TEST(stalled_cpu_is_given_more_time),
		TEST(packets_into_a_dead_tunnel_are_counted),
		TEST(failed_tunnel_returns_after_its_hold),
		TEST(peer_that_says_down_fails_the_tunnel_at_once),
		TEST(peer_that_leaves_is_no_failure),
		TEST(poll_is_answered_at_once),
		TEST(late_daemon_is_stood_in_for),
		TEST(checksum_that_is_not_there_stays_away),
		TEST(new_interval_is_polled_for),
		TEST(leaving_is_said_and_then_nothing_counts),
		TEST(adopted_timer_still_fails_the_tunnel),
		TEST(other_peers_are_the_kernels),
		TEST(probes_are_not_counted_as_traffic),
		TEST(unit_in_use_is_judged_from_its_first_answer_on),
		TEST(keyed_sha1),
		TEST(meticulous_keyed_sha1),
		TEST(malformed_packets_change_nothing),
		TEST(multihop_takes_its_own_port_and_any_ttl),
		TEST(commands_to_nobody_are_refused),
	};
#undef TEST

	return cmocka_run_group_tests_name("session", tests, set_up, rig_tear_down);
}
