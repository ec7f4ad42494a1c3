/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The peer of a BFD session under test, and sessions brought into a state by its packets. For tests in cmocka, whose
 * headers come before this one.
 */
#ifndef TESTS_LIB_BFD_PEER_H
#define TESTS_LIB_BFD_PEER_H

#include "../../bpf/bfd.h"

#define OURS	  0x1001
#define THEIRS	  0x2002
#define FAST_US	  50000
#define SLOWER_US 300000
#define MS	  1000000ull

static const struct session_config no_auth = {.auth_type = SESSION_AUTH_NONE};

/* A packet of the peer; with multiplier 3, and of both intervals. */
static inline struct bfd_packet heard(enum bfd_state state, uint32_t interval_us)
{
	return (struct bfd_packet){
		.version = 1,
		.state = state,
		.multiplier = 3,
		.length = 24,
		.my_discriminator = THEIRS,
		.your_discriminator = state == BFD_DOWN || state == BFD_ADMIN_DOWN ? 0 : OURS,
		.desired_tx_us = interval_us,
		.required_rx_us = interval_us,
	};
}

static inline struct bfd_outcome receive(struct bfd *bfd, struct bfd_packet packet)
{
	struct bfd_outcome outcome;

	assert_int_equal(bfd_receive(bfd, &packet, &outcome), PROBE_ACCEPTED);
	return outcome;
}

static inline struct bfd_outcome receive_poll(struct bfd *bfd, uint32_t interval_us)
{
	struct bfd_packet packet = heard(BFD_UP, interval_us);

	packet.poll = 1;
	return receive(bfd, packet);
}

static inline struct bfd_outcome receive_final(struct bfd *bfd, uint32_t interval_us)
{
	struct bfd_packet packet = heard(BFD_UP, interval_us);

	packet.final = 1;
	return receive(bfd, packet);
}

static inline struct bfd_packet make(struct bfd *bfd, bool final)
{
	struct bfd_packet packet;

	bfd_make(bfd, &no_auth, final, &packet);
	return packet;
}

static inline struct bfd bfd_in(enum bfd_state state)
{
	struct bfd bfd;

	bfd_init(&bfd, OURS, 3, FAST_US, 1);
	if (state == BFD_INIT || state == BFD_UP)
		receive(&bfd, heard(BFD_DOWN, 1000000));
	if (state == BFD_UP)
		receive(&bfd, heard(BFD_UP, 1000000));
	if (state == BFD_ADMIN_DOWN)
		bfd_leave(&bfd);
	assert_int_equal(bfd.state, state);
	return bfd;
}

/* Up, and the Polls of both sides over: everything goes by FAST_US. */
static inline struct bfd bfd_settled(void)
{
	struct bfd bfd = bfd_in(BFD_UP);

	receive_final(&bfd, FAST_US);
	receive(&bfd, heard(BFD_UP, FAST_US));
	assert_int_equal(bfd.polling, BFD_POLL_NONE);
	assert_int_equal(bfd_detection_ns(&bfd), 150 * MS);
	assert_int_equal(bfd_transmit_us(&bfd), FAST_US);
	return bfd;
}

#endif
