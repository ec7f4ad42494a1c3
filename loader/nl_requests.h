/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the kernel by the thousand: gathered in a buffer, sent many at a time, failures matched by sequence
 * number.
 *
 * The kernel works off a datagram's messages in order and answers only those that fail, and the last. A request that
 * failed does not stop those behind it.
 *
 * Context: the daemon's event loop; blocks it for as long as the kernel takes. Called by routes.
 */
#ifndef LOADER_NL_REQUESTS_H
#define LOADER_NL_REQUESTS_H

#include "nl.h"

/* A single request's longest form. */
#define NL_REQUEST_BYTES 2048

struct nl_requests;

/* What a request was about: given with it, handed back when it fails. */
struct nl_tag {
	int kind;
	void *object;
};

typedef void nl_failed_fn(const struct nl_tag *tag, int error, void *context);

int nl_requests_open(int protocol, nl_failed_fn *failed, void *context, struct nl_requests **ret_requests);
void nl_requests_close(struct nl_requests *requests);

/* Begins a request; flags without NLM_F_REQUEST and NLM_F_ACK. The caller adds header and attributes until the next
 * call here. */
struct nlmsghdr *nl_requests_add(struct nl_requests *requests, uint16_t type, uint16_t flags, struct nl_tag tag);

/* Sends what was gathered and not sent yet, and waits. Returns 0 or -errno: the kernel was not reached, what it did is
 * unknown. */
int nl_requests_commit(struct nl_requests *requests);

/* By which the kernel names this socket in notifications (nlmsg_pid). */
uint32_t nl_requests_port(const struct nl_requests *requests);

#endif
