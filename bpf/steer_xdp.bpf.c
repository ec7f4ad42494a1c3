// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer_xdp, at XDP of the inside NICs: sends what goes to a remote instance there at once, without an skb. All else it
 * leaves to steer_tc, which decides again, the same way: drops, local tunnels, what its sender is owed an answer for,
 * and frames with VLAN tags: to take them off changes the packet's bounds, and kernels refuse a program that does that
 * in libxdp's dispatcher, whose stubs do not.
 *
 * Context: softirq, native or generic XDP; loaded by libxdp beside other programs, alone in its object. Counts what it
 * sent and, as one number, what it left. Two generations may run in a row while one replaces the other: what the first
 * leaves, unchanged, the second decides likewise.
 */
#include <linux/bpf.h>

#include "choose.bpf.h"
#include "count.bpf.h"
#include "flow_pin.bpf.h"
#include "maps.bpf.h"
#include "mss.h"
#include "parse.h"
#include "rewrite.h"

const volatile __u32 inside_nic = 0; /* of `inside_nics`: what this program is attached to */

static __always_inline struct cursor cursor_over_frame(struct xdp_md *xdp)
{
	return cursor_over((void *)(long)xdp->data, (void *)(long)xdp->data_end);
}

static __always_inline __u32 frame_bytes(struct xdp_md *xdp)
{
	long bytes = (void *)(long)xdp->data_end - (void *)(long)xdp->data;

	asm volatile("" : "+r"(bytes)); /* else the subtraction is done in 32 bits, which pointers do not allow */
	return bytes;
}

/*
 * A global function, so that the verifier looks at the parser once, and behind it at any packet there may be, instead
 * of at each combination of headers all the way.
 */
__attribute__((noinline)) int parse_frame(struct xdp_md *xdp, struct packet *packet)
{
	struct cursor cursor = cursor_over_frame(xdp);

	return packet ? parse_packet(&cursor, frame_bytes(xdp), packet) : PARSE_MALFORMED;
}

static __always_inline int parse_xdp(struct xdp_md *xdp, struct packet *packet)
{
	struct cursor cursor = cursor_over_frame(xdp);

	if (parse_plain(&cursor, frame_bytes(xdp), packet))
		return PARSE_OK;
	__builtin_memset(packet, 0, sizeof(*packet));
	return parse_frame(xdp, packet);
}

/* A NIC in promiscuous mode sees frames of other hosts; to send those on would double them. */
static __always_inline bool is_for_gateway(struct xdp_md *xdp)
{
	void *start = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	__u32 number = inside_nic;
	const struct inside_nic *nic = bpf_map_lookup_elem(&inside_nics, &number);
	const __u16 *here = start, *mac;

	if (!nic || start + ETH_ALEN > end)
		return false;
	mac = (const __u16 *)nic->mac;
	return here[0] == mac[0] && here[1] == mac[1] && here[2] == mac[2];
}

/* false: left as it was. The redirect takes place when XDP_REDIRECT is returned, not before. */
static __always_inline bool send_xdp(struct xdp_md *xdp, const struct packet *packet, const struct decision *decision)
{
	void *start = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	const struct egress *egress = decision->egress;

	return bpf_redirect_map(&remote_ports, decision->instance, XDP_PASS) == XDP_REDIRECT &&
	       rewrite_ttl(start, end, packet->ip.is_ipv6) &&
	       rewrite_ethernet(start, end, egress->next_hop_mac, egress->source_mac, packet->ip.is_ipv6);
}

/* For its tunnel, or for another one of its connection. */
static __always_inline bool is_too_big(const struct packet *packet, const struct decision *decision)
{
	__u32 ip_bytes = packet->ip.ip_bytes;

	return ip_bytes > decision->egress->mtu_bytes || (decision->mtu_bytes && ip_bytes > decision->mtu_bytes);
}

/* As mss_clamp() of TC. A frame that has reached a NIC has its checksum. */
__attribute__((noinline)) int mss_clamp_frame(struct xdp_md *xdp, __u32 tcp_offset, __u32 mss_bytes)
{
	__u8 tcp[MSS_TCP_BYTES], options[MSS_OPTIONS_BYTES] = {};
	struct mss_change change;
	__u16 checksum;
	__u32 count;

	if (tcp_offset > PARSE_BYTES || bpf_xdp_load_bytes(xdp, tcp_offset, tcp, sizeof(tcp)) ||
	    !(tcp[MSS_FLAGS_AT] & MSS_FLAG_SYN))
		return 0;
	count = mss_options_bytes(tcp);
	/* One bound after the other: both at once are checked on a copy, which Linux 6.1 does not know to be one. */
	asm volatile("" : "+r"(count));
	if (count < MSS_OPTION_BYTES)
		return 0;
	asm volatile("" : "+r"(count));
	if (count > sizeof(options) || bpf_xdp_load_bytes(xdp, tcp_offset + MSS_TCP_BYTES, options, count))
		return 0;
	change = mss_lower(options, count, mss_bytes);
	if (!change.place ||
	    bpf_xdp_store_bytes(xdp, tcp_offset + MSS_TCP_BYTES + change.place, &change.after, sizeof(change.after)))
		return 0;
	__builtin_memcpy(&checksum, tcp + MSS_CHECKSUM_AT, sizeof(checksum));
	checksum = mss_checksum(checksum, &change);
	bpf_xdp_store_bytes(xdp, tcp_offset + MSS_CHECKSUM_AT, &checksum, sizeof(checksum));
	return 0;
}

static __always_inline void mss_sent(struct xdp_md *xdp, const struct packet *packet, __u32 mtu_bytes)
{
	struct cursor cursor = cursor_over_frame(xdp);

	cursor.offset = packet->ip.transport_offset;
	if (mss_is_tcp(&packet->ip) && mss_may_be_syn(cursor))
		mss_clamp_frame(xdp, cursor.offset, mss_of(mtu_bytes, packet->ip.is_ipv6));
}

static __always_inline __u8 flow_tcp_flags(struct xdp_md *xdp, const struct packet *packet,
					   const struct decision *decision)
{
	__u8 flags = 0;

	if (flows_kept && decision->pins && mss_is_tcp(&packet->ip))
		bpf_xdp_load_bytes(xdp, packet->ip.transport_offset + FLOW_TCP_FLAGS_AT, &flags, sizeof(flags));
	return flags;
}

static __always_inline int leave(void)
{
	count_pass(PASS_to_tc);
	return XDP_PASS;
}

SEC("xdp")
int steer_xdp(struct xdp_md *xdp)
{
	struct decision decision = {.answer.connection = NO_CONNECTION};
	struct packet packet = {};

	if (path_stack || parse_xdp(xdp, &packet) != PARSE_OK || packet.ip_offset != ETH_HLEN || packet.ip.ttl <= 1 ||
	    !is_for_gateway(xdp))
		return leave();
	decision.amount = (struct amount){1, packet.ip.ip_bytes};
	choose(&packet, FLOW_REMOTE_ONLY, &decision);
	if (decision.answer.verdict != WHERE_TUNNEL || !decision.remote)
		return leave();
	if (!decision.egress || decision.egress->kind != EGRESS_ETHERNET || is_too_big(&packet, &decision))
		return leave();
	if (!send_xdp(xdp, &packet, &decision))
		return leave();
	mss_sent(xdp, &packet, decision.mtu_bytes);
	decision_sent(&packet, &decision, flow_tcp_flags(xdp, &packet, &decision));
	count_tx(decision.answer.detail, decision.amount, decision_panics(&decision));
	return XDP_REDIRECT;
}

char LICENSE[] SEC("license") = "GPL";
