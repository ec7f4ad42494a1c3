/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes from the peer, of connections whose flows are pinned: the end of a flow, and, of symmetric ones, the
 * tunnel that the peer sends it by. Called by tunnel_tc; changes no packet.
 *
 * Out of a local tunnel a packet's connection is the tunnel's. From a remote instance it comes by a NIC, where the
 * frame's sender is its next hop's address, and the connection is that of the source.
 */
#ifndef BPF_FLOW_PEER_BPF_H
#define BPF_FLOW_PEER_BPF_H

#include "choose.bpf.h"
#include "flow_pin.bpf.h"
#include "maps.bpf.h"
#include "parse.h"
#include "prefix.bpf.h"
#include "tunnel_data.bpf.h"

/* A flow follows the peer to a tunnel that it could have been given; but see FLOW_SETTLE_NS. */
static __always_inline bool flow_follows(const struct flow_pin *pin, const struct member *member, __u64 now_ns)
{
	return (pin->cause == FLOW_new || now_ns > pin->pinned_ns + FLOW_SETTLE_NS) &&
	       member_usable(member, slow_start_word());
}

/*
 * key: as it leaves. A flow that the peer opens over a tunnel which is drained is answered there all the same: a
 * firewall may stand at its other end that knows nothing of the flow elsewhere.
 */
static __attribute__((noinline)) void flow_learn(const struct flow *key, const struct connection *connection,
						 __u32 ordinal, __u8 tcp_flags)
{
	__u32 hash = flow_hash(key, hash_seed);
	struct flow_pin *pin = flow_may_be_known(hash) ? bpf_map_lookup_elem(&flows, key) : NULL;
	const struct amount none = {0}; /* of what is counted: it goes the other way */
	const struct member *member;
	__u64 now_ns;

	asm volatile("" : "+r"(ordinal));
	if (ordinal >= MAX_MEMBERS)
		return;
	member = &connection->member[ordinal];
	if (tcp_flags & FLOW_TCP_RST) {
		flow_forget(key);
		return;
	}
	if (pin && tcp_flags & FLOW_TCP_FIN)
		pin->ends |= FLOW_ENDS_REMOTE;
	if (connection->affinity != AFFINITY_SYMMETRIC || !member_usable(member, draining_cause() | slow_start_word()))
		return;
	if (!pin) {
		if (flow_pin_new(key, member->tunnel, FLOW_peer, &none))
			flow_mark(hash);
		return;
	}
	flow_mark(hash);
	now_ns = bpf_ktime_get_ns();
	if (!flow_holds(pin, flow_silence(pin, now_ns), connection->idle_ns)) {
		flow_renew(pin, member->tunnel, FLOW_peer, now_ns);
	} else if (pin->tunnel != member->tunnel && flow_follows(pin, member, now_ns)) {
		flow_move(pin, member->tunnel, FLOW_peer, now_ns);
		flow_count_move(FLOW_peer);
	}
	pin->seen_ns = now_ns;
}

static __always_inline __u8 flow_flags_at(struct cursor cursor, const struct ip_packet *ip)
{
	__u32 offset = ip->transport_offset;
	const __u8 *flags;

	if (ip->flow.protocol != IPPROTO_TCP || !offset)
		return 0;
	asm volatile("" : "+r"(offset));
	if (offset > PARSE_BYTES)
		return 0;
	asm volatile("" : "+r"(offset));
	cursor.offset = offset + FLOW_TCP_FLAGS_AT;
	flags = cursor_take(&cursor, 1);
	return flags ? *flags : 0;
}

static __always_inline bool flow_parse(struct __sk_buff *skb, __u32 ip_offset, struct ip_packet *ip, __u8 *tcp_flags)
{
	struct cursor cursor;

	if (bpf_skb_pull_data(skb, skb->len < PARSE_BYTES ? skb->len : PARSE_BYTES))
		return false;
	cursor = cursor_over((void *)(long)skb->data, (void *)(long)skb->data_end);
	cursor.offset = ip_offset;
	if (!parse_quote(&cursor, ip) || ip->is_icmp_error)
		return false;
	*tcp_flags = flow_flags_at(cursor_over((void *)(long)skb->data, (void *)(long)skb->data_end), ip);
	return true;
}

/* may_end: it may be an RST or a FIN. A global function, for the verifier's sake, as is the next. */
__attribute__((noinline)) int flow_from_tunnel(struct __sk_buff *skb, __u32 number, __u32 may_end)
{
	const struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &number);
	const struct connection *connection;
	struct ip_packet ip = {.is_ipv6 = skb->protocol == bpf_htons(ETH_P_IPV6)};
	struct flow key;
	__u32 offset;
	__u8 flags = 0;

	if (!tunnel)
		return 0;
	number = tunnel->connection;
	connection = bpf_map_lookup_elem(&connections, &number);
	if (!connection || connection->affinity == AFFINITY_HASH ||
	    (connection->affinity == AFFINITY_STICKY && !may_end))
		return 0;
	offset = tunnel_ip_offset(skb);
	if (offset == TUNNEL_NO_OFFSET || !flow_parse(skb, offset, &ip, &flags))
		return 0;
	key = flow_reversed(&ip.flow);
	flow_learn(&key, connection, tunnel->ordinal, flags);
	return 0;
}

struct flow_sender {
	const struct connection *connection;
	__u32 ifindex;
	__u32 ordinal; /* NO_MEMBER until found */
	__u64 mac;     /* the frame's sender's, as struct egress has it */
};

static long flow_is_sender(__u32 ordinal, void *context)
{
	struct flow_sender *sender = context;
	const struct connection *connection = sender->connection;
	const struct instance *instance;
	__u32 number;

	if (ordinal >= MAX_MEMBERS || ordinal >= connection->members)
		return 1;
	if (!connection->member[ordinal].remote)
		return 0;
	number = connection->member[ordinal].instance;
	instance = bpf_map_lookup_elem(&instances, &number);
	if (!instance || instance->egress.ifindex != sender->ifindex ||
	    *(const __u64 *)instance->egress.next_hop_mac != sender->mac)
		return 0;
	sender->ordinal = ordinal;
	return 1;
}

/* Of a frame that came in by a NIC before remote instances. */
__attribute__((noinline)) int flow_from_instance(struct __sk_buff *skb)
{
	struct ip_packet ip = {.is_ipv6 = skb->protocol == bpf_htons(ETH_P_IPV6)};
	struct flow_sender sender = {.ifindex = skb->ifindex, .ordinal = NO_MEMBER};
	const struct connection *connection;
	struct address source;
	struct flow key;
	__u32 number;
	__u8 flags = 0;

	if (skb->pkt_type != PACKET_HOST || bpf_skb_load_bytes(skb, ETH_ALEN, &sender.mac, ETH_ALEN) ||
	    !flow_parse(skb, ETH_HLEN, &ip, &flags))
		return 0;
	source = choose_address(&ip.flow.source, ip.is_ipv6);
	number = prefix_connection(&source, false);
	connection = bpf_map_lookup_elem(&connections, &number);
	if (!connection || connection->affinity == AFFINITY_HASH)
		return 0;
	sender.connection = connection;
	bpf_loop(MAX_MEMBERS, flow_is_sender, &sender, 0);
	if (sender.ordinal == NO_MEMBER)
		return 0;
	key = flow_reversed(&ip.flow);
	flow_learn(&key, connection, sender.ordinal, flags);
	return 0;
}

#endif
