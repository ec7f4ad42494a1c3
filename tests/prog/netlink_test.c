/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon learns of links, addresses, neighbours and SAs from a real kernel, in namespaces of this host.
 *
 * Topology where neighbours are needed:  v0 10.7.0.1/24 - veth - v1 10.7.0.2/24 (in a second namespace, "far"; also
 * 2001:db8:7::/64)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>

#include "../../loader/addresses.h"
#include "../../loader/links.h"
#include "../../loader/neighbours.h"
#include "../../loader/netfilter.h"
#include "../../loader/nl.h"
#include "../../loader/sas.h"
#include "netns.h"

struct fixture {
	sd_event *loop;
	struct links *links;
	struct addresses *addresses;
	struct neighbours *neighbours;
	struct sas *sas;
	size_t changes, removals; /* of links */
	struct link last_removed;
	size_t address_changes;
	size_t neighbour_changes;
	bool neighbour_present;
	uint8_t neighbour_mac[6];
	pid_t far;	  /* holds the second namespace; 0: there is none */
	const char *name; /* what conditions look for */
};

static struct config_address address(const char *text)
{
	struct config_address result = {.length = 128, .is_ipv4 = !strchr(text, ':')};

	if (result.is_ipv4) {
		result.byte[10] = result.byte[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, text, result.byte + 12), 1);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, result.byte), 1);
	}
	return result;
}

static void link_changed(const struct link *link, void *context)
{
	struct fixture *fixture = context;

	fixture->changes++;
	/* What is told is what a look-up finds, from within the callback too. */
	assert_ptr_equal(links_by_index(fixture->links, link->ifindex), link);
	assert_ptr_equal(links_by_name(fixture->links, link->name), link);
}

static void link_removed(const struct link *link, void *context)
{
	struct fixture *fixture = context;

	fixture->removals++;
	fixture->last_removed = *link;
	assert_null(links_by_index(fixture->links, link->ifindex));
}

static void address_changed(const struct own_address *own, bool present, void *context)
{
	struct fixture *fixture = context;

	(void)own;
	(void)present;
	fixture->address_changes++;
}

static void neighbour_changed(int ifindex, const struct config_address *next_hop, bool present, const uint8_t mac[6],
			      void *context)
{
	struct fixture *fixture = context;

	(void)ifindex;
	(void)next_hop;
	fixture->neighbour_changes++;
	fixture->neighbour_present = present;
	memcpy(fixture->neighbour_mac, mac, sizeof(fixture->neighbour_mac));
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	netns_enter();
	assert_true(sd_event_new(&fixture->loop) >= 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	links_close(fixture->links);
	addresses_close(fixture->addresses);
	neighbours_close(fixture->neighbours);
	sas_close(fixture->sas);
	sd_event_unref(fixture->loop);
	netns_end_far(fixture->far);
	free(fixture);
	return 0;
}

static void open_links(struct fixture *fixture)
{
	assert_int_equal(links_open(fixture->loop, link_changed, link_removed, fixture, &fixture->links), 0);
}

static bool link_is_there(void *context)
{
	struct fixture *fixture = context;

	return links_by_name(fixture->links, fixture->name);
}

static bool link_is_gone(void *context)
{
	return !link_is_there(context);
}

static bool link_is_up(void *context)
{
	struct fixture *fixture = context;

	return link_is_there(context) && links_by_name(fixture->links, fixture->name)->up;
}

static bool link_is_down(void *context)
{
	return link_is_there(context) && !link_is_up(context);
}

static bool await_link(struct fixture *fixture, const char *name, netns_condition_fn *holds)
{
	fixture->name = name;
	return netns_await(fixture->loop, holds, fixture);
}

static void test_links__knows_what_is_there_at_the_start(void **state)
{
	struct fixture *fixture = *state;
	const struct link *link;

	netns_do("ip link add v0 type veth peer name v1 && ip link set v0 up address 02:00:00:00:00:07 mtu 1400");
	open_links(fixture);
	assert_int_equal(fixture->changes, 3);
	link = links_by_name(fixture->links, "v0");
	assert_non_null(link);
	assert_string_equal(link->kind, "veth");
	assert_int_equal(link->mtu_bytes, 1400);
	assert_memory_equal(link->mac, "\2\0\0\0\0\7", 6);
	assert_int_equal(link->lower_ifindex, links_by_name(fixture->links, "v1")->ifindex);
	assert_true(link->ethernet);
	assert_false(link->loopback);
	assert_false(link->up); /* its peer is down: no carrier */
	assert_true(links_by_name(fixture->links, "lo")->loopback);
	assert_true(links_by_name(fixture->links, "lo")->up);
	assert_null(links_by_name(fixture->links, "v2"));
	assert_null(links_by_name(fixture->links, "a-name-longer-than-any-interface-has"));
	assert_null(links_by_index(fixture->links, 4711));
}

static void test_links__appear_go_up_and_down_and_vanish(void **state)
{
	struct fixture *fixture = *state;

	open_links(fixture);
	netns_do("ip link add v0 type veth peer name v1");
	assert_true(await_link(fixture, "v0", link_is_there));
	netns_do("ip link set v0 up && ip link set v1 up");
	assert_true(await_link(fixture, "v0", link_is_up));
	/* Carrier lost: the far end goes down. */
	netns_do("ip link set v1 down");
	assert_true(await_link(fixture, "v0", link_is_down));
	netns_do("ip link del v0");
	assert_true(await_link(fixture, "v0", link_is_gone));
	assert_true(await_link(fixture, "v1", link_is_gone));
	assert_int_equal(fixture->removals, 2);
}

static void test_links__tun_has_carrier_while_somebody_serves_it(void **state)
{
	struct fixture *fixture = *state;
	int tun;

	open_links(fixture);
	netns_do("ip tuntap add t0 mode tun && ip link set t0 up");
	assert_true(await_link(fixture, "t0", link_is_down));
	tun = netns_tun("t0");
	assert_true(await_link(fixture, "t0", link_is_up));
	assert_false(links_by_name(fixture->links, "t0")->ethernet);
	close(tun);
	assert_true(await_link(fixture, "t0", link_is_down));
}

static void test_links__renamed_is_the_same_link(void **state)
{
	struct fixture *fixture = *state;
	int ifindex;

	netns_do("ip link add v0 type veth peer name v1");
	open_links(fixture);
	ifindex = links_by_name(fixture->links, "v0")->ifindex;
	netns_do("ip link set v0 name w0");
	assert_true(await_link(fixture, "w0", link_is_there));
	assert_int_equal(links_by_name(fixture->links, "w0")->ifindex, ifindex);
	assert_null(links_by_name(fixture->links, "v0"));
	assert_int_equal(fixture->removals, 0);
	/* Names change hands. */
	netns_do("ip link set v1 name x && ip link set w0 name v1 && ip link set x name w0");
	netns_settle(fixture->loop);
	assert_int_equal(links_by_name(fixture->links, "v1")->ifindex, ifindex);
	assert_int_not_equal(links_by_name(fixture->links, "w0")->ifindex, ifindex);
	assert_null(links_by_name(fixture->links, "x"));
}

static void test_links__moved_to_another_namespace_is_gone(void **state)
{
	struct fixture *fixture = *state;

	netns_do("ip link add v0 type veth peer name v1");
	open_links(fixture);
	fixture->far = netns_far();
	netns_do("ip link set v0 netns %d", fixture->far);
	assert_true(await_link(fixture, "v0", link_is_gone));
	assert_int_equal(fixture->removals, 1);
	assert_string_equal(fixture->last_removed.name, "v0");
	assert_non_null(links_by_name(fixture->links, "v1"));
}

static void test_links__lower_in_another_namespace_is_none(void **state)
{
	struct fixture *fixture = *state;

	fixture->far = netns_far();
	netns_do("ip link add v0 type veth peer name v1 netns %d", fixture->far);
	open_links(fixture);
	assert_int_equal(links_by_name(fixture->links, "v0")->lower_ifindex, 0);
}

static void test_links__bridge_port_that_leaves_is_still_a_link(void **state)
{
	struct fixture *fixture = *state;

	netns_do("ip link add v0 type veth peer name v1 && ip link add br0 type bridge && ip link set v0 master br0");
	open_links(fixture);
	netns_do("ip link set v0 nomaster");
	netns_settle(fixture->loop);
	assert_non_null(links_by_name(fixture->links, "v0"));
	assert_int_equal(fixture->removals, 0);
}

static void test_links__overrun_is_read_anew(void **state)
{
	struct fixture *fixture = *state;
	char name[IFNAMSIZ];
	int i;

	netns_do("ip link add v0 type veth peer name v1");
	open_links(fixture);
	netns_shrink_netlink();
	netns_do("(for i in $(seq 200); do echo link add a$i type veth peer name b$i; done; echo link del v0) | ip "
		 "-batch -");
	assert_true(await_link(fixture, "v0", link_is_gone));
	assert_true(await_link(fixture, "b200", link_is_there));
	for (i = 1; i <= 200; i++) {
		snprintf(name, sizeof(name), "a%d", i);
		assert_non_null(links_by_name(fixture->links, name));
	}
	assert_int_equal(fixture->removals, 2);
	netns_do("for i in $(seq 200); do echo link del a$i; done | ip -batch -");
	assert_true(await_link(fixture, "b200", link_is_gone));
	assert_true(await_link(fixture, "a1", link_is_gone));
}

static bool another_link_has_the_name(void *context)
{
	struct fixture *fixture = context;
	const struct link *link = links_by_name(fixture->links, fixture->name);

	return link && link->mtu_bytes == 1300;
}

static void test_links__removed_one_does_not_bear_a_name_that_another_took(void **state)
{
	struct fixture *fixture = *state;
	int ifindex;

	netns_do("ip link add v0 type veth peer name v1");
	open_links(fixture);
	ifindex = links_by_name(fixture->links, "v0")->ifindex;
	netns_shrink_netlink();
	netns_do("(for i in $(seq 200); do echo link add a$i type veth peer name b$i; done; echo link del v0; "
		 "echo link add v0 mtu 1300 type veth peer name v1) | ip -batch -");
	assert_true(await_link(fixture, "v0", another_link_has_the_name));
	netns_settle(fixture->loop);
	assert_null(links_by_index(fixture->links, ifindex));
	assert_int_equal(fixture->removals, 2);
	assert_string_equal(fixture->last_removed.name, "");
}

static void open_addresses(struct fixture *fixture)
{
	assert_int_equal(addresses_open(fixture->loop, address_changed, fixture, &fixture->addresses), 0);
}

static bool is_own(struct fixture *fixture, const char *text)
{
	struct config_address wanted = address(text);

	return addresses_is_own(fixture->addresses, &wanted);
}

static bool address_is_own(void *context)
{
	struct fixture *fixture = context;

	return is_own(fixture, fixture->name);
}

static bool address_is_foreign(void *context)
{
	return !address_is_own(context);
}

static bool await_address(struct fixture *fixture, const char *text, netns_condition_fn *holds)
{
	fixture->name = text;
	return netns_await(fixture->loop, holds, fixture);
}

struct found {
	struct own_address own;
	const char *text;
};

static int find_address(const struct own_address *own, void *context)
{
	struct found *found = context;
	struct config_address wanted = address(found->text);

	if (memcmp(own->address.byte, wanted.byte, sizeof(wanted.byte)) != 0)
		return 0;
	found->own = *own;
	return 1;
}

static void test_addresses__knows_own_ones_and_their_networks(void **state)
{
	struct fixture *fixture = *state;
	struct found found = {.text = "10.7.0.1"};

	netns_do("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	netns_do("ip addr add 10.7.0.1/24 dev v0");
	open_addresses(fixture);
	assert_true(is_own(fixture, "127.0.0.1"));
	assert_true(is_own(fixture, "::1"));
	assert_true(is_own(fixture, "10.7.0.1"));
	assert_false(is_own(fixture, "10.7.0.2"));
	assert_int_equal(addresses_each(fixture->addresses, find_address, &found), 1);
	assert_int_equal(found.own.network_length, 96 + 24);
	assert_int_equal(found.own.ifindex, if_nametoindex("v0"));
	assert_false(found.own.dynamic);
	found.text = "10.7.0.9";
	assert_int_equal(addresses_each(fixture->addresses, find_address, &found), 0);
}

static void test_addresses__come_and_go(void **state)
{
	struct fixture *fixture = *state;
	struct found found = {.text = "2001:db8::1"};

	netns_do("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	open_addresses(fixture);
	netns_do("ip addr add 10.7.0.1/24 dev v0 && ip addr add 10.7.0.1/25 dev v1");
	netns_do("ip -6 addr add 2001:db8::1/64 dev v0 nodad valid_lft 1000 preferred_lft 1000");
	assert_true(await_address(fixture, "2001:db8::1", address_is_own));
	assert_int_equal(addresses_each(fixture->addresses, find_address, &found), 1);
	assert_true(found.own.dynamic);
	/* The same address twice is own until the last of them goes. */
	netns_do("ip addr del 10.7.0.1/24 dev v0 && ip -6 addr del 2001:db8::1/64 dev v0");
	assert_true(await_address(fixture, "2001:db8::1", address_is_foreign));
	assert_true(is_own(fixture, "10.7.0.1"));
	netns_do("ip link del v0");
	assert_true(await_address(fixture, "10.7.0.1", address_is_foreign));
}

static void test_addresses__with_a_peer_are_on_no_network(void **state)
{
	struct fixture *fixture = *state;
	struct found found = {.text = "10.8.0.1"};
	int tun = netns_tun("t0");

	netns_do("ip addr add 10.8.0.1 peer 10.8.0.2/30 dev t0");
	open_addresses(fixture);
	assert_int_equal(addresses_each(fixture->addresses, find_address, &found), 1);
	assert_int_equal(found.own.network_length, 128);
	assert_false(is_own(fixture, "10.8.0.2"));
	close(tun);
}

static bool addresses_changed_again(void *context)
{
	return ((struct fixture *)context)->address_changes > 0;
}

/* Unnumbered lines share one address. */
static void test_addresses__with_several_peers_are_own_until_the_last_goes(void **state)
{
	struct fixture *fixture = *state;
	int tun = netns_tun("t0");

	netns_do("ip addr add 10.8.0.1 peer 10.8.0.2 dev t0 && ip addr add 10.8.0.1 peer 10.8.0.3 dev t0");
	open_addresses(fixture);
	fixture->address_changes = 0;
	netns_do("ip addr del 10.8.0.1 peer 10.8.0.2 dev t0");
	assert_true(netns_await(fixture->loop, addresses_changed_again, fixture));
	assert_true(is_own(fixture, "10.8.0.1"));
	netns_do("ip addr del 10.8.0.1 peer 10.8.0.3 dev t0");
	assert_true(await_address(fixture, "10.8.0.1", address_is_foreign));
	close(tun);
}

static void test_addresses__overrun_is_read_anew(void **state)
{
	struct fixture *fixture = *state;

	netns_do("ip link add v0 type veth peer name v1 && ip addr add 10.6.0.1/24 dev v0");
	open_addresses(fixture);
	netns_shrink_netlink();
	netns_do("(for i in $(seq 200); do echo addr add 10.7.0.$i/24 dev v0; done; echo addr del 10.6.0.1/24 dev v0) "
		 "| ip -batch -");
	assert_true(await_address(fixture, "10.6.0.1", address_is_foreign));
	assert_true(await_address(fixture, "10.7.0.200", address_is_own));
	assert_true(is_own(fixture, "10.7.0.100"));
}

/* v0 here, v1 far. */
static void make_far(struct fixture *fixture, const char *mac)
{
	fixture->far = netns_far();
	netns_do("ip link add v0 type veth peer name v1 && ip link set v1 address %s netns %d", mac, fixture->far);
	netns_do("ip link set v0 up && ip addr add 10.7.0.1/24 dev v0 && ip -6 addr add 2001:db8:7::1/64 dev v0 nodad");
	netns_do("nsenter -t %d -n sh -c 'ip link set v1 up && ip addr add 10.7.0.2/24 dev v1 && "
		 "ip -6 addr add 2001:db8:7::2/64 dev v1 nodad'",
		 fixture->far);
}

static void do_far(struct fixture *fixture, const char *command)
{
	netns_do("nsenter -t %d -n %s", fixture->far, command);
}

static void open_neighbours(struct fixture *fixture)
{
	assert_int_equal(neighbours_open(fixture->loop, neighbour_changed, fixture, &fixture->neighbours), 0);
}

static bool neighbour_is_present(void *context)
{
	return ((struct fixture *)context)->neighbour_present;
}

static bool neighbour_is_absent(void *context)
{
	return !neighbour_is_present(context);
}

static bool neighbour_has_mac_9(void *context)
{
	return ((struct fixture *)context)->neighbour_mac[5] == 9;
}

static void resolves(struct fixture *fixture, const char *text)
{
	struct config_address next_hop = address(text);

	make_far(fixture, "02:00:00:00:00:08");
	open_neighbours(fixture);
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop), 0);
	assert_true(netns_await(fixture->loop, neighbour_is_present, fixture));
	assert_memory_equal(fixture->neighbour_mac, "\2\0\0\0\0\10", 6);
}

static void test_neighbours__resolve_ipv4(void **state)
{
	resolves(*state, "10.7.0.2");
}

static void test_neighbours__resolve_ipv6(void **state)
{
	resolves(*state, "2001:db8:7::2");
}

static void test_neighbours__resolve_ipv6_link_local(void **state)
{
	resolves(*state, "fe80::ff:fe00:8");
}

/* Where nobody answers ARP the kernel makes entries of its own, which stand. */
static void test_neighbours__noarp_is_present(void **state)
{
	struct fixture *fixture = *state;
	struct config_address next_hop = address("10.7.0.5");

	make_far(fixture, "02:00:00:00:00:08");
	netns_do("ip neigh add 10.7.0.5 lladdr 02:00:00:00:00:05 nud noarp dev v0");
	open_neighbours(fixture);
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop), 0);
	assert_true(fixture->neighbour_present);
	assert_int_equal(fixture->neighbour_mac[5], 5);
	netns_do("ip neigh del 10.7.0.5 dev v0");
	assert_true(netns_await(fixture->loop, neighbour_is_absent, fixture));
}

static void test_neighbours__far_end_down_is_absent_and_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct config_address next_hop = address("10.7.0.2");

	resolves(fixture, "10.7.0.2");
	do_far(fixture, "ip link set v1 down");
	assert_true(netns_await(fixture->loop, neighbour_is_absent, fixture));
	do_far(fixture, "ip link set v1 up");
	assert_true(netns_await(fixture->loop, neighbour_is_present, fixture));
	/* Whatever the kernel did to it while the carrier was gone, it keeps it resolved again. */
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop), 0);
	assert_int_equal(netns_count_lines("ip neigh show 10.7.0.2 | grep managed"), 1);
}

static void test_neighbours__flushed_table_is_asked_for_again(void **state)
{
	struct fixture *fixture = *state;

	resolves(fixture, "10.7.0.2");
	netns_do("ip neigh flush all");
	assert_true(netns_await(fixture->loop, neighbour_is_absent, fixture));
	assert_true(netns_await(fixture->loop, neighbour_is_present, fixture));
}

static void test_neighbours__resolved_is_told_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct config_address next_hop = address("10.7.0.2");
	size_t changes;

	resolves(fixture, "10.7.0.2");
	neighbours_close(fixture->neighbours);
	open_neighbours(fixture);
	fixture->neighbour_present = false;
	changes = fixture->neighbour_changes;
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop), 0);
	assert_true(fixture->neighbour_present);
	/* A second asker is told too. */
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop), 0);
	assert_int_equal(fixture->neighbour_changes, changes + 2);
}

static void test_neighbours__mac_changes(void **state)
{
	struct fixture *fixture = *state;

	resolves(fixture, "10.7.0.2");
	do_far(fixture, "ip link set v1 address 02:00:00:00:00:09");
	do_far(fixture, "ip neigh flush dev v1");
	do_far(fixture, "ping -q -c 1 -W 1 10.7.0.1 >/dev/null");
	assert_true(netns_await(fixture->loop, neighbour_has_mac_9, fixture));
	assert_true(fixture->neighbour_present);
}

static void test_neighbours__silent_one_is_absent_and_comes_back(void **state)
{
	struct fixture *fixture = *state;

	make_far(fixture, "02:00:00:00:00:08");
	netns_do("sysctl -qw net.ipv4.neigh.v0.base_reachable_time_ms=500 net.ipv4.neigh.v0.delay_first_probe_time=1 "
		 "net.ipv4.neigh.v0.retrans_time_ms=100 net.ipv4.neigh.v0.interval_probe_time_ms=500");
	open_neighbours(fixture);
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"),
					  &(struct config_address[]){address("10.7.0.2")}[0]),
			 0);
	assert_true(netns_await(fixture->loop, neighbour_is_present, fixture));
	do_far(fixture, "ip link set v1 arp off");
	assert_true(netns_await(fixture->loop, neighbour_is_absent, fixture));
	do_far(fixture, "ip link set v1 arp on");
	assert_true(netns_await(fixture->loop, neighbour_is_present, fixture));
}

static void test_neighbours__deleted_entry_is_asked_for_again(void **state)
{
	struct fixture *fixture = *state;

	resolves(fixture, "10.7.0.2");
	netns_do("ip neigh del 10.7.0.2 dev v0");
	assert_true(netns_await(fixture->loop, neighbour_is_absent, fixture));
	assert_true(netns_await(fixture->loop, neighbour_is_present, fixture));
	assert_true(netns_count_lines("ip neigh show 10.7.0.2 | grep managed") == 1);
}

static void test_neighbours__fixed_by_an_administrator_stays_so(void **state)
{
	struct fixture *fixture = *state;
	struct config_address next_hop = address("10.7.0.5");

	make_far(fixture, "02:00:00:00:00:08");
	netns_do("ip neigh add 10.7.0.5 lladdr 02:00:00:00:00:05 nud permanent dev v0");
	open_neighbours(fixture);
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop), 0);
	assert_true(fixture->neighbour_present);
	assert_int_equal(fixture->neighbour_mac[5], 5);
	assert_int_equal(netns_count_lines("ip neigh show 10.7.0.5 | grep PERMANENT"), 1);
	neighbours_forget(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop);
	assert_int_equal(netns_count_lines("ip neigh show 10.7.0.5 | grep PERMANENT"), 1);
}

static void test_neighbours__forgotten_one_is_told_no_more(void **state)
{
	struct fixture *fixture = *state;
	struct config_address next_hop = address("10.7.0.2");
	size_t changes;

	resolves(fixture, "10.7.0.2");
	neighbours_forget(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop);
	assert_int_equal(netns_count_lines("ip neigh show 10.7.0.2 | grep managed"), 0);
	changes = fixture->neighbour_changes;
	netns_do("ip neigh del 10.7.0.2 dev v0");
	netns_settle(fixture->loop);
	assert_int_equal(fixture->neighbour_changes, changes);
	neighbours_forget(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop);
}

static void test_neighbours__not_watched_again_are_let_go(void **state)
{
	struct fixture *fixture = *state;
	struct config_address next_hop = address("10.7.0.2"), other = address("2001:db8:7::2");

	resolves(fixture, "10.7.0.2");
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"), &other), 0);
	netns_settle(fixture->loop);
	assert_int_equal(netns_count_lines("ip neigh show | grep managed"), 2);
	neighbours_begin(fixture->neighbours);
	assert_int_equal(neighbours_watch(fixture->neighbours, (int)if_nametoindex("v0"), &next_hop), 0);
	neighbours_sweep(fixture->neighbours);
	assert_int_equal(netns_count_lines("ip neigh show 10.7.0.2 | grep managed"), 1);
	assert_int_equal(netns_count_lines("ip neigh show | grep managed"), 1);
	neighbours_begin(fixture->neighbours);
	neighbours_sweep(fixture->neighbours);
	assert_int_equal(netns_count_lines("ip neigh show | grep managed"), 0);
}

static void test_neighbours__device_that_is_not_there_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct config_address next_hop = address("10.7.0.2");

	make_far(fixture, "02:00:00:00:00:08");
	open_neighbours(fixture);
	assert_int_equal(neighbours_watch(fixture->neighbours, 4711, &next_hop), -ENODEV);
}

static bool no_address_is_own(const struct config_address *destination, void *context)
{
	(void)destination;
	(void)context;
	return false;
}

static void sa_changed(uint32_t if_id, bool present, void *context)
{
	(void)if_id;
	(void)present;
	((struct fixture *)context)->changes++;
}

/* This kernel may have no ESP: what it can always hold is a larval SA, a negotiation under way, which must not count.
 */
static void test_sas__larval_ones_do_not_count(void **state)
{
	struct fixture *fixture = *state;
	int result = sas_open(fixture->loop, no_address_is_own, sa_changed, sa_changed, fixture, &fixture->sas);

	if (result < 0)
		skip();
	netns_do("ip xfrm state allocspi src 10.1.1.1 dst 10.1.1.2 proto esp mode tunnel min 4096 max 4100 >/dev/null");
	netns_settle(fixture->loop);
	sas_close(fixture->sas);
	assert_int_equal(sas_open(fixture->loop, no_address_is_own, sa_changed, sa_changed, fixture, &fixture->sas), 0);
	assert_int_equal(fixture->changes, 0);
	assert_false(sas_present(fixture->sas, 0));
	netns_do("ip xfrm state flush");
	netns_settle(fixture->loop);
	assert_int_equal(fixture->changes, 0);
}

static void count_acting(const struct nlmsghdr *message, void *context)
{
	*(size_t *)context += netfilter_chain_acts(message);
}

/* Forward chains that do something; -1 where the kernel has no nftables. */
static int acting_chains(void)
{
	size_t count = 0;
	int result = nl_dump(NETLINK_NETFILTER, netfilter_request_chains, count_acting, &count);

	if (netfilter_is_absent(result))
		return -1;
	assert_int_equal(result, 0);
	return (int)count;
}

static void test_netfilter__counts_forward_chains_that_do_something(void **state)
{
	int count = acting_chains();

	(void)state;
	if (count < 0)
		skip();
	assert_int_equal(count, 0);
	netns_do("nft add table inet a && nft 'add chain inet a f { type filter hook forward priority 0; }' && "
		 "nft 'add chain inet a i { type filter hook input priority 0; }' && nft add rule inet a i counter && "
		 "nft add chain inet a plain && nft add rule inet a plain counter");
	assert_int_equal(acting_chains(), 0);
	netns_do("nft add rule inet a f counter");
	netns_do(
		"nft add table ip6 b && nft 'add chain ip6 b f { type filter hook forward priority 0; policy drop; }'");
	assert_int_equal(acting_chains(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_links__knows_what_is_there_at_the_start),
		TEST(test_links__appear_go_up_and_down_and_vanish),
		TEST(test_links__tun_has_carrier_while_somebody_serves_it),
		TEST(test_links__renamed_is_the_same_link),
		TEST(test_links__moved_to_another_namespace_is_gone),
		TEST(test_links__lower_in_another_namespace_is_none),
		TEST(test_links__bridge_port_that_leaves_is_still_a_link),
		TEST(test_links__overrun_is_read_anew),
		TEST(test_links__removed_one_does_not_bear_a_name_that_another_took),
		TEST(test_addresses__knows_own_ones_and_their_networks),
		TEST(test_addresses__come_and_go),
		TEST(test_addresses__with_a_peer_are_on_no_network),
		TEST(test_addresses__with_several_peers_are_own_until_the_last_goes),
		TEST(test_addresses__overrun_is_read_anew),
		TEST(test_neighbours__resolve_ipv4),
		TEST(test_neighbours__resolve_ipv6),
		TEST(test_neighbours__resolve_ipv6_link_local),
		TEST(test_neighbours__noarp_is_present),
		TEST(test_neighbours__far_end_down_is_absent_and_comes_back),
		TEST(test_neighbours__flushed_table_is_asked_for_again),
		TEST(test_neighbours__resolved_is_told_at_once),
		TEST(test_neighbours__mac_changes),
		TEST(test_neighbours__silent_one_is_absent_and_comes_back),
		TEST(test_neighbours__deleted_entry_is_asked_for_again),
		TEST(test_neighbours__fixed_by_an_administrator_stays_so),
		TEST(test_neighbours__forgotten_one_is_told_no_more),
		TEST(test_neighbours__not_watched_again_are_let_go),
		TEST(test_neighbours__device_that_is_not_there_is_refused),
		TEST(test_netfilter__counts_forward_chains_that_do_something),
		TEST(test_sas__larval_ones_do_not_count),
	};

	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
