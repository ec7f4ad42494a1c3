/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What nl_watch leaves in memory of the messages that it read - those of SAs carry keys - and which dumps it repeats.
 * Includes the source, to look into its buffer; links stand for SAs, which this host's kernel may not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../loader/nl_watch.c"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "netns.h"

static size_t messages, begins, ends;
static const char *meanwhile; /* a command to run at the first message of the next dump */

static void begin(void *context)
{
	(void)context;
	begins++;
}

static void end(void *context)
{
	(void)context;
	ends++;
}

static bool count_message(const struct nlmsghdr *message, void *context)
{
	const char *command = meanwhile;

	(void)message;
	(void)context;
	messages++;
	meanwhile = NULL;
	if (command)
		netns_do("%s", command);
	return true;
}

static void request_links(struct nlmsghdr *header)
{
	header->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
}

static const struct nl_watch_ops ops = {
	.protocol = NETLINK_ROUTE,
	.groups = {RTNLGRP_LINK},
	.dumps = {request_links},
	.begin = begin,
	.message = count_message,
	.end = end,
};

static void assert_buffer_is_clear(const struct nl_watch *watch)
{
	for (size_t i = 0; i < sizeof(watch->buffer); i++)
		assert_int_equal(watch->buffer[i], 0);
}

static bool a_dump_ended(void *context)
{
	(void)context;
	return ends > 0;
}

static bool a_message_came(void *context)
{
	(void)context;
	return messages > 0;
}

static void test_watch__keeps_nothing_of_what_it_read(void **state)
{
	struct nl_watch *watch;
	sd_event *loop;

	(void)state;
	netns_enter();
	assert_true(sd_event_new(&loop) >= 0);
	assert_int_equal(nl_watch_open(loop, &ops, NULL, &watch), 0);
	assert_true(messages > 0);
	assert_buffer_is_clear(watch);
	messages = 0;
	netns_do("ip link add v0 type veth peer name v1");
	assert_true(netns_await(loop, a_message_came, NULL));
	assert_buffer_is_clear(watch);
	nl_watch_close(watch);
	sd_event_unref(loop);
}

/* So many links that the kernel tells them in several parts, between which one of them goes. */
static void test_dump__that_was_interrupted_is_repeated(void **state)
{
	struct nl_watch *watch;
	sd_event *loop;

	(void)state;
	netns_enter();
	netns_do("for i in $(seq 100); do echo link add a$i type veth peer name b$i; done | ip -batch -");
	assert_true(sd_event_new(&loop) >= 0);
	begins = ends = 0;
	meanwhile = "ip link del a50";
	assert_int_equal(nl_watch_open(loop, &ops, NULL, &watch), 0);
	assert_true(netns_await(loop, a_dump_ended, NULL));
	assert_true(begins > ends);
	assert_int_equal(ends, 1);
	nl_watch_close(watch);
	sd_event_unref(loop);
}

/* AX.25 has no rules: as IPv6 has none where the kernel was told to do without. */
static void request_rules_of_nobody(struct nlmsghdr *header)
{
	struct fib_rule_hdr *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	header->nlmsg_type = RTM_GETRULE;
	body->family = AF_AX25;
}

static void test_dump__of_a_family_that_is_not_there_is_empty(void **state)
{
	struct nl_watch_ops rules = ops;
	struct nl_watch *watch;
	sd_event *loop;

	(void)state;
	netns_enter();
	assert_true(sd_event_new(&loop) >= 0);
	rules.dumps[0] = request_rules_of_nobody;
	rules.dumps[1] = request_links;
	messages = ends = 0;
	assert_int_equal(nl_watch_open(loop, &rules, NULL, &watch), 0);
	assert_true(messages > 0);
	assert_int_equal(ends, 1);
	nl_watch_close(watch);
	sd_event_unref(loop);
}

static void test_dump__marked_as_inconsistent_is_disturbed(void **state)
{
	static struct nl_watch watch = {.ops = &ops, .sequence = 7, .dumping = true};
	uint8_t buffer[64] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);

	(void)state;
	memset(mnl_nlmsg_put_extra_header(header, sizeof(int)), 0, sizeof(int));
	header->nlmsg_type = NLMSG_DONE;
	header->nlmsg_seq = 7;
	assert_int_equal(handle_answer(&watch, header), 1);
	assert_false(watch.disturbed);
	header->nlmsg_flags |= NLM_F_DUMP_INTR;
	assert_int_equal(handle_answer(&watch, header), 1);
	assert_true(watch.disturbed);
	/* Of an earlier dump. */
	header->nlmsg_seq = 6;
	assert_int_equal(handle_answer(&watch, header), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch__keeps_nothing_of_what_it_read),
		cmocka_unit_test(test_dump__that_was_interrupted_is_repeated),
		cmocka_unit_test(test_dump__of_a_family_that_is_not_there_is_empty),
		cmocka_unit_test(test_dump__marked_as_inconsistent_is_disturbed),
	};

	return cmocka_run_group_tests_name("nl_watch", tests, NULL, NULL);
}
