/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TC: a packet that is too big for a tunnel of its connection is made the answer that its sender is owed, ICMP
 * fragmentation needed (RFC 1191) or ICMPv6 packet too big (RFC 4443, section 3.2), and goes back to where it came
 * from. The answer names the connection's smallest MTU, whichever tunnel the packet would have gone by, so that none is
 * too big after a failure.
 *
 * Left alone: IPv4 that may be fragmented; ICMP errors, fragments other than the first, senders that are not one host
 * (RFC 1122, section 3.2.2); what is shorter than a quote, so that MTUs below 548 are told nobody; frames with two VLAN
 * tags; GSO packets whose headers are not known, and SCTP that a NIC is still to sum up; all, where the box has no
 * address to answer from.
 *
 * Called by steer_tc. What is rare is in global functions, so that the verifier looks at it once.
 */
#ifndef BPF_TOO_BIG_BPF_H
#define BPF_TOO_BIG_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "checksum.h"
#include "maps.bpf.h"
#include "mss.h"
#include "parse.h"

#define TOO_BIG_ICMP4_TYPE	  3 /* unreachable ... */
#define TOO_BIG_ICMP4_CODE	  4 /* ... for it would have to be fragmented */
#define TOO_BIG_ICMP6_TYPE	  2
#define TOO_BIG_QUOTE4_BYTES	  548  /* an answer of 576 (RFC 1812, section 4.3.2.3) */
#define TOO_BIG_QUOTE6_BYTES	  1232 /* of 1,280 (RFC 4443, section 2.4) */
#define TOO_BIG_PIECE_BYTES	  512 /* bpf_csum_diff() takes no more at once; and no headers go beyond (PARSE_BYTES) */
#define TOO_BIG_TTL		  64
#define TOO_BIG_TOS		  0xc0 /* of ICMP errors: RFC 1812, section 4.3.2.5 */
#define TOO_BIG_DONT_FRAGMENT	  0x4000
#define TOO_BIG_DONT_AND_OFFSET	  0x5fff
#define TOO_BIG_FRAGMENT_FIELD_AT 6 /* in an IPv4 header */
#define TOO_BIG_SCTP_CHECKSUM_AT  8

enum too_big_result {
	TOO_BIG_ANSWERED, /* the packet is the answer */
	TOO_BIG_UNTOUCHED,
	TOO_BIG_SPOILT,
};

struct too_big_icmp {
	__u8 type, code;
	__sum16 checksum;
	__be32 mtu_bytes; /* IPv4 has 16 bits of zero and 16 for it */
};

/* What comes before the quote. */
union too_big_head {
	struct {
		struct iphdr ip;
		struct too_big_icmp icmp;
	} ipv4;
	struct {
		struct ipv6hdr ip;
		struct too_big_icmp icmp;
	} ipv6;
};

/* Is the sender's address that of one host? */
static __always_inline bool too_big_has_sender(const struct packet *packet)
{
	const struct address *source = &packet->ip.flow.source;
	__u32 first_bits = bpf_ntohl(source->word[0]), ipv4 = bpf_ntohl(source->word[3]);

	if (packet->ip.is_ipv6)
		return first_bits >> 24 != 0xff && (source->half[0] || bpf_be64_to_cpu(source->half[1]) > 1);
	return ipv4 >> 24 && ipv4 >> 24 != 127 && ipv4 >> 28 < 14;
}

/*
 * SCTP whose checksum is left to the NIC has zero in its place, and no two bytes can make up for a CRC that is filled
 * in later (see too_big_quote()).
 */
static __always_inline bool too_big_is_unfinished_sctp(struct __sk_buff *skb, const struct packet *packet)
{
	__be32 checksum;

	return packet->ip.flow.protocol == IPPROTO_SCTP && packet->ip.transport_offset &&
	       !bpf_skb_load_bytes(skb, packet->ip.transport_offset + TOO_BIG_SCTP_CHECKSUM_AT, &checksum,
				   sizeof(checksum)) &&
	       !checksum;
}

static __always_inline bool too_big_wants_answer(struct __sk_buff *skb, const struct packet *packet)
{
	__be16 fragment;

	if (packet->ip_offset != ETH_HLEN || packet->ip.is_icmp_error || !too_big_has_sender(packet) ||
	    too_big_is_unfinished_sctp(skb, packet))
		return false;
	if (packet->ip.is_ipv6)
		return packet->ip.ip_bytes >= TOO_BIG_QUOTE6_BYTES;
	if (packet->ip.ip_bytes < TOO_BIG_QUOTE4_BYTES ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + TOO_BIG_FRAGMENT_FIELD_AT, &fragment, sizeof(fragment)))
		return false;
	return (fragment & bpf_htons(TOO_BIG_DONT_AND_OFFSET)) == bpf_htons(TOO_BIG_DONT_FRAGMENT);
}

struct too_big_search {
	__u32 ifindex;
	__u32 nic; /* its place in `inside_nics` */
};

static long too_big_compare_nic(__u32 number, void *context)
{
	struct too_big_search *search = context;
	const struct inside_nic *nic = bpf_map_lookup_elem(&inside_nics, &number);

	if (!nic)
		return 1;
	if (nic->ifindex != search->ifindex)
		return 0;
	search->nic = number;
	return 1;
}

/* The NIC that the packet came in by. */
static __always_inline const struct inside_nic *too_big_nic(struct __sk_buff *skb)
{
	struct too_big_search search = {.ifindex = skb->ifindex, .nic = MAX_INSIDE_NICS};

	bpf_loop(MAX_INSIDE_NICS, too_big_compare_nic, &search, 0);
	return bpf_map_lookup_elem(&inside_nics, &search.nic);
}

static __always_inline bool too_big_has_address(const struct inside_nic *nic, bool is_ipv6)
{
	const __u64 *ipv6 = (const __u64 *)nic->ipv6;

	return is_ipv6 ? ipv6[0] || ipv6[1] : nic->ipv4;
}

/* Can its sender be told, and is that owed to him? 1 or 0. */
__attribute__((noinline)) int too_big_is_answered(struct __sk_buff *skb, struct packet *packet)
{
	const struct inside_nic *nic;

	if (!packet || !too_big_wants_answer(skb, packet))
		return 0;
	nic = too_big_nic(skb);
	return nic && too_big_has_address(nic, packet->ip.is_ipv6);
}

/* IPv6 has 1,280 bytes everywhere: nothing smaller is too big. */
static __always_inline __u32 too_big_limit(__u32 mtu_bytes, bool is_ipv6)
{
	return is_ipv6 && mtu_bytes < MSS_IPV6_MTU_LEAST ? MSS_IPV6_MTU_LEAST : mtu_bytes;
}

/* largest_bytes: as size_largest() says. mtu_bytes: the connection's; 0: not known. */
static __always_inline bool too_big(struct __sk_buff *skb, struct packet *packet, __u32 largest_bytes, __u32 mtu_bytes)
{
	return mtu_bytes && largest_bytes > too_big_limit(mtu_bytes, packet->ip.is_ipv6) &&
	       too_big_is_answered(skb, packet);
}

/* Takes what one answer costs, if it is there. */
static __always_inline bool too_big_has_budget(void)
{
	__u64 now_ns = bpf_ktime_get_ns();
	struct answers *budget;
	__u32 zero = 0;

	budget = bpf_map_lookup_elem(&answers, &zero);
	if (!budget)
		return false;
	if (budget->spent_ns + ANSWERS_BURST * ANSWER_NS < now_ns)
		budget->spent_ns = now_ns - ANSWERS_BURST * ANSWER_NS;
	if (budget->spent_ns + ANSWER_NS > now_ns)
		return false;
	budget->spent_ns += ANSWER_NS;
	return true;
}

/* Sums of the quote, which stands behind the Ethernet header: of all of it, and of what is before TCP or UDP. */
struct too_big_sums {
	__u32 quote;
	__u32 headers;
};

static __always_inline bool too_big_sum(struct __sk_buff *skb, __u32 headers_bytes, bool is_ipv6,
					struct too_big_sums *ret_sums)
{
	void *quote = (void *)(long)skb->data + ETH_HLEN, *end = (void *)(long)skb->data_end;
	__u32 sum;

	/* One register from here to the call: Linux 6.1 does not know a copy to be one. */
	asm volatile("" : "+r"(headers_bytes));
	if (headers_bytes > TOO_BIG_PIECE_BYTES ||
	    quote + (is_ipv6 ? TOO_BIG_QUOTE6_BYTES : TOO_BIG_QUOTE4_BYTES) > end)
		return false;
	asm volatile("" : "+r"(headers_bytes));
	ret_sums->headers = bpf_csum_diff(NULL, 0, quote, headers_bytes, 0);
	sum = bpf_csum_diff(NULL, 0, quote, TOO_BIG_PIECE_BYTES, 0);
	if (is_ipv6) {
		sum = bpf_csum_diff(NULL, 0, quote + TOO_BIG_PIECE_BYTES, TOO_BIG_PIECE_BYTES, sum);
		sum = bpf_csum_diff(NULL, 0, quote + 2 * TOO_BIG_PIECE_BYTES,
				    TOO_BIG_QUOTE6_BYTES - 2 * TOO_BIG_PIECE_BYTES, sum);
	} else {
		sum = bpf_csum_diff(NULL, 0, quote + TOO_BIG_PIECE_BYTES, TOO_BIG_QUOTE4_BYTES - TOO_BIG_PIECE_BYTES,
				    sum);
	}
	ret_sums->quote = sum;
	return true;
}

/* Where in TCP's or UDP's header its checksum stands; 0: it is neither's, or not there. */
static __always_inline __u32 too_big_checksum_at(const struct packet *packet)
{
	if (!packet->ip.transport_offset)
		return 0;
	if (packet->ip.flow.protocol == IPPROTO_TCP)
		return offsetof(struct tcphdr, check);
	return packet->ip.flow.protocol == IPPROTO_UDP ? offsetof(struct udphdr, check) : 0;
}

/*
 * The packet is cut down to its quote, the sum of which is *ret_sum.
 *
 * GRO, and senders on this machine, leave it to the NIC to fill in TCP's or UDP's checksum (CHECKSUM_PARTIAL), which no
 * program can see or undo. The NIC will do so in the quote, and the answer's own checksum would be wrong then. So the
 * quote's last two bytes are made such that what it fills in is what is there: the sum of all that it sums up, itself
 * included, and of the field once more, is zero.
 */
static __always_inline enum too_big_result too_big_quote(struct __sk_buff *skb, const struct packet *packet,
							 bool is_ipv6, __u64 *ret_sum)
{
	const __u32 quote_bytes = is_ipv6 ? TOO_BIG_QUOTE6_BYTES : TOO_BIG_QUOTE4_BYTES;
	__u32 checksum_at = too_big_checksum_at(packet), transport_offset = packet->ip.transport_offset;
	struct too_big_sums sums;
	__u16 made_up = 0, checksum;

	if (bpf_skb_change_tail(skb, ETH_HLEN + quote_bytes, 0))
		return TOO_BIG_UNTOUCHED;
	if (!checksum_at) {
		if (!too_big_sum(skb, 0, is_ipv6, &sums))
			return TOO_BIG_SPOILT;
		*ret_sum = sums.quote;
		return TOO_BIG_ANSWERED;
	}
	if (bpf_skb_load_bytes(skb, transport_offset + checksum_at, &checksum, sizeof(checksum)) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + quote_bytes - sizeof(made_up), &made_up, sizeof(made_up),
				BPF_F_RECOMPUTE_CSUM) ||
	    !too_big_sum(skb, transport_offset - ETH_HLEN, is_ipv6, &sums))
		return TOO_BIG_SPOILT;
	made_up = checksum_fold((__u64)sums.quote + checksum_fold(sums.headers) + checksum);
	*ret_sum = (__u64)sums.quote + made_up;
	return bpf_skb_store_bytes(skb, ETH_HLEN + quote_bytes - sizeof(made_up), &made_up, sizeof(made_up),
				   BPF_F_RECOMPUTE_CSUM)
		       ? TOO_BIG_SPOILT
		       : TOO_BIG_ANSWERED;
}

static __always_inline void too_big_ipv4(struct iphdr *ip, const struct inside_nic *nic, const struct packet *packet)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*ip) / 4,
		.tos = TOO_BIG_TOS,
		.tot_len = bpf_htons(sizeof(*ip) + sizeof(struct too_big_icmp) + TOO_BIG_QUOTE4_BYTES),
		.frag_off = bpf_htons(TOO_BIG_DONT_FRAGMENT),
		.ttl = TOO_BIG_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = nic->ipv4,
		.daddr = packet->ip.flow.source.word[3],
	};
	ip->check = checksum_fold(bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0));
}

/* Returns the pseudo header's sum (RFC 8200, section 8.1). */
static __always_inline __u64 too_big_ipv6(struct ipv6hdr *ip, const struct inside_nic *nic, const struct packet *packet)
{
	*ip = (struct ipv6hdr){
		.version = 6,
		.payload_len = bpf_htons(sizeof(struct too_big_icmp) + TOO_BIG_QUOTE6_BYTES),
		.nexthdr = IPPROTO_ICMPV6,
		.hop_limit = TOO_BIG_TTL,
	};
	__builtin_memcpy(&ip->saddr, nic->ipv6, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &packet->ip.flow.source, sizeof(ip->daddr));
	return bpf_csum_diff(NULL, 0, (__be32 *)&ip->saddr, 2 * sizeof(ip->saddr), 0) + ip->payload_len +
	       bpf_htons(IPPROTO_ICMPV6);
}

static __always_inline void too_big_icmp(struct too_big_icmp *icmp, __u32 mtu_bytes, bool is_ipv6, __u64 sum)
{
	*icmp = (struct too_big_icmp){
		.type = is_ipv6 ? TOO_BIG_ICMP6_TYPE : TOO_BIG_ICMP4_TYPE,
		.code = is_ipv6 ? 0 : TOO_BIG_ICMP4_CODE,
		.mtu_bytes = bpf_htonl(too_big_limit(mtu_bytes, is_ipv6)),
	};
	icmp->checksum = checksum_fold(sum + (__u32)bpf_csum_diff(NULL, 0, (__be32 *)icmp, sizeof(*icmp), 0));
}

/* To whom the frame came from. VLAN tags beside it stay. */
static __always_inline bool too_big_turn(struct __sk_buff *skb)
{
	__u8 addresses[2 * ETH_ALEN];

	return !bpf_skb_load_bytes(skb, 0, addresses + ETH_ALEN, ETH_ALEN) &&
	       !bpf_skb_load_bytes(skb, ETH_ALEN, addresses, ETH_ALEN) &&
	       !bpf_skb_store_bytes(skb, 0, addresses, sizeof(addresses), 0);
}

static __always_inline enum too_big_result too_big_make(struct __sk_buff *skb, const struct packet *packet,
							const struct inside_nic *nic, __u32 mtu_bytes, bool is_ipv6)
{
	union too_big_head head;
	const __u32 head_bytes = is_ipv6 ? sizeof(head.ipv6) : sizeof(head.ipv4);
	enum too_big_result result;
	__u64 sum;

	result = too_big_quote(skb, packet, is_ipv6, &sum);
	if (result != TOO_BIG_ANSWERED)
		return result;
	if (is_ipv6) {
		sum += too_big_ipv6(&head.ipv6.ip, nic, packet);
		too_big_icmp(&head.ipv6.icmp, mtu_bytes, true, sum);
	} else {
		too_big_ipv4(&head.ipv4.ip, nic, packet);
		too_big_icmp(&head.ipv4.icmp, mtu_bytes, false, sum);
	}
	if (bpf_skb_adjust_room(skb, head_bytes, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &head, head_bytes, BPF_F_RECOMPUTE_CSUM) || !too_big_turn(skb))
		return TOO_BIG_SPOILT;
	return TOO_BIG_ANSWERED;
}

/* Of one for which too_big_is_answered(). Returns enum too_big_result. */
__attribute__((noinline)) int too_big_answer(struct __sk_buff *skb, struct packet *packet, __u32 mtu_bytes)
{
	const struct inside_nic *nic = too_big_nic(skb);

	if (!packet || !nic)
		return TOO_BIG_UNTOUCHED;
	if (packet->ip.is_ipv6)
		return too_big_make(skb, packet, nic, mtu_bytes, true);
	return too_big_make(skb, packet, nic, mtu_bytes, false);
}

#endif
