/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Collects facts about the box for an audit, in steps of about a millisecond, so that a loop can go on between them.
 *
 * What the daemon watches anyhow - interfaces, addresses, SAs - is read from its watchers. IPsec policies and netfilter
 * are dumped, and the kernel is asked for its route to each prefix where it is the administrator's to set
 * (install-routes: false). Changes nothing.
 *
 * Context: one thread; called by audit.c and audit_watch.c.
 */
#ifndef LOADER_AUDIT_GATHER_H
#define LOADER_AUDIT_GATHER_H

#include "addresses.h"
#include "audit.h"
#include "links.h"
#include "sas.h"

struct audit_sources {
	struct links *links; /* both or none */
	struct addresses *addresses;
	struct sas *sas; /* may be NULL */
	int links_error; /* -errno, why they are missing */
	int sas_error;
};

struct audit_gather;

/*
 * All but the kernel's features, which are copied, must outlive the gathering. kernel: as an earlier gathering found
 * it; NULL: to be looked at. Returns 0 or -ENOMEM.
 */
int audit_gather_new(const struct config *config, const struct prefix_index *prefixes,
		     const struct audit_sources *sources, const struct audit_kernel *kernel,
		     struct audit_gather **ret_gather);
void audit_gather_free(struct audit_gather *gather);

/* Returns whether more is to come. */
bool audit_gather_step(struct audit_gather *gather);

/* Complete once no more is to come; the gathering's own. */
const struct audit_facts *audit_gather_facts(const struct audit_gather *gather);

#endif
