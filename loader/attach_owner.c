/* SPDX-License-Identifier: GPL-2.0-only */
/* The gateway that a program belongs to, by its maps. See attach_owner.h. */
#include "attach_owner.h"

#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>

#include "gateway_value.h"

#define MAX_MAPS 64

/* The gateway that this map names, if it is a map `gateway`. */
static bool map_names(__u32 map_id, char ret_gateway[NAME_BYTES])
{
	struct gateway gateway;
	int fd = bpf_map_get_fd_by_id(map_id);
	bool named;

	if (fd < 0)
		return false;
	named = !gateway_value(fd, &gateway);
	close(fd);
	if (named)
		memcpy(ret_gateway, gateway.name, NAME_BYTES);
	return named;
}

bool attach_owner(__u32 program_id, const char *name, char ret_gateway[NAME_BYTES])
{
	__u32 maps[MAX_MAPS];
	struct bpf_prog_info info = {.map_ids = (__u64)(uintptr_t)maps, .nr_map_ids = MAX_MAPS};
	__u32 length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program_id);
	bool found = false;

	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length) && !strcmp(info.name, name))
		for (__u32 i = 0; i < info.nr_map_ids && i < MAX_MAPS && !found; i++)
			found = map_names(maps[i], ret_gateway);
	close(fd);
	return found;
}

bool attach_is_ours(const struct pins *pins, __u32 program_id, const char *name)
{
	char gateway[NAME_BYTES];

	return attach_owner(program_id, name, gateway) && !strncmp(gateway, pins->gateway, NAME_BYTES);
}
