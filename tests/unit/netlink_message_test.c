/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of rtnetlink that this host's kernel cannot be made to send - xfrm interfaces, malformed ones - and round
 * trips of those that aa-steerd sends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <net/if.h>

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "../../loader/addresses_message.h"
#include "../../loader/links_message.h"
#include "../../loader/neighbours_message.h"
#include "../../loader/routes.h"
#include "../../loader/routes_hops.h"
#include "../../loader/routes_message.h"

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000
#endif

static uint8_t buffer[4096] __attribute__((aligned(8)));

static struct nlmsghdr *begin(uint16_t type)
{
	struct nlmsghdr *header;

	memset(buffer, 0, sizeof(buffer));
	header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = type;
	return header;
}

static struct nlmsghdr *begin_link(uint16_t type, unsigned int flags)
{
	struct nlmsghdr *header = begin(type);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

	info->ifi_index = 7;
	info->ifi_type = ARPHRD_NONE;
	info->ifi_flags = flags;
	return header;
}

static void put_xfrm(struct nlmsghdr *header, const char *kind, bool data_first)
{
	struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO), *data;

	if (!data_first)
		mnl_attr_put_strz(header, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u32(header, IFLA_XFRM_LINK, 2);
	mnl_attr_put_u32(header, IFLA_XFRM_IF_ID, 42);
	mnl_attr_nest_end(header, data);
	if (data_first)
		mnl_attr_put_strz(header, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(header, info);
}

static void test_link__xfrm_interface(void **state)
{
	struct nlmsghdr *header = begin_link(RTM_NEWLINK, IFF_UP | IFF_RUNNING | IFF_LOWER_UP);
	struct link link;

	(void)state;
	mnl_attr_put_strz(header, IFLA_IFNAME, "ipsec0");
	mnl_attr_put_u32(header, IFLA_MTU, 1400);
	mnl_attr_put_u32(header, IFLA_LINK, 2);
	put_xfrm(header, "xfrm", false);
	assert_int_equal(links_message_parse(header, &link), 0);
	assert_string_equal(link.name, "ipsec0");
	assert_string_equal(link.kind, "xfrm");
	assert_int_equal(link.ifindex, 7);
	assert_int_equal(link.if_id, 42);
	assert_int_equal(link.lower_ifindex, 2);
	assert_int_equal(link.mtu_bytes, 1400);
	assert_true(link.up);
	assert_false(link.ethernet);
}

static void test_link__order_of_attributes_does_not_matter(void **state)
{
	struct nlmsghdr *header = begin_link(RTM_NEWLINK, 0);
	struct link link;

	(void)state;
	put_xfrm(header, "xfrm", true);
	mnl_attr_put_u32(header, IFLA_LINK, 2);
	mnl_attr_put_strz(header, IFLA_IFNAME, "ipsec0");
	assert_int_equal(links_message_parse(header, &link), 0);
	assert_int_equal(link.if_id, 42);
	assert_int_equal(link.lower_ifindex, 2);
	assert_false(link.up);
}

/* Its NIC and its SAs are where it was made: SAs of this namespace with the same if_id do not serve it. */
static void test_link__xfrm_interface_made_in_another_namespace(void **state)
{
	struct nlmsghdr *header = begin_link(RTM_NEWLINK, IFF_UP | IFF_RUNNING | IFF_LOWER_UP);
	struct link link;

	(void)state;
	mnl_attr_put_u32(header, IFLA_LINK_NETNSID, 0);
	mnl_attr_put_u32(header, IFLA_LINK, 2);
	put_xfrm(header, "xfrm", false);
	mnl_attr_put_strz(header, IFLA_IFNAME, "ipsec0");
	assert_int_equal(links_message_parse(header, &link), 0);
	assert_string_equal(link.kind, "xfrm");
	assert_int_equal(link.if_id, 0);
	assert_int_equal(link.lower_ifindex, 0);
	assert_true(link.up);
}

static void test_link__data_of_other_kinds_is_no_if_id(void **state)
{
	struct nlmsghdr *header = begin_link(RTM_NEWLINK, 0);
	struct link link;

	(void)state;
	mnl_attr_put_strz(header, IFLA_IFNAME, "vlan0");
	put_xfrm(header, "vlan", false);
	assert_int_equal(links_message_parse(header, &link), 0);
	assert_int_equal(link.if_id, 0);
}

static void test_link__up_needs_all_of_up_running_and_carrier(void **state)
{
	static const struct {
		unsigned int flags;
		bool up;
	} cases[] = {
		{IFF_UP | IFF_RUNNING | IFF_LOWER_UP, true},
		{IFF_UP | IFF_LOWER_UP, false}, /* dormant */
		{IFF_UP, false},
		{IFF_RUNNING | IFF_LOWER_UP, false},
	};
	struct link link;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nlmsghdr *header = begin_link(RTM_NEWLINK, cases[i].flags);

		mnl_attr_put_strz(header, IFLA_IFNAME, "ipsec0");
		assert_int_equal(links_message_parse(header, &link), 0);
		assert_int_equal(link.up, cases[i].up);
	}
}

static void test_link__malformed_and_foreign_are_refused(void **state)
{
	struct link link = {.ifindex = 99};
	struct nlmsghdr *header;
	struct ifinfomsg *info;

	(void)state;
	/* A wireless event names no interface. */
	assert_int_equal(links_message_parse(begin_link(RTM_NEWLINK, 0), &link), -EBADMSG);
	header = begin(RTM_NEWLINK);
	assert_int_equal(links_message_parse(header, &link), -EBADMSG);
	mnl_nlmsg_put_extra_header(header, sizeof(struct rtgenmsg));
	assert_int_equal(links_message_parse(header, &link), -EBADMSG);
	/* A port that leaves a bridge is no link that goes. */
	header = begin_link(RTM_DELLINK, 0);
	info = mnl_nlmsg_get_payload(header);
	info->ifi_family = AF_BRIDGE;
	mnl_attr_put_strz(header, IFLA_IFNAME, "v0");
	assert_int_equal(links_message_parse(header, &link), -EOPNOTSUPP);
	assert_int_equal(link.ifindex, 99);
}

static void test_link__name_without_end_is_cut(void **state)
{
	struct nlmsghdr *header = begin_link(RTM_NEWLINK, 0);
	struct link link;

	(void)state;
	mnl_attr_put(header, IFLA_IFNAME, 32, "abcdefghijklmnopqrstuvwxyzabcdef");
	mnl_attr_put(header, IFLA_MTU, 2, "xx");
	mnl_attr_put(header, IFLA_ADDRESS, 4, "xxxx");
	assert_int_equal(links_message_parse(header, &link), 0);
	assert_string_equal(link.name, "abcdefghijklmno");
	assert_int_equal(link.mtu_bytes, 0);
	assert_memory_equal(link.mac, "\0\0\0\0\0\0", 6);
}

static void test_address__tentative_is_not_usable_yet(void **state)
{
	struct nlmsghdr *header = begin(RTM_NEWADDR);
	struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
	struct own_address own;
	uint8_t address[16] = {0x20, 0x01, [15] = 1};
	bool usable;

	(void)state;
	body->ifa_family = AF_INET6;
	body->ifa_prefixlen = 64;
	body->ifa_index = 3;
	mnl_attr_put(header, IFA_ADDRESS, sizeof(address), address);
	mnl_attr_put_u32(header, IFA_FLAGS, IFA_F_PERMANENT | IFA_F_TENTATIVE);
	assert_int_equal(addresses_message_parse(header, &own, &usable), 0);
	assert_false(usable);
	mnl_attr_put_u32(header, IFA_FLAGS, IFA_F_PERMANENT);
	assert_int_equal(addresses_message_parse(header, &own, &usable), 0);
	assert_true(usable);
	assert_false(own.dynamic);
	assert_int_equal(own.network_length, 64);
}

static void test_address__malformed_are_refused(void **state)
{
	struct nlmsghdr *header = begin(RTM_NEWADDR);
	struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
	struct own_address own;
	bool usable;

	(void)state;
	body->ifa_family = AF_INET;
	assert_int_equal(addresses_message_parse(header, &own, &usable), -EBADMSG);
	mnl_attr_put(header, IFA_ADDRESS, 3, "abc");
	assert_int_equal(addresses_message_parse(header, &own, &usable), -EBADMSG);
	mnl_attr_put(header, IFA_LOCAL, 4, "abcd");
	assert_int_equal(addresses_message_parse(header, &own, &usable), 0);
	body->ifa_prefixlen = 33;
	assert_int_equal(addresses_message_parse(header, &own, &usable), -EBADMSG);
	body->ifa_family = AF_DECnet;
	assert_int_equal(addresses_message_parse(header, &own, &usable), -EAFNOSUPPORT);
}

static void check_neighbour(uint16_t type, uint16_t kernel_state, bool has_mac, enum neighbour_news expected)
{
	struct nlmsghdr *header = begin(type);
	struct ndmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
	struct neighbour_message news;

	body->ndm_family = AF_INET;
	body->ndm_ifindex = 3;
	body->ndm_state = kernel_state;
	mnl_attr_put(header, NDA_DST, 4, "\12\7\0\2");
	if (has_mac)
		mnl_attr_put(header, NDA_LLADDR, 6, "\2\0\0\0\0\1");
	assert_int_equal(neighbours_message_parse(header, &news), 0);
	assert_int_equal(news.news, expected);
}

static void test_neighbour__what_each_state_tells(void **state)
{
	(void)state;
	check_neighbour(RTM_NEWNEIGH, NUD_REACHABLE, true, NEIGHBOUR_PRESENT);
	check_neighbour(RTM_NEWNEIGH, NUD_STALE, true, NEIGHBOUR_PRESENT);
	check_neighbour(RTM_NEWNEIGH, NUD_PROBE, true, NEIGHBOUR_PRESENT);
	check_neighbour(RTM_NEWNEIGH, NUD_PERMANENT, true, NEIGHBOUR_PRESENT);
	check_neighbour(RTM_NEWNEIGH, NUD_INCOMPLETE, false, NEIGHBOUR_NO_NEWS);
	check_neighbour(RTM_NEWNEIGH, NUD_NONE, false, NEIGHBOUR_NO_NEWS);
	check_neighbour(RTM_NEWNEIGH, NUD_FAILED, true, NEIGHBOUR_ABSENT);
	check_neighbour(RTM_DELNEIGH, NUD_REACHABLE, true, NEIGHBOUR_ABSENT);
	/* Point-to-point devices know no MAC addresses. */
	check_neighbour(RTM_NEWNEIGH, NUD_NOARP, false, NEIGHBOUR_NO_NEWS);
}

static void check_route(bool ipv4, uint8_t length, bool unreachable)
{
	struct route_message route = {
		.key = {.prefix = {.is_ipv4 = ipv4, .length = length}, .table = 254, .metric = ROUTES_METRIC},
		.unreachable = unreachable,
		.nexthop_id = unreachable ? 0 : ROUTES_GROUP_BASE + 5,
	};
	struct nlmsghdr *header = begin(RTM_NEWROUTE);
	struct route_message read;

	if (ipv4)
		route.key.prefix.byte[10] = route.key.prefix.byte[11] = 0xff;
	route.key.prefix.byte[12] = length > 96 ? 10 : 0;
	routes_message_put_route(header, &route);
	assert_int_equal(routes_message_parse_route(header, &read), 0);
	assert_true(read.ours);
	assert_int_equal(read.unreachable, unreachable);
	assert_int_equal(read.nexthop_id, route.nexthop_id);
	assert_memory_equal(&read.key, &route.key, sizeof(route.key));
}

static void test_route__reads_what_it_writes(void **state)
{
	(void)state;
	check_route(true, 96, false);
	check_route(true, 104, true);
	check_route(true, 128, false);
	check_route(false, 0, false);
	check_route(false, 128, true);
}

static void test_nexthop__reads_what_it_writes(void **state)
{
	struct nexthop_message group = {.id = ROUTES_GROUP_BASE, .member_count = 2}, read;
	struct nlmsghdr *header = begin(RTM_NEWNEXTHOP);

	(void)state;
	group.members[0] = (struct nexthop_member){ROUTES_NEXTHOP_BASE, 1};
	group.members[1] = (struct nexthop_member){ROUTES_NEXTHOP_BASE + 2, 256};
	routes_message_put_nexthop(header, &group);
	assert_int_equal(routes_message_parse_nexthop(header, &read), 0);
	assert_true(read.ours);
	assert_int_equal(read.member_count, 2);
	assert_int_equal(read.members[1].id, ROUTES_NEXTHOP_BASE + 2);
	assert_int_equal(read.members[1].weight, 256);
}

static void test_rule__reads_what_it_writes(void **state)
{
	struct rule_message rules[] = {
		{.priority = 170, .mark = 0xaa570001, .table = 0xaa570001},
		{.ipv6 = true, .priority = 1, .not_from_box = true, .no_default = true, .table = 254},
		{.ipv6 = true, .priority = 2, .not_from_box = true, .table = 0xaa580000},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct nlmsghdr *header = begin(RTM_NEWRULE);
		struct rule_message read;

		routes_message_put_rule(header, &rules[i]);
		rules[i].ours = true;
		assert_int_equal(routes_message_parse_rule(header, &read), 0);
		assert_memory_equal(&read, &rules[i], sizeof(read));
	}
}

struct hops {
	struct route_hop hop[4];
	size_t count;
};

static void note_hop(const struct route_hop *hop, void *context)
{
	struct hops *hops = context;

	assert_true(hops->count < 4);
	hops->hop[hops->count++] = *hop;
}

static struct nlmsghdr *begin_route(void)
{
	struct nlmsghdr *header = begin(RTM_NEWROUTE);
	struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	body->rtm_family = AF_INET;
	return header;
}

static void test_route__its_one_next_hop(void **state)
{
	struct nlmsghdr *header = begin_route();
	struct hops hops = {0};

	(void)state;
	mnl_attr_put_u32(header, RTA_OIF, 7);
	assert_int_equal(routes_hops_each(header, note_hop, &hops), 0);
	assert_int_equal(hops.count, 1);
	assert_int_equal(hops.hop[0].ifindex, 7);
}

/* RTA_VIA: an IPv4 route whose next hop is an IPv6 address. */
static void test_route__next_hop_of_the_other_family(void **state)
{
	static const uint8_t address[16] = {0xfe, 0x80, [15] = 1};
	struct nlmsghdr *header = begin_route();
	struct hops hops = {0};
	uint8_t via[sizeof(struct rtvia) + 16] = {0};

	(void)state;
	((struct rtvia *)via)->rtvia_family = AF_INET6;
	memcpy(via + sizeof(struct rtvia), address, sizeof(address));
	mnl_attr_put_u32(header, RTA_OIF, 7);
	mnl_attr_put(header, RTA_VIA, sizeof(via), via);
	assert_int_equal(routes_hops_each(header, note_hop, &hops), 0);
	assert_true(hops.hop[0].has_via);
	assert_false(hops.hop[0].via.is_ipv4);
	assert_memory_equal(hops.hop[0].via.byte, address, sizeof(address));
}

/* Too short for the family that it says: no next hop is known, rather than half of one. */
static void test_route__next_hop_cut_short(void **state)
{
	struct nlmsghdr *header = begin_route();
	struct rtvia via = {.rtvia_family = AF_INET6};
	struct hops hops = {0};

	(void)state;
	mnl_attr_put_u32(header, RTA_OIF, 7);
	mnl_attr_put(header, RTA_VIA, sizeof(via), &via);
	assert_int_equal(routes_hops_each(header, note_hop, &hops), 0);
	assert_int_equal(hops.count, 1);
	assert_false(hops.hop[0].has_via);
}

/* Next hops have attributes of their own, and lengths that may lie. */
static void test_route__all_next_hops(void **state)
{
	static const uint32_t gateway = 0x0100000a;
	struct nlmsghdr *header = begin_route();
	struct nlattr *members = mnl_attr_nest_start(header, RTA_MULTIPATH);
	struct rtnexthop *hop = (void *)(buffer + header->nlmsg_len);
	struct hops hops = {0};

	(void)state;
	hop->rtnh_ifindex = 7;
	header->nlmsg_len += sizeof(*hop);
	mnl_attr_put(header, RTA_GATEWAY, sizeof(gateway), &gateway);
	hop->rtnh_len = sizeof(*hop) + MNL_ATTR_HDRLEN + sizeof(gateway);
	hop = (void *)(buffer + header->nlmsg_len);
	hop->rtnh_ifindex = 8;
	hop->rtnh_len = sizeof(*hop);
	header->nlmsg_len += sizeof(*hop);
	mnl_attr_nest_end(header, members);
	assert_int_equal(routes_hops_each(header, note_hop, &hops), 0);
	assert_int_equal(hops.count, 2);
	assert_int_equal(hops.hop[0].ifindex, 7);
	assert_int_equal(hops.hop[1].ifindex, 8);
	assert_true(hops.hop[0].has_via);
	assert_int_equal(hops.hop[0].via.byte[12], 10);
	assert_false(hops.hop[1].has_via);

	hops.count = 0;
	hop->rtnh_len = sizeof(*hop) + 1;
	assert_int_equal(routes_hops_each(header, note_hop, &hops), 0);
	assert_int_equal(hops.count, 1);
	hop->rtnh_len = 0;
	hops.count = 0;
	assert_int_equal(routes_hops_each(header, note_hop, &hops), 0);
	assert_int_equal(hops.count, 1);
	header->nlmsg_len = NLMSG_HDRLEN + 2;
	assert_int_equal(routes_hops_each(header, note_hop, &hops), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link__xfrm_interface),
		cmocka_unit_test(test_link__order_of_attributes_does_not_matter),
		cmocka_unit_test(test_link__xfrm_interface_made_in_another_namespace),
		cmocka_unit_test(test_link__data_of_other_kinds_is_no_if_id),
		cmocka_unit_test(test_link__up_needs_all_of_up_running_and_carrier),
		cmocka_unit_test(test_link__malformed_and_foreign_are_refused),
		cmocka_unit_test(test_link__name_without_end_is_cut),
		cmocka_unit_test(test_address__tentative_is_not_usable_yet),
		cmocka_unit_test(test_address__malformed_are_refused),
		cmocka_unit_test(test_neighbour__what_each_state_tells),
		cmocka_unit_test(test_route__reads_what_it_writes),
		cmocka_unit_test(test_nexthop__reads_what_it_writes),
		cmocka_unit_test(test_rule__reads_what_it_writes),
		cmocka_unit_test(test_route__its_one_next_hop),
		cmocka_unit_test(test_route__next_hop_of_the_other_family),
		cmocka_unit_test(test_route__next_hop_cut_short),
		cmocka_unit_test(test_route__all_next_hops),
	};

	return cmocka_run_group_tests_name("netlink messages", tests, NULL, NULL);
}
