/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The choice of a tunnel: destination prefix -> connection -> the member that the flow is pinned to, else its ranked
 * members, the first that is usable. Called by steer_xdp and steer_tc, once each per packet; reads maps and changes
 * nothing but the count of a flow that is pinned (flow_pin.bpf.h).
 *
 * A flow that slow start keeps away from every usable member goes to the best of them all the same. A connection none
 * of whose members is usable panics: the best member that may carry packets all the same is taken. Where there is none,
 * packets are dropped: the kernel might have a route past the tunnels, and clear text must not take it.
 */
#ifndef BPF_CHOOSE_BPF_H
#define BPF_CHOOSE_BPF_H

#include <asm/byteorder.h>

#include "decision.bpf.h"
#include "flow_hash.h"
#include "flow_pin.bpf.h"
#include "maps.bpf.h"
#include "parse.h"
#include "prefix.bpf.h"
#include "rank.h"
#include "usable.bpf.h"

#define NO_MEMBER FLOW_NO_MEMBER

/* One walk over all members of a connection. */
struct scan {
	const struct connection *connection;
	__u64 best_score;
	__u64 forgiven; /* causes that do not count */
	__u64 passed_causes;
	__u32 key; /* what rank_score() ranks by */
	__u32 best_tier;
	__u32 best; /* ordinal, NO_MEMBER until one is usable */
	__u32 better_but_unusable;
};

static __always_inline bool scan_is_better(const struct scan *scan, __u32 tier, __u64 score)
{
	return scan->best == NO_MEMBER || tier < scan->best_tier ||
	       (tier == scan->best_tier && score > scan->best_score);
}

static long scan_for_best(__u32 ordinal, void *context)
{
	struct scan *scan = context;
	const struct connection *connection = scan->connection;
	__u64 score, causes;

	if (ordinal >= MAX_MEMBERS || ordinal >= connection->members)
		return 1;
	causes = member_causes(&connection->member[ordinal], scan->forgiven);
	if (causes) {
		scan->passed_causes |= causes;
		return 0;
	}
	score = rank_score(scan->key, ordinal, connection->rank[ordinal].weight);
	if (!scan_is_better(scan, connection->rank[ordinal].tier, score))
		return 0;
	scan->best = ordinal;
	scan->best_tier = connection->rank[ordinal].tier;
	scan->best_score = score;
	return 0;
}

static long scan_for_rank(__u32 ordinal, void *context)
{
	struct scan *scan = context;
	const struct connection *connection = scan->connection;

	if (ordinal >= MAX_MEMBERS || ordinal >= connection->members)
		return 1;
	if (!member_usable(&connection->member[ordinal], scan->forgiven) &&
	    scan_is_better(scan, connection->rank[ordinal].tier,
			   rank_score(scan->key, ordinal, connection->rank[ordinal].weight)))
		scan->better_but_unusable++;
	return 0;
}

/* Ranks all members here and now: for a connection without rows, and where all that a row names are out. */
static __attribute__((noinline)) __u32 choose_by_scan(const struct connection *connection, __u32 key, __u64 forgiven,
						      struct decision *decision)
{
	struct scan scan = {.connection = connection, .key = key, .forgiven = forgiven, .best = NO_MEMBER};

	bpf_loop(MAX_MEMBERS, scan_for_best, &scan, 0);
	if (decision->asked && scan.best != NO_MEMBER)
		bpf_loop(MAX_MEMBERS, scan_for_rank, &scan, 0);
	decision->answer.rank = scan.better_but_unusable;
	decision->passed_causes |= scan.passed_causes;
	return scan.best;
}

/* The first usable member that the row names, and how many it names before. */
static __always_inline __u32 choose_by_row(const struct connection *connection, __u64 row, __u64 forgiven,
					   struct decision *decision)
{
	for (__u32 place = 0; place < ROW_CANDIDATES; place++, row >>= 8) {
		__u32 ordinal = row & 0xff;
		__u64 causes;

		asm volatile("" : "+r"(ordinal)); /* else the index is masked anew, past the bound that was checked */
		if (ordinal >= MAX_MEMBERS)
			break;
		causes = member_causes(&connection->member[ordinal], forgiven);
		if (!causes) {
			decision->answer.rank = place;
			return ordinal;
		}
		decision->passed_causes |= causes;
	}
	return NO_MEMBER;
}

static __always_inline __u32 choose_ranked(const struct connection *connection, __u64 forgiven,
					   struct decision *decision)
{
	__u32 hash = decision->answer.flow_hash, first_row = connection->first_row, number, ordinal;
	const __le64 *row;

	if (first_row == NO_ROWS)
		return choose_by_scan(connection, hash, forgiven, decision);
	number = first_row + (hash & connection->row_mask);
	row = bpf_map_lookup_elem(&rows, &number);
	/* A row's bytes are read as one word, lowest address first. */
	ordinal = row ? choose_by_row(connection, __le64_to_cpu(*row), forgiven, decision) : NO_MEMBER;
	if (ordinal == NO_MEMBER && (!row || connection->members > ROW_CANDIDATES))
		ordinal = choose_by_scan(connection, hash & connection->row_mask, forgiven, decision);
	return ordinal;
}

/* The member that the flow keeps. how: FLOW_. Only a flow that may be pinned is looked up. */
static __always_inline __u32 choose_pinned(const struct packet *packet, __u32 how, struct decision *decision)
{
	decision->pins = true;
	if (!flow_may_be_known(decision->answer.flow_hash))
		return NO_MEMBER;
	/* Two calls: the verifier is to know which of the two each pointer leads to. */
	if (packet->quotes)
		flow_pinned(&packet->quote.flow, decision->answer.connection, FLOW_REVERSED, &decision->amount,
			    &decision->pinned);
	else
		flow_pinned(&packet->ip.flow, decision->answer.connection, how, &decision->amount, &decision->pinned);
	if (decision->pinned.fails != FLOW_PIN_HOLDS)
		return NO_MEMBER;
	if (decision->amount.packets)
		flow_mark(decision->answer.flow_hash);
	return decision->pinned.ordinal;
}

/*
 * The best of those that start slowly and those that are usable, if it lets this flow in, or if nobody else is usable;
 * else the latter (ordinal). A flow waits for its best choice: on the way it visits no other that starts slowly.
 */
static __always_inline __u32 choose_slowly(const struct connection *connection, __u32 ordinal,
					   struct decision *decision)
{
	__u32 rank = decision->answer.rank;
	__u32 slow = choose_ranked(connection, slow_start_word(), decision);

	if (slow < MAX_MEMBERS &&
	    (ordinal >= MAX_MEMBERS || slow_start_admits(&connection->member[slow], decision->answer.flow_hash)))
		return slow;
	decision->answer.rank = rank;
	return ordinal;
}

/* The flow's own tunnel, where it may carry packets although it is out: no other one is better. */
static __always_inline __u32 choose_pinned_in_panic(const struct connection *connection, __u32 ordinal)
{
	asm volatile("" : "+r"(ordinal));
	if (ordinal >= MAX_MEMBERS)
		return NO_MEMBER;
	return member_usable(&connection->member[ordinal], panic_causes() | draining_cause() | slow_start_word())
		       ? ordinal
		       : NO_MEMBER;
}

/* What choose_otherwise() is told, and tells. */
struct otherwise {
	__u32 flow_hash;
	__u32 ordinal; /* found so far, or NO_MEMBER */
	__u32 rank;    /* of that; then of the answer */
	__u32 asked;
	__u32 pin_ordinal; /* of the member that the flow is pinned to, or NO_MEMBER */
	__u64 passed_causes;
};

/*
 * Somebody was passed over for slow start, or nobody is usable. Then those that fail nothing but their probes, say, are
 * taken: the probes may be wrong, and their SAs exist.
 *
 * A global function, which the verifier walks once, whatever led to it, and not once for each place in a row.
 */
__attribute__((noinline)) __u32 choose_otherwise(const struct connection *connection, struct otherwise *otherwise)
{
	struct decision decision = {0};
	__u32 ordinal;

	if (!connection || !otherwise)
		return NO_MEMBER;
	decision.answer.flow_hash = otherwise->flow_hash;
	decision.answer.rank = otherwise->rank;
	decision.asked = otherwise->asked;
	ordinal = otherwise->ordinal;
	if (otherwise->passed_causes & slow_start_word())
		ordinal = choose_slowly(connection, ordinal, &decision);
	if (ordinal >= MAX_MEMBERS) {
		ordinal = choose_pinned_in_panic(connection, otherwise->pin_ordinal);
		if (ordinal == NO_MEMBER)
			ordinal = choose_ranked(connection, panic_causes() | slow_start_word(), &decision);
		if (ordinal != NO_MEMBER)
			decision.answer.rank |= WHERE_PANIC;
	}
	otherwise->rank = decision.answer.rank;
	return ordinal;
}

/* What follows costs nothing while the first one looked at is usable. */
static __always_inline __u32 choose_member(const struct packet *packet, const struct connection *connection, __u32 how,
					   struct decision *decision)
{
	struct otherwise otherwise;
	__u32 ordinal = NO_MEMBER;

	if (flows_kept && connection->affinity != AFFINITY_HASH)
		ordinal = choose_pinned(packet, how, decision);
	if (ordinal < MAX_MEMBERS) {
		decision->answer.rank = WHERE_PINNED;
		return ordinal;
	}
	ordinal = choose_ranked(connection, 0, decision);
	if (ordinal < MAX_MEMBERS && !(decision->passed_causes & slow_start_word()))
		return ordinal;
	otherwise = (struct otherwise){.flow_hash = decision->answer.flow_hash,
				       .ordinal = ordinal,
				       .rank = decision->answer.rank,
				       .asked = decision->asked,
				       .pin_ordinal = decision->pinned.ordinal,
				       .passed_causes = decision->passed_causes};
	ordinal = choose_otherwise(connection, &otherwise);
	decision->answer.rank = otherwise.rank;
	return ordinal;
}

/* Where a member's packets leave; NULL where the maps do not hang together. */
static __always_inline const struct egress *choose_egress(const struct member *member, struct decision *decision)
{
	__u32 number = member->tunnel;

	decision->answer.detail = number;
	decision->instance = member->instance;
	decision->remote = member->remote;
	if (decision->remote) {
		const struct instance *instance = bpf_map_lookup_elem(&instances, &decision->instance);

		/* Else both lookups become one of a map that the kernel does not know, and cannot inline. */
		asm volatile("" : "+r"(instance));
		return instance ? &instance->egress : NULL;
	}
	const struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &number);

	return tunnel ? &tunnel->egress : NULL;
}

/*
 * What is looked for in `prefixes`, where ::ffff:a.b.c.d stands for IPv4. An IPv6 packet to such an address, which the
 * kernel forwards like any other, is looked for as ::fffe:a.b.c.d: no IPv6 prefix of a configuration ends in between.
 */
static __always_inline struct address choose_address(const struct address *address, bool is_ipv6)
{
	struct address sought = *address;
	__u64 low = bpf_be64_to_cpu(sought.half[1]);

	if (is_ipv6 && !sought.half[0] && low >> 32 == 0xffff)
		sought.half[1] = bpf_cpu_to_be64(low - (1ull << 32));
	return sought;
}

static __always_inline bool choose_is_link_local(const struct packet *packet)
{
	return packet->ip.is_ipv6 && (packet->ip.flow.source.word[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* NULL: the kernel's to route, or nobody's; the decision says. */
static __always_inline const struct connection *choose_connection(const struct packet *packet,
								  struct decision *decision)
{
	struct address destination = choose_address(&packet->ip.flow.destination, packet->ip.is_ipv6);
	__u32 number = prefix_connection(&destination, decision->asked);
	const struct connection *connection;

	if (number == NO_PREFIX) {
		decide_pass(decision, PASS_no_connection);
		return NULL;
	}
	decision->answer.connection = number;
	if (number == NO_CONNECTION) {
		decide_pass(decision, PASS_own_network);
		return NULL;
	}
	if (choose_is_link_local(packet)) {
		decide_pass(decision, PASS_link_local);
		return NULL;
	}
	connection = bpf_map_lookup_elem(&connections, &number);
	if (!connection)
		decide_drop(decision, DROP_no_usable_tunnel);
	return connection;
}

/* how: FLOW_. */
static __always_inline void choose(const struct packet *packet, __u32 how, struct decision *decision)
{
	const struct connection *connection;
	__u32 ordinal;

	decision->answer.flow_hash = flow_hash(parse_flow(packet), hash_seed);
	connection = choose_connection(packet, decision);
	if (!connection)
		return;
	decision->mtu_bytes = connection->mtu_bytes;
	decision->pinned = (struct pinned){NO_MEMBER, FLOW_NO_PIN};
	ordinal = choose_member(packet, connection, how, decision);
	if (ordinal >= MAX_MEMBERS) {
		decide_drop(decision, DROP_no_usable_tunnel);
		return;
	}
	decision->egress = choose_egress(&connection->member[ordinal], decision);
	if (decision->egress)
		decision->answer.verdict = WHERE_TUNNEL;
	else
		decide_drop(decision, DROP_no_egress);
}

#endif
