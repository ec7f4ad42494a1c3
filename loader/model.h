/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What runs: the configuration's instances, tunnels and connections with their map indexes, the facts known about each,
 * and the state that was decided from them. One model belongs to one generation of programs.
 *
 * Facts are written by the watchers' callbacks (gateway.c), states by judge.c alone; reports read both. Pure memory:
 * health and egress point into the mapped maps, or, in tests, into plain arrays.
 */
#ifndef LOADER_MODEL_H
#define LOADER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "../maps/connections.h"
#include "../maps/counters.h"
#include "../maps/health.h"
#include "../maps/tunnels.h"
#include "config.h"

enum unit_state { UNIT_ACTIVE, UNIT_STANDBY, UNIT_DRAINING, UNIT_DRAINED, UNIT_DOWN };
enum connection_state { CONNECTION_REDUNDANT, CONNECTION_AT_RISK, CONNECTION_DOWN };

/* The last time that a probe found a unit dead. */
struct unit_failure {
	bool known;	       /* false: it was not this daemon's to see, or the unit answers again */
	bool by_peer;	       /* the peer said so; it was not our detection */
	uint64_t silence_ns;   /* from its last answer to the verdict; 0: it never answered */
	uint64_t lost_packets; /* steered into it meanwhile; 0 for instances */
};

/* What a tunnel and an instance have in common: both are judged, drained and reached through some device. */
struct unit {
	const char *name;		  /* the configuration's */
	struct health facts;		  /* causes as now known; judge.c stores what changes */
	struct health *health;		  /* its word in the map */
	struct egress *egress;		  /* its way out in the map */
	const char *device;		  /* name of its device; NULL: it leaves by none of its own */
	const struct config_address *via; /* next hop behind the device, or NULL */
	int ifindex;			  /* of the device; 0: none now */
	int lower_ifindex;		  /* of the NIC under a tunnel device; 0: none known */
	const struct config_probe *probe; /* NULL: it is not probed */
	uint32_t session;		  /* that probes it; NO_SESSION: none */
	bool unaddressed;		  /* its session waits for an address of ours to ask from */
	const char *probe_reason;	  /* of probe_dead: a static sentence; NULL: the cause's own word */
	struct unit_failure failure;
	uint64_t slow_since_ns; /* monotonic: put back then, it takes its flows one by one ... */
	uint64_t slow_ns;	/* ... over this time; 0: it has them all */
	bool carried;		/* programs that an earlier daemon left use it: until its probe is settled */
	bool silent;		/* out, and nothing came in through it lately: drained */
	bool silenced;		/* so, whatever comes in: drained by --now */
	enum unit_state state;	/* decided */
	const char *reason;	/* why it is not active: a static sentence, "" where there is nothing to say */
	const char *failing;	/* decided, of a tunnel that is draining: the cause that it fails for; NULL: none */
	uint64_t since_ns;	/* of the state, wall clock */
};

struct model_instance {
	struct unit unit;
	const struct config_instance *config;
	uint32_t index;		 /* in the map `instances` */
	uint32_t tier;		 /* its turn in mode active-standby, from 0; 0 in active-active */
	uint32_t tunnels;	 /* of this instance, over all connections */
	uint32_t tunnels_usable; /* decided */
};

struct model_tunnel {
	struct unit unit;
	const struct config_tunnel *config;
	struct model_instance *instance;
	struct model_connection *connection;
	uint32_t index; /* in the map `tunnels` */
	uint32_t ordinal;
	uint32_t if_id;		   /* of an xfrm device; 0: SAs are not its matter */
	uint64_t sa_back_ns;	   /* monotonic: when its set of SAs last came or went */
	uint64_t flows;		   /* pinned to it, when last counted */
	uint64_t flows_counted_ns; /* monotonic: when that count began; 0: never */
	bool usable;		   /* decided: a flow can take it now */
	bool awaited;		   /* its instance is being reset, and it was usable before: reset.c waits for it */
	struct counters seen;	   /* at the last sample */
	bool has_ticked;	   /* a tick saw it: there is something to compare with */
	struct counters ticked;	   /* at the last tick */
	struct counters rate;	   /* per second, between the last two ticks */
	uint64_t last_rx_ns;	   /* monotonic: when the sample last saw rx_through_packets move */
};

/* A connection through some of its tunnels only: subsets.h. */
struct model_subset {
	struct model_connection *connection;
	uint64_t tunnels;	   /* bit by ordinal */
	uint32_t index;		   /* in the map `connections` */
	struct connection *value;  /* its place there */
	uint32_t prefixes;	   /* that lead through it now */
	struct model_subset *next; /* of the same connection */
};

struct model_connection {
	const struct config_connection *config;
	uint32_t index;		      /* in the map `connections` */
	struct connection *value;     /* its place there */
	struct model_tunnel *tunnels; /* config->tunnel_count of them, in the model's one array */
	enum connection_state state;  /* decided */
	const char *panic; /* decided: down, and why packets go into tunnels that are out all the same; else NULL */
	uint64_t since_ns;
	uint32_t prefixes;	      /* of a routed one: that lead to it now, through all of its tunnels or some */
	uint32_t partial;	      /* of these: through some */
	struct model_subset *subsets; /* those that were needed so far */
	bool unsettled;		      /* facts of its tunnels changed since it was decided */
};

struct model {
	struct config *config; /* owned */
	enum config_mode mode; /* in force: the configuration's, or an operator's */
	struct model_instance *instances;
	struct model_connection *connections;
	struct model_tunnel *tunnels; /* config->tunnel_count, by connection */
	uint32_t tunnel_indexes;      /* highest tunnel index in use + 1 */
	struct model_subset *subsets; /* of all connections; NULL before the first */
	size_t subset_count;
	enum connection_state state; /* the worst connection's */
	struct model_names *names;   /* lookup tables */
};

/* Who held which index before: so that names keep theirs. Index -> name; empty string where free. */
struct model_indexes {
	char (*tunnel)[NAME_BYTES];
	uint32_t tunnel_count;
	char (*instance)[NAME_BYTES];
	uint32_t instance_count;
};

/* The arrays that the maps are, by index. */
struct model_maps {
	struct health *tunnel_health, *instance_health;
	struct tunnel *tunnels;
	struct instance *instances;
	struct connection *connections;
};

/*
 * Builds a model of a configuration, which it then owns. Names found in *before keep their index, others take free
 * ones. Every unit starts as down since now, to be judged. Returns 0, -ENOMEM, or -ENOSPC (no index is free); on
 * failure the configuration stays the caller's.
 */
int model_create(struct config *config, const struct model_indexes *before, struct model **ret_model);
void model_free(struct model *model);

/*
 * Whose turn it is: in active-active everybody's; in active-standby first's (NULL: nobody is put first), then that of
 * the others in the order of the configuration, then of those in `behind`, in this order. Names that nobody bears count
 * for nothing. model_create() left it at the configuration's mode and order.
 */
void model_order(struct model *model, enum config_mode mode, const char *first, const char (*behind)[NAME_BYTES],
		 size_t behind_count);

/* Points every unit and connection at its place in the maps. Call once the maps of this model's generation are there.
 */
void model_place(struct model *model, const struct model_maps *maps);

/* Takes over facts, states and samples of the units that bear the same name in an older model. */
void model_inherit(struct model *model, const struct model *older);

struct model_instance *model_instance_by_name(const struct model *model, const char *name);
struct model_tunnel *model_tunnel_by_name(const struct model *model, const char *name);
struct model_tunnel *model_tunnel_by_device(const struct model *model, const char *device);
struct model_tunnel *model_tunnel_by_index(const struct model *model, uint32_t index);
struct model_connection *model_connection_by_name(const struct model *model, const char *name);

const char *unit_state_text(enum unit_state state);
const char *connection_state_text(enum connection_state state);

/* Is it out for no cause, its instance's causes left aside? */
bool unit_usable(const struct unit *unit);
/* A copy with its administrative cause left aside. */
struct unit unit_left_in(const struct unit *unit);
/* Why it is out: the first of its causes, a static sentence; "" where there is none. */
const char *unit_cause(const struct unit *unit);
/* Is its probe's verdict what unit_cause() says? */
bool unit_is_dead(const struct unit *unit);
/* Can a flow take it now? */
bool model_tunnel_usable(const struct model_tunnel *tunnel);
/* How far it is out by an operator, itself or by its instance: 0, or the further of the two. */
enum admin_out model_tunnel_out(const struct model_tunnel *tunnel);

#endif
