/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes out of a tunnel for the gateway itself: its routing daemon's packets, above all, which go on for as long
 * as the tunnel stands. A tunnel is drained when nothing comes that is to go further. The kernel's routes know; they
 * are asked for the few packets that a tunnel which is drained still gets.
 */
#ifndef BPF_TUNNEL_OWN_BPF_H
#define BPF_TUNNEL_OWN_BPF_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "../maps/health.h"
#include "maps.bpf.h"
#include "tunnel_data.bpf.h"

#define TUNNEL_AF_INET	2
#define TUNNEL_AF_INET6 10

static __always_inline bool tunnel_is_drained(__u32 number)
{
	const struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &number);
	const struct health *of_tunnel = bpf_map_lookup_elem(&tunnel_health, &number), *of_instance;
	__u32 instance;

	if (!tunnel || !of_tunnel)
		return false;
	instance = tunnel->instance;
	of_instance = bpf_map_lookup_elem(&instance_health, &instance);
	return of_tunnel->admin_out || (of_instance && of_instance->admin_out);
}

static __always_inline bool tunnel_addresses(struct __sk_buff *skb, struct bpf_fib_lookup *fib)
{
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		fib->family = TUNNEL_AF_INET;
		return tunnel_load(skb, __builtin_offsetof(struct iphdr, saddr), &fib->ipv4_src, 4) &&
		       tunnel_load(skb, __builtin_offsetof(struct iphdr, daddr), &fib->ipv4_dst, 4);
	}
	fib->family = TUNNEL_AF_INET6;
	return tunnel_load(skb, __builtin_offsetof(struct ipv6hdr, saddr), fib->ipv6_src, 16) &&
	       tunnel_load(skb, __builtin_offsetof(struct ipv6hdr, daddr), fib->ipv6_dst, 16);
}

__attribute__((noinline)) int tunnel_is_own(struct __sk_buff *skb)
{
	struct bpf_fib_lookup fib = {.ifindex = skb->ifindex};

	return tunnel_addresses(skb, &fib) && bpf_fib_lookup(skb, &fib, sizeof(fib), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

#endif
