/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration as a value: what aa-steer.yaml says, checked and complete, and nothing about what runs.
 *
 * Pure: reads text and files, allocates, knows no kernel. Called by main at start, by control at reload, by --check, by
 * tests and the fuzzer.
 */
#ifndef LOADER_CONFIG_H
#define LOADER_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../maps/flows.h"
#include "../maps/limits.h"
#include "../maps/sessions.h"

enum config_mode { MODE_ACTIVE_ACTIVE, MODE_ACTIVE_STANDBY };
enum config_path { PATH_FAST, PATH_STACK };

/* An address or a network; IPv4 as ::ffff:a.b.c.d. */
struct config_address {
	uint8_t byte[16]; /* network order; host bits of a network are zero */
	uint8_t length;	  /* prefix length, 0..128; of an IPv4 network 96 + n; of a single address 128 */
	bool is_ipv4;
};

/* How an instance or a tunnel is asked whether it lives. */
struct config_probe {
	enum session_kind kind; /* SESSION_NONE: it is not asked, and stands or falls by its link, SA and neighbour */
	bool has_local;
	struct config_address
		local; /* our address; without has_local, the one that the box has on the way to the peer */
	struct config_address peer; /* of an instance, unless it says so, its next hop */
	uint64_t interval_ns;
	uint8_t multiplier;
	uint64_t hold_ns;     /* what failed answers for this long before it is used again ... */
	uint64_t hold_max_ns; /* ... twice as long after each flap, but no longer than this */
	bool multihop;	      /* BFD over routers, on UDP 4784 */
	enum session_auth auth;
	uint8_t key_id;
	uint8_t key_bytes; /* 0 without authentication */
	uint8_t key[SESSION_KEY_BYTES];
	unsigned line;
};

struct config_instance {
	char name[NAME_BYTES];
	struct config_address public;
	bool remote;		   /* `via` and `dev` are given: another box */
	struct config_address via; /* remote only: its next hop ... */
	char dev[IFNAMSIZ];	   /* ... behind this NIC */
	struct config_probe probe; /* remote only */
	char *reset;		   /* shell command that restarts it; NULL: none; owned by the config, like these: */
	char *on_drain;		   /* run when it has been taken out ... */
	char *on_undrain;	   /* ... and when it has been put back */
	uint64_t slow_start_ns;	   /* put back, it takes its flows over this time; 0: at once */
	unsigned line;
};

struct config_tunnel {
	char name[NAME_BYTES];
	unsigned instance;	   /* index in config.instances */
	char device[IFNAMSIZ];	   /* local instance only */
	bool has_via;		   /* the device is Ethernet-like ... */
	struct config_address via; /* ... and this is the next hop behind it */
	uint16_t weight;	   /* MIN_WEIGHT..MAX_WEIGHT */
	struct config_probe probe; /* of a local instance's tunnel only */
	unsigned line;
};

struct config_connection {
	char name[NAME_BYTES];
	bool routed;		       /* `remote: routes`: its prefixes are what the kernel routes into its tunnels */
	struct config_address *remote; /* sorted; owned by the config */
	size_t remote_count;	       /* 1..; 0 of a routed one */
	struct config_tunnel *tunnels; /* in the file's order: the index is the member's ordinal; owned by the config */
	size_t tunnel_count;	       /* 1..MAX_MEMBERS */
	enum affinity affinity;
	uint64_t idle_ns;    /* sticky, symmetric: a flow silent for this long is forgotten */
	uint64_t flowlet_ns; /* sticky, symmetric: one silent for this long leaves a tunnel that is drained; 0: only
				idle ones do */
	unsigned line;
};

struct config {
	char name[NAME_BYTES];
	enum config_mode mode;
	bool preempt; /* active-standby: an instance that is back takes its turn again */
	enum config_path path;
	bool install_routes;
	uint64_t hash_seed;
	uint32_t flows; /* that are remembered at once, MIN_FLOWS..MAX_FLOWS */
	char inside[MAX_INSIDE_NICS][IFNAMSIZ];
	size_t inside_count; /* 1.. */
	char outside[MAX_OUTSIDE_NICS][IFNAMSIZ];
	size_t outside_count; /* 0.. */
	struct config_instance *instances;
	size_t instance_count; /* 1..MAX_INSTANCES */
	struct config_connection *connections;
	size_t connection_count; /* 0..MAX_CONNECTIONS */
	bool routed;		 /* some connection is */
	size_t tunnel_count;	 /* over all connections, at most MAX_TUNNELS */
};

/* One fault of a file, or one doubt about it. Line and column count from 1; 0 where no place can be named. */
struct config_fault {
	unsigned line;
	unsigned column;
	char *text; /* "connections[0].affinity: 'stick' is not one of hash"; one line; owned by the list */
};

struct config_faults {
	struct config_fault *fault; /* in the file's order; owned */
	size_t count;
};

/*
 * Reads a whole configuration file, and those that it names for the keys of probes. On success stores a config at
 * *ret_config, to be freed by config_free(). Every fault of the file is added to *faults (initialise with zero, free
 * with config_faults_free()). Returns 0; -EINVAL if there is any fault; -errno if the file cannot be read (one fault
 * says so).
 */
int config_load(const char *path, struct config **ret_config, struct config_faults *faults);

/*
 * The same from memory; text need not be zero-terminated. Opens no file: where a probe has a key-file, its key is left
 * empty (key_bytes 0).
 */
int config_parse(const char *text, size_t length, struct config **ret_config, struct config_faults *faults);

void config_free(struct config *config);
void config_faults_free(struct config_faults *faults);

/* One line: "aa-steer.yaml:12:7: text", path as given. */
void config_fault_print(FILE *file, const char *path, const struct config_fault *fault);

/* "active-active" or "active-standby". */
const char *config_mode_text(enum config_mode mode);
/* The other way round: 0, or -EINVAL. */
int config_mode_of(const char *text, enum config_mode *ret_mode);

/* "hash", "sticky" or "symmetric". */
const char *config_affinity_text(enum affinity affinity);

/* Longest text of an address with its prefix length, with terminating zero. */
#define CONFIG_ADDRESS_TEXT 64

/* "192.168.0.0/16", "2001:db8::1" (no length where it is a single address). Returns buffer. */
const char *config_address_text(const struct config_address *address, char buffer[CONFIG_ADDRESS_TEXT]);

#endif
