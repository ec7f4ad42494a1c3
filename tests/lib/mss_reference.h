/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP's options the plain way, option by option, and its checksum summed as a whole: what bpf/mss.h is held against by
 * the unit test and the fuzzer.
 */
#ifndef TESTS_LIB_MSS_REFERENCE_H
#define TESTS_LIB_MSS_REFERENCE_H

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/mss.h"

/* Where the value of the first MSS option stands; 0: nowhere. RFC 9293, section 3.1. */
static inline uint32_t mss_reference_find(const uint8_t *options, uint32_t count)
{
	uint32_t at = 0;

	while (at < count) {
		uint32_t left = count - at;

		if (options[at] == 0)
			return 0;
		if (options[at] == 1) {
			at++;
			continue;
		}
		if (left < 2 || options[at + 1] < 2 || options[at + 1] > left)
			return 0;
		if (options[at] == 2 && options[at + 1] == 4)
			return at + 2;
		at += options[at + 1];
	}
	return 0;
}

/* Of the bytes of a segment and its pseudo header; 0 where the checksum in them is right. */
static inline uint16_t mss_reference_fault(const uint8_t *bytes, size_t count)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/*
 * A header with these options, and a checksum that is right, is lowered to mss_bytes; in a block of memory of its very
 * size. Aborts where anything but the value and the checksum changes, or where they are not as they should be.
 */
static inline struct mss_change mss_reference_check(const uint8_t *given, uint32_t count, uint16_t seed,
						    uint32_t mss_bytes)
{
	uint8_t *options = calloc(1, MSS_OPTIONS_BYTES), segment[MSS_TCP_BYTES + MSS_OPTIONS_BYTES] = {0};
	uint32_t place = mss_reference_find(given, count);
	struct mss_change change;
	uint16_t before = 0, checksum;

	memcpy(options, given, count);
	segment[0] = seed >> 8;
	segment[1] = seed & 0xff;
	memcpy(segment + MSS_TCP_BYTES, given, count);
	checksum = htons(mss_reference_fault(segment, sizeof(segment)));
	memcpy(segment + MSS_CHECKSUM_AT, &checksum, sizeof(checksum));

	change = mss_lower(options, count, mss_bytes);
	free(options);
	if (place)
		before = given[place] << 8 | given[place + 1];
	if (!place || !mss_bytes || before <= mss_bytes) {
		if (change.place)
			abort();
		return change;
	}
	if (change.place != place || ntohs(change.before) != before || ntohs(change.after) != mss_bytes)
		abort();
	memcpy(segment + MSS_TCP_BYTES + place, &change.after, sizeof(change.after));
	checksum = mss_checksum(checksum, &change);
	memcpy(segment + MSS_CHECKSUM_AT, &checksum, sizeof(checksum));
	if (mss_reference_fault(segment, sizeof(segment)) != 0)
		abort();
	return change;
}

#endif
