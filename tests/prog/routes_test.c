/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fail-safe routes in a real kernel's tables: namespaces of this host, tun devices for tunnels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include "../../loader/routes.h"
#include "netns.h"

#define TUNNELS 4

struct fixture {
	sd_event *loop;
	struct routes *routes;
	int tun[TUNNELS];
	struct route_egress egress[TUNNELS];
};

static struct config_address prefix(const char *text)
{
	struct config_address address = {0};
	char copy[64], *slash;
	int length;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	length = slash ? atoi(slash + 1) : -1;
	if (slash)
		*slash = '\0';
	address.is_ipv4 = !strchr(copy, ':');
	if (address.is_ipv4) {
		address.byte[10] = address.byte[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, copy, address.byte + 12), 1);
		address.length = length < 0 ? 128 : 96 + length;
	} else {
		assert_int_equal(inet_pton(AF_INET6, copy, address.byte), 1);
		address.length = length < 0 ? 128 : length;
	}
	return address;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char name[IFNAMSIZ];
	int i;

	netns_enter();
	for (i = 0; i < TUNNELS; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		fixture->tun[i] = netns_tun(name);
		fixture->egress[i] =
			(struct route_egress){.number = i, .ifindex = (int)if_nametoindex(name), .weight = 100};
	}
	assert_true(sd_event_new(&fixture->loop) >= 0);
	assert_int_equal(routes_open(fixture->loop, &fixture->routes), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	int i;

	routes_close(fixture->routes);
	sd_event_unref(fixture->loop);
	for (i = 0; i < TUNNELS; i++)
		close(fixture->tun[i]);
	free(fixture);
	return 0;
}

/* The daemon starts anew. */
static void reopen(struct fixture *fixture)
{
	routes_close(fixture->routes);
	assert_int_equal(routes_open(fixture->loop, &fixture->routes), 0);
}

static int apply(struct fixture *fixture, uint32_t number, const struct config_address *prefixes, size_t prefix_count,
		 size_t egress_count)
{
	struct route_set set = {
		.number = number,
		.prefixes = prefixes,
		.prefix_count = prefix_count,
		.egresses = fixture->egress,
		.egress_count = egress_count,
	};

	return routes_apply(fixture->routes, &set);
}

/* Does what the command prints contain this? Space at line ends is not looked at. */
static bool shows(const char *command, const char *text)
{
	char buffer[16384];
	bool found = strstr(netns_output(command, buffer, sizeof(buffer)), text) != NULL;

	if (!found)
		print_message("# %s: no \"%s\" in\n# %s\n", command, text, buffer);
	return found;
}

/* Where the kernel would send a packet: "ip route get" with these words; text: a part of the answer. */
static bool goes(const char *packet, const char *text)
{
	char command[256];

	snprintf(command, sizeof(command), "ip route get %s 2>&1", packet);
	return shows(command, text);
}

static bool is_unreachable(const char *packet)
{
	return goes(packet, "No route to host");
}

struct expectation {
	const char *packet, *text;
};

static bool comes_to_go(void *context)
{
	const struct expectation *expectation = context;
	char command[256], buffer[4096];

	snprintf(command, sizeof(command), "ip route get %s 2>&1", expectation->packet);
	return strstr(netns_output(command, buffer, sizeof(buffer)), expectation->text) != NULL;
}

/* Runs the daemon's loop until the kernel sends the packet there. */
static bool await_goes(struct fixture *fixture, const char *packet, const char *text)
{
	struct expectation expectation = {packet, text};

	return netns_await(fixture->loop, comes_to_go, &expectation);
}

/* Counts messages of our routes and nexthops while it is open. */
static int open_monitor(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	size_t i;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		assert_int_equal(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])), 0);
	return fd;
}

static size_t count_messages(int monitor)
{
	uint8_t buffer[65536] __attribute__((aligned(8)));
	const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
	size_t count = 0;

	while (recv(monitor, buffer, sizeof(buffer), 0) > 0) {
		const struct rtmsg *route = NLMSG_DATA(header);
		const struct nhmsg *nexthop = NLMSG_DATA(header);
		bool of_nexthop = header->nlmsg_type == RTM_NEWNEXTHOP || header->nlmsg_type == RTM_DELNEXTHOP;

		/* The kernel's own come and go with addresses that it makes itself. */
		count += (of_nexthop ? nexthop->nh_protocol : route->rtm_protocol) == ROUTES_PROTOCOL;
	}
	return count;
}

static void test_apply__spreads_both_families_over_all_egresses(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	fixture->egress[1].weight = 300;
	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_int_equal(routes_errors(fixture->routes), 0);
	assert_true(shows("ip route show proto 170", "192.168.0.0/16 nhid 2868903936"));
	assert_true(shows("ip -6 route show proto 170", "2001:db8:1::/48 nhid 2868903937"));
	assert_true(shows("ip nexthop", "group 2852126720/2852126722,3"));
	assert_true(shows("ip nexthop", "group 2852126721/2852126723,3"));
	assert_true(shows("ip route", "unreachable 192.168.0.0/16 proto 170 metric 4294967200"));
	assert_true(shows("ip -6 route", "unreachable 2001:db8:1::/48 dev lo proto 170 metric 4294967200"));
	assert_true(goes("192.168.1.1", "dev t"));
	assert_true(goes("2001:db8:1::1", "dev t"));
}

static void test_apply__unchanged_set_sends_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};
	int monitor;

	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	monitor = open_monitor();
	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_int_equal(count_messages(monitor), 0);
	close(monitor);
}

static void test_apply__fewer_members_leave_the_rest(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 3), 0);
	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	assert_true(goes("192.168.1.1", "dev t0"));
	assert_true(goes("192.168.1.2", "dev t0"));
	assert_true(goes("2001:db8:1::2", "dev t0"));
	/* A nexthop that no group holds is deleted. */
	assert_int_equal(netns_count_lines("ip nexthop"), 4);
}

/* The kernel would take what it cached of the group from under packets that are on their way. */
static void test_apply__ipv6_group_in_use_is_never_rewritten(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_true(shows("ip -6 route", "2001:db8:1::/48 nhid 2868903937"));
	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	assert_true(shows("ip -6 route", "2001:db8:1::/48 nhid 2868924961"));
	assert_true(shows("ip route", "192.168.0.0/16 nhid 2868903936"));
	assert_int_equal(netns_count_lines("ip nexthop | grep group"), 2);
	assert_int_equal(netns_count_lines("ip -6 route show 2001:db8:1::/48 | grep nhid"), 1);
	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_true(shows("ip -6 route", "2001:db8:1::/48 nhid 2868903937"));
	assert_int_equal(netns_count_lines("ip nexthop | grep group"), 2);
}

static void test_apply__no_member_leaves_only_unreachable(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_int_equal(apply(fixture, 0, prefixes, 2, 0), 0);
	assert_true(is_unreachable("192.168.1.1"));
	assert_true(is_unreachable("2001:db8:1::1"));
	assert_int_equal(routes_errors(fixture->routes), 0);
	assert_int_equal(netns_count_lines("ip nexthop"), 0);
	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_true(goes("192.168.1.1", "dev t"));
}

static void test_apply__device_down_and_up_again_is_put_back(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	/* The kernel takes next hop, group and routes away; by the time of the next call all looks as before. */
	netns_do("ip link set t0 down");
	assert_true(is_unreachable("192.168.1.1"));
	netns_do("ip link set t0 up");
	assert_true(is_unreachable("2001:db8:1::1"));
	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	assert_true(goes("192.168.1.1", "dev t0"));
	assert_true(goes("2001:db8:1::1", "dev t0"));
	assert_int_equal(routes_errors(fixture->routes), 0);
}

static void test_apply__device_that_is_down_is_left_out(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	netns_do("ip link set t0 down");
	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_true(goes("192.168.1.1", "dev t1"));
	assert_true(goes("2001:db8:1::1", "dev t1"));
	assert_int_equal(routes_errors(fixture->routes), 0);
}

static void test_apply__only_device_down_counts_as_missing_and_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16")};

	netns_do("ip link set t0 down");
	assert_int_equal(apply(fixture, 0, prefixes, 1, 1), 0);
	assert_int_equal(routes_errors(fixture->routes), 1);
	assert_true(is_unreachable("192.168.1.1"));
	netns_do("ip link set t0 up");
	assert_true(await_goes(fixture, "192.168.1.1", "dev t0"));
	assert_int_equal(routes_errors(fixture->routes), 0);
}

static void test_apply__device_of_another_index_takes_over(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16")};

	assert_int_equal(apply(fixture, 0, prefixes, 1, 1), 0);
	close(fixture->tun[0]);
	fixture->tun[0] = netns_tun("t0");
	assert_int_not_equal(if_nametoindex("t0"), fixture->egress[0].ifindex);
	fixture->egress[0].ifindex = (int)if_nametoindex("t0");
	assert_int_equal(apply(fixture, 0, prefixes, 1, 1), 0);
	assert_true(goes("192.168.1.1", "dev t0"));
	assert_int_equal(netns_count_lines("ip nexthop"), 2);
}

static void test_apply__next_hop_behind_ethernet(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	netns_do("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	fixture->egress[0] = (struct route_egress){.number = 65536,
						   .ifindex = (int)if_nametoindex("v0"),
						   .has_via = true,
						   .via = prefix("10.0.1.12"),
						   .weight = 100};
	/* v0 has no address yet. */
	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	assert_true(goes("192.168.1.1", "via 10.0.1.12 dev v0"));
	/* No IPv6 by an IPv4 next hop; that is how it is, not an error. */
	assert_true(is_unreachable("2001:db8:1::1"));
	assert_int_equal(routes_errors(fixture->routes), 0);
}

static void test_apply__link_local_next_hop(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	netns_do("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	fixture->egress[0].ifindex = (int)if_nametoindex("v0");
	fixture->egress[0].has_via = true;
	fixture->egress[0].via = prefix("fe80::7");
	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	assert_true(goes("2001:db8:1::1", "via fe80::7 dev v0"));
	assert_true(is_unreachable("192.168.1.1"));
	assert_int_equal(routes_errors(fixture->routes), 0);
}

static void test_apply__same_next_hop_twice_adds_its_weights(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16")};

	fixture->egress[1] = fixture->egress[0];
	assert_int_equal(apply(fixture, 0, prefixes, 1, 3), 0);
	assert_true(shows("ip nexthop", "group 2852126720,2/2852126724 "));
}

static void test_apply__leaves_routes_of_others_alone(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("192.169.0.0/16")};

	netns_do("ip route add 192.168.0.0/16 dev t3 metric 50");
	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_int_equal(routes_errors(fixture->routes), 1);
	assert_true(goes("192.168.1.1", "dev t3"));
	assert_true(goes("192.169.1.1", "dev t"));
	assert_int_equal(routes_remove(fixture->routes, 0), 0);
	assert_true(goes("192.168.1.1", "dev t3"));
	assert_int_equal(routes_errors(fixture->routes), 0);
}

static bool one_is_missing(void *context)
{
	return routes_errors(((struct fixture *)context)->routes) == 1;
}

static bool two_are_missing(void *context)
{
	return routes_errors(((struct fixture *)context)->routes) == 2;
}

/* Somebody's routes into t3 stand where ours into t0 did, and are left alone until they go. */
static void assert_places_are_theirs(struct fixture *fixture)
{
	assert_true(netns_await(fixture->loop, two_are_missing, fixture));
	assert_true(goes("192.168.1.1", "dev t3"));
	assert_true(goes("2001:db8:1::1", "dev t3"));
	netns_do("ip route del 192.168.0.0/16 dev t3 && ip -6 route del 2001:db8:1::/48 dev t3");
	assert_true(await_goes(fixture, "192.168.1.1", "dev t0"));
	assert_true(await_goes(fixture, "2001:db8:1::1", "dev t0"));
	assert_int_equal(routes_errors(fixture->routes), 0);
}

static void test_apply__place_that_was_lost_to_others_is_theirs(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	/* The kernel takes our routes away, and somebody else's come before the device does. */
	netns_do("ip link set t0 down");
	netns_do("ip route add 192.168.0.0/16 dev t3 metric 50 && ip -6 route add 2001:db8:1::/48 dev t3 metric 50");
	netns_do("ip link set t0 up");
	assert_places_are_theirs(fixture);
}

static void test_watch__place_that_others_write_over_is_theirs(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	netns_do("ip route replace 192.168.0.0/16 dev t3 metric 50");
	netns_do("ip -6 route replace 2001:db8:1::/48 dev t3 metric 50");
	assert_places_are_theirs(fixture);
}

static void test_watch__route_beside_ours_that_others_replace_is_not_ours(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("192.169.0.0/16")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	netns_do("ip route add 192.168.0.0/16 tos 0x10 dev t3 metric 50");
	netns_do("ip route replace 192.168.0.0/16 tos 0x10 dev t2 metric 50");
	netns_do("ip route replace 192.169.0.0/16 dev t3 metric 50");
	assert_true(netns_await(fixture->loop, one_is_missing, fixture));
	assert_true(goes("192.168.1.1", "dev t0"));
	assert_true(goes("192.169.1.1", "dev t3"));
}

static void set_netlink_send_buffer(int bytes)
{
	int fd, domain;
	socklen_t length;

	for (fd = 3; fd < 256; fd++) {
		length = sizeof(domain);
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK)
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	}
}

#define SOME_PREFIXES 100 /* more requests than a send buffer of the least size takes */

static void test_apply__what_did_not_reach_the_kernel_is_sent_again(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[SOME_PREFIXES];
	char text[32];
	int i;

	for (i = 0; i < SOME_PREFIXES; i++) {
		snprintf(text, sizeof(text), "10.1.%d.0/24", i);
		prefixes[i] = prefix(text);
	}
	set_netlink_send_buffer(1);
	assert_int_not_equal(apply(fixture, 0, prefixes, SOME_PREFIXES, 2), 0);
	assert_int_equal(netns_count_lines("ip route show proto 170"), 0);
	set_netlink_send_buffer(200 * 1024);
	assert_true(await_goes(fixture, "10.1.99.1", "dev t"));
	assert_int_equal(netns_count_lines("ip route show proto 170 type unreachable"), SOME_PREFIXES);
	assert_int_equal(routes_errors(fixture->routes), 0);
}

/* As an administrator would: the route and the unreachable one behind it. */
static void delete_routes(const char *network)
{
	netns_do("ip route del %s proto 170 && ip route del unreachable %s proto 170", network, network);
}

static void test_watch__deleted_routes_come_back(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	delete_routes("192.168.0.0/16");
	delete_routes("2001:db8:1::/48");
	assert_false(comes_to_go(&(struct expectation){"192.168.1.1", "dev t"}));
	assert_true(await_goes(fixture, "192.168.1.1", "dev t"));
	assert_true(await_goes(fixture, "2001:db8:1::1", "dev t"));
	assert_int_equal(netns_count_lines("ip route show proto 170 type unreachable"), 1);
}

static void test_watch__deleted_nexthops_come_back(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	netns_do("ip nexthop del id 2868903936 && ip nexthop del id 2852126721 && ip nexthop del id 2852126723");
	assert_true(is_unreachable("192.168.1.1"));
	assert_true(await_goes(fixture, "192.168.1.1", "dev t"));
	assert_true(await_goes(fixture, "2001:db8:1::1", "dev t"));
	assert_int_equal(netns_count_lines("ip nexthop"), 6);
}

static void test_watch__overrun_is_read_anew(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("192.169.0.0/16")};

	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	netns_shrink_netlink();
	netns_do("for i in $(seq 40); do echo link set t3 down; echo link set t3 up; done | ip -batch -");
	delete_routes("192.168.0.0/16");
	delete_routes("192.169.0.0/16");
	assert_true(await_goes(fixture, "192.168.1.1", "dev t"));
	assert_true(await_goes(fixture, "192.169.1.1", "dev t"));
}

static void test_reopen__adopts_without_a_change(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48"), prefix("0.0.0.0/0")};
	int monitor;

	assert_int_equal(apply(fixture, 0, prefixes, 3, 3), 0);
	monitor = open_monitor();
	reopen(fixture);
	assert_int_equal(apply(fixture, 0, prefixes, 3, 3), 0);
	assert_int_equal(routes_sweep(fixture->routes), 0);
	assert_int_equal(count_messages(monitor), 0);
	close(monitor);
	assert_int_equal(netns_count_lines("ip rule | grep 3250"), 2);
}

static void test_reopen__sweep_removes_what_is_not_applied(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};
	struct config_address others[] = {prefix("0.0.0.0/0"), prefix("10.9.0.0/16"), prefix("2001:db8:2::/48")};

	netns_do("ip route add 10.8.0.0/16 dev t3");
	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_int_equal(apply(fixture, 1, others, 3, 3), 0);
	reopen(fixture);
	assert_int_equal(apply(fixture, 0, prefixes, 2, 2), 0);
	assert_int_equal(routes_sweep(fixture->routes), 0);
	assert_true(goes("192.168.1.1", "dev t"));
	assert_true(goes("2001:db8:1::1", "dev t"));
	assert_int_equal(netns_count_lines("ip route show table all proto 170 | grep metric"), 4);
	assert_int_equal(netns_count_lines("ip nexthop"), 6);
	assert_int_equal(netns_count_lines("ip rule | grep 3250"), 0);
	assert_true(goes("10.8.1.1", "dev t3"));
}

/* Two connections change numbers over a restart: no prefix may come to lead into the other's tunnel, not even in
 * between. */
static void test_reopen__numbers_may_change(void **state)
{
	struct fixture *fixture = *state;
	struct config_address a[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")},
			      b[] = {prefix("10.1.0.0/16")};
	struct route_set set_a = {.number = 0, .prefixes = a, .prefix_count = 2, .egress_count = 1};
	struct route_set set_b = {.number = 1, .prefixes = b, .prefix_count = 1, .egress_count = 1};

	set_a.egresses = &fixture->egress[0];
	set_b.egresses = &fixture->egress[1];
	assert_int_equal(routes_apply(fixture->routes, &set_a), 0);
	assert_int_equal(routes_apply(fixture->routes, &set_b), 0);
	reopen(fixture);
	set_a.number = 1;
	set_b.number = 0;
	assert_int_equal(routes_apply(fixture->routes, &set_b), 0);
	assert_true(goes("192.168.1.1", "dev t0"));
	assert_true(goes("10.1.1.1", "dev t1"));
	assert_int_equal(routes_apply(fixture->routes, &set_a), 0);
	assert_int_equal(routes_sweep(fixture->routes), 0);
	assert_true(goes("192.168.1.1", "dev t0"));
	assert_true(goes("2001:db8:1::1", "dev t0"));
	assert_true(goes("10.1.1.1", "dev t1"));
	assert_int_equal(netns_count_lines("ip nexthop"), 6);
}

/* A reload moves prefixes between connections; each has a route at every moment. */
static void test_round__moved_prefixes_are_never_without_route(void **state)
{
	struct fixture *fixture = *state;
	struct config_address before[] = {prefix("192.168.0.0/16"), prefix("192.169.0.0/16"), prefix("192.170.0.0/16")};
	struct config_address after[] = {prefix("192.169.0.0/16")};
	struct route_set moved = {
		.number = 1, .prefixes = after, .prefix_count = 1, .egresses = &fixture->egress[2], .egress_count = 1};

	assert_int_equal(apply(fixture, 0, before, 3, 1), 0);
	routes_begin(fixture->routes);
	assert_int_equal(apply(fixture, 0, before, 1, 1), 0);
	assert_true(goes("192.169.1.1", "dev t0"));
	assert_int_equal(routes_apply(fixture->routes, &moved), 0);
	assert_true(goes("192.169.1.1", "dev t2"));
	assert_true(goes("192.168.1.1", "dev t0"));
	assert_true(goes("192.170.1.1", "dev t0"));
	assert_int_equal(routes_sweep(fixture->routes), 0);
	assert_true(goes("192.168.1.1", "dev t0"));
	assert_true(goes("192.169.1.1", "dev t2"));
	assert_true(goes("192.170.1.1", "unreachable"));
	assert_int_equal(netns_count_lines("ip route show proto 170 | grep metric"), 4);
}

static void test_round__what_is_not_applied_goes(void **state)
{
	struct fixture *fixture = *state;
	struct config_address a[] = {prefix("192.168.0.0/16")}, b[] = {prefix("10.1.0.0/16")};

	assert_int_equal(apply(fixture, 0, a, 1, 2), 0);
	assert_int_equal(apply(fixture, 1, b, 1, 2), 0);
	routes_begin(fixture->routes);
	assert_int_equal(apply(fixture, 1, b, 1, 2), 0);
	assert_int_equal(routes_sweep(fixture->routes), 0);
	assert_int_equal(netns_count_lines("ip route show proto 170 | grep metric"), 2);
	assert_true(goes("10.1.1.1", "dev t"));
	/* Without routes_begin() a sweep takes only what belongs to none. */
	assert_int_equal(routes_sweep(fixture->routes), 0);
	assert_true(goes("10.1.1.1", "dev t"));
}

static void test_flush__leaves_nothing_of_ours(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48"), prefix("0.0.0.0/0"),
					    prefix("::/0")};

	netns_do("ip route add default dev t3 metric 100");
	fixture->egress[3].mark = STACK_MARK_TUNNEL + 7;
	assert_int_equal(apply(fixture, 0, prefixes, 4, 2), 0);
	assert_int_equal(routes_apply_mark(fixture->routes, &fixture->egress[3]), 0);
	reopen(fixture);
	assert_int_equal(routes_flush(fixture->routes), 0);
	assert_int_equal(netns_count_lines("ip route show table all proto 170"), 0);
	assert_int_equal(netns_count_lines("ip nexthop"), 0);
	assert_int_equal(netns_count_lines("ip rule"), 3);
	assert_int_equal(netns_count_lines("ip -6 rule"), 2);
	assert_true(goes("8.8.8.8", "dev t3"));
}

/* The box's own packets, its ESP above all, keep the box's own way; what it forwards goes into the tunnel or nowhere.
 */
static void test_default__takes_forwarded_packets_only(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("0.0.0.0/0"), prefix("::/0")};

	netns_do("ip addr add 10.5.0.1/24 dev t2 && ip -6 addr add 2001:db8:5::1/64 dev t2 nodad");
	netns_do("ip route add default dev t3 && ip -6 route add default dev t3");
	netns_do("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	assert_int_equal(routes_errors(fixture->routes), 0);
	assert_true(goes("8.8.8.8", "dev t3"));
	assert_true(goes("2001:db8:99::1", "dev t3"));
	assert_true(goes("8.8.8.8 from 10.5.0.9 iif t2", "dev t0"));
	assert_true(goes("2001:db8:99::1 from 2001:db8:5::9 iif t2", "dev t0"));
	assert_true(goes("10.5.0.7 from 8.8.8.8 iif t0", "dev t2"));
	assert_int_equal(apply(fixture, 0, prefixes, 2, 0), 0);
	assert_true(is_unreachable("8.8.8.8 from 10.5.0.9 iif t2"));
	assert_true(goes("8.8.8.8", "dev t3"));
	assert_int_equal(routes_remove(fixture->routes, 0), 0);
	assert_true(goes("8.8.8.8 from 10.5.0.9 iif t2", "dev t3"));
}

static void test_mark__leads_into_its_egress_or_nowhere(void **state)
{
	struct fixture *fixture = *state;
	struct config_address prefixes[] = {prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")};

	fixture->egress[1].mark = STACK_MARK_TUNNEL + 1;
	assert_int_equal(apply(fixture, 0, prefixes, 2, 1), 0);
	assert_int_equal(routes_apply_mark(fixture->routes, &fixture->egress[1]), 0);
	assert_int_equal(routes_apply_mark(fixture->routes, &fixture->egress[1]), 0);
	assert_true(goes("192.168.1.1 mark 0xaa570001", "dev t1"));
	assert_true(goes("2001:db8:1::1 mark 0xaa570001", "dev t1"));
	assert_true(goes("192.168.1.1", "dev t0"));
	netns_do("ip link set t1 down");
	assert_true(is_unreachable("192.168.1.1 mark 0xaa570001"));
	assert_true(is_unreachable("2001:db8:1::1 mark 0xaa570001"));
	netns_do("ip link set t1 up");
	assert_true(await_goes(fixture, "192.168.1.1 mark 0xaa570001", "dev t1"));
	assert_true(await_goes(fixture, "2001:db8:1::1 mark 0xaa570001", "dev t1"));
	assert_int_equal(routes_remove_mark(fixture->routes, STACK_MARK_TUNNEL + 1), 0);
	assert_true(goes("192.168.1.1 mark 0xaa570001", "dev t0"));
	assert_int_equal(netns_count_lines("ip rule"), 3);
}

/* As many as a gateway may have, all of them under other marks at the next reload. */
static void test_mark__all_can_be_replaced(void **state)
{
	struct fixture *fixture = *state;
	uint32_t i;

	for (i = 0; i < 2 * MAX_STACK_TUNNELS; i++) {
		fixture->egress[0].mark = STACK_MARK_TUNNEL + 200 * i;
		assert_int_equal(routes_apply_mark(fixture->routes, &fixture->egress[0]), 0);
	}
	assert_int_equal(netns_count_lines("ip rule show | grep -c fwmark | grep -x 512"), 1);
	fixture->egress[0].mark = STACK_MARK_INSTANCE;
	assert_int_equal(routes_apply_mark(fixture->routes, &fixture->egress[0]), -ENOSPC);
	assert_int_equal(routes_remove_mark(fixture->routes, STACK_MARK_TUNNEL + 200), 0);
	assert_int_equal(routes_apply_mark(fixture->routes, &fixture->egress[0]), 0);
	assert_true(goes("192.168.1.1 mark 0xaa560000", "dev t0"));
	assert_int_equal(routes_errors(fixture->routes), 0);
}

static void test_mark__deleted_rule_comes_back(void **state)
{
	struct fixture *fixture = *state;

	fixture->egress[1].mark = STACK_MARK_TUNNEL + 1;
	assert_int_equal(routes_apply_mark(fixture->routes, &fixture->egress[1]), 0);
	netns_do("ip rule del prio 170");
	assert_true(await_goes(fixture, "192.168.1.1 mark 0xaa570001", "dev t1"));
}

#define MANY_CONNECTIONS 2000
#define MANY_PREFIXES	 5

static void apply_many(struct fixture *fixture, size_t egress_count)
{
	struct config_address prefixes[MANY_PREFIXES];
	char text[32];
	int c, p;

	for (c = 0; c < MANY_CONNECTIONS; c++) {
		for (p = 0; p < MANY_PREFIXES; p++) {
			snprintf(text, sizeof(text), "10.%d.%d.0/24", (c * MANY_PREFIXES + p) / 256,
				 (c * MANY_PREFIXES + p) % 256);
			prefixes[p] = prefix(text);
		}
		assert_int_equal(apply(fixture, c, prefixes, MANY_PREFIXES, egress_count), 0);
	}
}

/* Each change of members in turn, with so many routes that groups are replaced rather than rewritten. */
static void test_apply__many_connections_change_members(void **state)
{
	struct fixture *fixture = *state;

	apply_many(fixture, 2);
	assert_int_equal(netns_count_lines("ip route show proto 170 type unreachable"),
			 MANY_CONNECTIONS * MANY_PREFIXES);
	assert_int_equal(netns_count_lines("ip nexthop | grep group"), MANY_CONNECTIONS);
	apply_many(fixture, 1);
	assert_true(goes("10.0.0.1", "dev t0"));
	assert_true(goes("10.39.15.1", "dev t0"));
	apply_many(fixture, 3);
	assert_int_equal(netns_count_lines("ip nexthop | grep group"), MANY_CONNECTIONS);
	assert_int_equal(netns_count_lines("ip nexthop"), MANY_CONNECTIONS + 3);
	assert_int_equal(netns_count_lines("ip route show proto 170 | grep nhid"), MANY_CONNECTIONS * MANY_PREFIXES);
	netns_do("ip link set t0 down && ip link set t0 up");
	apply_many(fixture, 3);
	assert_int_equal(netns_count_lines("ip nexthop | grep group | grep 2852126720"), MANY_CONNECTIONS);
	assert_int_equal(routes_flush(fixture->routes), 0);
	assert_int_equal(netns_count_lines("ip route show proto 170; ip nexthop"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apply__spreads_both_families_over_all_egresses),
		TEST(test_apply__unchanged_set_sends_nothing),
		TEST(test_apply__fewer_members_leave_the_rest),
		TEST(test_apply__ipv6_group_in_use_is_never_rewritten),
		TEST(test_apply__no_member_leaves_only_unreachable),
		TEST(test_apply__device_down_and_up_again_is_put_back),
		TEST(test_apply__device_that_is_down_is_left_out),
		TEST(test_apply__only_device_down_counts_as_missing_and_comes_back),
		TEST(test_apply__device_of_another_index_takes_over),
		TEST(test_apply__next_hop_behind_ethernet),
		TEST(test_apply__link_local_next_hop),
		TEST(test_apply__same_next_hop_twice_adds_its_weights),
		TEST(test_apply__leaves_routes_of_others_alone),
		TEST(test_apply__place_that_was_lost_to_others_is_theirs),
		TEST(test_apply__what_did_not_reach_the_kernel_is_sent_again),
		TEST(test_watch__place_that_others_write_over_is_theirs),
		TEST(test_watch__route_beside_ours_that_others_replace_is_not_ours),
		TEST(test_watch__deleted_routes_come_back),
		TEST(test_watch__deleted_nexthops_come_back),
		TEST(test_watch__overrun_is_read_anew),
		TEST(test_reopen__adopts_without_a_change),
		TEST(test_reopen__sweep_removes_what_is_not_applied),
		TEST(test_reopen__numbers_may_change),
		TEST(test_round__moved_prefixes_are_never_without_route),
		TEST(test_round__what_is_not_applied_goes),
		TEST(test_flush__leaves_nothing_of_ours),
		TEST(test_default__takes_forwarded_packets_only),
		TEST(test_mark__leads_into_its_egress_or_nowhere),
		TEST(test_mark__all_can_be_replaced),
		TEST(test_mark__deleted_rule_comes_back),
		TEST(test_apply__many_connections_change_members),
	};

	return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
