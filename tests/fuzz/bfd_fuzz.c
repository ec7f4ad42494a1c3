// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arbitrary bytes as the life of a BFD session: packets of the peer, expirations, reconfiguration, sending, leaving.
 * Input: authentication, multiplier, interval in ms; then steps of one byte that says what happens, and what that
 * takes. After each step the session is one that RFC 5880 knows.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/bfd.h"
#include "../../bpf/bfd_auth.h"

#define OURS 0x1001

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step { RECEIVE, RECEIVE_OURS, RECEIVE_SIGNED, EXPIRE, RETIME, SEND, LEAVE, START, STEPS };

struct input {
	const uint8_t *data;
	size_t size;
};

static void require(bool truth)
{
	if (!truth)
		abort();
}

static uint8_t take(struct input *input)
{
	if (!input->size)
		return 0;
	input->size--;
	return *input->data++;
}

/* What there is of a packet, zero behind it. */
static uint32_t take_packet(struct input *input, uint8_t bytes[BFD_PACKET_MAX_BYTES])
{
	uint8_t payload_bytes = take(input);

	memset(bytes, 0, BFD_PACKET_MAX_BYTES);
	for (int i = 0; i < payload_bytes && i < BFD_PACKET_MAX_BYTES; i++)
		bytes[i] = take(input);
	return payload_bytes;
}

static void check(const struct bfd *bfd, const struct session_config *config)
{
	uint64_t detection_ns = bfd_detection_ns(bfd), gap_ns = bfd_transmit_gap_ns(bfd, UINT32_MAX);
	uint64_t transmit_ns = bfd_transmit_us(bfd) * 1000ull;

	require(bfd->state <= BFD_UP && bfd->remote_state <= BFD_UP);
	require(bfd->admin_down == (bfd->state == BFD_ADMIN_DOWN));
	require(bfd->discriminator == OURS);
	require(bfd->state == BFD_UP || !bfd->polling);
	require(bfd->state == BFD_UP || bfd->tx_us >= BFD_SLOW_US);
	require(bfd->polling || bfd->state != BFD_UP ||
		(bfd->tx_us == bfd->interval_us && bfd->rx_us == bfd->interval_us));
	require(bfd->tx_us <= bfd_desired_tx_us(bfd) && bfd->rx_us >= bfd->interval_us);
	require(bfd->state == BFD_DOWN || bfd->admin_down || bfd->remote_discriminator);
	require(!bfd->remote_multiplier == !bfd->remote_discriminator);
	require(!detection_ns || detection_ns >= bfd->remote_multiplier * 1000ull * bfd->rx_us);
	require(!detection_ns || detection_ns >= bfd->remote_multiplier * 1000ull * bfd->remote_desired_tx_us);
	require(bfd->admin_down || !bfd->remote_multiplier || !bfd->rx_us || detection_ns);
	require(gap_ns <= transmit_ns && bfd_transmit_gap_ns(bfd, 0) <= gap_ns);
	require(bfd->multiplier != 1 || gap_ns <= transmit_ns * 9 / 10);
	require(bfd_transmit_gap_ns(bfd, 0) * 4 + 3000 >= transmit_ns * 3);
	require(config->auth_type || !bfd->rx_sequence_known);
}

static void check_sent(struct bfd *bfd, const struct session_config *config, bool final)
{
	uint8_t bytes[BFD_PACKET_MAX_BYTES];
	struct bfd_packet sent, read;

	bfd_make(bfd, config, final, &sent);
	bfd_packet_write(&sent, bytes);
	bfd_packet_read(bytes, &read);
	require(!memcmp(&sent, &read, sizeof(sent)));
	require(!(sent.poll && sent.final) && sent.final == final);
	require(sent.length == (config->auth_type ? BFD_PACKET_MAX_BYTES : BFD_PACKET_BYTES));
	require(sent.state == BFD_UP || sent.desired_tx_us >= BFD_SLOW_US);
	/* A peer whose discriminator we know accepts it. */
	if (bfd->remote_discriminator)
		require(bfd_packet_parse(bytes, sent.length, &read) == PROBE_ACCEPTED);
}

static void receive(struct bfd *bfd, const struct session_config *config, uint8_t *bytes, uint32_t payload_bytes)
{
	struct bfd before = *bfd;
	struct bfd_outcome outcome;
	struct bfd_packet packet;
	enum probe_reject reject = bfd_packet_parse(bytes, payload_bytes, &packet);

	if (reject != PROBE_ACCEPTED)
		return;
	require(payload_bytes >= BFD_PACKET_BYTES && packet.multiplier && packet.my_discriminator);
	if (bfd_auth_check(bfd, &packet, config) != PROBE_ACCEPTED)
		return;
	reject = bfd_receive(bfd, &packet, &outcome);
	require(reject == PROBE_ACCEPTED || reject == PROBE_REJECT_your_discriminator || reject == PROBE_REJECT_left);
	if (reject != PROBE_ACCEPTED) {
		require(!memcmp(bfd, &before, sizeof(before)));
		require(!outcome.answer && !outcome.changed && !outcome.retimed);
		return;
	}
	require(outcome.answer == packet.poll && outcome.before == before.state);
	require(outcome.changed == (before.state != bfd->state));
	require(bfd->remote_discriminator == packet.my_discriminator);
	require(bfd_detection_ns(bfd) >= packet.multiplier * 1000ull * packet.desired_tx_us);
	/* While it is Up, only an F lets us send less often or wait for less long. */
	if (before.state == BFD_UP && bfd->state == BFD_UP && !packet.final)
		require(bfd->tx_us <= before.tx_us && bfd->rx_us >= before.rx_us);
	if (outcome.answer)
		check_sent(bfd, config, true);
}

/* As one would be who knows the session and its key, whatever else the packet says. */
static void adapt(const struct bfd *bfd, const struct session_config *config, uint8_t bytes[BFD_PACKET_MAX_BYTES])
{
	bytes[0] = BFD_VERSION << 5 | (bytes[0] & 0x1f);
	bytes[3] = config->auth_type ? BFD_PACKET_MAX_BYTES : BFD_PACKET_BYTES;
	bytes[1] = config->auth_type ? bytes[1] | BFD_FLAG_AUTH : bytes[1] & ~BFD_FLAG_AUTH;
	bfd_packet_put(bytes + 8, OURS);
	if (!config->auth_type)
		return;
	bytes[24] = config->auth_type;
	bytes[25] = BFD_AUTH_SHA1_BYTES;
	bytes[26] = config->auth_key_id;
	bfd_packet_put(bytes + 28, bfd->rx_sequence + (bytes[31] & 15));
}

static void step(struct bfd *bfd, const struct session_config *config, struct input *input)
{
	uint8_t bytes[BFD_PACKET_MAX_BYTES], kind = take(input) % STEPS;
	uint32_t payload_bytes;

	switch ((enum step)kind) {
	case RECEIVE:
	case RECEIVE_OURS:
	case RECEIVE_SIGNED:
		payload_bytes = take_packet(input, bytes);
		if (kind == RECEIVE_OURS)
			bfd_packet_put(bytes + 8, OURS);
		if (kind == RECEIVE_SIGNED)
			adapt(bfd, config, bytes);
		receive(bfd, config, bytes, kind == RECEIVE_SIGNED ? BFD_PACKET_MAX_BYTES : payload_bytes);
		break;
	case EXPIRE:
		bfd_expire(bfd);
		require(bfd->state <= BFD_DOWN);
		break;
	case RETIME:
		payload_bytes = take(input);
		bfd_retime(bfd, payload_bytes ? payload_bytes : 1, take(input) * 10000u);
		break;
	case SEND:
		check_sent(bfd, config, take(input) & 1);
		break;
	case LEAVE:
		bfd_leave(bfd);
		break;
	case START:
	case STEPS:
		bfd_init(bfd, OURS, 3, take(input) * 10000u, 0xfffffffe);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum session_auth kinds[] = {SESSION_AUTH_NONE, SESSION_AUTH_SHA1, SESSION_AUTH_METICULOUS_SHA1};
	struct input input = {data, size};
	struct session_config config = {.auth_type = kinds[take(&input) % 3], .auth_key_id = 7, .auth_key = "secret"};
	struct bfd bfd;
	uint8_t multiplier = take(&input);

	bfd_init(&bfd, OURS, multiplier ? multiplier : 1, take(&input) * 1000u, 0xfffffffe);
	check(&bfd, &config);
	while (input.size) {
		step(&bfd, &config, &input);
		check(&bfd, &config);
	}
	return 0;
}
