/* SPDX-License-Identifier: GPL-2.0-only */
/* IPsec policies as the kernel tells of them: which take packets past the xfrm interfaces that they are routed to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/xfrm.h>
#include <string.h>

#include "../../loader/policies_message.h"

struct text_policy {
	const char *source, *destination;
	uint8_t source_length, destination_length;
	uint8_t direction, action;
	uint32_t if_id;
	struct xfrm_mark mark;
	int ifindex;
	bool no_template;
};

static uint8_t buffer[1024] __attribute__((aligned(8)));

static void put_address(xfrm_address_t *address, const char *text)
{
	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, address), 1);
}

static struct nlmsghdr *policy_message(const struct text_policy *text)
{
	struct xfrm_userpolicy_info *info;
	struct xfrm_user_tmpl template = {.id.proto = IPPROTO_ESP};
	struct nlmsghdr *header;

	memset(buffer, 0, sizeof(buffer));
	header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = XFRM_MSG_NEWPOLICY;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->sel.family = strchr(text->source, ':') ? AF_INET6 : AF_INET;
	put_address(&info->sel.saddr, text->source);
	put_address(&info->sel.daddr, text->destination);
	info->sel.prefixlen_s = text->source_length;
	info->sel.prefixlen_d = text->destination_length;
	info->sel.ifindex = text->ifindex;
	info->dir = text->direction;
	info->action = text->action;
	if (!text->no_template)
		mnl_attr_put(header, XFRMA_TMPL, sizeof(template), &template);
	if (text->if_id)
		mnl_attr_put_u32(header, XFRMA_IF_ID, text->if_id);
	if (text->mark.m)
		mnl_attr_put(header, XFRMA_MARK, sizeof(text->mark), &text->mark);
	return header;
}

static bool diverts(struct text_policy text)
{
	struct policy policy;

	assert_int_equal(policies_message_parse(policy_message(&text), &policy), 0);
	return policies_message_diverts(&policy);
}

#define EVERYWHERE .source = "0.0.0.0", .destination = "0.0.0.0", .direction = XFRM_POLICY_OUT

static void assert_network(const struct config_address *address, const char *expected)
{
	char text[CONFIG_ADDRESS_TEXT];

	assert_string_equal(config_address_text(address, text), expected);
}

static void test_policy__is_read_whole(void **state)
{
	struct policy policy;

	(void)state;
	assert_int_equal(policies_message_parse(policy_message(&(struct text_policy){.source = "10.1.2.3",
										     .source_length = 16,
										     .destination = "192.168.77.1",
										     .destination_length = 23,
										     .direction = XFRM_POLICY_OUT,
										     .if_id = 42}),
						&policy),
			 0);
	assert_network(&policy.source, "10.1.0.0/16");
	assert_network(&policy.destination, "192.168.76.0/23");
	assert_int_equal(policy.if_id, 42);
	assert_true(policy.out);
	assert_true(policy.encrypts);
	assert_false(policy.blocks);
	assert_false(policy.narrow);
}

static void test_policy__ipv6_networks(void **state)
{
	struct policy policy;

	(void)state;
	assert_int_equal(
		policies_message_parse(
			policy_message(&(struct text_policy){
				.source = "::", .destination = "2001:db8:1:ffff::1", .destination_length = 49}),
			&policy),
		0);
	assert_network(&policy.source, "::/0");
	assert_network(&policy.destination, "2001:db8:1:8000::/49");
}

static void test_policy__for_everything_diverts(void **state)
{
	(void)state;
	assert_true(diverts((struct text_policy){EVERYWHERE}));
	assert_true(diverts((struct text_policy){EVERYWHERE, .action = XFRM_POLICY_BLOCK, .no_template = true}));
}

static void test_policy__of_an_xfrm_interface_does_not(void **state)
{
	(void)state;
	assert_false(diverts((struct text_policy){EVERYWHERE, .if_id = 1}));
}

static void test_policy__that_lets_pass_does_not(void **state)
{
	(void)state;
	assert_false(diverts((struct text_policy){EVERYWHERE, .no_template = true}));
}

static void test_policy__of_a_mark_or_a_device_does_not(void **state)
{
	(void)state;
	assert_false(diverts((struct text_policy){EVERYWHERE, .mark = {.v = 5, .m = 0xff}}));
	assert_true(diverts((struct text_policy){EVERYWHERE, .mark = {.v = 0, .m = 0xff}})); /* what bears none */
	assert_false(diverts((struct text_policy){EVERYWHERE, .ifindex = 3}));
}

static void test_policy__of_other_directions_does_not(void **state)
{
	static const uint8_t directions[] = {XFRM_POLICY_IN, XFRM_POLICY_FWD, XFRM_POLICY_MAX + XFRM_POLICY_OUT};

	(void)state;
	for (size_t i = 0; i < sizeof(directions); i++)
		assert_false(diverts((struct text_policy){
			.source = "0.0.0.0", .destination = "0.0.0.0", .direction = directions[i]}));
}

static void test_policy__malformed_messages_are_refused(void **state)
{
	struct text_policy text = {EVERYWHERE};
	struct nlmsghdr *header;
	struct policy policy;

	(void)state;
	header = policy_message(&text);
	header->nlmsg_type = XFRM_MSG_DELPOLICY;
	assert_int_equal(policies_message_parse(header, &policy), -EOPNOTSUPP);
	header = policy_message(&text);
	header->nlmsg_len = NLMSG_HDRLEN + sizeof(struct xfrm_userpolicy_info) - 1;
	assert_int_equal(policies_message_parse(header, &policy), -EBADMSG);
	text.destination_length = 33;
	assert_int_equal(policies_message_parse(policy_message(&text), &policy), -EBADMSG);
	text.destination_length = 0;
	header = policy_message(&text);
	((struct xfrm_userpolicy_info *)mnl_nlmsg_get_payload(header))->sel.family = AF_UNIX;
	assert_int_equal(policies_message_parse(header, &policy), -EAFNOSUPPORT);
}

/* Attributes that are too short say nothing, and nothing behind them is read. */
static void test_policy__short_attributes_are_passed_over(void **state)
{
	struct text_policy text = {EVERYWHERE, .no_template = true};
	struct nlmsghdr *header = policy_message(&text);
	struct policy policy;

	(void)state;
	mnl_attr_put_u8(header, XFRMA_IF_ID, 1);
	mnl_attr_put_u32(header, XFRMA_MARK, 1);
	mnl_attr_put_u32(header, XFRMA_TMPL, 1);
	assert_int_equal(policies_message_parse(header, &policy), 0);
	assert_int_equal(policy.if_id, 0);
	assert_false(policy.narrow);
	assert_false(policy.encrypts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy__is_read_whole),
		cmocka_unit_test(test_policy__ipv6_networks),
		cmocka_unit_test(test_policy__for_everything_diverts),
		cmocka_unit_test(test_policy__of_an_xfrm_interface_does_not),
		cmocka_unit_test(test_policy__that_lets_pass_does_not),
		cmocka_unit_test(test_policy__of_a_mark_or_a_device_does_not),
		cmocka_unit_test(test_policy__of_other_directions_does_not),
		cmocka_unit_test(test_policy__malformed_messages_are_refused),
		cmocka_unit_test(test_policy__short_attributes_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
