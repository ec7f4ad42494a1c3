// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the bench of forwarding sends, counts and compares with (tests/lib/live.c).
 *
 *	live_send   run by BPF_PROG_RUN on live frames: writes a frame of the next flow, and sends it by a veth
 *	live_sink   XDP: counts what comes in, and drops it
 *	live_watch  XDP: the same, and notes for each device when packets came, and when those were sent
 *	live_xdp    XDP: redirects to its targets in turn, without a look at the packet
 *	live_tc     TC: the same
 *
 * One CPU runs all of it, so nothing is atomic; another may look at `arrivals`.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include "live_arrival.h"

#define LIVE_TARGETS 8
#define LIVE_STRIDE  7919u
#define LIVE_WORDS   8 /* the smallest frame: headers of either family lie within */

/* Of live_send. Frames are used again as the last one left them, so all headers are written each time. */
const volatile __u64 frame[LIVE_WORDS] = {};
const volatile __u32 frame_ifindex = 0;
const volatile __u32 flows = 1, prefixes = 1;
const volatile bool is_ipv6 = false, is_stamped = false;
__u32 flow = 0, prefix = 0;

/* Of live_xdp, live_tc and live_watch. */
const volatile __u32 targets[LIVE_TARGETS] = {};
const volatile __u32 target_mask = 0; /* their number, a power of two, less one */
__u32 turn = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sunk SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, LIVE_TARGETS);
	__type(key, __u32);
	__type(value, __u32);
} target_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LIVE_TARGETS); /* as `targets` */
	__type(key, __u32);
	__type(value, struct live_arrival);
} arrivals SEC(".maps");

/* All of them, in an order that has no neighbours: the stride is a prime that divides no number asked for. */
static __always_inline __u32 live_next(__u32 number, __u32 count)
{
	number += LIVE_STRIDE % count;
	return number >= count ? number - count : number;
}

/* Flow i comes from 11.0.0.0 + i, or 2001:db8:b::i, and goes to prefix i: 20.x.y.5, or 2001:db8:x:y::5. */
static __always_inline void live_ipv4(struct iphdr *ip)
{
	__u32 sum, destination = 20u << 24 | (prefix & 0xffff) << 8 | 5, source = (11u << 24) + flow;

	ip->saddr = bpf_htonl(source);
	ip->daddr = bpf_htonl(destination);
	sum = bpf_ntohs(ip->check) + (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = bpf_htons(~sum & 0xffff);
}

static __always_inline void live_ipv6(struct ipv6hdr *ip)
{
	ip->saddr.s6_addr32[3] = bpf_htonl(flow);
	ip->daddr.s6_addr32[1] = bpf_htonl(prefix);
}

SEC("xdp")
int live_send(struct xdp_md *xdp)
{
	void *start = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	__u64 *words = start;

	if (start + sizeof(frame) > end)
		return XDP_ABORTED;
	for (int i = 0; i < LIVE_WORDS; i++)
		words[i] = frame[i];
	if (is_ipv6)
		live_ipv6(start + ETH_HLEN);
	else
		live_ipv4(start + ETH_HLEN);
	if (is_stamped)
		words[LIVE_STAMP_WORD] = bpf_ktime_get_ns();
	flow = live_next(flow, flows);
	prefix = live_next(prefix, prefixes);
	return bpf_redirect(frame_ifindex, 0);
}

static __always_inline void live_count(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&sunk, &zero);

	if (count)
		++*count;
}

SEC("xdp")
int live_sink(struct xdp_md *xdp)
{
	(void)xdp;
	live_count();
	return XDP_DROP;
}

static __always_inline struct live_arrival *live_arrival_at(__u32 ifindex)
{
	for (__u32 i = 0; i < LIVE_TARGETS; i++) {
		if (targets[i] == ifindex) {
			__u32 key = i;

			return bpf_map_lookup_elem(&arrivals, &key);
		}
	}
	return 0;
}

SEC("xdp")
int live_watch(struct xdp_md *xdp)
{
	void *start = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	volatile struct live_arrival *arrival = live_arrival_at(xdp->ingress_ifindex);
	__u64 *words = start;

	if (!arrival || start + sizeof(frame) > end)
		return XDP_DROP;
	live_count();
	arrival->packets++;
	arrival->last_sent_ns = words[LIVE_STAMP_WORD];
	arrival->last_ns = bpf_ktime_get_ns();
	if (!arrival->first_ns) {
		arrival->first_sent_ns = arrival->last_sent_ns;
		arrival->first_ns = arrival->last_ns;
	}
	return XDP_DROP;
}

SEC("xdp")
int live_xdp(struct xdp_md *xdp)
{
	(void)xdp;
	return bpf_redirect_map(&target_ports, turn++ & target_mask, XDP_DROP);
}

SEC("tc")
int live_tc(struct __sk_buff *skb)
{
	__u32 target = turn++ & target_mask;

	(void)skb;
	return bpf_redirect(targets[target & (LIVE_TARGETS - 1)], 0);
}

char LICENSE[] SEC("license") = "GPL";
