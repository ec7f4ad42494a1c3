/* SPDX-License-Identifier: GPL-2.0-only */
/* See flow_walk.h. */
#include "flow_walk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct flow_walk {
	int fd;
	bool begun, ended;
	__u32 place; /* the kernel's: the bucket that comes next */
	struct flow_key keys[FLOW_WALK_ENTRIES];
	struct flow_pin pins[FLOW_WALK_ENTRIES];
};

struct flow_walk *flow_walk_new(int flows_fd)
{
	struct flow_walk *walk = calloc(1, sizeof(*walk));

	if (walk)
		walk->fd = flows_fd;
	return walk;
}

void flow_walk_free(struct flow_walk *walk)
{
	free(walk);
}

int flow_walk_step(struct flow_walk *walk, const struct flow_key **ret_keys, const struct flow_pin **ret_pins)
{
	__u32 count = FLOW_WALK_ENTRIES;

	if (walk->ended)
		return 0;
	if (bpf_map_lookup_batch(walk->fd, walk->begun ? &walk->place : NULL, &walk->place, walk->keys, walk->pins,
				 &count, NULL)) {
		if (errno != ENOENT)
			return -errno;
		walk->ended = true;
	}
	walk->begun = true;
	*ret_keys = walk->keys;
	*ret_pins = walk->pins;
	return (int)count;
}
