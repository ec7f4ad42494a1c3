/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What routes.c knows of the kernel: nexthop objects, groups, routes and rules, what is wanted of them and what stands
 * there.
 *
 * Inner header of routes*.c. routes_kept.c, routes_nexthop.c and routes_group.c keep these values consistent and talk
 * to nobody; routes_want.c changes what is wanted, routes_sync.c sends requests until it stands, routes_watch.c takes
 * in what the kernel says; routes.c is the interface and the clock.
 */
#ifndef LOADER_ROUTES_KEPT_H
#define LOADER_ROUTES_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nl_requests.h"
#include "nl_watch.h"
#include "routes.h"
#include "routes_group.h"
#include "routes_message.h"
#include "routes_nexthop.h"

#define FAMILIES 2 /* index: is it IPv6? */
/* Of marks and groups twice what is needed at one time: at a reload the old and the new stand side by side. */
#define CONNECTION_SLOTS (MAX_CONNECTIONS + 2 * MAX_STACK_TUNNELS)
#define GROUP_SLOTS	 (2 * FAMILIES * CONNECTION_SLOTS)
#define NEXTHOP_SLOTS	 (2 * FAMILIES * (MAX_TUNNELS + MAX_INSTANCES))
#define DEVICE_BUCKETS	 8192

struct kept_route {
	struct route_key key; /* first: the tree compares by it */
	struct route_owner *owner;
	size_t place; /* in owner->routes */
	bool in_kernel;
	bool was_ours;	   /* when last seen or written: then we may replace what stands there */
	bool taken;	   /* by somebody else: the kernel would not write over it */
	bool adopted;	   /* of an earlier daemon, and nobody has claimed it yet */
	uint32_t group_id; /* where it leads, if in_kernel and not unreachable ... */
	uint32_t epoch;	   /* ... while that group's installation lasts */
	uint64_t stamp;	   /* of the owner's latest claim */
	uint64_t generation;
	struct kept_route *next;
};

/* A connection, or for path: stack a mark. */
struct route_owner {
	uint32_t number; /* connection, or a slot from MAX_CONNECTIONS on */
	uint32_t table;	 /* and mark; 0: a connection's places */
	struct config_address *prefixes;
	size_t prefix_count;
	struct route_egress *egresses;
	size_t egress_count;
	struct kept_route **routes; /* its places */
	size_t route_count;
	struct group *groups[FAMILIES];
	bool carried[FAMILIES];	    /* some egress can carry this family */
	bool has_default[FAMILIES]; /* counted in the rules for default routes */
	bool claimed;		    /* routes[] is what prefixes ask for */
	bool dirty;		    /* kernel and wish differ */
	size_t missing;		    /* routes that should stand and do not */
	uint64_t stamp;
	uint64_t round; /* of the latest routes_apply() */
};

struct kept_rule {
	struct rule_message rule;
	size_t users;
	bool installed;
	bool adopted;
	uint64_t generation;
};

struct routes {
	sd_event *loop;
	int lock_fd; /* bound as ROUTES_LOCK, which is gone when its holder is */
	struct nl_watch *watch;
	struct nl_requests *requests;
	struct sd_event_source *repair;
	uint64_t repaired_us;
	uint64_t pause_us; /* between repairs that fail */

	struct nexthop *nexthops[NEXTHOP_SLOTS];
	struct nexthop *by_device[DEVICE_BUCKETS]; /* the same, by ifindex */
	struct group *groups[GROUP_SLOTS];
	struct route_owner *owners[CONNECTION_SLOTS];
	void *tree; /* tsearch tree of struct kept_route */
	size_t route_count;
	struct kept_rule *rules;
	size_t rule_count;

	struct nexthop *idle_nexthops; /* perhaps without users */
	struct group *idle_groups;     /* perhaps without owner and routes */
	struct kept_route *walked;     /* while a walk collects */
	uint32_t epoch;
	uint64_t generation; /* of the latest dump */
	uint64_t round;
	bool in_round;	/* between routes_begin() and routes_sweep() */
	bool orphans;	/* there are routes that an owner gave up */
	bool unpruned;	/* nexthops were lost, their groups do not know yet */
	bool disturbed; /* the kernel lost something that is wanted */
	uint64_t stamp; /* counts claims */
	uint64_t pass;	/* counts synchronisations */
	bool failed;	/* a request did, since this was last cleared */
	bool refused;	/* a nexthop was */
	size_t missing; /* over all owners */
};

struct kept_route *routes_kept_route(const struct routes *routes, const struct route_key *key);
struct kept_route *routes_kept_route_new(struct routes *routes, const struct route_key *key);
bool routes_kept_unreachable(const struct kept_route *route);
/* The group that it leads to now; NULL if it does not stand or the group went. */
struct group *routes_kept_leads_to(const struct routes *routes, const struct kept_route *route);
/* Is what stands there ours, as far as we know? What went, with its group or alone, may have made place for others. */
bool routes_kept_may_replace(const struct routes *routes, const struct kept_route *route);
/* It stands now, and leads to group (NULL: unreachable). */
void routes_kept_route_set(struct routes *routes, struct kept_route *route, struct group *group);
/* It does not stand. */
void routes_kept_route_lost(struct routes *routes, struct kept_route *route);
void routes_kept_route_free(struct routes *routes, struct kept_route *route);
/* All routes, as a list by ->next. */
struct kept_route *routes_kept_list(struct routes *routes);

/* Found or made; NULL without memory. Valid until the next call. */
struct kept_rule *routes_kept_rule(struct routes *routes, const struct rule_message *rule);

/* Kernel and wish of this owner differ; NULL is nobody. */
void routes_kept_disturb(struct routes *routes, struct route_owner *owner);
void routes_kept_owner_free(struct route_owner *owner);
void routes_kept_free(struct routes *routes);

/* routes_want.c. Copies the set, and takes its places from whoever has them. Returns 1, 0 if nothing changed, or
 * -ENOMEM. */
int routes_want(struct routes *routes, struct route_owner *owner, const struct route_set *set);
/* The owner goes: its routes belong to nobody. */
void routes_want_nothing(struct routes *routes, struct route_owner *owner);

/* routes_sync.c: makes the kernel's state the wanted one. Each returns 0 or -errno. */
int routes_sync_owner(struct routes *routes, struct route_owner *owner);
int routes_sync_rules(struct routes *routes);
/* Rules that are wanted, of one table or of all (0), and do not stand. */
size_t routes_sync_rules_missing(const struct routes *routes, uint32_t table);
/* Deletes the routes that nobody owns; adopted ones too, or only those that an owner gave up. */
int routes_sync_orphans(struct routes *routes, bool adopted_too);
/* Deletes groups and nexthops that nothing uses. */
int routes_sync_collect(struct routes *routes);
nl_failed_fn routes_sync_failed;

/* routes_watch.c */
extern const struct nl_watch_ops routes_watch_ops;

/* routes.c: something was lost; put it back soon. */
void routes_repair_soon(struct routes *routes);

#endif
