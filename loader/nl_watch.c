/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of the kernel's, kept here. See nl_watch.h.
 *
 * Dump and notifications share one socket, so that they arrive in the order in which the kernel queued them. A dump's
 * part may still be older than a notification queued before it, by the moment between reading the table and queueing;
 * that is why a dump during which the table changed is done again.
 */
#include "nl_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#define DATAGRAMS_PER_WAKEUP 64 /* then others in the loop have their turn */
#define DUMP_ATTEMPTS	     4
#define REFRESH_PAUSE_US                                                                                               \
	(100 * 1000) /* between dumps that overruns ask for: under a storm, dumping would be all we do */

struct nl_watch {
	const struct nl_watch_ops *ops;
	void *context;
	struct mnl_socket *socket;
	sd_event *loop;
	sd_event_source *io;
	sd_event_source *timer;
	uint64_t last_dump_us;
	size_t dumps;
	uint32_t sequence;
	bool dumping;
	bool disturbed; /* the dump under way must be repeated */
	uint8_t buffer[NL_RECEIVE_BYTES] __attribute__((aligned(8)));
};

static int on_timer(sd_event_source *source, uint64_t now_us, void *userdata);

/* Errors are passed over: without memory for a timer the next overrun asks again. */
static void schedule_dump(struct nl_watch *watch)
{
	uint64_t now_us = 0, due_us;

	sd_event_now(watch->loop, CLOCK_MONOTONIC, &now_us);
	due_us = watch->last_dump_us + REFRESH_PAUSE_US;
	if (due_us < now_us)
		due_us = now_us;
	if (watch->timer) {
		int enabled = SD_EVENT_OFF;

		sd_event_source_get_enabled(watch->timer, &enabled);
		if (enabled != SD_EVENT_OFF)
			return;
		sd_event_source_set_time(watch->timer, due_us);
		sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
		return;
	}
	sd_event_add_time(watch->loop, &watch->timer, CLOCK_MONOTONIC, due_us, 1, on_timer, watch);
}

static void handle_notification(struct nl_watch *watch, const struct nlmsghdr *header)
{
	if (header->nlmsg_type == NLMSG_OVERRUN)
		schedule_dump(watch);
	else if (header->nlmsg_type >= NLMSG_MIN_TYPE && watch->ops->message(header, watch->context))
		watch->disturbed = true;
}

/* Returns 1 when the dump is complete, 0 when more is to come, or -errno. */
static int handle_answer(struct nl_watch *watch, const struct nlmsghdr *header)
{
	int error;

	if (!watch->dumping || header->nlmsg_seq != watch->sequence)
		return 0;
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		watch->disturbed = true;
	if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
		error = nl_error(header);
		return error ? error : 1;
	}
	if (header->nlmsg_type >= NLMSG_MIN_TYPE)
		watch->ops->message(header, watch->context);
	return 0;
}

/* Receives and handles one datagram; returns as handle_answer() does, -EAGAIN if none waits. Nothing of it stays in
 * memory: messages of SAs carry their keys. */
static int handle_datagram(struct nl_watch *watch, int flags)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)watch->buffer;
	bool multicast;
	ssize_t received = nl_receive(watch->socket, watch->buffer, flags, &multicast);
	int result = 0, bytes = received;

	/* Cut short, it filled the buffer. */
	if (received == -ENOBUFS)
		explicit_bzero(watch->buffer, sizeof(watch->buffer));
	if (received < 0)
		return received;
	for (; result == 0 && nl_message_fits(header, bytes); header = mnl_nlmsg_next(header, &bytes)) {
		if (multicast)
			handle_notification(watch, header);
		else
			result = handle_answer(watch, header);
	}
	explicit_bzero(watch->buffer, received);
	return result;
}

static int run_dump(struct nl_watch *watch, nl_dump_request_fn *build)
{
	int result = nl_send_dump(watch->socket, build, ++watch->sequence);

	if (result < 0)
		return result;
	watch->dumping = true;
	do {
		result = handle_datagram(watch, 0);
		if (result == -ENOBUFS) {
			watch->disturbed = true;
			result = 0;
		}
	} while (result == 0);
	watch->dumping = false;
	return result < 0 ? result : 0;
}

static int run_dumps(struct nl_watch *watch)
{
	nl_dump_request_fn *const *build;
	int result;

	watch->disturbed = false;
	watch->dumps++;
	watch->ops->begin(watch->context);
	for (build = watch->ops->dumps; *build; build++) {
		result = run_dump(watch, *build);
		/* A table of a family that this kernel has not got, as with ipv6.disable=1, is empty; so is one that
		 * nothing was ever put into. */
		if (result < 0 && result != -EAFNOSUPPORT && result != -EOPNOTSUPP && result != -ENOENT)
			return result;
	}
	if (watch->disturbed)
		return -EAGAIN;
	watch->ops->end(watch->context);
	return 0;
}

static int dump_until_quiet(struct nl_watch *watch)
{
	int attempt, result = -EAGAIN;

	for (attempt = 0; attempt < DUMP_ATTEMPTS && result == -EAGAIN; attempt++) {
		nl_watch_drain(watch);
		result = run_dumps(watch);
	}
	sd_event_now(watch->loop, CLOCK_MONOTONIC, &watch->last_dump_us);
	if (result < 0)
		schedule_dump(watch);
	return result == -EAGAIN ? 0 : result;
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *userdata)
{
	(void)source;
	(void)now_us;
	dump_until_quiet(userdata);
	return 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct nl_watch *watch = userdata;
	int count, result = 0;

	(void)source;
	(void)fd;
	(void)events;
	for (count = 0; count < DATAGRAMS_PER_WAKEUP && result >= 0; count++)
		result = handle_datagram(watch, MSG_DONTWAIT);
	if (result == -ENOBUFS)
		schedule_dump(watch);
	return 0;
}

void nl_watch_drain(struct nl_watch *watch)
{
	int result;

	do {
		result = handle_datagram(watch, MSG_DONTWAIT);
		if (result == -ENOBUFS)
			schedule_dump(watch);
	} while (result >= 0 || result == -ENOBUFS);
}

void nl_watch_refresh(struct nl_watch *watch)
{
	schedule_dump(watch);
}

size_t nl_watch_dumps(const struct nl_watch *watch)
{
	return watch->dumps;
}

int nl_watch_fd(const struct nl_watch *watch)
{
	return mnl_socket_get_fd(watch->socket);
}

struct mnl_socket *nl_watch_socket(struct nl_watch *watch)
{
	return watch->socket;
}

static int join_groups(struct nl_watch *watch)
{
	size_t i;

	for (i = 0; i < NL_WATCH_MAX_GROUPS && watch->ops->groups[i]; i++) {
		unsigned int group = watch->ops->groups[i];

		if (mnl_socket_setsockopt(watch->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			return -errno;
	}
	return 0;
}

int nl_watch_open(sd_event *loop, const struct nl_watch_ops *ops, void *context, struct nl_watch **ret_watch)
{
	struct nl_watch *watch = calloc(1, sizeof(*watch));
	int result;

	if (!watch)
		return -ENOMEM;
	watch->ops = ops;
	watch->context = context;
	watch->loop = sd_event_ref(loop);
	result = nl_open(ops->protocol, &watch->socket);
	if (result < 0)
		goto out;
	result = ops->prepare ? ops->prepare(watch->socket, context) : 0;
	if (result < 0)
		goto out;
	result = join_groups(watch);
	if (result < 0)
		goto out;
	/* Before the first callback: it may want to drain or refresh. */
	*ret_watch = watch;
	result = sd_event_add_io(loop, &watch->io, nl_watch_fd(watch), EPOLLIN, on_readable, watch);
	if (result < 0)
		goto out;
	result = dump_until_quiet(watch);
out:
	if (result < 0) {
		nl_watch_close(watch);
		*ret_watch = NULL;
	}
	return result < 0 ? result : 0;
}

void nl_watch_close(struct nl_watch *watch)
{
	if (!watch)
		return;
	sd_event_source_disable_unref(watch->timer);
	sd_event_source_disable_unref(watch->io);
	sd_event_unref(watch->loop);
	if (watch->socket)
		mnl_socket_close(watch->socket);
	free(watch);
}
