/* SPDX-License-Identifier: GPL-2.0-only */
/* The gateway that a program belongs to, by its maps. See attach_owner.h. */
#include "attach_owner.h"

#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>

#include "../maps/gateway.h"

#define MAX_MAPS 64

/* Does this map bear our gateway's name? */
static bool map_names_us(const struct pins *pins, __u32 map_id)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info), zero = 0;
	struct gateway gateway;
	int fd = bpf_map_get_fd_by_id(map_id);
	bool named;

	if (fd < 0)
		return false;
	named = !bpf_obj_get_info_by_fd(fd, &info, &length) && !strcmp(info.name, "gateway") &&
		info.value_size == sizeof(gateway) && !bpf_map_lookup_elem(fd, &zero, &gateway) &&
		!strncmp(gateway.name, pins->gateway, sizeof(gateway.name));
	close(fd);
	return named;
}

bool attach_is_ours(const struct pins *pins, __u32 program_id, const char *name)
{
	__u32 maps[MAX_MAPS];
	struct bpf_prog_info info = {.map_ids = (__u64)(uintptr_t)maps, .nr_map_ids = MAX_MAPS};
	__u32 length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program_id);
	bool ours = false;

	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length) && !strcmp(info.name, name))
		for (__u32 i = 0; i < info.nr_map_ids && i < MAX_MAPS && !ours; i++)
			ours = map_names_us(pins, maps[i]);
	close(fd);
	return ours;
}
