/* SPDX-License-Identifier: GPL-2.0-only */
/* What `drain --dry-run` is answered, for people. */
#ifndef TOOLS_DRAIN_PLAN_H
#define TOOLS_DRAIN_PLAN_H

#include "tool.h"

/* plan: the result of the command (docs/control-protocol.md). */
void drain_plan_print(const json_t *plan);

#endif
