/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sessions that probe the gateway's units: begun, kept over generations, moved with devices and addresses, ended.
 *
 * Nothing here is on the way of a failover: the programs judge by themselves, and user space is told. Which session is
 * whose follows from the model (session_plan.h); what a session is, from maps/sessions.h. Functions are in steerd.h.
 * Context: the event loop.
 */
#ifndef LOADER_SESSIONS_H
#define LOADER_SESSIONS_H

#include "model.h"

/* Whom a session probes: a tunnel or an instance of the model that runs. */
struct session_owner {
	struct unit *unit; /* NULL: this index is free */
	struct model_tunnel *tunnel;
	struct model_instance *instance;
	bool started; /* false: SESSION_START failed, and is tried again */
};

struct sessions {
	struct session_owner owner[MAX_SESSIONS];
};

#endif
