/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the kernel by the thousand. See nl_requests.h.
 */
#include "nl_requests.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Below the default send buffer (212,992 bytes), and few enough failures at once to fit the receive buffer. */
#define BATCH_BYTES    (64 * 1024)
#define BATCH_REQUESTS 1024

struct nl_requests {
	struct mnl_socket *socket;
	nl_failed_fn *failed;
	void *context;
	uint32_t first_sequence; /* of the batch */
	size_t count;
	size_t bytes;		  /* of finished requests */
	struct nlmsghdr *current; /* the unfinished one behind them, or NULL */
	int error;		  /* of batches sent since the last commit */
	struct nl_tag tags[BATCH_REQUESTS];
	uint8_t batch[BATCH_BYTES] __attribute__((aligned(8)));
	uint8_t answer[NL_RECEIVE_BYTES] __attribute__((aligned(8)));
};

static void finish_current(struct nl_requests *requests)
{
	if (requests->current)
		requests->bytes += MNL_ALIGN(requests->current->nlmsg_len);
	requests->current = NULL;
}

/* Returns whether the answer to the last request is among these. */
static bool handle_answers(struct nl_requests *requests, int bytes)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)requests->answer;
	bool last = false;
	uint32_t place;
	int error;

	for (; nl_message_fits(header, bytes); header = mnl_nlmsg_next(header, &bytes)) {
		place = header->nlmsg_seq - requests->first_sequence;
		if (header->nlmsg_type != NLMSG_ERROR || place >= requests->count)
			continue;
		error = nl_error(header);
		if (error)
			requests->failed(&requests->tags[place], error, requests->context);
		last |= place + 1 == requests->count;
	}
	return last;
}

static int send_batch(struct nl_requests *requests, struct nlmsghdr *last)
{
	bool multicast, done = false;
	ssize_t bytes;

	last->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(requests->socket, requests->batch, requests->bytes) < 0)
		return -errno;
	/* All answers are in the socket before sendto() returns: one that is not there was lost. */
	while (!done) {
		bytes = nl_receive(requests->socket, requests->answer, MSG_DONTWAIT, &multicast);
		if (bytes < 0)
			return bytes == -EAGAIN ? -EIO : (int)bytes;
		done = handle_answers(requests, bytes);
	}
	return 0;
}

static void flush(struct nl_requests *requests)
{
	struct nlmsghdr *last = requests->current;
	int error;

	if (requests->count == 0)
		return;
	finish_current(requests);
	error = send_batch(requests, last);
	if (error < 0)
		requests->error = error;
	requests->first_sequence += requests->count;
	requests->count = 0;
	requests->bytes = 0;
}

struct nlmsghdr *nl_requests_add(struct nl_requests *requests, uint16_t type, uint16_t flags, struct nl_tag tag)
{
	size_t used = requests->bytes + (requests->current ? MNL_ALIGN(requests->current->nlmsg_len) : 0);

	if (requests->count == BATCH_REQUESTS || used + NL_REQUEST_BYTES > sizeof(requests->batch))
		flush(requests);
	finish_current(requests);
	requests->current = mnl_nlmsg_put_header(requests->batch + requests->bytes);
	requests->current->nlmsg_type = type;
	requests->current->nlmsg_flags = NLM_F_REQUEST | flags;
	requests->current->nlmsg_seq = requests->first_sequence + requests->count;
	requests->tags[requests->count++] = tag;
	return requests->current;
}

int nl_requests_commit(struct nl_requests *requests)
{
	int error;

	flush(requests);
	error = requests->error;
	requests->error = 0;
	return error;
}

uint32_t nl_requests_port(const struct nl_requests *requests)
{
	return mnl_socket_get_portid(requests->socket);
}

int nl_requests_open(int protocol, nl_failed_fn *failed, void *context, struct nl_requests **ret_requests)
{
	struct nl_requests *requests = calloc(1, sizeof(*requests));
	int error;

	if (!requests)
		return -ENOMEM;
	requests->failed = failed;
	requests->context = context;
	requests->first_sequence = 1;
	error = nl_open(protocol, &requests->socket);
	if (error < 0) {
		free(requests);
		return error;
	}
	*ret_requests = requests;
	return 0;
}

void nl_requests_close(struct nl_requests *requests)
{
	if (!requests)
		return;
	mnl_socket_close(requests->socket);
	free(requests);
}
