// SPDX-License-Identifier: GPL-2.0-only
/*
 * BFD's timers: what is advertised, expected and sent at each moment, while intervals change on either side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../lib/bfd_peer.h"

/* --- our intervals ----------------------------------------------------------------------------------------------- */

static void test_bfd_timing__below_up_is_slow(void **state)
{
	static const enum bfd_state states[] = {BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct bfd bfd = bfd_in(states[i]);

		assert_int_equal(make(&bfd, false).desired_tx_us, BFD_SLOW_US);
		assert_int_equal(make(&bfd, false).required_rx_us, FAST_US);
		assert_int_equal(bfd_transmit_us(&bfd), BFD_SLOW_US);
		bfd_retime(&bfd, 4, 3000000);
		assert_int_equal(make(&bfd, false).desired_tx_us, 3000000);
		assert_int_equal(make(&bfd, false).required_rx_us, 3000000);
		assert_int_equal(make(&bfd, false).multiplier, 4);
		assert_int_equal(bfd.state, states[i]);
		assert_false(bfd.polling);
	}
}

static void test_bfd_timing__entering_up_polls_for_what_is_configured(void **state)
{
	struct bfd bfd = bfd_in(BFD_UP);
	struct bfd_packet packet = make(&bfd, false);

	(void)state;
	assert_true(packet.poll);
	assert_int_equal(packet.desired_tx_us, FAST_US);
	assert_int_equal(packet.required_rx_us, FAST_US);
	/* Faster may be at once, but the peer has not said it takes it. */
	assert_int_equal(bfd.tx_us, FAST_US);
	assert_int_equal(bfd_transmit_us(&bfd), 1000000);
}

static void test_bfd_timing__slower_while_up_waits_with_sending_only(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	bfd_retime(&bfd, 3, SLOWER_US);
	assert_int_equal(make(&bfd, false).desired_tx_us, SLOWER_US);
	assert_int_equal(bfd_transmit_us(&bfd), FAST_US);
	assert_int_equal(bfd_detection_ns(&bfd), 900 * MS);
	receive(&bfd, heard(BFD_UP, FAST_US));
	assert_int_equal(bfd_transmit_us(&bfd), FAST_US);
	assert_true(receive_final(&bfd, FAST_US).retimed);
	assert_int_equal(bfd_transmit_us(&bfd), SLOWER_US);
	assert_int_equal(bfd_detection_ns(&bfd), 900 * MS);
}

static void test_bfd_timing__faster_while_up_waits_with_detection_only(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	bfd_retime(&bfd, 3, 10000);
	assert_int_equal(make(&bfd, false).desired_tx_us, 10000);
	assert_int_equal(bfd.tx_us, 10000);
	receive(&bfd, heard(BFD_UP, 10000));
	assert_int_equal(bfd_transmit_us(&bfd), 10000);
	assert_int_equal(bfd_detection_ns(&bfd), 150 * MS);
	receive_final(&bfd, 10000);
	assert_int_equal(bfd_detection_ns(&bfd), 30 * MS);
}

static void test_bfd_timing__multiplier_changes_without_poll(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	bfd_retime(&bfd, 7, FAST_US);
	assert_int_equal(make(&bfd, false).multiplier, 7);
	assert_false(make(&bfd, false).poll);
}

/* --- the peer's intervals ---------------------------------------------------------------------------------------- */

static void test_bfd_timing__nothing_is_awaited_before_the_first_packet(void **state)
{
	struct bfd bfd = bfd_in(BFD_DOWN);

	(void)state;
	assert_int_equal(bfd_detection_ns(&bfd), 0);
	assert_int_equal(make(&bfd, false).your_discriminator, 0);
	receive(&bfd, heard(BFD_DOWN, 1000000));
	assert_int_equal(bfd_detection_ns(&bfd), 3000 * MS);
}

static void test_bfd_timing__each_direction_has_its_own_interval(void **state)
{
	static const struct {
		uint32_t desired_tx_us, required_rx_us, transmit_us;
		uint8_t multiplier;
		uint64_t detection_ns;
	} cases[] = {
		{50000, 50000, 50000, 3, 150 * MS},
		{300000, 50000, 50000, 3, 900 * MS},
		{50000, 300000, 300000, 3, 150 * MS},
		{10000, 10000, 50000, 5, 250 * MS},
		{0, 1, 50000, 1, 50 * MS},
		{20000, 0, 0, 2, 100 * MS},
		{60000, 51000, 51000, 255, 15300 * MS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bfd bfd = bfd_settled();
		struct bfd_packet packet = heard(BFD_UP, 0);

		packet.desired_tx_us = cases[i].desired_tx_us;
		packet.required_rx_us = cases[i].required_rx_us;
		packet.multiplier = cases[i].multiplier;
		receive(&bfd, packet);
		assert_int_equal(bfd_transmit_us(&bfd), cases[i].transmit_us);
		assert_int_equal(bfd_detection_ns(&bfd), cases[i].detection_ns);
	}
}

static void test_bfd_timing__polling_peer_is_not_expected_faster(void **state)
{
	struct bfd bfd = bfd_in(BFD_UP);

	(void)state;
	receive_final(&bfd, 1000000);
	/* It says 50 ms, but sends each second until it has our F; which may be lost. */
	receive_poll(&bfd, FAST_US);
	assert_int_equal(bfd_detection_ns(&bfd), 3000 * MS);
	receive_final(&bfd, FAST_US); /* an F is no sign: its Poll may still run */
	assert_int_equal(bfd_detection_ns(&bfd), 3000 * MS);
	receive(&bfd, heard(BFD_UP, FAST_US));
	assert_int_equal(bfd_detection_ns(&bfd), 150 * MS);
}

static void test_bfd_timing__polling_peer_is_expected_slower_at_once(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	receive_poll(&bfd, SLOWER_US);
	assert_int_equal(bfd_detection_ns(&bfd), 900 * MS);
}

static void test_bfd_timing__polling_peer_is_sent_to_as_before(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	/* It wants less, but detects by what it wanted before until it has our F. */
	receive_poll(&bfd, SLOWER_US);
	assert_int_equal(bfd_transmit_us(&bfd), FAST_US);
	receive(&bfd, heard(BFD_UP, SLOWER_US));
	assert_int_equal(bfd_transmit_us(&bfd), SLOWER_US);
	/* More it gets at once. */
	receive_poll(&bfd, FAST_US);
	assert_int_equal(bfd_transmit_us(&bfd), FAST_US);
}

static void test_bfd_timing__peer_that_wants_no_packets_gets_none(void **state)
{
	struct bfd bfd = bfd_settled();
	struct bfd_packet packet = heard(BFD_UP, FAST_US);

	(void)state;
	packet.required_rx_us = 0;
	packet.poll = 1;
	assert_true(receive(&bfd, packet).answer);
	assert_int_equal(bfd_transmit_us(&bfd), FAST_US);
	packet.poll = 0;
	assert_true(receive(&bfd, packet).retimed);
	assert_int_equal(bfd_transmit_us(&bfd), 0);
	assert_int_equal(bfd_transmit_gap_ns(&bfd, UINT32_MAX), 0);
	receive_poll(&bfd, FAST_US);
	assert_int_equal(bfd_transmit_us(&bfd), FAST_US);
}

/*
 * A peer that lives by its old intervals until it has our F (FRR 8.4), and both slow down at once. At no moment may one
 * expect what the other no longer sends: with any of the two answers lost, and whatever comes first.
 */
struct peer {
	uint32_t lives_by_us, wants_us;
	bool polling;
	uint64_t detection_ns;
};

static void peer_hears(struct peer *peer, const struct bfd_packet *packet)
{
	if (packet->final && peer->polling) {
		peer->polling = false;
		peer->lives_by_us = peer->wants_us;
	}
	peer->detection_ns = 3000ull * bfd_longer(peer->lives_by_us, packet->desired_tx_us);
}

static void assert_nobody_expires(struct bfd *bfd, const struct peer *peer)
{
	assert_true(bfd_detection_ns(bfd) >= 3000ull * peer->lives_by_us);
	assert_true(peer->detection_ns >= 3000ull * bfd_transmit_us(bfd));
}

static void test_bfd_timing__both_change_at_once_and_lose_packets(void **state)
{
	static const uint32_t changes[][2] = {{FAST_US, SLOWER_US}, {SLOWER_US, FAST_US}};

	(void)state;
	for (unsigned int run = 0; run < 2 << 12; run++) {
		uint32_t from_us = changes[run & 1][0], to_us = changes[run & 1][1];
		struct peer peer = {from_us, to_us, true, 3000ull * from_us};
		struct bfd bfd = bfd_settled();

		bfd.interval_us = bfd.tx_us = bfd.rx_us = from_us;
		bfd.remote_desired_tx_us = bfd.remote_required_rx_us = from_us;
		bfd_retime(&bfd, 3, to_us);
		/* Six packets, each with its answer, and each of both may be lost. */
		for (unsigned int step = 0; step < 6; step++) {
			bool is_lost = run >> (1 + 2 * step) & 1, is_answer_lost = run >> (2 + 2 * step) & 1;
			struct bfd_packet packet;

			assert_nobody_expires(&bfd, &peer);
			if (is_lost)
				continue;
			if (step & 1) {
				packet = make(&bfd, false);
				peer_hears(&peer, &packet);
				if (packet.poll && !is_answer_lost)
					receive_final(&bfd, peer.polling ? peer.wants_us : peer.lives_by_us);
			} else {
				packet = heard(BFD_UP, peer.polling ? peer.wants_us : peer.lives_by_us);
				packet.poll = peer.polling;
				if (receive(&bfd, packet).answer && !is_answer_lost) {
					packet = make(&bfd, true);
					peer_hears(&peer, &packet);
				}
			}
		}
		assert_nobody_expires(&bfd, &peer);
	}
}

/* --- jitter ------------------------------------------------------------------------------------------------------ */

static void test_bfd_timing__jitter_is_75_to_100_percent(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	assert_int_equal(bfd_transmit_gap_ns(&bfd, 0), 37500000);
	assert_int_equal(bfd_transmit_gap_ns(&bfd, 0x80000000), 43750000);
	assert_in_range(bfd_transmit_gap_ns(&bfd, UINT32_MAX), 49999000, 50000000);
	bfd.multiplier = 1;
	assert_int_equal(bfd_transmit_gap_ns(&bfd, 0), 37500000);
	assert_in_range(bfd_transmit_gap_ns(&bfd, UINT32_MAX), 44999000, 45000000);
}

static void test_bfd_timing__longest_intervals_do_not_overflow(void **state)
{
	struct bfd bfd = bfd_settled();
	struct bfd_packet packet = heard(BFD_UP, UINT32_MAX);

	(void)state;
	packet.multiplier = 255;
	receive(&bfd, packet);
	assert_int_equal(bfd_detection_ns(&bfd), 255000ull * UINT32_MAX);
	assert_in_range(bfd_transmit_gap_ns(&bfd, UINT32_MAX), 999ull * UINT32_MAX, 1000ull * UINT32_MAX);
	assert_in_range(bfd_transmit_gap_ns(&bfd, 0), 749ull * UINT32_MAX, 750ull * UINT32_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bfd_timing__below_up_is_slow),
		cmocka_unit_test(test_bfd_timing__entering_up_polls_for_what_is_configured),
		cmocka_unit_test(test_bfd_timing__slower_while_up_waits_with_sending_only),
		cmocka_unit_test(test_bfd_timing__faster_while_up_waits_with_detection_only),
		cmocka_unit_test(test_bfd_timing__multiplier_changes_without_poll),
		cmocka_unit_test(test_bfd_timing__nothing_is_awaited_before_the_first_packet),
		cmocka_unit_test(test_bfd_timing__each_direction_has_its_own_interval),
		cmocka_unit_test(test_bfd_timing__polling_peer_is_not_expected_faster),
		cmocka_unit_test(test_bfd_timing__polling_peer_is_expected_slower_at_once),
		cmocka_unit_test(test_bfd_timing__polling_peer_is_sent_to_as_before),
		cmocka_unit_test(test_bfd_timing__peer_that_wants_no_packets_gets_none),
		cmocka_unit_test(test_bfd_timing__both_change_at_once_and_lose_packets),
		cmocka_unit_test(test_bfd_timing__jitter_is_75_to_100_percent),
		cmocka_unit_test(test_bfd_timing__longest_intervals_do_not_overflow),
	};

	return cmocka_run_group_tests_name("bfd_timing", tests, NULL, NULL);
}
