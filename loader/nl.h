/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Netlink sockets: what libmnl leaves to its callers. Opens one with buffers fit for bursts, receives only what the
 * kernel itself sent, and runs a dump to its end.
 *
 * Context: any thread; nothing here is shared. Called by nl_watch, nl_requests, netfilter
 * and audit_gather.
 */
#ifndef LOADER_NL_H
#define LOADER_NL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Holds the largest message that the kernel sends: dumps come in pieces of up to 32 KiB. */
#define NL_RECEIVE_BYTES 65536

/* Fills in type and payload of a dump request; header is zeroed and initialised by mnl_nlmsg_put_header(). */
typedef void nl_dump_request_fn(struct nlmsghdr *header);
typedef void nl_message_fn(const struct nlmsghdr *message, void *context);

/* Opens, binds and sets up a socket. Returns 0 or -errno (-EPROTONOSUPPORT: the kernel lacks this protocol). */
int nl_open(int protocol, struct mnl_socket **ret_socket);

/*
 * One datagram from the kernel; what other processes send is thrown away. flags: MSG_DONTWAIT or 0. *ret_multicast says
 * that it came by a group. Returns its length, -EAGAIN, -ENOBUFS (the socket overran, or the buffer is too short) or
 * -errno.
 */
ssize_t nl_receive(struct mnl_socket *socket, uint8_t buffer[NL_RECEIVE_BYTES], int flags, bool *ret_multicast);

/* Sends a dump request built by build(). Returns 0 or -errno. */
int nl_send_dump(struct mnl_socket *socket, nl_dump_request_fn *build, uint32_t sequence);

/* A dump on a socket of its own; zero-initialised. */
struct nl_dump {
	struct mnl_socket *socket; /* NULL: none is under way */
	uint8_t *buffer;
};

/*
 * A dump in pieces, for who must not stand still for all of it: begin, step until that returns no more than 0, end. The
 * kernel makes each piece, of up to 32 KiB, while it is asked for, so no step waits for anybody. begin: 0 or -errno,
 * and then there is nothing to end. step: 1 while more is to come, 0 at the end, -EAGAIN if the table changed
 * meanwhile, or -errno.
 */
int nl_dump_begin(int protocol, nl_dump_request_fn *build, struct nl_dump *dump);
int nl_dump_step(struct nl_dump *dump, nl_message_fn *message, void *context);
void nl_dump_end(struct nl_dump *dump);

/* A dump on a socket of its own, from request to end. Returns 0; -EAGAIN if the table changed meanwhile; -errno. */
int nl_dump(int protocol, nl_dump_request_fn *build, nl_message_fn *message, void *context);

/*
 * One request and its answer: sends it with NLM_F_ACK, calls message() (may be NULL) for what comes back, returns the
 * kernel's verdict: 0 or -errno. Overwrites the request's flags for acknowledgement and its sequence number.
 */
int nl_transact(struct mnl_socket *socket, struct nlmsghdr *request, nl_message_fn *message, void *context);

/* The error that an NLMSG_ERROR or NLMSG_DONE carries: 0 or -errno; -EBADMSG if it is too short. */
int nl_error(const struct nlmsghdr *message);

/* Is a whole message there? As mnl_nlmsg_ok(), which takes lengths of 2 GiB and more for negative ones, and these for
 * fitting. */
bool nl_message_fits(const struct nlmsghdr *header, int bytes);

/* Is this attribute's payload at least this long? */
bool nl_attr_fits(const struct nlattr *attribute, size_t bytes);

/* Copies a text attribute, cut to the buffer and always terminated. */
void nl_attr_text(const struct nlattr *attribute, char *buffer, size_t buffer_bytes);

/* Walks a nested attribute whose length was not validated; stops where it is malformed. */
void nl_attr_nested(const struct nlattr *attribute, mnl_attr_cb_t each, void *data);

/* Walks the attributes behind a header of offset bytes. Returns 0, or -EBADMSG if the message is too short for the
 * header. */
int nl_attrs(const struct nlmsghdr *message, size_t offset, mnl_attr_cb_t each, void *data);

#endif
