/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the packet path decided, and why. Every exit of every program names one of these.
 *
 * Maps `drops` and `passes`: BPF_MAP_TYPE_PERCPU_ARRAY of one entry, a struct with a counter per reason, so that
 * `bpftool map dump` shows the reason's name beside its count. Writer: the BPF programs.
 */
#ifndef MAPS_REASONS_H
#define MAPS_REASONS_H

#include <linux/types.h>

/* X(name, sentence): packets taken off the network. */
#define DROP_REASONS(X)                                                                                                \
	X(no_usable_tunnel, "the connection has no usable tunnel")                                                     \
	X(no_protected_route, "the kernel would route it past the tunnels")                                            \
	X(no_egress, "its tunnel has no device, or its headers could not be rewritten for it")                         \
	X(too_big_answered, "too big for a tunnel of its connection, and its sender is told")                          \
	X(too_big, "too big for a tunnel of its connection, and its sender is not told: too many are")

/* X(name, sentence): packets left to the kernel. */
#define PASS_REASONS(X)                                                                                                \
	X(not_ip, "neither IPv4 nor IPv6")                                                                             \
	X(malformed, "headers that do not parse")                                                                      \
	X(not_for_gateway, "not addressed to this box at the link layer")                                              \
	X(no_connection, "no connection's prefix holds its destination")                                               \
	X(own_network, "addressed to this box, or to a network it is on")                                              \
	X(link_local, "from a link-local address, which no router forwards")                                           \
	X(ttl_expires, "the kernel answers with time exceeded")                                                        \
	X(too_big, "the kernel fragments it, or answers that it is too big")                                           \
	X(to_stack, "marked for the kernel's routing into its tunnel (path: stack)")                                   \
	X(to_tc, "left by XDP to steer_tc")

enum drop_reason {
#define X(name, sentence) DROP_##name,
	DROP_REASONS(X)
#undef X
		DROP_REASON_COUNT
};

enum pass_reason {
#define X(name, sentence) PASS_##name,
	PASS_REASONS(X)
#undef X
		PASS_REASON_COUNT
};

struct drops { /* packets */
#define X(name, sentence) __u64 name;
	DROP_REASONS(X)
#undef X
};

struct passes { /* packets */
#define X(name, sentence) __u64 name;
	PASS_REASONS(X)
#undef X
};

_Static_assert(sizeof(struct drops) == 8 * DROP_REASON_COUNT, "drops");
_Static_assert(sizeof(struct passes) == 8 * PASS_REASON_COUNT, "passes");

#endif
