/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TC: lowers the MSS of SYN and SYN-ACK to what every tunnel of the connection takes, whichever way they go.
 */
#ifndef BPF_MSS_TC_BPF_H
#define BPF_MSS_TC_BPF_H

#include "maps.bpf.h"
#include "mss.h"

/*
 * Called for what is a SYN, or may be one. tcp_offset: from the start of data. A global function, so that the verifier
 * walks through the options once, whatever is in front of them.
 *
 * The checksum may not be there yet (CHECKSUM_PARTIAL), which no program can see; the kernel then leaves the part that
 * is as it is. A sum that the NIC took over the packet still holds, since value and checksum make up for each other.
 */
__attribute__((noinline)) int mss_clamp(struct __sk_buff *skb, __u32 tcp_offset, __u32 mss_bytes)
{
	__u8 tcp[MSS_TCP_BYTES], options[MSS_OPTIONS_BYTES] = {};
	struct mss_change change;
	__u32 count;

	if (tcp_offset > PARSE_BYTES || bpf_skb_load_bytes(skb, tcp_offset, tcp, sizeof(tcp)) ||
	    !(tcp[MSS_FLAGS_AT] & MSS_FLAG_SYN))
		return 0;
	count = mss_options_bytes(tcp);
	/* One bound after the other: both at once are checked on a copy, which Linux 6.1 does not know to be one. */
	asm volatile("" : "+r"(count));
	if (count < MSS_OPTION_BYTES)
		return 0;
	asm volatile("" : "+r"(count));
	if (count > sizeof(options) || bpf_skb_load_bytes(skb, tcp_offset + MSS_TCP_BYTES, options, count))
		return 0;
	change = mss_lower(options, count, mss_bytes);
	if (change.place && !bpf_skb_store_bytes(skb, tcp_offset + MSS_TCP_BYTES + change.place, &change.after,
						 sizeof(change.after), 0))
		bpf_l4_csum_replace(skb, tcp_offset + MSS_CHECKSUM_AT, mss_word(&change, change.before),
				    mss_word(&change, change.after), sizeof(change.after));
	return 0;
}

/* Of a packet that enters a connection. */
static __always_inline void mss_steered(struct __sk_buff *skb, const struct packet *packet, __u32 mtu_bytes)
{
	struct cursor cursor = cursor_over((void *)(long)skb->data, (void *)(long)skb->data_end);

	cursor.offset = packet->ip.transport_offset;
	if (mss_is_tcp(&packet->ip) && mss_may_be_syn(cursor))
		mss_clamp(skb, packet->ip.transport_offset, mss_of(mtu_bytes, packet->ip.is_ipv6));
}

#endif
