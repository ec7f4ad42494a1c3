/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Drains: an instance or a tunnel is taken out without losing a packet, watched until all have left it, and put back.
 *
 * A drain begins as ADMIN_DRAINING (maps/health.h): new flows stay away at once, those that are pinned go on until they
 * end. ADMIN_OUT follows when it is drained, at its deadline, or by --now. Both are on disk first (admin.h), so neither
 * a restart nor a reboot lets anybody in. Context: the event loop.
 *
 *   drain.c        the commands, the stores, deadlines
 *   drain_state.c  pure: what a drain still waits for, and when it is over
 *   drain_wait.c   drain --wait
 *   drain_plan.c   pure: drain --dry-run
 *   drain_hook.c   commands of the configuration that are to follow, for a routing daemon, say
 */
#ifndef LOADER_DRAIN_H
#define LOADER_DRAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "model.h"

struct control_request;
struct steerd;

/* An instance or a tunnel: what drain and undrain take. */
struct drain_target {
	struct model_instance *instance;
	struct model_tunnel *tunnel;
	struct unit *unit; /* of whichever it is; NULL: neither */
};

/* --- drain_state.c --- */

struct drain_target drain_target_find(const struct model *model, const char *name);
bool drain_target_has(const struct drain_target *target, const struct model_tunnel *tunnel);

/* What a drain waits for. */
struct drain_rest {
	uint64_t flows;	 /* pinned, that may go on */
	uint64_t rx_pps; /* packets per second that the peer still sends */
};
struct drain_rest drain_rest(const struct model *model, const struct drain_target *target);

/* Why a unit is in its state: of one that drains with what it waits for, of one that starts slowly how far it has come.
 * Returns buffer. */
#define DRAIN_REASON_BYTES 160
const char *drain_reason(const struct model *model, const struct drain_target *target, char buffer[DRAIN_REASON_BYTES]);

/*
 * After a sample: who is out falls silent once its flows and the peer have left it, and is woken when the peer is back.
 * True: some did; they have been judged.
 */
bool drain_watch(struct model *model, uint64_t now_ns);

/* --- drain.c --- */

/* The daemon starts: deadlines that passed meanwhile are kept now. */
void drain_open(struct steerd *steerd);
void drain_close(struct steerd *steerd);
void drain_tick(struct steerd *steerd, uint64_t now_ns);

/*
 * On disk, then in the maps. Who is further out already stays so. deadline_ns: wall clock, of ADMIN_DRAINING; 0 leaves
 * the one that it has. Returns 0, or -errno and nothing changed.
 */
int drain_take_out(struct steerd *steerd, const struct drain_target *target, enum admin_out out, uint64_t deadline_ns);
int drain_put_back(struct steerd *steerd, const struct drain_target *target);
/* What still comes in of one that is out does not count from now on. */
void drain_silence(struct steerd *steerd, const struct drain_target *target);

/* {"name", "state", "reason"}. */
json_t *drain_result(const struct steerd *steerd, const struct drain_target *target);

void drain_run(struct control_request *request, json_t *arguments, void *steerd);
void undrain_run(struct control_request *request, json_t *arguments, void *steerd);

/* --- drain_wait.c --- */

/* Answers the request once it is drained, or at the deadline; 0: none. */
void drain_wait(struct steerd *steerd, struct control_request *request, const char *name, uint64_t deadline_ms);
/* States have settled: who waits may have an end now. */
void drain_wait_settled(struct steerd *steerd);
/* The drain's own deadline has passed: that of who waits for this name has, too. */
void drain_wait_late(struct steerd *steerd, const char *name);
void drain_wait_close(struct steerd *steerd);

/* --- drain_hook.c --- */

/* Runs what the configuration has for this, after what runs already for this instance. */
void drain_hook_run(struct steerd *steerd, const struct model_instance *instance, bool drains);
/* Adds those that failed, of this instance or (NULL) of all, as members of status's `warnings`. */
void drain_hook_warn(const struct steerd *steerd, const char *name, json_t *warnings);
void drain_hook_close(struct steerd *steerd);

#endif
