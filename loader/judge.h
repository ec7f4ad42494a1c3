/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one that decides: facts -> causes in the health maps -> states.
 *
 * Whoever learns a fact writes it into unit->facts and calls here. First the cause's byte is stored in the map, which
 * is the failover (or the return) itself; once the event loop has no more such news, the states that follow are worked
 * out and told to the listener. Causes that BPF writes are read, never stored. Context: the daemon's event loop. Pure
 * but for the stores.
 */
#ifndef LOADER_JUDGE_H
#define LOADER_JUDGE_H

#include "model.h"

enum judge_subject { JUDGE_TUNNEL, JUDGE_INSTANCE, JUDGE_CONNECTION };

/* One change of state. from and to are the words that status shows; of a connection that is down, "panic" too, of a
 * tunnel that is draining, "failed". */
struct judge_change {
	enum judge_subject subject;
	const char *name;
	const char *connection; /* of a tunnel or connection; else NULL */
	const char *instance;	/* of a tunnel or instance; else NULL */
	const char *from, *to;
	const char *reason;	 /* "" where there is nothing to say */
	const struct unit *dead; /* the unit whose probe's verdict the reason is: its own, or its instance; else NULL */
};

struct judge {
	void (*changed)(const struct judge_change *change, void *context); /* may be NULL */
	void *context;
};

/* The facts of this one changed: stores its causes at once, and leaves the states to the next judge_settle(). */
void judge_tunnel(struct model_tunnel *tunnel);
void judge_instance(struct model *model, struct model_instance *instance);
void judge_all(struct model *model);
/* Its slow start alone, which no state follows from. */
void judge_slow_start(struct unit *unit);

/* Works out the states that the stores since the last call led to. One call for a thousand changes is as good as a
 * thousand. */
void judge_settle(const struct judge *judge, struct model *model);

/* What would be left without this unit? The first connection with no usable tunnel then that has one now, or NULL. */
const struct model_connection *judge_cut_by(const struct model *model, const struct model_instance *instance,
					    const struct model_tunnel *tunnel);

#endif
