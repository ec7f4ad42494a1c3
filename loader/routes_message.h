/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Routes, nexthop objects and rules as rtnetlink messages, both ways. Pure.
 *
 * Called by routes_sync.c (requests), routes_watch.c and fib.c (what the kernel says), audit_gather.c (questions), by
 * tests and by the fuzzer.
 */
#ifndef LOADER_ROUTES_MESSAGE_H
#define LOADER_ROUTES_MESSAGE_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

/* A place in the kernel's tables, which holds one route. */
struct route_key {
	struct config_address prefix;
	uint32_t table;
	uint32_t metric;
};

struct route_message {
	struct route_key key;
	uint8_t protocol; /* rtm_protocol */
	bool ours;	  /* ROUTES_PROTOCOL */
	bool unreachable;
	bool unicast;	     /* it leads somewhere */
	bool special;	     /* of one TOS or source only, or a copy that the kernel keeps for itself */
	uint32_t nexthop_id; /* 0: the route names its device itself */
};

struct nexthop_member {
	uint32_t id;
	uint16_t weight; /* 1..256 */
};

struct nexthop_message {
	uint32_t id;
	bool ours;
	bool ipv6;
	int ifindex; /* of a single next hop */
	bool has_via;
	struct config_address via;
	size_t member_count;			    /* of a group; 0: a single next hop */
	struct nexthop_member members[MAX_MEMBERS]; /* a group with more is none of ours: cut */
};

struct rule_message {
	bool ours;
	bool ipv6;
	uint32_t priority;
	uint32_t mark;	   /* all 32 bits are matched; 0: any */
	bool not_from_box; /* forwarded packets only */
	bool no_default;   /* suppress_prefixlength 0: the table's default routes are passed over */
	uint32_t table;
};

/* Each returns 0, -EBADMSG, or -EAFNOSUPPORT. */
int routes_message_parse_route(const struct nlmsghdr *message, struct route_message *ret_route);
int routes_message_parse_nexthop(const struct nlmsghdr *message, struct nexthop_message *ret_nexthop);
int routes_message_parse_rule(const struct nlmsghdr *message, struct rule_message *ret_rule);

/*
 * Asks which route the kernel takes to an address, for the box's own packets (RTM_GETROUTE, all next hops). The answer
 * is an error where there is none.
 */
void routes_message_put_question(struct nlmsghdr *header, const struct config_address *address);

/* Payloads behind a header that has its type already: RTM_NEW* or RTM_DEL*. */
void routes_message_put_route(struct nlmsghdr *header, const struct route_message *route);
void routes_message_put_nexthop(struct nlmsghdr *header, const struct nexthop_message *nexthop);
void routes_message_put_rule(struct nlmsghdr *header, const struct rule_message *rule);

/* Dumps of all that bears our protocol, as far as the kernel filters. */
void routes_message_dump_nexthops(struct nlmsghdr *header);
void routes_message_dump_ipv4(struct nlmsghdr *header);
void routes_message_dump_ipv6(struct nlmsghdr *header);
void routes_message_dump_ipv4_rules(struct nlmsghdr *header);
void routes_message_dump_ipv6_rules(struct nlmsghdr *header);

#endif
