/* SPDX-License-Identifier: GPL-2.0-only */
/* The value of a map `gateway`, whatever ABI it is of. */
#ifndef LOADER_GATEWAY_VALUE_H
#define LOADER_GATEWAY_VALUE_H

#include "../maps/gateway.h"

/* Fields that the map's ABI does not have are 0. Returns 0 or -errno; -EPROTO: it is no such map. */
int gateway_value(int map_fd, struct gateway *ret_gateway);

#endif
