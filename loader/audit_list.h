/* SPDX-License-Identifier: GPL-2.0-only */
/* The findings of one audit, while it judges. Between audit.c, audit_config.c and audit_box.c. */
#ifndef LOADER_AUDIT_LIST_H
#define LOADER_AUDIT_LIST_H

#include "audit.h"

struct audit_list {
	json_t *findings;
	int worst;
	size_t count; /* found; up to AUDIT_FINDINGS_MAX are told */
};

/* subject: whose the finding is, a name of the file or a part of the box. */
void audit_find(struct audit_list *list, enum audit_level level, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* audit_config.c: what the file alone shows. */
void audit_config(struct audit_list *list, const struct config *config, const struct prefix_index *prefixes);

/* audit_box.c */
void audit_host(struct audit_list *list, const struct config *config, const struct audit_facts *facts);
void audit_links(struct audit_list *list, const struct config *config, const struct audit_facts *facts);
/* Past the tunnels: policies and routes. */
void audit_ways(struct audit_list *list, const struct config *config, const struct audit_facts *facts);

#endif
