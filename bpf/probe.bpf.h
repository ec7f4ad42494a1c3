/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a session's peer says, as it comes out of a tunnel (or, of a remote instance, in by its NIC): checked, counted
 * for the session, taken off the network. No socket hears it: sessions are the kernel's.
 *
 * An answer goes back at once where the peer polls, where our state changed, and where our own packet is overdue, so
 * that a daemon that stands still does not take the peer's view down. It is the peer's own packet, turned round. Two
 * such ends do not storm: what they send is due for each, and an answer makes it not due.
 *
 * Context: softirq. Called by tunnel_tc for UDP to BFD's ports and for echo replies. Whoever is no session's peer is
 * left to the kernel.
 */
#ifndef BPF_PROBE_BPF_H
#define BPF_PROBE_BPF_H

#include <linux/pkt_cls.h>

#include "probe_packet.bpf.h"
#include "session.bpf.h"

static __always_inline bool probe_load(struct __sk_buff *skb, __u32 offset, void *bytes, __u32 count)
{
	return !bpf_skb_load_bytes_relative(skb, offset, bytes, count, BPF_HDR_START_NET);
}

static __always_inline void probe_count_reject(__u32 reason)
{
	__u32 zero = 0;
	__u64 *reasons = bpf_map_lookup_elem(&probe_rejects, &zero);

	if (reasons && reason < PROBE_REJECT_COUNT)
		reasons[reason]++;
}

struct probe_ip {
	struct address source, destination;
	__u32 header_bytes;
	__u8 ttl;
};

static __always_inline bool probe_load_ip(struct __sk_buff *skb, struct probe_ip *ip)
{
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ipv4;

		if (!probe_load(skb, 0, &ipv4, sizeof(ipv4)))
			return false;
		ip->source.half[0] = ip->destination.half[0] = 0;
		ip->source.word[2] = ip->destination.word[2] = bpf_htonl(0xffff);
		ip->source.word[3] = ipv4.saddr;
		ip->destination.word[3] = ipv4.daddr;
		ip->header_bytes = ipv4.ihl * 4;
		ip->ttl = ipv4.ttl;
		return true;
	}
	ip->header_bytes = sizeof(struct ipv6hdr);
	return probe_load(skb, offsetof(struct ipv6hdr, hop_limit), &ip->ttl, 1) &&
	       probe_load(skb, offsetof(struct ipv6hdr, saddr), &ip->source, sizeof(ip->source)) &&
	       probe_load(skb, offsetof(struct ipv6hdr, daddr), &ip->destination, sizeof(ip->destination));
}

static __always_inline bool probe_is_for(const struct session_config *config, const struct probe_ip *ip)
{
	__u64 local[2];

	__builtin_memcpy(local, config->local, sizeof(local));
	return local[0] == ip->destination.half[0] && local[1] == ip->destination.half[1];
}

/* The session that this packet's sender is the peer of. */
static __always_inline bool probe_find(struct __sk_buff *skb, const struct probe_ip *ip, struct session_refs *refs)
{
	struct session_peer_key key = {.ifindex = skb->ifindex};
	const __u32 *number;

	__builtin_memcpy(key.peer, &ip->source, sizeof(key.peer));
	number = bpf_map_lookup_elem(&session_peers, &key);
	return number && session_find(*number, refs) && probe_is_for(refs->config, ip);
}

/* --- ICMP --------------------------------------------------------------------------------------------------------- */

static __always_inline void probe_answered_echo(const struct session_refs *refs, const struct probe_echo *echo,
						__u64 now_ns, __u32 cpu, __u64 tx_packets,
						struct session_outcome *outcome)
{
	const struct session_config *config = refs->config;
	struct session *state = refs->state;

	session_measure(state, now_ns, tx_packets);
	if (echo->sent_ns <= now_ns)
		state->rtt_ns = now_ns - echo->sent_ns;
	state->deadline_ns = echo_deadline_ns(&state->echo, config->interval_ns);
	session_arm(state, now_ns, cpu, outcome);
	if (state->echo.in_a_row >= config->multiplier)
		session_answers(refs, now_ns, outcome);
}

/* Returns whether the packet was a session's. */
__attribute__((noinline)) int probe_receive_echo(struct __sk_buff *skb)
{
	struct session_outcome outcome = {.news = SESSION_NEWS_COUNT};
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 now_ns = bpf_ktime_get_ns(), tx_packets;
	struct session_refs refs = {};
	struct probe_echo echo;
	struct probe_ip ip;
	bool accepted;

	if (!probe_load_ip(skb, &ip) || !probe_find(skb, &ip, &refs) || refs.config->kind != SESSION_ICMP ||
	    !probe_load(skb, ip.header_bytes, &echo, sizeof(echo)) ||
	    echo.identifier != bpf_htons(refs.config->discriminator & 0xffff))
		return false;
	tx_packets = session_tx_packets(refs.config);
	bpf_spin_lock(&refs.state->lock);
	accepted = echo_answer(&refs.state->echo, bpf_ntohs(echo.sequence), refs.config->multiplier);
	if (accepted)
		probe_answered_echo(&refs, &echo, now_ns, cpu, tx_packets, &outcome);
	bpf_spin_unlock(&refs.state->lock);
	session_act(&refs, &outcome, now_ns);
	if (!accepted)
		probe_count_reject(PROBE_REJECT_echo);
	return true;
}

/* --- BFD ---------------------------------------------------------------------------------------------------------- */

/* What is worked on, of the CPU: too much for a program's stack. */
struct probe_scratch {
	__u8 payload[BFD_PACKET_MAX_BYTES]; /* zero behind its end */
	__u32 payload_bytes;		    /* what UDP says, which may be more */
	struct bfd_packet packet;	    /* theirs, then ours */
	struct probe ours;
} __attribute__((aligned(8)));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_scratch);
} probe_scratch SEC(".maps");

static __always_inline __u32 probe_load_bfd(struct __sk_buff *skb, const struct session_config *config,
					    const struct probe_ip *ip, struct probe_scratch *scratch)
{
	struct probe_udp udp;
	__u32 at = ip->header_bytes + PROBE_HEADER_BYTES;

	__builtin_memset(scratch->payload, 0, sizeof(scratch->payload));
	if (!config->is_multihop && ip->ttl != PROBE_TTL)
		return PROBE_REJECT_ttl;
	if (!probe_load(skb, ip->header_bytes, &udp, sizeof(udp)))
		return PROBE_REJECT_truncated;
	if (udp.destination_port != bpf_htons(config->is_multihop ? BFD_PORT_MULTIHOP : BFD_PORT))
		return PROBE_REJECT_port;
	scratch->payload_bytes = bpf_ntohs(udp.length) - PROBE_HEADER_BYTES;
	if (scratch->payload_bytes > 0xffff || !probe_load(skb, at, scratch->payload, BFD_PACKET_BYTES))
		return PROBE_REJECT_truncated;
	if (scratch->payload_bytes >= BFD_PACKET_MAX_BYTES)
		probe_load(skb, at + BFD_PACKET_BYTES, scratch->payload + BFD_PACKET_BYTES,
			   BFD_PACKET_MAX_BYTES - BFD_PACKET_BYTES);
	return bfd_packet_parse(scratch->payload, scratch->payload_bytes, &scratch->packet);
}

/*
 * Is the digest the one that our key makes? Of a packet that is too short for one: no. Global functions, here and
 * below, so that the verifier walks through SHA-1, and through each byte of a packet, once.
 */
__attribute__((noinline)) int probe_digest_holds(__u32 number)
{
	const struct session_config *config = bpf_map_lookup_elem(&session_configs, &number);
	__u32 zero = 0;
	struct probe_scratch *scratch = bpf_map_lookup_elem(&probe_scratch, &zero);

	if (!config || !scratch)
		return false;
	if (config->auth_type == SESSION_AUTH_NONE || scratch->payload_bytes < BFD_PACKET_MAX_BYTES)
		return config->auth_type == SESSION_AUTH_NONE;
	/* Where it does not, the packet is thrown away. */
	return bfd_auth_holds(scratch->payload, config->auth_key);
}

__attribute__((noinline)) int probe_write_answer(__u32 number)
{
	const struct session_config *config = bpf_map_lookup_elem(&session_configs, &number);
	__u32 zero = 0;
	struct probe_scratch *scratch = bpf_map_lookup_elem(&probe_scratch, &zero);

	if (config && scratch)
		probe_bfd(config, &scratch->packet, &scratch->ours);
	return 0;
}

__attribute__((noinline)) int probe_sign_answer(__u32 number)
{
	const struct session_config *config = bpf_map_lookup_elem(&session_configs, &number);
	__u32 zero = 0;
	struct probe_scratch *scratch = bpf_map_lookup_elem(&probe_scratch, &zero);

	if (config && scratch)
		probe_bfd_sign(config, &scratch->ours);
	return 0;
}

/* The protocol's state moved or stayed: what of the unit? */
static __always_inline void probe_judge_bfd(const struct session_refs *refs, __u8 state_before, __u8 remote_state,
					    __u64 now_ns, struct session_outcome *outcome)
{
	__u8 state = refs->state->bfd.state;

	if (state == BFD_UP)
		session_answers(refs, now_ns, outcome);
	else if (state_before == BFD_UP && remote_state == BFD_ADMIN_DOWN)
		outcome->news = SESSION_NEWS_peer_leaves; /* RFC 5882, section 4.2: no failure of the path */
	else if (state_before == BFD_UP)
		session_fail(refs, SESSION_NEWS_peer_down, now_ns, outcome);
}

static __always_inline bool probe_is_answer_due(const struct session *state, const struct bfd_outcome *heard,
						__u64 now_ns)
{
	__u64 transmit_ns = bfd_transmit_us(&state->bfd) * 1000ull;

	return heard->answer || heard->changed || (transmit_ns && now_ns - state->sent_ns >= transmit_ns);
}

/*
 * Counts a packet that holds for its session; under the lock. Returns why it does not, or PROBE_ACCEPTED, and then
 * whether `packet`, ours, is to go back.
 */
static __always_inline __u32 probe_answered_bfd(const struct session_refs *refs, struct bfd_packet *packet,
						bool digest_holds, __u64 now_ns, __u32 cpu, __u32 random,
						__u64 tx_packets, struct session_outcome *outcome, bool *ret_answer)
{
	struct session *state = refs->state;
	__u8 state_before = state->bfd.state, remote_state = packet->state;
	struct bfd_outcome heard = {};
	__u32 reject = bfd_auth_check(&state->bfd, packet, refs->config);
	__u64 detection_ns;

	if (reject != PROBE_ACCEPTED)
		return reject;
	if (!digest_holds)
		return PROBE_REJECT_auth_digest;
	reject = bfd_receive(&state->bfd, packet, &heard);
	if (reject != PROBE_ACCEPTED)
		return reject;
	session_measure(state, now_ns, tx_packets);
	if (heard.changed || heard.retimed)
		outcome->news = SESSION_NEWS_state;
	probe_judge_bfd(refs, state_before, remote_state, now_ns, outcome);
	detection_ns = bfd_detection_ns(&state->bfd);
	state->deadline_ns = detection_ns ? now_ns + detection_ns : 0;
	session_arm(state, now_ns, cpu, outcome);
	*ret_answer = probe_is_answer_due(state, &heard, now_ns);
	if (!*ret_answer)
		return PROBE_ACCEPTED;
	bfd_make(&state->bfd, refs->config, heard.answer, packet);
	state->sent_ns = now_ns;
	state->send_at_ns = now_ns + bfd_transmit_gap_ns(&state->bfd, random);
	state->sent_packets++;
	state->replied_packets++;
	return PROBE_ACCEPTED;
}

/*
 * The peer's packet becomes ours. UDP's checksum may not be there yet (CHECKSUM_PARTIAL, from another guest of the same
 * host), which no program can see; so it is not computed but changed by what changes, which the kernel does rightly in
 * either case. Addresses and ports that only change places change no sum.
 */
static __always_inline bool probe_turn_round(struct __sk_buff *skb, const struct session_config *config,
					     const struct probe_ip *ip, struct probe_scratch *scratch)
{
	const struct egress *egress = session_egress(config);
	struct probe *ours = &scratch->ours;
	__u32 ip_bytes = probe_ip_bytes(config), count = ours->count, at;
	struct probe_udp udp;
	__u8 macs[2 * ETH_ALEN];
	__s64 change;

	if (!egress || ip->header_bytes != ip_bytes || scratch->payload_bytes + PROBE_HEADER_BYTES != count ||
	    !probe_load(skb, ip_bytes, &udp, sizeof(udp)))
		return false;
	/* On a device without Ethernet, bytes of another header may lie before the packet. */
	at = egress->kind == EGRESS_ETHERNET ? ETH_HLEN : skb->len - ip_bytes - count;
	if (at > ETH_HLEN * 2)
		return false;
	change = bpf_csum_diff((__be32 *)scratch->payload, BFD_PACKET_MAX_BYTES,
			       (__be32 *)(ours->bytes + PROBE_HEADER_BYTES), BFD_PACKET_MAX_BYTES, 0);
	change = bpf_csum_diff((__be32 *)&udp, PROBE_PORTS_BYTES, (__be32 *)ours->bytes, PROBE_PORTS_BYTES, change);
	if (egress->kind == EGRESS_ETHERNET) {
		if (bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)) ||
		    bpf_skb_store_bytes(skb, 0, macs + ETH_ALEN, ETH_ALEN, 0) ||
		    bpf_skb_store_bytes(skb, ETH_ALEN, macs, ETH_ALEN, 0))
			return false;
	}
	return probe_store_ip(skb, at, config, ours) &&
	       !bpf_skb_store_bytes(skb, at + ip_bytes, ours->bytes, PROBE_PORTS_BYTES, 0) &&
	       probe_store_payload(skb, at + ip_bytes + PROBE_HEADER_BYTES, ours) &&
	       !bpf_l4_csum_replace(skb, at + ip_bytes + offsetof(struct probe_udp, checksum), 0, change,
				    BPF_F_MARK_MANGLED_0);
}

/* Returns the verdict: TC_ACT_UNSPEC where the packet is no session's. */
__attribute__((noinline)) int probe_receive_bfd(struct __sk_buff *skb)
{
	struct session_outcome outcome = {.news = SESSION_NEWS_COUNT};
	__u32 cpu = bpf_get_smp_processor_id(), random = bpf_get_prandom_u32(), zero = 0, reject;
	struct probe_scratch *scratch = bpf_map_lookup_elem(&probe_scratch, &zero);
	__u64 now_ns = bpf_ktime_get_ns(), tx_packets;
	bool digest_holds, answer = false;
	struct session_refs refs = {};
	struct probe_ip ip;

	if (!scratch || !probe_load_ip(skb, &ip))
		return TC_ACT_UNSPEC;
	if (!probe_find(skb, &ip, &refs) || refs.config->kind != SESSION_BFD) {
		probe_count_reject(PROBE_REJECT_no_session);
		return TC_ACT_UNSPEC;
	}
	reject = probe_load_bfd(skb, refs.config, &ip, scratch);
	if (reject == PROBE_ACCEPTED) {
		digest_holds = probe_digest_holds(refs.number);
		tx_packets = session_tx_packets(refs.config);
		bpf_spin_lock(&refs.state->lock);
		reject = probe_answered_bfd(&refs, &scratch->packet, digest_holds, now_ns, cpu, random, tx_packets,
					    &outcome, &answer);
		bpf_spin_unlock(&refs.state->lock);
		session_act(&refs, &outcome, now_ns);
	}
	if (reject != PROBE_ACCEPTED)
		probe_count_reject(reject);
	if (!answer)
		return TC_ACT_SHOT;
	probe_write_answer(refs.number);
	probe_sign_answer(refs.number);
	if (!probe_turn_round(skb, refs.config, &ip, scratch))
		return TC_ACT_SHOT;
	return bpf_redirect(skb->ifindex, 0);
}

#endif
