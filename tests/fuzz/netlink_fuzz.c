/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arbitrary bytes as a datagram from the kernel, to every reader of netlink messages, and on into the set of SAs. What
 * is read keeps its own limits; what is read of routes can be written and read again.
 */
#include <arpa/inet.h>
#include <net/if.h>

#include "../../loader/addresses_message.c"
#include "../../loader/fib_leads.c"
#include "../../loader/links_message.c"
#include "../../loader/neighbours_message.c"
#include "../../loader/netfilter.c"
#include "../../loader/nl.c"
#include "../../loader/policies_message.c"
#include "../../loader/prefix_index.c"
#include "../../loader/routes_hops.c"
#include "../../loader/routes_message.c"
#include "../../loader/sa_set.c"
#include "../../loader/sas_message.c"

#define LARGEST 16384
#define NOW_NS	(1000 * NS_PER_SECOND)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_own(const struct config_address *address, void *context)
{
	(void)context;
	return address->byte[15] & 1;
}

static void changed(uint32_t if_id, bool present, void *context)
{
	must(if_id != 0);
	must(sa_set_present(*(struct sa_set **)context, if_id) == present);
}

static void expiring(uint32_t if_id, bool expires, void *context)
{
	must(if_id != 0);
	must(sa_set_expiring(*(struct sa_set **)context, if_id) == expires);
}

static void read_sa(const struct nlmsghdr *header, struct sa_set *set)
{
	struct sa_message news;

	if (sas_message_parse(header, &news) < 0)
		return;
	if (news.event == SA_PUT)
		sa_set_put(set, &news.sa);
	else if (news.event == SA_GONE)
		sa_set_remove(set, &news.sa.id);
	else if (news.event == SA_FLUSHED)
		sa_set_flush(set, news.sa.id.protocol);
	must(sa_set_due_ns(set) > NOW_NS);
}

static void read_route(const struct nlmsghdr *header)
{
	uint8_t buffer[1024] __attribute__((aligned(8)));
	struct nlmsghdr *copy = mnl_nlmsg_put_header(buffer);
	struct route_message route, again;

	if (routes_message_parse_route(header, &route) < 0)
		return;
	must(route.key.prefix.length <= 128 && (!route.key.prefix.is_ipv4 || route.key.prefix.length >= 96));
	copy->nlmsg_type = RTM_NEWROUTE;
	routes_message_put_route(copy, &route);
	must(routes_message_parse_route(copy, &again) == 0);
	must(memcmp(&again.key, &route.key, sizeof(route.key)) == 0);
}

static void read_hop(const struct route_hop *hop, void *context)
{
	must(!hop->has_via || hop->via.length == 128);
	must(++*(size_t *)context <= LARGEST / sizeof(struct rtnexthop));
}

/* What is read of a policy is a network that can be looked for: without host bits. */
static void read_policy(const struct nlmsghdr *header)
{
	struct config_address last;
	struct policy policy;

	if (policies_message_parse(header, &policy) < 0)
		return;
	must(policy.source.is_ipv4 == policy.destination.is_ipv4);
	last = policy.destination;
	last.length = 128;
	must(prefix_holds(&policy.destination, &last));
	for (unsigned bit = policy.destination.length; bit < 128; bit++)
		must(!(last.byte[bit / 8] & 0x80 >> bit % 8));
	policies_message_diverts(&policy);
}

/* Where a route leads is a number of next hops that a connection can have, whatever objects say, and once is always. */
static void read_lead(const struct nlmsghdr *header, struct fib_leads *leads)
{
	struct nexthop_message object;
	struct route_message route;
	struct fib_lead *lead, *again;
	struct fib_hops hops;

	if (routes_message_parse_nexthop(header, &object) == 0 && !fib_leads_object(leads, &object, 1))
		fib_leads_object_gone(leads, object.id);
	if (routes_message_parse_route(header, &route) < 0 || !(lead = fib_lead_get(leads, header, &route)))
		return;
	again = fib_lead_get(leads, header, &route);
	must(again == lead);
	fib_lead_hops(leads, lead, &hops);
	must(hops.count <= MAX_MEMBERS);
	for (size_t i = 0; i < hops.count; i++)
		must(!hops.hop[i].ifindex || fib_leads_have_device(leads, hops.hop[i].ifindex));
	fib_lead_put(leads, again);
	fib_lead_put(leads, lead);
}

static void read_message(const struct nlmsghdr *header, struct sa_set *set, struct fib_leads *leads)
{
	struct nexthop_message nexthop;
	struct neighbour_message neighbour;
	struct rule_message rule;
	struct own_address own;
	struct link link;
	size_t hops = 0;
	bool usable;

	nl_error(header);
	if (links_message_parse(header, &link) == 0)
		must(link.ifindex > 0 && link.lower_ifindex >= 0 && memchr(link.name, 0, sizeof(link.name)) &&
		     memchr(link.kind, 0, sizeof(link.kind)));
	if (addresses_message_parse(header, &own, &usable) == 0)
		must(own.network_length <= 128 && own.address.length == 128);
	neighbours_message_parse(header, &neighbour);
	if (routes_message_parse_nexthop(header, &nexthop) == 0)
		must(nexthop.id != 0 && nexthop.member_count <= MAX_MEMBERS);
	routes_message_parse_rule(header, &rule);
	read_route(header);
	read_lead(header, leads);
	routes_hops_each(header, read_hop, &hops);
	read_policy(header);
	netfilter_chain_acts(header);
	read_sa(header, set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own size, so that a read past the end is seen; libmnl takes a message's padding for part of it. */
	uint8_t *copy;
	const struct nlmsghdr *header;
	struct sa_set *set = NULL;
	struct fib_leads leads = {0};
	int left = size;

	if (size > LARGEST || sa_set_new(is_own, changed, expiring, &set, &set) < 0)
		return 0;
	sa_set_clock(set, NOW_NS, NOW_NS);
	copy = calloc(1, MNL_ALIGN(size + 1));
	if (copy && size)
		memcpy(copy, data, size);
	for (header = (void *)copy; copy && nl_message_fits(header, left); header = mnl_nlmsg_next(header, &left))
		read_message(header, set, &leads);
	fib_leads_sweep(&leads, 2);
	must(!leads.tree && !leads.objects);
	sa_set_recheck(set);
	sa_set_clock(set, 2 * NOW_NS, 2 * NOW_NS);
	sa_set_expire(set);
	sa_set_free(set);
	free(copy);
	return 0;
}
