/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What nl_watch leaves in memory of the messages that it read: those of SAs carry keys. Includes the source, to look
 * into its buffer; links stand for SAs, which this host's kernel may not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../loader/nl_watch.c"

#include <linux/rtnetlink.h>

#include "netns.h"

static size_t messages;

static void nothing(void *context)
{
	(void)context;
}

static bool count_message(const struct nlmsghdr *message, void *context)
{
	(void)message;
	(void)context;
	messages++;
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
	.begin = nothing,
	.message = count_message,
	.end = nothing,
};

static void assert_buffer_is_clear(const struct nl_watch *watch)
{
	for (size_t i = 0; i < sizeof(watch->buffer); i++)
		assert_int_equal(watch->buffer[i], 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_watch__keeps_nothing_of_what_it_read)};

	return cmocka_run_group_tests_name("nl_watch", tests, NULL, NULL);
}
