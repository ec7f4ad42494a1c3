/* SPDX-License-Identifier: GPL-2.0-only */
/* See flow_carry.h. */
#include "flow_carry.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "flow_walk.h"

int flow_carry(int old_fd, int new_fd)
{
	struct flow_walk *walk = flow_walk_new(old_fd);
	const struct flow_key *keys;
	const struct flow_pin *pins;
	int count;

	if (!walk)
		return -ENOMEM;
	/* One that is there is newer, and of a full table the least used goes. */
	while ((count = flow_walk_step(walk, &keys, &pins)) > 0)
		for (int i = 0; i < count; i++)
			bpf_map_update_elem(new_fd, &keys[i], &pins[i], BPF_NOEXIST);
	flow_walk_free(walk);
	return count;
}
