/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Internet checksum (RFC 1071) of sums that bpf_csum_diff() made. Pure.
 */
#ifndef BPF_CHECKSUM_H
#define BPF_CHECKSUM_H

#include <linux/stddef.h>
#include <linux/types.h>

/* As it stands in a header; and the sum's negative, which is what makes up for it. */
static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

#endif
