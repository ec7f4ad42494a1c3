/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Would the kernel, were the packet left to it, keep it inside the tunnels? Asked only where the kernel has to answer
 * for a steered packet (too big for its tunnel), since it forwards what it need not answer for.
 */
#ifndef BPF_ROUTE_BPF_H
#define BPF_ROUTE_BPF_H

#include "maps.bpf.h"
#include "parse.h"

#define ROUTE_AF_INET  2 /* as in <sys/socket.h>, which is not for BPF */
#define ROUTE_AF_INET6 10

/* Is the route's next hop a remote instance? */
struct route_hop {
	__u64 mac; /* and two bytes of zero */
	__u32 ifindex;
	bool is_instance;
};

static long route_compare_instance(__u32 number, void *context)
{
	struct route_hop *hop = context;
	const struct instance *instance = bpf_map_lookup_elem(&instances, &number);

	if (!instance)
		return 1;
	hop->is_instance = instance->egress.kind == EGRESS_ETHERNET && instance->egress.ifindex == hop->ifindex &&
			   *(volatile const __u64 *)instance->egress.next_hop_mac == hop->mac;
	return hop->is_instance;
}

/* A tunnel's device leads to the peer alone; the NIC before a remote instance may have other routers behind it. */
static __always_inline bool route_hop_is_protected(const struct bpf_fib_lookup *found)
{
	__u32 ifindex = found->ifindex;
	const struct device *device = bpf_map_lookup_elem(&devices, &ifindex);
	struct route_hop hop = {.ifindex = ifindex};

	if (!device)
		return false;
	if (device->tunnel != NO_TUNNEL)
		return true;
	__builtin_memcpy(&hop.mac, found->dmac, sizeof(found->dmac)); /* zero where its neighbour is not known */
	bpf_loop(MAX_INSTANCES, route_compare_instance, &hop, 0);
	return hop.mac && hop.is_instance;
}

static __attribute__((noinline)) bool route_is_protected(struct __sk_buff *skb, const struct packet *packet)
{
	const struct flow *flow = &packet->ip.flow;
	/* No total length: then a route's own MTU does not hide the device that it leads to. */
	struct bpf_fib_lookup lookup = {
		.family = packet->ip.is_ipv6 ? ROUTE_AF_INET6 : ROUTE_AF_INET,
		.l4_protocol = flow->protocol,
		.sport = flow->source_port,
		.dport = flow->destination_port,
		.ifindex = skb->ifindex,
	};
	long result;

	if (packet->ip.is_ipv6) {
		__builtin_memcpy(lookup.ipv6_src, &flow->source, sizeof(lookup.ipv6_src));
		__builtin_memcpy(lookup.ipv6_dst, &flow->destination, sizeof(lookup.ipv6_dst));
	} else {
		lookup.ipv4_src = flow->source.word[3];
		lookup.ipv4_dst = flow->destination.word[3];
	}
	result = bpf_fib_lookup(skb, &lookup, sizeof(lookup), 0);
	switch (result) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return route_hop_is_protected(&lookup);
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
	case BPF_FIB_LKUP_RET_NOT_FWDED: /* local, or no route */
		return true;
	case BPF_FIB_LKUP_RET_FWD_DISABLED: /* on this device; that of a tag may forward, and IPv6 asks for none's */
		return !packet->ip.is_ipv6 && !skb->vlan_present;
	default: /* into a lightweight tunnel, or the kernel could not tell */
		return false;
	}
}

#endif
