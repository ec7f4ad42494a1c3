/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How large a packet of TC is on the wire: a GSO packet is not one packet but those that it will become.
 */
#ifndef BPF_SIZE_BPF_H
#define BPF_SIZE_BPF_H

#include <linux/tcp.h>
#include <linux/udp.h>

#include "count.bpf.h"
#include "parse.h"

/* The headers, from the IP header on, that every segment repeats; 0 where they are not known. */
static __always_inline __u32 size_headers(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 offset = packet->ip.transport_offset, bytes = offset - packet->ip_offset;
	__u8 data_offset;

	if (!offset)
		return 0;
	if (packet->ip.flow.protocol == IPPROTO_UDP)
		return bytes + sizeof(struct udphdr);
	/* Byte 12 of the TCP header holds its length in words. */
	if (packet->ip.flow.protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, offset + 12, &data_offset, 1))
		return 0;
	return bytes + (data_offset >> 4) * 4;
}

/* The largest IP packet of those that it will be; 0: the kernel alone knows. */
static __always_inline __u32 size_largest(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 ip_bytes = packet->ip.ip_bytes, headers;

	if (!skb->gso_size)
		return ip_bytes;
	headers = size_headers(skb, packet);
	/* None: GSO of a tunnel inside, or of SCTP. */
	if (!headers)
		return 0;
	return headers + skb->gso_size < ip_bytes ? headers + skb->gso_size : ip_bytes;
}

/* largest_bytes: as size_largest() says. */
static __always_inline bool size_fits(struct __sk_buff *skb, __u32 largest_bytes, const struct egress *egress)
{
	__u32 unused = 0;

	if (largest_bytes)
		return largest_bytes <= egress->mtu_bytes;
	return !bpf_check_mtu(skb, egress->ifindex, &unused, 0, BPF_MTU_CHK_SEGS);
}

static __always_inline struct amount size_amount(struct __sk_buff *skb, const struct packet *packet)
{
	struct amount amount = {1, packet->ip.ip_bytes};
	__u32 headers;

	if (!skb->gso_size)
		return amount;
	headers = size_headers(skb, packet);
	if (skb->gso_segs)
		amount.packets = skb->gso_segs;
	else if (packet->ip.ip_bytes > headers) /* virtio leaves the count to others */
		amount.packets = (packet->ip.ip_bytes - headers + skb->gso_size - 1) / skb->gso_size;
	amount.bytes += (amount.packets - 1) * headers;
	return amount;
}

#endif
