/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One packet for each path through the parser, and the flow that it belongs to. The unit test parses them as compiled
 * C, the program test asks the loaded program for the flow's hash.
 */
#ifndef TESTS_PROG_PARSE_CASES_H
#define TESTS_PROG_PARSE_CASES_H

#include "packets.h"

#include "../../bpf/flow.h"

struct parse_case {
	const char *name;
	void (*build)(struct frame *frame); /* onto an empty Ethernet header */
	uint16_t ethertype;
	const char *from, *to;
	uint8_t protocol;
	unsigned from_port, to_port;
};

static inline struct address case_address(const char *text)
{
	struct address address = {.word = {0, 0, htonl(0xffff), 0}};

	if (inet_pton(AF_INET, text, &address.word[3]) != 1 && inet_pton(AF_INET6, text, &address) != 1)
		abort();
	return address;
}

static inline struct flow case_flow(const char *from, unsigned from_port, const char *to, unsigned to_port,
				    uint8_t protocol)
{
	return (struct flow){.source = case_address(from),
			     .destination = case_address(to),
			     .source_port = htons(from_port),
			     .destination_port = htons(to_port),
			     .protocol = protocol};
}

static inline struct frame case_frame(const struct parse_case *parse_case)
{
	struct frame frame = frame_start(parse_case->ethertype);

	parse_case->build(&frame);
	frame_end(&frame);
	return frame;
}

#define CASE(name) static inline void case_##name(struct frame *f)

/* IPv4 */
CASE(ipv4_udp)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_UDP);
	frame_udp(f, 1000, 2000);
	frame_payload(f, 40);
}
CASE(ipv4_tcp)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_TCP);
	frame_tcp(f, 1000, 2000);
}
CASE(ipv4_sctp)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_SCTP);
	frame_sctp(f, 1000, 2000);
}
CASE(ipv4_options)
{
	frame_ipv4_with_options(f, CLIENT, SERVER, IPPROTO_UDP, 40);
	frame_udp(f, 1000, 2000);
}
CASE(ipv4_other_protocol)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_GRE);
	frame_payload(f, 40);
}
CASE(ipv4_echo)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 8, 77);
}
CASE(ipv4_echo_reply)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 0, 77);
}
CASE(ipv4_timestamp)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 13, 77);
}
CASE(ipv4_icmpv6)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMPV6);
	frame_icmp(f, 128, 77);
}
CASE(ipv4_first_fragment)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_UDP);
	frame_ipv4_fragment(f, 0, 1);
	frame_udp(f, 1000, 2000);
	frame_payload(f, 40);
}
CASE(ipv4_middle_fragment)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_UDP);
	frame_ipv4_fragment(f, 10, 1);
	frame_payload(f, 80);
}
CASE(ipv4_last_fragment)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_UDP);
	frame_ipv4_fragment(f, 20, 0);
	frame_payload(f, 33);
}
CASE(ipv4_dont_fragment)
{
	case_ipv4_udp(f);
	f->data[f->ip[0] + 6] = 0x40;
}
CASE(ipv4_cut_ports)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_UDP);
	frame_payload(f, 3);
}
CASE(ipv4_no_payload)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_TCP);
}

/* VLAN */
CASE(vlan)
{
	frame_tag(f, 5, ETH_P_IP);
	case_ipv4_udp(f);
}
CASE(vlan_ipv6)
{
	frame_tag(f, 5, ETH_P_IPV6);
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_UDP);
	frame_udp(f, 1000, 2000);
}
CASE(qinq)
{
	frame_tag(f, 5, ETH_P_8021Q);
	case_vlan(f);
}

/* ICMP errors about a packet of the flow server -> client, sent by the client or a router on its side */
CASE(ipv4_error_udp)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 3, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_UDP);
	frame_udp(f, 2000, 1000);
}
CASE(ipv4_error_by_router)
{
	frame_ipv4(f, NEIGHBOR, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 11, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_TCP);
	frame_ports(f, 8, 2000, 1000);
}
CASE(ipv4_error_too_big)
{
	frame_ipv4(f, NEIGHBOR, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 3, 0);
	f->data[f->length - 7] = 4;
	frame_ipv4_with_options(f, SERVER, CLIENT, IPPROTO_TCP, 12);
	frame_ports(f, 8, 2000, 1000);
}
CASE(ipv4_error_parameter_problem)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 12, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_SCTP);
	frame_ports(f, 8, 2000, 1000);
}
CASE(ipv4_error_redirect)
{
	frame_ipv4(f, NEIGHBOR, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 5, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_UDP);
	frame_ports(f, 8, 2000, 1000);
}
CASE(ipv4_error_source_quench)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 4, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_UDP);
	frame_ports(f, 8, 2000, 1000);
}
CASE(ipv4_error_echo)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 3, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_ICMP);
	frame_icmp(f, 8, 77);
}
CASE(ipv4_error_fragment)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 11, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_UDP);
	frame_ipv4_fragment(f, 0, 1);
	frame_udp(f, 2000, 1000);
}
CASE(ipv4_error_of_error)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 3, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_ICMP);
	frame_icmp(f, 3, 0);
}
CASE(ipv4_error_without_quote)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 3, 0);
}
CASE(ipv4_error_cut_quote)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_icmp(f, 3, 0);
	frame_payload(f, 19);
}
CASE(ipv4_error_fragmented)
{
	frame_ipv4(f, CLIENT, SERVER, IPPROTO_ICMP);
	frame_ipv4_fragment(f, 0, 1);
	frame_icmp(f, 3, 0);
	frame_ipv4(f, SERVER, CLIENT, IPPROTO_UDP);
	frame_udp(f, 2000, 1000);
}

/* IPv6 */
CASE(ipv6_udp)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_UDP);
	frame_udp(f, 1000, 2000);
	frame_payload(f, 40);
}
CASE(ipv6_tcp)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_TCP);
	frame_tcp(f, 1000, 2000);
}
CASE(ipv6_sctp)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_SCTP);
	frame_sctp(f, 1000, 2000);
}
CASE(ipv6_extensions)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_HOPOPTS);
	frame_extension(f, IPPROTO_DSTOPTS, 0);
	frame_extension(f, IPPROTO_ROUTING, 1);
	frame_extension(f, IPPROTO_AH, 2);
	frame_authentication(f, IPPROTO_MH);
	frame_extension(f, IPPROTO_UDP, 0);
	frame_udp(f, 1000, 2000);
}
CASE(ipv6_most_extensions)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_DSTOPTS);
	for (int i = 0; i < 7; i++)
		frame_extension(f, IPPROTO_DSTOPTS, 3);
	frame_extension(f, IPPROTO_TCP, 0);
	frame_tcp(f, 1000, 2000);
}
CASE(ipv6_too_many_extensions)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_DSTOPTS);
	for (int i = 0; i < 8; i++)
		frame_extension(f, IPPROTO_DSTOPTS, 0);
	frame_extension(f, IPPROTO_TCP, 0);
	frame_tcp(f, 1000, 2000);
}
CASE(ipv6_far_transport)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_DSTOPTS);
	frame_extension(f, IPPROTO_TCP, 100);
	frame_tcp(f, 1000, 2000);
}
CASE(ipv6_cut_extension)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_DSTOPTS);
	frame_payload(f, 7);
}
CASE(ipv6_extension_beyond_end)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_DSTOPTS);
	frame_extension(f, IPPROTO_TCP, 1);
	f->length -= 4;
}
CASE(ipv6_no_next_header)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_NONE);
}
CASE(ipv6_first_fragment)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_FRAGMENT);
	frame_ipv6_fragment(f, IPPROTO_UDP, 0, 1);
	frame_udp(f, 1000, 2000);
}
CASE(ipv6_first_fragment_with_options)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_HOPOPTS);
	frame_extension(f, IPPROTO_FRAGMENT, 0);
	frame_ipv6_fragment(f, IPPROTO_DSTOPTS, 0, 1);
	frame_extension(f, IPPROTO_UDP, 0);
	frame_udp(f, 1000, 2000);
}
CASE(ipv6_last_fragment_with_options)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_HOPOPTS);
	frame_extension(f, IPPROTO_FRAGMENT, 0);
	frame_ipv6_fragment(f, IPPROTO_DSTOPTS, 3, 0);
	frame_payload(f, 40);
}
CASE(ipv6_last_fragment)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_FRAGMENT);
	frame_ipv6_fragment(f, IPPROTO_UDP, 9, 0);
	frame_payload(f, 5);
}
CASE(ipv6_atomic_fragment)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_FRAGMENT);
	frame_ipv6_fragment(f, IPPROTO_UDP, 0, 0);
	frame_udp(f, 1000, 2000);
}
CASE(ipv6_echo)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_ICMPV6);
	frame_icmp(f, 128, 77);
}
CASE(ipv6_echo_reply)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_ICMPV6);
	frame_icmp(f, 129, 77);
}
CASE(ipv6_router_solicitation)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_ICMPV6);
	frame_icmp(f, 133, 77);
}
CASE(ipv6_icmpv4)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_ICMP);
	frame_icmp(f, 8, 77);
}
CASE(ipv6_error_udp)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_ICMPV6);
	frame_icmp(f, 1, 0);
	frame_ipv6(f, SERVER6, CLIENT6, IPPROTO_UDP);
	frame_udp(f, 2000, 1000);
}
CASE(ipv6_error_too_big)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_ICMPV6);
	frame_icmp(f, 2, 0);
	frame_ipv6(f, SERVER6, CLIENT6, IPPROTO_HOPOPTS);
	frame_extension(f, IPPROTO_DSTOPTS, 0);
	frame_extension(f, IPPROTO_TCP, 1);
	frame_ports(f, 8, 2000, 1000);
}
CASE(ipv6_error_fragment)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_ICMPV6);
	frame_icmp(f, 3, 0);
	frame_ipv6(f, SERVER6, CLIENT6, IPPROTO_FRAGMENT);
	frame_ipv6_fragment(f, IPPROTO_UDP, 0, 1);
	frame_udp(f, 2000, 1000);
}
CASE(ipv6_error_behind_extension)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_HOPOPTS);
	frame_extension(f, IPPROTO_ICMPV6, 0);
	frame_icmp(f, 4, 0);
	frame_ipv6(f, SERVER6, CLIENT6, IPPROTO_ICMPV6);
	frame_icmp(f, 129, 77);
}
CASE(ipv6_error_without_quote)
{
	frame_ipv6(f, CLIENT6, SERVER6, IPPROTO_ICMPV6);
	frame_icmp(f, 1, 0);
	frame_payload(f, 39);
}
#undef CASE

#define CASE4(name, ...)                                                                                               \
	{                                                                                                              \
#name, case_##name, ETH_P_IP, CLIENT, SERVER, __VA_ARGS__                                              \
	}
#define CASE6(name, ...)                                                                                               \
	{                                                                                                              \
#name, case_##name, ETH_P_IPV6, CLIENT6, SERVER6, __VA_ARGS__                                          \
	}

static const struct parse_case parse_cases[] = {
	CASE4(ipv4_udp, IPPROTO_UDP, 1000, 2000),
	CASE4(ipv4_tcp, IPPROTO_TCP, 1000, 2000),
	CASE4(ipv4_sctp, IPPROTO_SCTP, 1000, 2000),
	CASE4(ipv4_options, IPPROTO_UDP, 1000, 2000),
	CASE4(ipv4_other_protocol, IPPROTO_GRE, 0, 0),
	CASE4(ipv4_echo, IPPROTO_ICMP, 77, 77),
	CASE4(ipv4_echo_reply, IPPROTO_ICMP, 77, 77),
	CASE4(ipv4_timestamp, IPPROTO_ICMP, 0, 0),
	CASE4(ipv4_icmpv6, IPPROTO_ICMPV6, 0, 0),
	CASE4(ipv4_first_fragment, IPPROTO_UDP, 0, 0),
	CASE4(ipv4_middle_fragment, IPPROTO_UDP, 0, 0),
	CASE4(ipv4_last_fragment, IPPROTO_UDP, 0, 0),
	CASE4(ipv4_dont_fragment, IPPROTO_UDP, 1000, 2000),
	CASE4(ipv4_cut_ports, IPPROTO_UDP, 0, 0),
	CASE4(ipv4_no_payload, IPPROTO_TCP, 0, 0),
	{"vlan", case_vlan, ETH_P_8021Q, CLIENT, SERVER, IPPROTO_UDP, 1000, 2000},
	{"vlan_ipv6", case_vlan_ipv6, ETH_P_8021Q, CLIENT6, SERVER6, IPPROTO_UDP, 1000, 2000},
	{"qinq", case_qinq, ETH_P_8021AD, CLIENT, SERVER, IPPROTO_UDP, 1000, 2000},
	CASE4(ipv4_error_udp, IPPROTO_UDP, 1000, 2000),
	CASE4(ipv4_error_by_router, IPPROTO_TCP, 1000, 2000),
	CASE4(ipv4_error_too_big, IPPROTO_TCP, 1000, 2000),
	CASE4(ipv4_error_parameter_problem, IPPROTO_SCTP, 1000, 2000),
	CASE4(ipv4_error_redirect, IPPROTO_UDP, 1000, 2000),
	CASE4(ipv4_error_source_quench, IPPROTO_UDP, 1000, 2000),
	CASE4(ipv4_error_echo, IPPROTO_ICMP, 77, 77),
	CASE4(ipv4_error_fragment, IPPROTO_UDP, 0, 0),
	CASE4(ipv4_error_of_error, IPPROTO_ICMP, 0, 0),
	CASE4(ipv4_error_without_quote, IPPROTO_ICMP, 0, 0),
	CASE4(ipv4_error_cut_quote, IPPROTO_ICMP, 0, 0),
	CASE4(ipv4_error_fragmented, IPPROTO_ICMP, 0, 0),
	CASE6(ipv6_udp, IPPROTO_UDP, 1000, 2000),
	CASE6(ipv6_tcp, IPPROTO_TCP, 1000, 2000),
	CASE6(ipv6_sctp, IPPROTO_SCTP, 1000, 2000),
	CASE6(ipv6_extensions, IPPROTO_UDP, 1000, 2000),
	CASE6(ipv6_most_extensions, IPPROTO_TCP, 1000, 2000),
	CASE6(ipv6_too_many_extensions, IPPROTO_DSTOPTS, 0, 0),
	CASE6(ipv6_far_transport, IPPROTO_TCP, 0, 0),
	CASE6(ipv6_cut_extension, IPPROTO_DSTOPTS, 0, 0),
	CASE6(ipv6_extension_beyond_end, IPPROTO_TCP, 0, 0),
	CASE6(ipv6_no_next_header, IPPROTO_NONE, 0, 0),
	CASE6(ipv6_first_fragment, IPPROTO_UDP, 0, 0),
	CASE6(ipv6_first_fragment_with_options, IPPROTO_DSTOPTS, 0, 0),
	CASE6(ipv6_last_fragment_with_options, IPPROTO_DSTOPTS, 0, 0),
	CASE6(ipv6_last_fragment, IPPROTO_UDP, 0, 0),
	CASE6(ipv6_atomic_fragment, IPPROTO_UDP, 1000, 2000),
	CASE6(ipv6_echo, IPPROTO_ICMPV6, 77, 77),
	CASE6(ipv6_echo_reply, IPPROTO_ICMPV6, 77, 77),
	CASE6(ipv6_router_solicitation, IPPROTO_ICMPV6, 0, 0),
	CASE6(ipv6_icmpv4, IPPROTO_ICMP, 0, 0),
	CASE6(ipv6_error_udp, IPPROTO_UDP, 1000, 2000),
	CASE6(ipv6_error_too_big, IPPROTO_TCP, 1000, 2000),
	CASE6(ipv6_error_fragment, IPPROTO_UDP, 0, 0),
	CASE6(ipv6_error_behind_extension, IPPROTO_ICMPV6, 77, 77),
	CASE6(ipv6_error_without_quote, IPPROTO_ICMPV6, 0, 0),
};

#define PARSE_CASES (sizeof(parse_cases) / sizeof(parse_cases[0]))

#endif
