/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions follow the model. See sessions.h.
 *
 * A session is known to receivers by its key in `session_peers` and to the sender by config.ifindex. Both go first when
 * anything of it changes that is not one store, and come last.
 */
#include "sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "session_plan.h"
#include "source_address.h"
#include "steerd.h"

#define FAREWELLS 3 /* AdminDown, which the peer must not miss: it would take our silence for a failure */

/* All addresses of the box, once for many sessions. */
struct own_list {
	struct own_address *own;
	size_t count, room;
};

static int own_add(const struct own_address *own, void *context)
{
	struct own_list *list = context;

	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct own_address *grown = realloc(list->own, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->own = grown;
		list->room = room;
	}
	list->own[list->count++] = *own;
	return 0;
}

static struct session_config *config_of(const struct steerd *steerd, uint32_t session)
{
	return &steerd->datapath->session_configs[session];
}

static struct session_peer_key peer_key(const struct session_config *config)
{
	struct session_peer_key key = {.ifindex = config->ifindex};

	memcpy(key.peer, config->peer, sizeof(key.peer));
	return key;
}

static int command(const struct steerd *steerd, uint32_t session, enum session_command what)
{
	return datapath_session_command(steerd->datapath, session, what, NULL);
}

/* Nothing is sent and nothing is received. */
static void withdraw(struct steerd *steerd, uint32_t session)
{
	struct session_config *config = config_of(steerd, session);
	struct session_peer_key key = peer_key(config);

	__atomic_store_n(&config->ifindex, 0, __ATOMIC_RELEASE);
	if (key.ifindex)
		datapath_remove_session_peer(steerd->datapath, &key, session);
}

static void offer(struct steerd *steerd, uint32_t session, int ifindex)
{
	struct session_config *config = config_of(steerd, session);
	struct session_peer_key key = peer_key(config);
	int err;

	key.ifindex = (__u32)ifindex;
	err = datapath_set_session_peer(steerd->datapath, &key, session);
	if (err)
		log_error("%s: its probe's answers cannot be received: %s", config->name, strerror(-err));
	__atomic_store_n(&config->ifindex, (__u32)ifindex, __ATOMIC_RELEASE);
}

/*
 * What carries traffic by now goes on until its probe has proof against it; what begins must answer first. On failure
 * the unit is used as if it were not probed, and the next tick tries again.
 */
static void start(struct steerd *steerd, uint32_t session)
{
	struct session_owner *owner = &steerd->sessions->owner[session];
	bool again = owner->unit->session == session && !owner->started;
	bool in_use = owner->unit->state == UNIT_ACTIVE || owner->unit->state == UNIT_STANDBY ||
		      (owner->unit->carried && unit_usable(owner->unit));
	int err = command(steerd, session, in_use ? SESSION_JOIN : SESSION_START);

	owner->started = !err;
	owner->unit->probe_reason = err ? NULL : "has not answered yet";
	owner->unit->failure = (struct unit_failure){0};
	if (err && !again)
		log_error("%s: its probe cannot be started: %s", owner->unit->name, strerror(-err));
	owner->unit->session = session;
}

/* The address that this session is to ask from. False: there is none. */
static bool source_of(const struct unit *unit, const struct session_config *config, const struct own_list *list,
		      struct config_address *ret_local)
{
	struct config_address current = {0};

	if (unit->probe->has_local) {
		*ret_local = unit->probe->local;
		return true;
	}
	memcpy(current.byte, config->local, sizeof(current.byte));
	return source_address_choose(list->own, list->count, unit->ifindex, &unit->probe->peer, &current, ret_local);
}

static void unaddressed_say(struct unit *unit, bool unaddressed)
{
	if (unaddressed && !unit->unaddressed)
		log_warning("%s: no address of ours on %s to probe from", unit->name, unit->device);
	unit->unaddressed = unaddressed;
}

/* Where its device or our address is another now, the session moves there; another address is another session. */
static void place(struct steerd *steerd, uint32_t session, const struct own_list *list)
{
	struct unit *unit = steerd->sessions->owner[session].unit;
	struct session_config *config = config_of(steerd, session);
	struct config_address local;
	bool addressed = unit->ifindex && source_of(unit, config, list, &local);
	int ifindex = addressed ? unit->ifindex : 0;

	unaddressed_say(unit, unit->ifindex && !addressed);
	if (addressed && memcmp(config->local, local.byte, sizeof(config->local))) {
		withdraw(steerd, session);
		memcpy(config->local, local.byte, sizeof(config->local));
		start(steerd, session);
	}
	if ((__u32)ifindex == config->ifindex)
		return;
	withdraw(steerd, session);
	if (ifindex)
		offer(steerd, session, ifindex);
}

/*
 * Quietly, as far as the peer can hear it: by the generation that knows the way there, which may be one where its unit
 * still was. The unit is free of a verdict then.
 */
static void end(struct steerd *steerd, const struct datapath *leaving, uint32_t session)
{
	struct session_config *config = config_of(steerd, session);

	for (int i = 0; i < FAREWELLS && config->kind == SESSION_BFD; i++)
		if (!datapath_session_command(leaving, session, SESSION_LEAVE, NULL))
			datapath_session_command(leaving, session, SESSION_SEND, NULL);
	withdraw(steerd, session);
	command(steerd, session, SESSION_STOP);
	__atomic_store_n(&config->kind, SESSION_NONE, __ATOMIC_RELEASE);
	memset(config, 0, sizeof(*config));
}

/* The kind, by which a session exists, last. */
static void begin(struct steerd *steerd, const struct session_wish *wish, const struct own_list *list)
{
	const struct unit *unit = steerd->sessions->owner[wish->session].unit;
	struct session_config *config = config_of(steerd, wish->session);
	struct session_config wanted;
	struct config_address local;
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint32_t)(uintptr_t)unit;
	wanted = session_plan_config(wish, random);
	if (unit->ifindex && source_of(unit, &wanted, list, &local))
		memcpy(wanted.local, local.byte, sizeof(wanted.local));
	wanted.kind = SESSION_NONE;
	*config = wanted;
	__atomic_store_n(&config->kind, (__u8)wish->probe->kind, __ATOMIC_RELEASE);
	start(steerd, wish->session);
}

static void reason_learn(struct steerd *steerd, uint32_t session_index)
{
	struct unit *unit = steerd->sessions->owner[session_index].unit;
	struct session session;

	unit->probe_reason = NULL;
	if (datapath_session(steerd->datapath, session_index, &session) || session.liveness.live)
		return;
	if (session.liveness.live_at_ns)
		unit->probe_reason = "answers again, and is held";
	else if (!session.liveness.was_live)
		unit->probe_reason = "has not answered yet";
	else if (unit->probe->kind == SESSION_BFD && session.bfd.diagnostic == BFD_NEIGHBOUR_SIGNALLED_DOWN)
		unit->probe_reason = "the peer says it is down";
}

/* It goes on, by the programs of this generation. */
static void stay(struct steerd *steerd, const struct session_wish *wish)
{
	struct session_owner *owner = &steerd->sessions->owner[wish->session];
	struct session_config *config = config_of(steerd, wish->session);
	const struct config_probe *probe = wish->probe;

	if (command(steerd, wish->session, SESSION_ADOPT)) {
		start(steerd, wish->session); /* its timer was never made */
		return;
	}
	owner->started = true;
	owner->unit->session = wish->session;
	if (wish->fate == SESSION_RETIMES) {
		__atomic_store_n(&config->interval_ns, probe->interval_ns, __ATOMIC_RELAXED);
		__atomic_store_n(&config->hold_ns, probe->hold_ns, __ATOMIC_RELAXED);
		__atomic_store_n(&config->hold_max_ns, probe->hold_max_ns, __ATOMIC_RELAXED);
		__atomic_store_n(&config->multiplier, probe->multiplier, __ATOMIC_RELEASE);
		command(steerd, wish->session, SESSION_RETIME);
	}
	reason_learn(steerd, wish->session);
}

static size_t wishes_collect(const struct model *model, struct session_wish *wishes, struct session_owner *owners)
{
	size_t count = 0;

	for (size_t i = 0; i < model->config->instance_count; i++) {
		struct model_instance *instance = &model->instances[i];

		if (!instance->unit.probe)
			continue;
		owners[count] = (struct session_owner){.unit = &instance->unit, .instance = instance};
		wishes[count++] = (struct session_wish){.name = instance->unit.name,
							.unit_kind = SESSION_OF_INSTANCE,
							.unit = instance->index,
							.probe = instance->unit.probe};
	}
	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		struct model_tunnel *tunnel = &model->tunnels[t];

		if (!tunnel->unit.probe)
			continue;
		owners[count] = (struct session_owner){.unit = &tunnel->unit, .tunnel = tunnel};
		wishes[count++] = (struct session_wish){.name = tunnel->unit.name,
							.unit_kind = SESSION_OF_TUNNEL,
							.unit = tunnel->index,
							.probe = tunnel->unit.probe};
	}
	return count;
}

/* A probe that left the configuration while its session was not there to be ended leaves no verdict behind. */
static void verdict_clear(struct unit *unit)
{
	unit->carried = false;
	if (unit->session == NO_SESSION && unit->health->probe_dead)
		__atomic_store_n(&unit->health->probe_dead, 0, __ATOMIC_RELEASE);
}

static void verdicts_clear(struct model *model)
{
	for (size_t i = 0; i < model->config->instance_count; i++)
		verdict_clear(&model->instances[i].unit);
	for (size_t t = 0; t < model->config->tunnel_count; t++)
		verdict_clear(&model->tunnels[t].unit);
}

static void sender_say(const struct sender *sender)
{
	if (!sender_is_realtime(sender))
		log_warning("probes are sent at normal priority, and will be late where others keep the CPU busy: "
			    "real-time "
			    "priority was refused");
	if (!sender_is_locked(sender))
		log_warning("memory cannot be locked: probes will be late where it is swapped out");
}

/* The thread is there from the first session on. */
static void sender_follow(struct steerd *steerd)
{
	struct sender_session sessions[MAX_SESSIONS];
	size_t count = 0;
	int err = 0;

	for (uint32_t s = 0; s < MAX_SESSIONS; s++)
		if (steerd->sessions->owner[s].unit)
			sessions[count++] = (struct sender_session){s, config_of(steerd, s)->is_ipv6};
	if (!count && !steerd->sender)
		return;
	if (!steerd->sender) {
		err = sender_open(&steerd->sender);
		if (!err)
			sender_say(steerd->sender);
	}
	err = err ?: sender_set(steerd->sender, steerd->datapath->session_control_fd, sessions, count);
	if (err)
		log_error("probes cannot be sent: %s", strerror(-err));
}

static void apply(struct steerd *steerd, const struct datapath *before, struct session_wish *wishes,
		  const struct session_owner *owners, size_t count, const bool kept[MAX_SESSIONS])
{
	struct own_list list = {0};

	addresses_each(steerd->addresses, own_add, &list);
	for (uint32_t s = 0; s < MAX_SESSIONS; s++)
		if (config_of(steerd, s)->kind != SESSION_NONE && !kept[s])
			end(steerd, before ?: steerd->datapath, s);
	for (size_t w = 0; w < count; w++) {
		uint32_t session = wishes[w].session;

		if (session == NO_SESSION) {
			log_error("%s: is not probed: there are %d probes already", wishes[w].name, MAX_SESSIONS);
			continue;
		}
		steerd->sessions->owner[session] = owners[w];
		if (wishes[w].fate == SESSION_BEGINS)
			begin(steerd, &wishes[w], &list);
		else
			stay(steerd, &wishes[w]);
		place(steerd, session, &list);
	}
	free(list.own);
}

void sessions_apply(struct steerd *steerd, const struct datapath *before)
{
	size_t units = steerd->model->config->instance_count + steerd->model->config->tunnel_count;
	struct session_wish *wishes = calloc(units, sizeof(*wishes));
	struct session_owner *owners = calloc(units, sizeof(*owners));
	bool kept[MAX_SESSIONS];
	size_t count;
	int err = -ENOMEM;

	memset(steerd->sessions, 0, sizeof(*steerd->sessions));
	if (wishes && owners) {
		count = wishes_collect(steerd->model, wishes, owners);
		err = session_plan(steerd->datapath->session_configs, wishes, count, kept);
	}
	if (err)
		log_error("nothing is probed: %s", strerror(-err));
	else
		apply(steerd, before, wishes, owners, count, kept);
	free(wishes);
	free(owners);
	verdicts_clear(steerd->model);
	sender_follow(steerd);
	err = session_events_follow(steerd);
	if (err)
		log_error("verdicts of probes are learned late: %s", strerror(-err));
	judge_all(steerd->model);
}

void sessions_follow(struct steerd *steerd, int ifindex)
{
	struct own_list list = {0};
	bool listed = false;

	for (uint32_t s = 0; s < MAX_SESSIONS; s++) {
		const struct unit *unit = steerd->sessions->owner[s].unit;

		if (!unit || (unit->ifindex != ifindex && config_of(steerd, s)->ifindex != (__u32)ifindex))
			continue;
		if (!listed)
			addresses_each(steerd->addresses, own_add, &list);
		listed = true;
		place(steerd, s, &list);
		sender_kick(steerd->sender, s);
	}
	free(list.own);
}

void sessions_judge(struct steerd *steerd, uint32_t session)
{
	const struct session_owner *owner = &steerd->sessions->owner[session];

	if (owner->tunnel)
		judge_tunnel(owner->tunnel);
	else
		judge_instance(steerd->model, owner->instance);
	steerd_unsettle(steerd);
}

void sessions_watch(struct steerd *steerd)
{
	for (uint32_t s = 0; s < MAX_SESSIONS; s++) {
		const struct session_owner *owner = &steerd->sessions->owner[s];

		if (!owner->unit)
			continue;
		if (!owner->started)
			start(steerd, s);
		if (owner->unit->health->probe_dead == owner->unit->facts.probe_dead)
			continue;
		reason_learn(steerd, s);
		sessions_judge(steerd, s);
	}
}

void sessions_leave(struct steerd *steerd)
{
	for (uint32_t s = 0; s < MAX_SESSIONS; s++) {
		if (!steerd->sessions->owner[s].unit)
			continue;
		end(steerd, steerd->datapath, s);
		steerd->sessions->owner[s] = (struct session_owner){0};
	}
	sender_follow(steerd);
}
