/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an operator would find in a configuration that parses, and in the box that it is for: what is not redundant,
 * what the box lacks, what would take packets past the tunnels, what passes netfilter by. Each finding names what is
 * wrong and what to do. Reads the box, changes nothing.
 *
 * Two halves: audit_gather.c collects facts about the box; audit_config.c and audit_box.c, pure, judge the file and the
 * facts. `aa-steer check` calls audit(), which needs no daemon and does all at once. In the daemon audit_watch.c
 * gathers piece by piece, and `status` shows what was found.
 */
#ifndef LOADER_AUDIT_H
#define LOADER_AUDIT_H

#include <jansson.h>

#include "config.h"
#include "links.h"
#include "policies_message.h"
#include "prefix_index.h"

enum audit_level { AUDIT_WARNING = 1, AUDIT_ERROR = 2 };

#define AUDIT_FINDINGS_MAX 1000 /* at most so many are told; one more says how many were not */

struct audit_kernel {
	char release[65]; /* "6.1.0-17-amd64" */
	bool loads_tc;
	bool loads_xdp;
};

struct audit_tunnel {
	struct link link;	 /* of its device, or of the NIC before its remote instance; ifindex 0: there is none */
	uint32_t window_packets; /* smallest replay window of its inbound SAs; SA_NO_WINDOW (sa_set.h) */
};

struct audit_connection {
	struct policy policy;		/* the first that diverts packets to one of its prefixes ... */
	struct config_address diverted; /* ... which is this */
	size_t diverted_count;		/* prefixes, once for each policy; 0: policy is not set */
	struct config_address unrouted; /* the first of its prefixes that the kernel routes past its devices ... */
	bool unreachable;		/* ... or not at all */
	size_t unrouted_count;
};

/* A box, for one configuration. */
struct audit_facts {
	int links_error; /* 0, or -errno why interfaces are not known: then none below is */
	int ipsec_error; /* 0, or -errno why SAs and policies are not */
	int netfilter_error;
	struct audit_kernel kernel;
	struct link inside[MAX_INSIDE_NICS]; /* ifindex 0: there is none; in the file's order, as all below */
	struct link outside[MAX_OUTSIDE_NICS];
	bool dynamic[MAX_INSTANCES]; /* its public address is one of this box, and not a static one */
	size_t forward_chains;	     /* netfilter.h */
	struct audit_tunnel *tunnels;
	struct audit_connection *connections;
};

/*
 * Adds {"level": "warning" | "error", "subject", "message"} to findings, an array. facts: NULL for what the file alone
 * shows. Returns the worst level, 0 where there is no finding.
 */
int audit_findings(const struct config *config, const struct prefix_index *prefixes, const struct audit_facts *facts,
		   json_t *findings);

/* The same, of the box as it is now. */
int audit(const struct config *config, json_t *findings);

#endif
