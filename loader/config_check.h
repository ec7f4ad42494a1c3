/* SPDX-License-Identifier: GPL-2.0-only */
/* What concerns more than one key of the configuration: references, things that may stand once only, totals. */
#ifndef LOADER_CONFIG_CHECK_H
#define LOADER_CONFIG_CHECK_H

#include "config_reader.h"

/* Notes that a tunnel names its instance here; the instances may stand further down in the file. */
void config_check_reference(struct config_reader *reader, const yaml_node_t *node, struct config_tunnel *tunnel,
			    const char *instance);

/* Notes that a probe stands here, by a copy of its site, whose node and path are set here. */
void config_check_probe(struct config_reader *reader, const yaml_node_t *node, const struct config_probe_site *site);

/* Once everything is read. */
void config_check(struct config_reader *reader);
void config_check_free(struct config_reader *reader);

#endif
