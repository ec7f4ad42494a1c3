/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What routes lead to: like next hops are one lead, and nexthop objects are looked up when it is asked where they lead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "../../loader/fib_leads.h"

static uint8_t buffer[4096] __attribute__((aligned(8)));

/* An IPv4 route through these devices. */
static struct nlmsghdr *route_by(const int *ifindex, size_t count)
{
	struct nlmsghdr *header;
	struct nlattr *members;
	struct rtmsg *body;

	memset(buffer, 0, sizeof(buffer));
	header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = RTM_NEWROUTE;
	body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
	body->rtm_family = AF_INET;
	members = mnl_attr_nest_start(header, RTA_MULTIPATH);
	for (size_t i = 0; i < count; i++) {
		struct rtnexthop *member = (void *)(buffer + header->nlmsg_len);

		member->rtnh_len = sizeof(*member);
		member->rtnh_ifindex = ifindex[i];
		header->nlmsg_len += sizeof(*member);
	}
	mnl_attr_nest_end(header, members);
	return header;
}

static struct fib_lead *lead_by(struct fib_leads *leads, const int *ifindex, size_t count)
{
	const struct route_message route = {.unicast = true};
	struct fib_lead *lead = fib_lead_get(leads, route_by(ifindex, count), &route);

	assert_non_null(lead);
	return lead;
}

static struct fib_lead *lead_to(struct fib_leads *leads, uint32_t id)
{
	const struct route_message route = {.unicast = true, .nexthop_id = id};

	return fib_lead_get(leads, route_by((const int[]){9}, 1), &route);
}

static void assert_leads(const struct fib_leads *leads, const struct fib_lead *lead, const int *ifindex, size_t count)
{
	struct fib_hops hops;

	fib_lead_hops(leads, lead, &hops);
	assert_int_equal(hops.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(hops.hop[i].ifindex, ifindex[i]);
}

#define DEVICES(...) ((const int[]){__VA_ARGS__}), sizeof((const int[]){__VA_ARGS__}) / sizeof(int)

static void test_leads__like_next_hops_are_one(void **state)
{
	struct fib_leads leads = {0};
	struct fib_lead *first = lead_by(&leads, DEVICES(3, 4)), *second = lead_by(&leads, DEVICES(3, 4)),
			*other = lead_by(&leads, DEVICES(3, 5));

	(void)state;
	assert_ptr_equal(first, second);
	assert_ptr_not_equal(first, other);
	fib_lead_put(&leads, first);
	assert_leads(&leads, second, DEVICES(3, 4));
	assert_true(fib_leads_have_device(&leads, 4));
	fib_lead_put(&leads, second);
	assert_false(fib_leads_have_device(&leads, 4));
	assert_true(fib_leads_have_device(&leads, 5));
	assert_false(fib_leads_refer(&leads));
	fib_lead_put(&leads, other);
	fib_leads_free(&leads);
}

static void test_leads__a_blackhole_leads_nowhere(void **state)
{
	const struct route_message route = {.unicast = false};
	struct fib_leads leads = {0};
	struct fib_lead *lead = fib_lead_get(&leads, route_by(DEVICES(3)), &route);

	(void)state;
	assert_leads(&leads, lead, NULL, 0);
	fib_lead_put(&leads, lead);
	fib_leads_free(&leads);
}

static void test_leads__more_next_hops_than_tunnels_lead_nowhere(void **state)
{
	int ifindex[MAX_MEMBERS + 1];
	struct fib_leads leads = {0};
	struct fib_lead *all, *more;

	(void)state;
	for (int i = 0; i < MAX_MEMBERS + 1; i++)
		ifindex[i] = i + 1;
	all = lead_by(&leads, ifindex, MAX_MEMBERS);
	more = lead_by(&leads, ifindex, MAX_MEMBERS + 1);
	assert_leads(&leads, all, ifindex, MAX_MEMBERS);
	assert_leads(&leads, more, NULL, 0);
	fib_lead_put(&leads, all);
	fib_lead_put(&leads, more);
	fib_leads_free(&leads);
}

static struct nexthop_message single(uint32_t id, int ifindex)
{
	return (struct nexthop_message){.id = id, .ifindex = ifindex};
}

static void test_leads__a_group_leads_where_its_members_do_now(void **state)
{
	struct nexthop_message ten = single(10, 3), eleven = single(11, 4),
			       group = {.id = 12, .member_count = 2, .members = {{10, 1}, {11, 1}}};
	struct fib_leads leads = {0};
	struct fib_lead *lead = lead_to(&leads, 12);

	(void)state;
	assert_leads(&leads, lead, NULL, 0);
	assert_true(fib_leads_refer(&leads));
	assert_true(fib_leads_object(&leads, &ten, 1));
	assert_true(fib_leads_object(&leads, &eleven, 1));
	assert_true(fib_leads_object(&leads, &group, 1));
	assert_false(fib_leads_object(&leads, &group, 1));
	assert_leads(&leads, lead, DEVICES(3, 4));
	eleven.ifindex = 5;
	assert_true(fib_leads_object(&leads, &eleven, 1));
	assert_leads(&leads, lead, DEVICES(3, 5));
	assert_true(fib_leads_have_device(&leads, 5));
	assert_false(fib_leads_have_device(&leads, 4));
	group.member_count = 1;
	assert_true(fib_leads_object(&leads, &group, 1));
	assert_leads(&leads, lead, DEVICES(3));
	assert_true(fib_leads_object_gone(&leads, 10));
	assert_false(fib_leads_object_gone(&leads, 10));
	assert_leads(&leads, lead, NULL, 0);
	fib_lead_put(&leads, lead);
	assert_false(fib_leads_refer(&leads));
	fib_leads_free(&leads);
}

static void test_leads__objects_that_a_dump_did_not_have_go(void **state)
{
	struct fib_leads leads = {0};
	struct nexthop_message object;
	struct fib_lead *lead = lead_to(&leads, 7);

	(void)state;
	for (uint32_t id = 1; id <= 20; id++) {
		object = single(id, (int)id);
		fib_leads_object(&leads, &object, id == 7 ? 2 : 1);
	}
	assert_true(fib_leads_sweep(&leads, 2));
	assert_false(fib_leads_sweep(&leads, 2));
	assert_leads(&leads, lead, DEVICES(7));
	assert_false(fib_leads_object_gone(&leads, 6));
	fib_lead_put(&leads, lead);
	fib_leads_free(&leads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leads__like_next_hops_are_one),
		cmocka_unit_test(test_leads__a_blackhole_leads_nowhere),
		cmocka_unit_test(test_leads__more_next_hops_than_tunnels_lead_nowhere),
		cmocka_unit_test(test_leads__a_group_leads_where_its_members_do_now),
		cmocka_unit_test(test_leads__objects_that_a_dump_did_not_have_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
