/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Netlink sockets. See nl.h.
 */
#include "nl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SOCKET_BUFFER_BYTES (8 * 1024 * 1024)

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

int nl_open(int protocol, struct mnl_socket **ret_socket)
{
	struct mnl_socket *nl;
	int on = 1, bytes = SOCKET_BUFFER_BYTES, error;

	nl = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	if (!nl)
		return -errno;
	/* Without CAP_NET_ADMIN the second form gives what the system's limit allows: smaller, but it works. */
	if (setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	/* Both spare work, and kernels without them do the same at greater length. */
	mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		error = -errno;
		mnl_socket_close(nl);
		return error;
	}
	*ret_socket = nl;
	return 0;
}

ssize_t nl_receive(struct mnl_socket *nl, uint8_t buffer[NL_RECEIVE_BYTES], int flags, bool *ret_multicast)
{
	struct sockaddr_nl from;
	struct iovec piece = {.iov_base = buffer, .iov_len = NL_RECEIVE_BYTES};
	struct msghdr datagram = {.msg_name = &from, .msg_iov = &piece, .msg_iovlen = 1};
	ssize_t bytes;

	for (;;) {
		datagram.msg_namelen = sizeof(from);
		bytes = recvmsg(mnl_socket_get_fd(nl), &datagram, flags);
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return -errno;
		if (datagram.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue;
		if (datagram.msg_flags & MSG_TRUNC)
			return -ENOBUFS;
		*ret_multicast = from.nl_groups != 0;
		return bytes;
	}
}

int nl_send_dump(struct mnl_socket *nl, nl_dump_request_fn *build, uint32_t sequence)
{
	uint8_t buffer[512] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);

	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = sequence;
	build(header);
	return mnl_socket_sendto(nl, header, header->nlmsg_len) < 0 ? -errno : 0;
}

int nl_error(const struct nlmsghdr *message)
{
	const int *error = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*error))
		return message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	return *error > 0 ? -*error : *error;
}

bool nl_message_fits(const struct nlmsghdr *header, int bytes)
{
	return mnl_nlmsg_ok(header, bytes) && header->nlmsg_len <= (unsigned int)bytes;
}

bool nl_attr_fits(const struct nlattr *attribute, size_t bytes)
{
	return mnl_attr_get_payload_len(attribute) >= bytes;
}

void nl_attr_text(const struct nlattr *attribute, char *buffer, size_t buffer_bytes)
{
	size_t length = strnlen(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));

	if (length >= buffer_bytes)
		length = buffer_bytes - 1;
	memcpy(buffer, mnl_attr_get_payload(attribute), length);
	buffer[length] = '\0';
}

void nl_attr_nested(const struct nlattr *attribute, mnl_attr_cb_t each, void *data)
{
	mnl_attr_parse_payload(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute), each, data);
}

int nl_attrs(const struct nlmsghdr *message, size_t offset, mnl_attr_cb_t each, void *data)
{
	if (mnl_nlmsg_get_payload_len(message) < offset)
		return -EBADMSG;
	/* Its result only repeats each()'s, and a malformed tail ends the walk without touching what was read. */
	mnl_attr_parse(message, offset, each, data);
	return 0;
}

/* Returns 1 when the dump is complete, 0 when more is to come, or -errno. */
static int handle_dump_datagram(const uint8_t *buffer, int bytes, nl_message_fn *message, void *context)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
	int error;

	for (; nl_message_fits(header, bytes); header = mnl_nlmsg_next(header, &bytes)) {
		if (header->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
			error = nl_error(header);
			return error ? error : 1;
		}
		if (header->nlmsg_type >= NLMSG_MIN_TYPE)
			message(header, context);
	}
	return 0;
}

int nl_dump_begin(int protocol, nl_dump_request_fn *build, struct nl_dump *dump)
{
	int result = nl_open(protocol, &dump->socket);

	if (result < 0)
		return result;
	dump->buffer = malloc(NL_RECEIVE_BYTES);
	result = dump->buffer ? nl_send_dump(dump->socket, build, 1) : -ENOMEM;
	if (result < 0)
		nl_dump_end(dump);
	return result;
}

int nl_dump_step(struct nl_dump *dump, nl_message_fn *message, void *context)
{
	bool multicast;
	ssize_t bytes = nl_receive(dump->socket, dump->buffer, 0, &multicast);
	int result = bytes < 0 ? (int)bytes : handle_dump_datagram(dump->buffer, bytes, message, context);

	return result < 0 ? result : !result;
}

void nl_dump_end(struct nl_dump *dump)
{
	if (!dump->socket)
		return;
	free(dump->buffer);
	mnl_socket_close(dump->socket);
	*dump = (struct nl_dump){0};
}

int nl_dump(int protocol, nl_dump_request_fn *build, nl_message_fn *message, void *context)
{
	struct nl_dump dump = {0};
	int result = nl_dump_begin(protocol, build, &dump);

	if (result < 0)
		return result;
	do
		result = nl_dump_step(&dump, message, context);
	while (result > 0);
	nl_dump_end(&dump);
	return result;
}

/* Returns 1 when the verdict has come, 0 when more is to come, or -errno. */
static int handle_answer(const uint8_t *buffer, int bytes, uint32_t sequence, nl_message_fn *message, void *context)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
	int error;

	for (; nl_message_fits(header, bytes); header = mnl_nlmsg_next(header, &bytes)) {
		if (header->nlmsg_seq != sequence)
			continue;
		if (header->nlmsg_type == NLMSG_ERROR) {
			error = nl_error(header);
			return error ? error : 1;
		}
		if (header->nlmsg_type >= NLMSG_MIN_TYPE && message)
			message(header, context);
	}
	return 0;
}

int nl_transact(struct mnl_socket *nl, struct nlmsghdr *request, nl_message_fn *message, void *context)
{
	static _Thread_local uint32_t sequence;
	uint8_t buffer[NL_RECEIVE_BYTES] __attribute__((aligned(8)));
	bool multicast;
	ssize_t bytes;
	int result = 0;

	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = ++sequence;
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return -errno;
	/* The kernel answers before sendto() returns: an answer that is not there was lost. */
	while (result == 0) {
		bytes = nl_receive(nl, buffer, MSG_DONTWAIT, &multicast);
		if (bytes < 0)
			return bytes == -EAGAIN ? -EIO : (int)bytes;
		result = handle_answer(buffer, bytes, request->nlmsg_seq, message, context);
	}
	return result > 0 ? 0 : result;
}
