/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reading position in a packet. Every access is checked against the end of linear memory, which the BPF verifier
 * demands and the fuzzer's sanitizers check. Pure; used by parse.h and mss.h.
 */
#ifndef BPF_CURSOR_H
#define BPF_CURSOR_H

#include <linux/stddef.h>
#include <linux/types.h>
#include <stdbool.h>

#define PARSE_BYTES 512 /* no header is looked for beyond */

struct cursor {
	const __u8 *start;
	const __u8 *end; /* of linear memory */
	__u32 offset;	 /* may be beyond both ends: the next cursor_take() then fails */
	__u32 limit;	 /* nothing is read beyond this offset */
	bool truncated;	 /* a read failed for the end of linear memory alone */
};

static __always_inline struct cursor cursor_over(const void *start, const void *end)
{
	return (struct cursor){.start = start, .end = end, .limit = PARSE_BYTES};
}

/* The next bytes, or NULL where there are not that many. */
static __always_inline const void *cursor_take(struct cursor *cursor, __u32 bytes)
{
	__u32 offset = cursor->offset;
	const __u8 *here;

	/* The first test is the second's for the verifier, which does not know limit's bound. */
	if (offset > PARSE_BYTES || offset + bytes > cursor->limit)
		return 0;
	here = cursor->start + offset;
	if (here + bytes > cursor->end) {
		cursor->truncated = true;
		return 0;
	}
	cursor->offset = offset + bytes;
	return here;
}

#endif
