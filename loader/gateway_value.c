/* SPDX-License-Identifier: GPL-2.0-only */
/* See gateway_value.h. maps/gateway.h says what every ABI has in common. */
#include "gateway_value.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define VALUE_BYTES 4096

int gateway_value(int map_fd, struct gateway *ret_gateway)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info), zero = 0;
	char value[VALUE_BYTES];
	struct gateway gateway = {0};

	if (bpf_obj_get_info_by_fd(map_fd, &info, &length))
		return -errno;
	if (strcmp(info.name, "gateway") || info.type != BPF_MAP_TYPE_ARRAY || info.value_size < GATEWAY_HEAD_BYTES ||
	    info.value_size > sizeof(value))
		return -EPROTO;
	if (bpf_map_lookup_elem(map_fd, &zero, value))
		return -errno;
	memcpy(&gateway, value, info.value_size < sizeof(gateway) ? info.value_size : sizeof(gateway));
	*ret_gateway = gateway;
	return 0;
}
