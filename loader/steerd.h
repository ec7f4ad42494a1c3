/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The running daemon: one gateway, its watchers, its generation of programs, all on one event loop.
 *
 * main.c starts and stops it. A failure event walks: watcher -> facts.c (which unit, what changed) -> judge.c (the
 * store) -> later, once the loop is idle: settle in steerd.c (states, events, fail-safe routes). A new configuration
 * walks: generation.c (build beside, swap) -> hooks.c (programs on devices) -> sessions.c (probes). A failure that a
 * probe finds is stored by the programs themselves; session_events.c is told, and goes on from judge.c as above.
 * Operators come in by commands.c and read
 * report.c.
 */
#ifndef LOADER_STEERD_H
#define LOADER_STEERD_H

#include <systemd/sd-event.h>

#include "addresses.h"
#include "admin.h"
#include "attach_tc.h"
#include "attach_xdp.h"
#include "config.h"
#include "control.h"
#include "datapath.h"
#include "drain.h"
#include "journal.h"
#include "judge.h"
#include "links.h"
#include "model.h"
#include "neighbours.h"
#include "paths.h"
#include "routes.h"
#include "sas.h"
#include "sender.h"
#include "session_events.h"
#include "sessions.h"

/* An inside or outside NIC of the configuration. */
struct nic {
	const char *name; /* the configuration's */
	bool inside;
	int ifindex; /* 0: there is none of this name */
	bool up;
	enum attach_xdp_kind xdp;
	enum attach_tc_kind tc;
	char reason[128]; /* what is wrong with it; "" */
};

struct steerd {
	sd_event *loop;
	char config_path[PATHS_BYTES];
	char state_directory[PATHS_BYTES];
	char control_path[PATHS_BYTES];

	struct model *model;	   /* of the generation that forwards; NULL before the first */
	struct datapath *datapath; /* likewise */
	struct model *building;	   /* of a generation that is being built; else NULL */
	struct nic nics[MAX_INSIDE_NICS + MAX_OUTSIDE_NICS]; /* in the order of the file, inside ones first */
	size_t nic_count;

	struct links *links;
	struct addresses *addresses;
	struct neighbours *neighbours;
	struct sas *sas;       /* NULL: this kernel has no XFRM netlink */
	struct routes *routes; /* NULL: install-routes is off and path is fast */
	struct routed *routed; /* routed.c: NULL unless a connection follows the kernel's routes */
	struct sessions *sessions;
	struct sender *sender;		       /* NULL: nothing was ever probed */
	struct session_events *session_events; /* NULL before the first generation */
	struct admin *admin;
	struct journal *journal;
	struct control *control;
	struct audit_watch *audit;
	struct judge judge;

	sd_event_source *settle;	 /* deferred: states that follow from stores */
	sd_event_source *tick;		 /* each second: counters, drains */
	uint64_t ticked_ns;		 /* monotonic: the last tick */
	bool routes_stale;		 /* settle has routes to apply */
	struct waiter *waiters;		 /* drain --wait: drain_wait.c */
	sd_event_source *drain_deadline; /* drain.c: NULL unless a drain has one */
	struct follower *followers;	 /* events -f: commands.c */
	struct flows *flows;		 /* flows.c */
	sd_event_source *slow_start;	 /* slow_start.c: NULL unless something starts slowly */
	struct drain_hook *hooks;	 /* drain_hook.c */
	struct reset *reset;		 /* reset.c: NULL unless one runs */
	sd_event_source *yielding;	 /* mode.c: NULL unless an instance is about to stay behind */
};

/* steerd.c */
/* Returns 0, -EINVAL if the file is faulty, another -errno; what is wrong has been told. */
int steerd_start(sd_event *loop, const char *config_path, struct steerd **ret_steerd);
/* Lets go of everything; programs, maps and routes go on. */
void steerd_stop(struct steerd *steerd);
/* A fact changed: have states worked out soon. */
void steerd_unsettle(struct steerd *steerd);
/* Brings the model's counters up to date. */
void steerd_sample(struct steerd *steerd);
/* Work them out now. */
void steerd_settle(struct steerd *steerd);
void steerd_event(struct steerd *steerd, const char *what, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * generation.c. Loads the file and replaces what runs by it. On a fault of the file: -EINVAL and the faults; on any
 * failure what ran before goes on, untouched, and error says why in one line.
 */
int generation_replace(struct steerd *steerd, struct config_faults *faults, char *error, size_t error_size);
/* The same with the configuration that runs: what else its maps are made of has changed. The file is not read. */
int generation_rebuild(struct steerd *steerd, char *error, size_t error_size);
/* Takes programs, maps and routes off. */
int generation_unload(struct steerd *steerd);

/* mode.c: whose turn it is. */
/* Gives a model that may not run yet the mode in force. */
void mode_apply(const struct steerd *steerd, struct model *model);
/* The file was read, and runs: what it ends of an operator's mode is forgotten. */
void mode_loaded(struct steerd *steerd);
/* States have settled: without preemption, who lost its turn is to stay behind. */
void mode_watch(struct steerd *steerd);
void mode_close(struct steerd *steerd);
/* The mode, whose it is, and the order of instances: members of status's gateway. */
json_t *mode_json(const struct steerd *steerd);
void mode_run(struct control_request *request, json_t *arguments, void *steerd);

/* hooks.c: programs on devices, and what they know of them. */
void hooks_nics_reset(struct steerd *steerd);
void hooks_attach_all(struct steerd *steerd);
/* Takes steer_xdp off NICs that are not inside ones (any more), or off all. Returns 0 or -errno. */
int hooks_xdp_sweep(struct steerd *steerd, bool everything);
void hooks_link_changed(struct steerd *steerd, const struct link *link);
void hooks_link_removed(struct steerd *steerd, const struct link *link);
/* Writes what the packet path must know of an interface, into a generation that may not run yet. */
void hooks_describe(const struct steerd *steerd, const struct model *model, struct datapath *datapath,
		    const struct link *link);
/* An address of ours came or went: it may be the one that packets of inside NICs are answered from. */
void hooks_address_changed(struct steerd *steerd);

/* facts.c: what watchers told, into the model. */
void facts_link_changed(struct steerd *steerd, const struct link *link);
void facts_link_removed(struct steerd *steerd, const struct link *link);
void facts_next_hop_changed(int ifindex, const struct config_address *next_hop, bool present, const uint8_t mac[6],
			    void *steerd);
void facts_sa_changed(uint32_t if_id, bool present, void *steerd);
void facts_sa_expiring(uint32_t if_id, bool expiring, void *steerd);
/* Each tick: SAs that came back long enough ago are used again. */
void facts_sas_held(struct steerd *steerd, uint64_t now_ns);
/* Everything that the watchers know, into a model that may not run yet. Stores no health. */
void facts_gather(struct steerd *steerd, struct model *model);
void facts_own_address(struct steerd *steerd, const struct model *model, struct datapath *datapath,
		       const struct own_address *address, bool present);

/* Is it an address of the box, or a network that it is on? */
bool facts_is_own_prefix(const struct steerd *steerd, const struct config_address *prefix);
/* The network of an address, without its host bits. */
struct config_address facts_own_network(const struct own_address *own);

/* routed.c: connections whose prefixes the kernel's routes tell (`remote: routes`). */
/* Opens the table before a configuration that follows it is built. Returns 0, or -errno and one line of error. */
int routed_prepare(struct steerd *steerd, const struct config *config, char *error, size_t error_size);
/* Fills a generation that does not run yet, after all else is in it; then it runs, or it never will. */
int routed_fill(struct steerd *steerd, struct model *model, struct datapath *datapath);
void routed_swap(struct steerd *steerd);
void routed_undo(struct steerd *steerd);
void routed_close(struct steerd *steerd);
/* A device came, went, or is another one under its name. */
void routed_link_changed(struct steerd *steerd);
/* facts_own_address() has written or removed it. */
void routed_own_address(struct steerd *steerd, const struct own_address *own);
/* Members of a routed connection in status; NULL of others. */
json_t *routed_json(const struct model_connection *connection);
/* What is left to the kernel, and should not be. name NULL: all; else nothing. */
void routed_warn(const struct steerd *steerd, const char *name, json_t *warnings);

/* sessions.c */
/* Sessions as the generation wants them that was just attached and pinned. Judges all. before: the one that forwarded
 * until now, or NULL. */
void sessions_apply(struct steerd *steerd, const struct datapath *before);
/* A device, or an address of ours on it, came, went or changed. */
void sessions_follow(struct steerd *steerd, int ifindex);
/* The program has reached a verdict. */
void sessions_judge(struct steerd *steerd, uint32_t session);
/* Each tick: verdicts that were not told, and sessions that could not be started. */
void sessions_watch(struct steerd *steerd);
/* Ends all of them, telling the peers that this is no failure. */
void sessions_leave(struct steerd *steerd);

/* failsafe.c: the kernel's routes, after the model. */
/* Opens them before a configuration that wants them is built. Returns 0, or -errno and one line of error. */
int failsafe_prepare(struct steerd *steerd, const struct config *config, char *error, size_t error_size);
void failsafe_release(struct steerd *steerd);
void failsafe_apply(struct steerd *steerd);
/* A generation runs: what only the one before it wanted goes. */
void failsafe_sweep(struct steerd *steerd);
/* path: stack: where a mark leads must stand before a program sets it, and before its unit is usable. */
void failsafe_marks(struct steerd *steerd);
void failsafe_mark_instance(struct steerd *steerd, const struct model_instance *instance);
void failsafe_mark_tunnel(struct steerd *steerd, const struct model_tunnel *tunnel);

/* commands.c. commands_reload() serves SIGHUP too, with request NULL. */
int commands_reload(struct steerd *steerd, struct control_request *request);
extern const struct control_command commands_table[];
void commands_event(json_t *event, void *steerd);
void commands_close(struct steerd *steerd);

/* flows.c */
int flows_open(struct steerd *steerd);
void flows_close(struct steerd *steerd);
/* Another configuration runs. */
void flows_generation(struct steerd *steerd);
/* Have them counted soon: a drain waits for it. */
void flows_hurry(struct steerd *steerd);
void flows_run(struct control_request *request, json_t *arguments, void *steerd);

/* reset.c */
void reset_run(struct control_request *request, json_t *arguments, void *steerd);
/* Is this instance (NULL: none) being reset? */
bool reset_holds(const struct steerd *steerd, const struct model_instance *instance);
/* The daemon ends: tells what is left undone. */
void reset_close(struct steerd *steerd);

/* report.c: results as the contract's JSON. name NULL: everything; NULL is returned where nothing bears the name. */
json_t *report_status(struct steerd *steerd, const char *name);
json_t *report_version(const struct steerd *steerd);

/* audit_watch.c: what is wrong with the configuration or the box, found beside all else. */
int audit_watch_open(struct steerd *steerd);
void audit_watch_close(struct steerd *steerd);
/* Another configuration runs. */
void audit_watch_generation(struct steerd *steerd);
/* Interfaces or addresses changed: look again soon. */
void audit_watch_changed(struct steerd *steerd);
void audit_watch_tick(struct steerd *steerd, uint64_t now_ns);
/* Of the latest audit, each as audit.h has it; with a name, only what concerns that. */
json_t *audit_watch_warnings(const struct steerd *steerd, const char *name);
/* Wall clock; 0 before the first has ended. */
uint64_t audit_watch_time_ns(const struct steerd *steerd);

/* report_probe.c */
/* Of a unit that is probed: its session; else NULL. */
json_t *report_probe(const struct steerd *steerd, const struct unit *unit);
json_t *report_probe_rejects(const struct steerd *steerd);
/* NULL: nothing was ever probed. */
json_t *report_probe_sender(const struct steerd *steerd);

/* where.c */
/* NULL: *ret_error says why, and *ret_exit whether it is the question's fault. */
json_t *where_ask(struct steerd *steerd, const json_t *arguments, int *ret_exit, const char **ret_error);

#endif
