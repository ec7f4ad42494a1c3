/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One generation of programs and maps: loaded, filled, pinned, and given to hooks. The daemon's only way to the maps.
 *
 * Configuration maps are new in every generation; state maps (health, counters, drops, passes, sessions) are taken
 * over from the pins, whichever build left them (datapath_state.h), so a generation can be built in full beside the one
 * that forwards, and replace it hook by hook (attach_tc.h, attach_xdp.h). Until datapath_pin() nothing of it can be
 * seen from outside, and closing it leaves no trace. Context: the daemon's event loop.
 */
#ifndef LOADER_DATAPATH_H
#define LOADER_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../maps/connections.h"
#include "../maps/flows.h"
#include "../maps/prefixes.h"
#include "../maps/reasons.h"
#include "../maps/sessions.h"
#include "../maps/where.h"
#include "model.h"
#include "pins.h"

struct bpf_object;

struct datapath_options {
	const char *gateway;
	uint64_t hash_seed;
	bool path_stack;
	bool keeps_routes;
	uint32_t connections, rows, tunnels; /* entries needed at least */
	uint32_t flows;			     /* entries; 0: no flow is pinned */
	uint64_t flow_idle_ns;		     /* the longest of any connection */
};

struct datapath {
	struct pins pins;
	struct model_maps maps;			/* by index; mapped, so a store is all it takes */
	struct row *rows;			/* mapped; written before the generation is attached */
	struct gateway *gateway;		/* mapped; prefix_changes is raised after each change of a prefix */
	struct session_config *session_configs; /* mapped; MAX_SESSIONS of them, shared with the generation before */
	struct tunnel_epoch *tunnel_epochs;	/* mapped; by tunnel index */
	struct flow_marks *flow_marks;		/* mapped; by hash */
	struct prefix_chunk *prefix_chunks;	/* mapped */
	struct prefix_flat *prefix_flat;	/* keeps prefix_chunks */
	uint32_t row_entries;
	uint32_t tunnel_entries;
	int steer_tc_fd;  /* program for tc ingress of inside NICs */
	int tunnel_tc_fd; /* program for tc ingress of tunnel devices, and of NICs before probed remote instances */
	int session_control_fd; /* program that is asked about sessions, and attached nowhere */
	uint64_t hash_seed;
	bool path_stack;
	bool flows_kept;			  /* some connection's flows are pinned */
	uint64_t flow_interval_ns, flow_burst_ns; /* the latter: the longest idle time */
	uint32_t flow_mark_mask;
	uint32_t before_abi;	   /* of the pinned maps that it found; 0: there were none */
	bool flow_marks_new;	   /* theirs could not be taken over */
	bool sessions_lost;	   /* theirs could not be taken over */
	struct bpf_object *object; /* holds all maps: attach_xdp.c shares them */
	struct steer_tc *skeleton;
};

/* libbpf's own account of the last failure here, one line, for the log. Static. */
const char *datapath_error(void);

/* Loads a new generation. Returns 0 or -errno. */
int datapath_load(const struct datapath_options *options, struct datapath **ret_datapath);
/*
 * Where this generation's map `flows` is another one than the pinned: takes over what is not in it yet. To be called
 * once more when its programs forward: until then others wrote the old one.
 */
void datapath_carry_flows(const struct datapath *datapath);
/* Replaces the pinned maps by this generation's. */
int datapath_pin(const struct datapath *datapath);
/* Lets go of it; what is attached and pinned goes on. NULL is fine. */
void datapath_close(struct datapath *datapath);

/* The names that pinned maps, of whatever ABI, give to indexes; nothing (and 0) where none are pinned. Freed by
 * datapath_indexes_free(). */
int datapath_indexes(const char *gateway, struct model_indexes *ret_indexes);
void datapath_indexes_free(struct model_indexes *indexes);

/* Did this gateway's latest generation keep routes? Yes, too, where it does not say. */
bool datapath_kept_routes(const char *gateway);

int datapath_set_connection(struct datapath *datapath, uint32_t index, const struct connection *connection);
int datapath_connection(const struct datapath *datapath, uint32_t index, struct connection *ret_connection);
/* address: as in prefixes.h. connection NO_CONNECTION: the kernel routes it. */
int datapath_set_prefix(struct datapath *datapath, const struct config_address *prefix, uint32_t connection);
int datapath_remove_prefix(struct datapath *datapath, const struct config_address *prefix);
/* inside_nic: place in gateway.inside. */
int datapath_set_inside_nic(struct datapath *datapath, uint32_t inside_nic, const struct inside_nic *nic);
int datapath_set_device(struct datapath *datapath, int ifindex, const struct device *device);
int datapath_device(const struct datapath *datapath, int ifindex, struct device *ret_device);
int datapath_remove_device(struct datapath *datapath, int ifindex);
/* The NIC of a remote instance; ifindex 0: none now. -EOPNOTSUPP where the device cannot take XDP frames. */
int datapath_set_remote_port(struct datapath *datapath, uint32_t instance, int ifindex);

/* Sums over CPUs of tunnels 0..count-1. Returns 0 or -errno. */
int datapath_counters(const struct datapath *datapath, struct counters *ret_counters, uint32_t count);
int datapath_clear_counters(struct datapath *datapath, uint32_t tunnel);
/* Borrowed. */
int datapath_flows_fd(const struct datapath *datapath);
int datapath_flow_counts(const struct datapath *datapath, struct flow_counts *ret_counts);
int datapath_drops(const struct datapath *datapath, struct drops *ret_drops);
int datapath_passes(const struct datapath *datapath, struct passes *ret_passes);
int datapath_probe_rejects(const struct datapath *datapath, struct probe_rejects *ret_rejects);

/* Asks steer_tc where it would send this Ethernet frame, addressed to MAC 0. Returns 0 or -errno. */
int datapath_where(const struct datapath *datapath, const void *frame, size_t length, struct where_answer *ret_answer);

/*
 * Has session_control do this (maps/sessions.h). ret_due_ns: NULL, or of SESSION_SEND the time until the next packet, 0
 * for none. Returns 0 or -errno.
 */
int datapath_session_command(const struct datapath *datapath, uint32_t session, enum session_command command,
			     uint64_t *ret_due_ns);
int datapath_session(const struct datapath *datapath, uint32_t session, struct session *ret_session);
int datapath_set_session_peer(struct datapath *datapath, const struct session_peer_key *key, uint32_t session);
/* Leaves a key alone that leads to another session. */
int datapath_remove_session_peer(struct datapath *datapath, const struct session_peer_key *key, uint32_t session);
/* The ring buffer `session_events`; borrowed. */
int datapath_session_events_fd(const struct datapath *datapath);

#endif
