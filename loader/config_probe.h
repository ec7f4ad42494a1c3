/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mapping `probe` of an instance or a tunnel. What depends on its unit, as the peer that an instance's next hop is,
 * is config_check.c's, after all is read. Pure, but for the files that hold keys, which only config_load() reads.
 */
#ifndef LOADER_CONFIG_PROBE_H
#define LOADER_CONFIG_PROBE_H

#include "config_reader.h"

/* Read a field of a mapping; the target is a struct config_instance or config_tunnel. */
void config_probe_of_instance(struct config_reader *reader, const yaml_node_t *node, void *target);
void config_probe_of_tunnel(struct config_reader *reader, const yaml_node_t *node, void *target);

#endif
