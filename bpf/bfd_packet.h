/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BFD Control packet of RFC 5880, section 4: bytes <-> struct bfd_packet, and the rules of section 6.8.6 that need
 * no session to be judged by.
 *
 * Pure; called in softirq and by the sender, by tests and by the fuzzer. Everything here is inlined, for parts of it
 * run under a session's lock, where nothing may be called. Bytes are put together one by one: a buffer of any alignment
 * will do.
 */
#ifndef BPF_BFD_PACKET_H
#define BPF_BFD_PACKET_H

#include <linux/stddef.h>
#include <linux/types.h>
#include <stdbool.h>

#include "../maps/sessions.h"

#define BFD_PORT	     3784 /* single hop: RFC 5881, section 4 */
#define BFD_PORT_MULTIHOP    4784 /* RFC 5883, section 5 */
#define BFD_VERSION	     1
#define BFD_PACKET_BYTES     24
#define BFD_AUTH_BYTES	     2	/* of an authentication section, at least: its type and length */
#define BFD_AUTH_SHA1_BYTES  28 /* section 4.4 */
#define BFD_DIGEST_BYTES     20
#define BFD_DIGEST_OFFSET    32
#define BFD_PACKET_MAX_BYTES (BFD_PACKET_BYTES + BFD_AUTH_SHA1_BYTES)

/* The second byte, below the state. */
enum bfd_flag {
	BFD_FLAG_POLL = 0x20,
	BFD_FLAG_FINAL = 0x10,
	BFD_FLAG_CONTROL_PLANE_INDEPENDENT = 0x08,
	BFD_FLAG_AUTH = 0x04,
	BFD_FLAG_DEMAND = 0x02,
	BFD_FLAG_MULTIPOINT = 0x01,
};

/* Host order; flags are 0 or 1. */
struct bfd_packet {
	__u8 version;
	__u8 diagnostic; /* any value, not only those of enum bfd_diagnostic */
	__u8 state;	 /* enum bfd_state */
	__u8 poll;
	__u8 final;
	__u8 control_plane_independent;
	__u8 auth_present; /* A; without it the fields auth_* are 0 */
	__u8 demand;	   /* demand mode: ignored, we send on */
	__u8 multipoint;
	__u8 multiplier;
	__u8 length; /* bytes, authentication included */
	__u8 auth_type;
	__u8 auth_length; /* bytes, of the authentication section */
	__u8 auth_key_id;
	__u8 reserved[2];
	__u32 my_discriminator;
	__u32 your_discriminator;
	__u32 desired_tx_us;
	__u32 required_rx_us;
	__u32 required_echo_us;
	__u32 auth_sequence;
};

static __always_inline __u32 bfd_packet_get(const __u8 *bytes)
{
	return (__u32)bytes[0] << 24 | (__u32)bytes[1] << 16 | (__u32)bytes[2] << 8 | bytes[3];
}

static __always_inline void bfd_packet_put(__u8 *bytes, __u32 value)
{
	bytes[0] = value >> 24;
	bytes[1] = value >> 16;
	bytes[2] = value >> 8;
	bytes[3] = value;
}

static __always_inline void bfd_packet_read(const __u8 *bytes, struct bfd_packet *ret)
{
	__u8 flags = bytes[1];

	__builtin_memset(ret, 0, sizeof(*ret));
	ret->version = bytes[0] >> 5;
	ret->diagnostic = bytes[0] & 0x1f;
	ret->state = flags >> 6;
	ret->poll = !!(flags & BFD_FLAG_POLL);
	ret->final = !!(flags & BFD_FLAG_FINAL);
	ret->control_plane_independent = !!(flags & BFD_FLAG_CONTROL_PLANE_INDEPENDENT);
	ret->auth_present = !!(flags & BFD_FLAG_AUTH);
	ret->demand = !!(flags & BFD_FLAG_DEMAND);
	ret->multipoint = !!(flags & BFD_FLAG_MULTIPOINT);
	ret->multiplier = bytes[2];
	ret->length = bytes[3];
	ret->my_discriminator = bfd_packet_get(bytes + 4);
	ret->your_discriminator = bfd_packet_get(bytes + 8);
	ret->desired_tx_us = bfd_packet_get(bytes + 12);
	ret->required_rx_us = bfd_packet_get(bytes + 16);
	ret->required_echo_us = bfd_packet_get(bytes + 20);
	if (!ret->auth_present)
		return;
	ret->auth_type = bytes[24];
	ret->auth_length = bytes[25];
	ret->auth_key_id = bytes[26];
	ret->auth_sequence = bfd_packet_get(bytes + 28);
}

/*
 * `bytes` are BFD_PACKET_MAX_BYTES, zero behind the payload; `payload_bytes` is the UDP payload's length, which may be
 * less or more. What was read is in `ret` even where it is rejected. RFC 5880, section 6.8.6, up to the discriminators;
 * bfd_auth_check and bfd_receive go on from there.
 */
static __always_inline enum probe_reject bfd_packet_parse(const __u8 *bytes, __u32 payload_bytes,
							  struct bfd_packet *ret)
{
	bfd_packet_read(bytes, ret);
	if (payload_bytes < BFD_PACKET_BYTES)
		return PROBE_REJECT_truncated;
	if (ret->version != BFD_VERSION)
		return PROBE_REJECT_version;
	if (ret->length < BFD_PACKET_BYTES + (ret->auth_present ? BFD_AUTH_BYTES : 0))
		return PROBE_REJECT_length;
	if (ret->length > payload_bytes)
		return PROBE_REJECT_truncated;
	if (!ret->multiplier)
		return PROBE_REJECT_multiplier;
	if (ret->multipoint)
		return PROBE_REJECT_multipoint;
	if (!ret->my_discriminator)
		return PROBE_REJECT_my_discriminator;
	if (!ret->your_discriminator && ret->state != BFD_DOWN && ret->state != BFD_ADMIN_DOWN)
		return PROBE_REJECT_your_discriminator;
	if (ret->poll && ret->final)
		return PROBE_REJECT_poll_final;
	return PROBE_ACCEPTED;
}

/*
 * Writes all of `bytes`: 24, and with auth_present the authentication section, its digest zero. Version and lengths are
 * ours, whatever the packet says; packet->length of it is to be sent.
 */
static __always_inline void bfd_packet_write(const struct bfd_packet *packet, __u8 bytes[BFD_PACKET_MAX_BYTES])
{
	__builtin_memset(bytes, 0, BFD_PACKET_MAX_BYTES);
	bytes[0] = BFD_VERSION << 5 | (packet->diagnostic & 0x1f);
	bytes[1] = packet->state << 6 | (packet->poll ? BFD_FLAG_POLL : 0) | (packet->final ? BFD_FLAG_FINAL : 0) |
		   (packet->control_plane_independent ? BFD_FLAG_CONTROL_PLANE_INDEPENDENT : 0) |
		   (packet->auth_present ? BFD_FLAG_AUTH : 0) | (packet->demand ? BFD_FLAG_DEMAND : 0) |
		   (packet->multipoint ? BFD_FLAG_MULTIPOINT : 0);
	bytes[2] = packet->multiplier;
	bytes[3] = packet->auth_present ? BFD_PACKET_MAX_BYTES : BFD_PACKET_BYTES;
	bfd_packet_put(bytes + 4, packet->my_discriminator);
	bfd_packet_put(bytes + 8, packet->your_discriminator);
	bfd_packet_put(bytes + 12, packet->desired_tx_us);
	bfd_packet_put(bytes + 16, packet->required_rx_us);
	bfd_packet_put(bytes + 20, packet->required_echo_us);
	if (!packet->auth_present)
		return;
	bytes[24] = packet->auth_type;
	bytes[25] = BFD_AUTH_SHA1_BYTES;
	bytes[26] = packet->auth_key_id;
	bfd_packet_put(bytes + 28, packet->auth_sequence);
}

#endif
