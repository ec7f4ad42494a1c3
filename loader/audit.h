/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `aa-steer check`: a configuration that parses, looked at as an operator would: what is not redundant, what this box
 * lacks, what passes netfilter by. Each finding names what is wrong and what to do. Reads the box, changes nothing;
 * needs no daemon.
 */
#ifndef LOADER_AUDIT_H
#define LOADER_AUDIT_H

#include <jansson.h>

#include "config.h"

enum audit_level { AUDIT_WARNING = 1, AUDIT_ERROR = 2 };

/*
 * Adds {"level": "warning" | "error", "subject", "message"} to findings, an array. Returns the worst level, 0 where
 * there is none.
 */
int audit(const struct config *config, json_t *findings);

/* The same of what the configuration alone shows, without a look at the box. */
int audit_config(const struct config *config, json_t *findings);

#endif
