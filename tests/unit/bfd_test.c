// SPDX-License-Identifier: GPL-2.0-only
/*
 * BFD's state machine: the table of RFC 5880, section 6.8.6, how a session ends and begins anew, and Poll Sequences in
 * both directions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../lib/bfd_peer.h"

/* --- states ------------------------------------------------------------------------------------------------------ */

static void test_bfd__state_table(void **state)
{
	static const uint8_t next[4][4] = {
		/* heard:            AdminDown  Down      Init      Up */
		[BFD_DOWN] = {BFD_DOWN, BFD_INIT, BFD_UP, BFD_DOWN},
		[BFD_INIT] = {BFD_DOWN, BFD_INIT, BFD_UP, BFD_UP},
		[BFD_UP] = {BFD_DOWN, BFD_DOWN, BFD_UP, BFD_UP},
	};

	(void)state;
	for (int from = BFD_DOWN; from <= BFD_UP; from++) {
		for (int hears = BFD_ADMIN_DOWN; hears <= BFD_UP; hears++) {
			struct bfd bfd = bfd_in(from);
			struct bfd_outcome outcome = receive(&bfd, heard(hears, 1000000));

			assert_int_equal(bfd.state, next[from][hears]);
			assert_int_equal(outcome.before, from);
			assert_int_equal(outcome.changed, next[from][hears] != from);
			assert_int_equal(bfd.remote_state, hears);
			assert_int_equal(bfd.diagnostic,
					 from != BFD_DOWN && bfd.state == BFD_DOWN ? BFD_NEIGHBOUR_SIGNALLED_DOWN : 0);
			assert_int_equal(!!bfd.polling, bfd.state == BFD_UP);
		}
	}
}

static void test_bfd__three_way_handshake_between_two_of_us(void **state)
{
	struct bfd one, other;

	(void)state;
	bfd_init(&one, 1, 3, FAST_US, 1);
	bfd_init(&other, 2, 5, SLOWER_US, 1);
	for (int i = 0; i < 4; i++) {
		struct bfd_outcome outcome = receive(&other, make(&one, false));

		if (outcome.answer)
			receive(&one, make(&other, true));
		outcome = receive(&one, make(&other, false));
		if (outcome.answer)
			receive(&other, make(&one, true));
	}
	receive(&other, make(&one, false));
	assert_int_equal(one.state, BFD_UP);
	assert_int_equal(other.state, BFD_UP);
	assert_false(one.polling || other.polling);
	assert_int_equal(bfd_transmit_us(&one), SLOWER_US);
	assert_int_equal(bfd_transmit_us(&other), SLOWER_US);
	assert_int_equal(bfd_detection_ns(&one), 5 * 300 * MS);
	assert_int_equal(bfd_detection_ns(&other), 3 * 300 * MS);
}

static void test_bfd__expiry_is_down_and_forgets_the_peer(void **state)
{
	(void)state;
	for (int from = BFD_DOWN; from <= BFD_UP; from++) {
		struct bfd bfd = bfd_in(from);
		struct bfd_packet packet;

		bfd.rx_sequence_known = 1;
		bfd_expire(&bfd);
		assert_int_equal(bfd.state, BFD_DOWN);
		assert_int_equal(bfd.diagnostic, from == BFD_DOWN ? BFD_NO_DIAGNOSTIC : BFD_DETECTION_EXPIRED);
		assert_int_equal(bfd.remote_state, BFD_DOWN);
		assert_int_equal(bfd.remote_required_rx_us, 1);
		assert_int_equal(bfd.rx_sequence_known, 0);
		assert_int_equal(bfd.polling, 0);
		assert_int_equal(bfd_detection_ns(&bfd), 0);
		packet = make(&bfd, false);
		assert_int_equal(packet.your_discriminator, 0);
		assert_int_equal(packet.desired_tx_us, BFD_SLOW_US);
	}
}

static void test_bfd__diagnostic_tells_why_it_last_left_up(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	bfd_expire(&bfd);
	receive(&bfd, heard(BFD_DOWN, 1000000));
	receive(&bfd, heard(BFD_INIT, 1000000));
	assert_int_equal(bfd.state, BFD_UP);
	assert_int_equal(make(&bfd, false).diagnostic, BFD_DETECTION_EXPIRED);
}

static void test_bfd__leaving_says_admin_down_and_hears_nothing(void **state)
{
	struct bfd bfd = bfd_settled(), before;
	struct bfd_packet packet;
	struct bfd_outcome outcome;

	(void)state;
	bfd_leave(&bfd);
	packet = make(&bfd, false);
	assert_int_equal(packet.state, BFD_ADMIN_DOWN);
	assert_int_equal(packet.diagnostic, BFD_ADMINISTRATIVELY_DOWN);
	assert_int_equal(packet.your_discriminator, THEIRS);
	assert_int_equal(packet.desired_tx_us, BFD_SLOW_US);
	assert_int_equal(packet.poll, 0);
	assert_int_equal(bfd_detection_ns(&bfd), 0);
	before = bfd;
	for (int hears = BFD_ADMIN_DOWN; hears <= BFD_UP; hears++) {
		packet = heard(hears, FAST_US);
		packet.poll = 1;
		assert_int_equal(bfd_receive(&bfd, &packet, &outcome), PROBE_REJECT_left);
		assert_false(outcome.changed || outcome.answer);
	}
	bfd_expire(&bfd);
	assert_memory_equal(&bfd, &before, sizeof(bfd));
}

static void test_bfd__peers_admin_down_lasts_until_it_says_down(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	receive(&bfd, heard(BFD_ADMIN_DOWN, 1000000));
	assert_int_equal(bfd.state, BFD_DOWN);
	assert_int_equal(bfd.remote_state, BFD_ADMIN_DOWN);
	assert_false(receive(&bfd, heard(BFD_ADMIN_DOWN, 1000000)).changed);
	receive(&bfd, heard(BFD_DOWN, 1000000));
	assert_int_equal(bfd.state, BFD_INIT);
}

static void test_bfd__restarted_peer_has_a_new_discriminator(void **state)
{
	struct bfd bfd = bfd_settled();
	struct bfd_packet packet = heard(BFD_DOWN, 1000000);

	(void)state;
	packet.my_discriminator = THEIRS + 1;
	packet.poll = 1; /* and whatever it says of timing holds at once */
	receive(&bfd, packet);
	assert_int_equal(bfd.state, BFD_DOWN);
	assert_int_equal(bfd.diagnostic, BFD_NEIGHBOUR_SIGNALLED_DOWN);
	assert_int_equal(make(&bfd, false).your_discriminator, THEIRS + 1);
	assert_int_equal(bfd_transmit_us(&bfd), 1000000);
	receive(&bfd, packet);
	assert_int_equal(bfd.state, BFD_INIT);
}

static void test_bfd__anothers_discriminator_is_refused(void **state)
{
	struct bfd bfd = bfd_settled(), before = bfd;
	struct bfd_packet packet = heard(BFD_DOWN, FAST_US);
	struct bfd_outcome outcome;

	(void)state;
	packet.your_discriminator = OURS + 1;
	packet.poll = 1;
	assert_int_equal(bfd_receive(&bfd, &packet, &outcome), PROBE_REJECT_your_discriminator);
	assert_memory_equal(&bfd, &before, sizeof(bfd));
	assert_false(outcome.changed || outcome.answer || outcome.retimed);
}

/* --- Poll and Final ---------------------------------------------------------------------------------------------- */

static void test_bfd__poll_is_answered_with_final(void **state)
{
	(void)state;
	for (int from = BFD_DOWN; from <= BFD_UP; from++) {
		struct bfd bfd = bfd_in(from);
		struct bfd_packet packet = heard(BFD_DOWN, 1000000);

		assert_false(receive(&bfd, packet).answer);
		packet.poll = 1;
		assert_true(receive(&bfd, packet).answer);
		packet = make(&bfd, true);
		assert_true(packet.final && !packet.poll);
	}
}

static void test_bfd__final_is_never_with_poll(void **state)
{
	struct bfd bfd = bfd_in(BFD_UP);
	struct bfd_packet packet;

	(void)state;
	packet = make(&bfd, false);
	assert_true(packet.poll && !packet.final);
	packet = make(&bfd, true);
	assert_true(!packet.poll && packet.final);
	/* Answering has not ended our own. */
	packet = make(&bfd, false);
	assert_true(packet.poll && !packet.final);
}

static void test_bfd__poll_goes_on_until_final(void **state)
{
	struct bfd bfd = bfd_in(BFD_UP);

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_true(make(&bfd, false).poll);
		receive(&bfd, heard(BFD_UP, FAST_US));
	}
	receive_final(&bfd, FAST_US);
	assert_false(make(&bfd, false).poll);
}

static void test_bfd__final_without_poll_changes_nothing(void **state)
{
	struct bfd bfd = bfd_settled(), before = bfd;

	(void)state;
	receive_final(&bfd, FAST_US);
	assert_memory_equal(&bfd, &before, sizeof(bfd));
}

static void test_bfd__polls_that_cross_both_end(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	bfd_retime(&bfd, 3, SLOWER_US);
	assert_true(make(&bfd, false).poll);
	assert_true(receive_poll(&bfd, SLOWER_US).answer);
	assert_true(bfd.polling);
	assert_int_equal(make(&bfd, true).desired_tx_us, SLOWER_US);
	receive_final(&bfd, SLOWER_US);
	assert_false(bfd.polling);
	receive(&bfd, heard(BFD_UP, SLOWER_US));
	assert_int_equal(bfd_transmit_us(&bfd), SLOWER_US);
	assert_int_equal(bfd_detection_ns(&bfd), 900 * MS);
}

static void test_bfd__change_during_a_poll_takes_another(void **state)
{
	struct bfd bfd = bfd_settled();

	(void)state;
	bfd_retime(&bfd, 3, SLOWER_US);
	bfd_retime(&bfd, 3, 2 * SLOWER_US);
	receive_final(&bfd, FAST_US);
	assert_true(make(&bfd, false).poll);
	assert_int_equal(bfd_transmit_us(&bfd), FAST_US);
	receive_final(&bfd, FAST_US);
	assert_false(make(&bfd, false).poll);
	assert_int_equal(bfd_transmit_us(&bfd), 2 * SLOWER_US);
}

static void test_bfd__leaving_up_ends_the_poll(void **state)
{
	struct bfd bfd = bfd_in(BFD_UP);

	(void)state;
	assert_true(make(&bfd, false).poll);
	receive(&bfd, heard(BFD_DOWN, 1000000));
	assert_false(make(&bfd, false).poll);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bfd__state_table),
		cmocka_unit_test(test_bfd__three_way_handshake_between_two_of_us),
		cmocka_unit_test(test_bfd__expiry_is_down_and_forgets_the_peer),
		cmocka_unit_test(test_bfd__diagnostic_tells_why_it_last_left_up),
		cmocka_unit_test(test_bfd__leaving_says_admin_down_and_hears_nothing),
		cmocka_unit_test(test_bfd__peers_admin_down_lasts_until_it_says_down),
		cmocka_unit_test(test_bfd__restarted_peer_has_a_new_discriminator),
		cmocka_unit_test(test_bfd__anothers_discriminator_is_refused),
		cmocka_unit_test(test_bfd__poll_is_answered_with_final),
		cmocka_unit_test(test_bfd__final_is_never_with_poll),
		cmocka_unit_test(test_bfd__poll_goes_on_until_final),
		cmocka_unit_test(test_bfd__final_without_poll_changes_nothing),
		cmocka_unit_test(test_bfd__polls_that_cross_both_end),
		cmocka_unit_test(test_bfd__change_during_a_poll_takes_another),
		cmocka_unit_test(test_bfd__leaving_up_ends_the_poll),
	};

	return cmocka_run_group_tests_name("bfd", tests, NULL, NULL);
}
