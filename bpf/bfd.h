/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BFD's state machine, RFC 5880 in asynchronous mode, over struct bfd.
 *
 * Pure: no clock, no map, no packet buffer. Everything here is inlined, and runs under the session's lock: receiving in
 * softirq, expiring in the timer's callback, sending on behalf of aa-steerd. Who calls keeps the deadlines:
 * after each packet accepted it is bfd_detection_ns away, after each one sent the next is bfd_transmit_gap_ns away.
 *
 * Intervals change by Poll Sequences (section 6.8.3). We advertise a new one at once, with P, and keep to what the peer
 * may still count on until its F: tx_us does not grow and rx_us does not shrink before. In the other direction we go
 * further than the RFC: while the peer polls, its packets do not shorten our detection time nor slow us down. Some
 * implementations (FRR) live by their old intervals until they have our F, which may be lost, though they advertise
 * the new ones. What holds is what a packet with neither P nor F says: an F may come from the middle of its own Poll.
 */
#ifndef BPF_BFD_H
#define BPF_BFD_H

#include "bfd_packet.h"

#define BFD_SLOW_US 1000000u /* what is advertised below Up, at least: section 6.8.3 */

/* bfd.polling */
enum bfd_polling {
	BFD_POLL_NONE,
	BFD_POLL_RUNS,
	BFD_POLL_AGAIN, /* intervals changed while it ran: its F says nothing of the new ones, another Poll follows */
};

/* What one packet brought about. */
struct bfd_outcome {
	__u8 changed; /* the state did: a packet of ours is better sent now than when due */
	__u8 before;  /* enum bfd_state: the state it was in */
	__u8 answer;  /* the peer polled: a packet with F is owed at once */
	__u8 retimed; /* the detection time or our transmission interval is another: a packet may be due sooner */
};

static __always_inline __u32 bfd_longer(__u32 one_us, __u32 other_us)
{
	return one_us > other_us ? one_us : other_us;
}

/* bfd.DesiredMinTxInterval, as advertised. */
static __always_inline __u32 bfd_desired_tx_us(const struct bfd *bfd)
{
	return bfd->state == BFD_UP ? bfd->interval_us : bfd_longer(bfd->interval_us, BFD_SLOW_US);
}

/* Between two packets of ours, before jitter; 0: the peer wants none. Section 6.8.7. */
static __always_inline __u32 bfd_transmit_us(const struct bfd *bfd)
{
	if (!bfd->remote_required_rx_us)
		return 0;
	return bfd_longer(bfd->tx_us, bfd->remote_required_rx_us);
}

/* The same with jitter: 75 to 100 %, with multiplier 1 to 90 %. `random` is any number of 32 random bits. */
static __always_inline __u64 bfd_transmit_gap_ns(const struct bfd *bfd, __u32 random)
{
	__u64 whole_ns = bfd_transmit_us(bfd) * 1000ull;
	__u64 span_ns = whole_ns * (bfd->multiplier == 1 ? 15 : 25) / 100;

	return whole_ns / 4 * 3 + (span_ns * (random >> 16) >> 16);
}

/* Silence for this long and the session is down; 0: nothing is awaited. Section 6.8.4. */
static __always_inline __u64 bfd_detection_ns(const struct bfd *bfd)
{
	if (bfd->admin_down)
		return 0;
	return bfd->remote_multiplier * 1000ull * bfd_longer(bfd->rx_us, bfd->remote_desired_tx_us);
}

static __always_inline void bfd_poll(struct bfd *bfd)
{
	bfd->polling = bfd->polling ? BFD_POLL_AGAIN : BFD_POLL_RUNS;
}

/* The peer has seen the intervals that we advertise: now they hold. */
static __always_inline void bfd_poll_ends(struct bfd *bfd)
{
	if (bfd->polling == BFD_POLL_AGAIN) {
		bfd->polling = BFD_POLL_RUNS;
	} else if (bfd->polling == BFD_POLL_RUNS) {
		bfd->polling = BFD_POLL_NONE;
		bfd->tx_us = bfd_desired_tx_us(bfd);
		bfd->rx_us = bfd->interval_us;
	}
}

static __always_inline void bfd_enter(struct bfd *bfd, enum bfd_state state)
{
	bfd->state = state;
	bfd->tx_us = bfd_desired_tx_us(bfd);
	bfd->rx_us = bfd->interval_us;
	bfd->polling = state == BFD_UP ? BFD_POLL_RUNS : BFD_POLL_NONE;
}

static __always_inline void bfd_fail(struct bfd *bfd, enum bfd_diagnostic diagnostic)
{
	bfd->diagnostic = diagnostic;
	bfd_enter(bfd, BFD_DOWN);
}

/* The peer is not known (any more). */
static __always_inline void bfd_forget(struct bfd *bfd)
{
	bfd->remote_state = BFD_DOWN;
	bfd->remote_discriminator = 0;
	bfd->remote_multiplier = 0;
	bfd->remote_desired_tx_us = 0;
	bfd->remote_required_rx_us = 1;
	bfd->rx_sequence_known = 0;
}

/* Intervals in microseconds; `first_sequence` is random: section 6.8.1. */
static __always_inline void bfd_init(struct bfd *bfd, __u32 discriminator, __u8 multiplier, __u32 interval_us,
				     __u32 first_sequence)
{
	__builtin_memset(bfd, 0, sizeof(*bfd));
	bfd->discriminator = discriminator;
	bfd->multiplier = multiplier;
	bfd->interval_us = interval_us;
	bfd->tx_sequence = first_sequence;
	bfd_forget(bfd);
	bfd_enter(bfd, BFD_DOWN);
}

/* 0, no packets at all, is the slowest. */
static __always_inline __u32 bfd_faster(__u32 one_us, __u32 other_us)
{
	if (!one_us || !other_us)
		return one_us | other_us;
	return one_us < other_us ? one_us : other_us;
}

/* While the peer's Poll may run, the more cautious of what it said before and what it says now. */
static __always_inline void bfd_hear_timing(struct bfd *bfd, const struct bfd_packet *packet)
{
	bool is_new = bfd->remote_discriminator != packet->my_discriminator;

	if (is_new || (!packet->poll && !packet->final)) {
		bfd->remote_desired_tx_us = packet->desired_tx_us;
		bfd->remote_required_rx_us = packet->required_rx_us;
	} else {
		bfd->remote_desired_tx_us = bfd_longer(bfd->remote_desired_tx_us, packet->desired_tx_us);
		bfd->remote_required_rx_us = bfd_faster(bfd->remote_required_rx_us, packet->required_rx_us);
	}
}

static __always_inline void bfd_hear_state(struct bfd *bfd, __u8 heard)
{
	if (heard == BFD_ADMIN_DOWN) {
		if (bfd->state != BFD_DOWN)
			bfd_fail(bfd, BFD_NEIGHBOUR_SIGNALLED_DOWN);
	} else if (bfd->state == BFD_DOWN) {
		if (heard == BFD_DOWN)
			bfd_enter(bfd, BFD_INIT);
		else if (heard == BFD_INIT)
			bfd_enter(bfd, BFD_UP);
	} else if (bfd->state == BFD_INIT) {
		if (heard == BFD_INIT || heard == BFD_UP)
			bfd_enter(bfd, BFD_UP);
	} else if (heard == BFD_DOWN) {
		bfd_fail(bfd, BFD_NEIGHBOUR_SIGNALLED_DOWN);
	}
}

/* A packet that bfd_packet_parse, the digest and bfd_auth_check accept. A rejected one changes nothing but `ret`. */
static __always_inline enum probe_reject bfd_receive(struct bfd *bfd, const struct bfd_packet *packet,
						     struct bfd_outcome *ret)
{
	__u64 detection_ns = bfd_detection_ns(bfd);
	__u32 transmit_us = bfd_transmit_us(bfd);

	__builtin_memset(ret, 0, sizeof(*ret));
	ret->before = bfd->state;
	if (packet->your_discriminator && packet->your_discriminator != bfd->discriminator)
		return PROBE_REJECT_your_discriminator;
	if (bfd->admin_down)
		return PROBE_REJECT_left;
	bfd_hear_timing(bfd, packet);
	bfd->remote_discriminator = packet->my_discriminator;
	bfd->remote_state = packet->state;
	bfd->remote_diagnostic = packet->diagnostic;
	bfd->remote_multiplier = packet->multiplier;
	if (packet->auth_present) {
		bfd->rx_sequence = packet->auth_sequence;
		bfd->rx_sequence_known = 1;
	}
	if (packet->final)
		bfd_poll_ends(bfd);
	bfd_hear_state(bfd, packet->state);
	ret->changed = bfd->state != ret->before;
	ret->answer = packet->poll;
	ret->retimed = bfd_detection_ns(bfd) != detection_ns || bfd_transmit_us(bfd) != transmit_us;
	return PROBE_ACCEPTED;
}

/* The detection time went by without a packet. */
static __always_inline void bfd_expire(struct bfd *bfd)
{
	if (bfd->admin_down)
		return;
	bfd_forget(bfd);
	if (bfd->state != BFD_DOWN)
		bfd_fail(bfd, BFD_DETECTION_EXPIRED);
}

/* The configuration changed. While Up we go by what is safe for both, before and after, until the Poll ended. */
static __always_inline void bfd_retime(struct bfd *bfd, __u8 multiplier, __u32 interval_us)
{
	bool differs = bfd->interval_us != interval_us;

	bfd->multiplier = multiplier;
	bfd->interval_us = interval_us;
	if (bfd->state != BFD_UP) {
		bfd_enter(bfd, bfd->state);
	} else if (differs) {
		bfd->tx_us = interval_us < bfd->tx_us ? interval_us : bfd->tx_us;
		bfd->rx_us = bfd_longer(bfd->rx_us, interval_us);
		bfd_poll(bfd);
	}
}

/* AdminDown, until bfd_init. The peer should hear it for a detection time of its own: section 6.8.16. */
static __always_inline void bfd_leave(struct bfd *bfd)
{
	bfd->admin_down = 1;
	bfd->diagnostic = BFD_ADMINISTRATIVELY_DOWN;
	bfd_enter(bfd, BFD_ADMIN_DOWN);
}

/* What is to be sent now, `final` where it answers a Poll; the digest is yet to be put in. */
static __always_inline void bfd_make(struct bfd *bfd, const struct session_config *config, bool final,
				     struct bfd_packet *ret)
{
	__builtin_memset(ret, 0, sizeof(*ret));
	ret->version = BFD_VERSION;
	ret->diagnostic = bfd->diagnostic;
	ret->state = bfd->state;
	ret->final = final;
	ret->poll = bfd->polling && !final;
	ret->multiplier = bfd->multiplier;
	ret->length = BFD_PACKET_BYTES;
	ret->my_discriminator = bfd->discriminator;
	ret->your_discriminator = bfd->remote_discriminator;
	ret->desired_tx_us = bfd_desired_tx_us(bfd);
	ret->required_rx_us = bfd->interval_us;
	if (config->auth_type == SESSION_AUTH_NONE)
		return;
	ret->auth_present = 1;
	ret->length = BFD_PACKET_MAX_BYTES;
	ret->auth_type = config->auth_type;
	ret->auth_length = BFD_AUTH_SHA1_BYTES;
	ret->auth_key_id = config->auth_key_id;
	ret->auth_sequence = bfd->tx_sequence++;
}

#endif
