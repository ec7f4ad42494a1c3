/* SPDX-License-Identifier: GPL-2.0-only */
/* Facts to causes to states. See judge.h. */
#include "judge.h"

#include <string.h>

#include "clock.h"

void judge_slow_start(struct unit *unit)
{
	if (unit->health->slow_start != unit->facts.slow_start)
		__atomic_store_n(&unit->health->slow_start, unit->facts.slow_start, __ATOMIC_RELEASE);
}

/* Stores the causes that are the daemon's, each by its own byte: BPF may write probe_dead of the same word at any time.
 */
static void health_store(struct unit *unit)
{
	/* One that is put back is not open to all for a moment, nor is one that is taken out on the way. */
	if (unit->facts.slow_start > unit->health->slow_start)
		judge_slow_start(unit);
#define X_aa_steerd(field)                                                                                             \
	if (unit->health->field != unit->facts.field)                                                                  \
		__atomic_store_n(&unit->health->field, unit->facts.field, __ATOMIC_RELEASE);
#define X_bpf(field)	       unit->facts.field = __atomic_load_n(&unit->health->field, __ATOMIC_ACQUIRE);
#define X(field, word, writer) X_##writer(field)
	HEALTH_CAUSES(X)
#undef X
#undef X_bpf
#undef X_aa_steerd
	judge_slow_start(unit);
}

static void unit_decide(const struct judge *judge, struct unit *unit, enum unit_state state, const char *reason,
			struct judge_change change)
{
	enum unit_state before = unit->state;

	unit->reason = reason;
	if (before == state)
		return;
	unit->state = state;
	unit->since_ns = clock_wall_ns();
	change.name = unit->name;
	change.from = unit_state_text(before);
	change.to = unit_state_text(state);
	change.reason = reason;
	if (judge->changed)
		judge->changed(&change, judge->context);
}

/*
 * A drain goes on whatever fails, but flows that are pinned to the tunnel leave it then. So to fail is no state here
 * but a way to be draining, with a beginning and an end that are told like states.
 */
static void draining_decide(const struct judge *judge, struct model_tunnel *tunnel, enum unit_state before)
{
	const struct unit own = unit_left_in(&tunnel->unit), instance = unit_left_in(&tunnel->instance->unit);
	const struct unit *out = unit_usable(&own) ? &instance : &own;
	const struct unit *dead = out == &own ? &tunnel->unit : &tunnel->instance->unit;
	const char *draining = unit_state_text(UNIT_DRAINING);
	struct unit *unit = &tunnel->unit;
	bool failed = unit->failing;

	unit->failing = unit->state != UNIT_DRAINING || unit_usable(out) ? NULL : unit_cause(out);
	if (before != UNIT_DRAINING || unit->state != UNIT_DRAINING || !unit->failing == !failed || !judge->changed)
		return;
	judge->changed(&(struct judge_change){.subject = JUDGE_TUNNEL,
					      .name = unit->name,
					      .connection = tunnel->connection->config->name,
					      .instance = tunnel->instance->unit.name,
					      .from = failed ? "failed" : draining,
					      .to = failed ? draining : "failed",
					      .reason = unit->failing ?: "",
					      .dead = unit_is_dead(out) ? dead : NULL},
		       judge->context);
}

static void tunnel_decide(const struct judge *judge, struct model_tunnel *tunnel, uint32_t best_tier)
{
	const struct unit *instance = &tunnel->instance->unit;
	struct unit *unit = &tunnel->unit;
	enum unit_state state = UNIT_DOWN, before = unit->state;
	const struct unit *dead = NULL;
	const char *reason = "";

	if (model_tunnel_out(tunnel)) {
		state = unit->silent ? UNIT_DRAINED : UNIT_DRAINING;
		reason = unit->facts.admin_out ? "administratively out" : "its instance is administratively out";
	} else if (!unit_usable(unit) || !unit_usable(instance)) {
		const struct unit *out = unit_usable(unit) ? instance : unit;

		reason = unit_cause(out);
		dead = unit_is_dead(out) ? out : NULL;
	} else {
		state = tunnel->instance->tier == best_tier ? UNIT_ACTIVE : UNIT_STANDBY;
	}
	unit_decide(judge, unit, state, reason,
		    (struct judge_change){.subject = JUDGE_TUNNEL,
					  .connection = tunnel->connection->config->name,
					  .instance = instance->name,
					  .dead = dead});
	draining_decide(judge, tunnel, before);
}

/* Are all its causes, and its instance's, those that are forgiven in panic? */
static bool tunnel_panics(const struct model_tunnel *tunnel)
{
	struct health tunnel_facts = tunnel->unit.facts, instance_facts = tunnel->instance->unit.facts;
	static const struct health none;

#define X(field) tunnel_facts.field = instance_facts.field = 0;
	HEALTH_PANIC_CAUSES(X)
#undef X
	tunnel_facts.slow_start = instance_facts.slow_start = 0;
	return !memcmp(&tunnel_facts, &none, sizeof(none)) && !memcmp(&instance_facts, &none, sizeof(none));
}

/* Of a connection without usable tunnel: what the packet path makes of it, by the same rule (bpf/choose.bpf.h). */
static const char *panic_text(const struct model_connection *connection)
{
	const char *text = NULL;

	for (size_t t = 0; t < connection->config->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &connection->tunnels[t];

		if (!tunnel_panics(tunnel))
			continue;
		if (tunnel->unit.facts.probe_dead || tunnel->instance->unit.facts.probe_dead)
			return "every tunnel of the connection fails its probe";
		text = "no tunnel of the connection has a successor to its SA";
	}
	return text;
}

static void connection_tell(const struct judge *judge, const struct model_connection *connection, const char *from,
			    const char *to, const char *reason)
{
	if (judge->changed)
		judge->changed(&(struct judge_change){.subject = JUDGE_CONNECTION,
						      .name = connection->config->name,
						      .connection = connection->config->name,
						      .from = from,
						      .to = to,
						      .reason = reason},
			       judge->context);
}

/* Panic is no state but a way to be down, with a beginning and an end that are told like states. */
static void connection_panic_decide(const struct judge *judge, struct model_connection *connection)
{
	const char *before = connection->panic, *down = connection_state_text(CONNECTION_DOWN);

	connection->panic = connection->state == CONNECTION_DOWN ? panic_text(connection) : NULL;
	if (connection->state != CONNECTION_DOWN || !before == !connection->panic)
		return;
	if (connection->panic)
		connection_tell(judge, connection, down, "panic", connection->panic);
	else
		connection_tell(judge, connection, "panic", down, "");
}

/* Tunnels of one connection stand or fall together where tiers are: one that fails makes a standby active. */
static void connection_decide(const struct judge *judge, struct model_connection *connection)
{
	enum connection_state before = connection->state, state;
	uint32_t best_tier = UINT32_MAX;
	uint64_t instances = 0;

	for (size_t t = 0; t < connection->config->tunnel_count; t++) {
		struct model_tunnel *tunnel = &connection->tunnels[t];
		bool usable = model_tunnel_usable(tunnel);

		tunnel->instance->tunnels_usable += (uint32_t)usable - (uint32_t)tunnel->usable;
		tunnel->usable = usable;
		if (!usable)
			continue;
		instances |= 1ull << tunnel->instance->index;
		if (tunnel->instance->tier < best_tier)
			best_tier = tunnel->instance->tier;
	}
	for (size_t t = 0; t < connection->config->tunnel_count; t++)
		tunnel_decide(judge, &connection->tunnels[t], best_tier);

	state = !instances ? CONNECTION_DOWN
			   : (instances & (instances - 1) ? CONNECTION_REDUNDANT : CONNECTION_AT_RISK);
	if (state != before) {
		connection->state = state;
		connection->since_ns = clock_wall_ns();
		connection_tell(judge, connection, connection_state_text(before), connection_state_text(state), "");
	}
	connection_panic_decide(judge, connection);
}

/* any_active: one of its tunnels carries traffic, rather than stands by. */
static void instance_decide(const struct judge *judge, struct model_instance *instance, bool any_active)
{
	struct unit *unit = &instance->unit;
	enum unit_state state = UNIT_DOWN;
	const char *reason = "";

	if (unit->facts.admin_out) {
		state = unit->silent ? UNIT_DRAINED : UNIT_DRAINING;
		reason = "administratively out";
	} else if (!unit_usable(unit)) {
		reason = unit_cause(unit);
	} else if (instance->tunnels && !instance->tunnels_usable) {
		reason = "none of its tunnels is usable";
	} else {
		state = any_active || !instance->tunnels ? UNIT_ACTIVE : UNIT_STANDBY;
	}
	unit_decide(judge, unit, state, reason,
		    (struct judge_change){.subject = JUDGE_INSTANCE,
					  .instance = unit->name,
					  .dead = state == UNIT_DOWN && unit_is_dead(unit) ? unit : NULL});
}

static void gateway_decide(struct model *model)
{
	model->state = CONNECTION_REDUNDANT;
	for (size_t c = 0; c < model->config->connection_count; c++)
		if (model->connections[c].state > model->state)
			model->state = model->connections[c].state;
}

static void instances_decide(const struct judge *judge, struct model *model)
{
	uint64_t active = 0; /* by index */

	for (size_t t = 0; t < model->config->tunnel_count; t++)
		if (model->tunnels[t].unit.state == UNIT_ACTIVE)
			active |= 1ull << model->tunnels[t].instance->index;
	for (size_t i = 0; i < model->config->instance_count; i++)
		instance_decide(judge, &model->instances[i], active >> model->instances[i].index & 1);
}

void judge_tunnel(struct model_tunnel *tunnel)
{
	health_store(&tunnel->unit);
	tunnel->connection->unsettled = true;
}

void judge_instance(struct model *model, struct model_instance *instance)
{
	health_store(&instance->unit);
	for (size_t c = 0; c < model->config->connection_count; c++)
		model->connections[c].unsettled = true;
}

void judge_all(struct model *model)
{
	for (size_t i = 0; i < model->config->instance_count; i++)
		judge_instance(model, &model->instances[i]);
	for (size_t t = 0; t < model->config->tunnel_count; t++)
		judge_tunnel(&model->tunnels[t]);
}

void judge_settle(const struct judge *judge, struct model *model)
{
	for (size_t c = 0; c < model->config->connection_count; c++) {
		if (!model->connections[c].unsettled)
			continue;
		model->connections[c].unsettled = false;
		connection_decide(judge, &model->connections[c]);
	}
	instances_decide(judge, model);
	gateway_decide(model);
}

/* Does this connection, through these tunnels, lose what it can use? */
static bool is_cut(const struct model_connection *connection, uint64_t tunnels, const struct model_instance *instance,
		   const struct model_tunnel *tunnel)
{
	bool touched = false, left = false;

	for (size_t t = 0; t < connection->config->tunnel_count; t++) {
		const struct model_tunnel *member = &connection->tunnels[t];

		if (!(tunnels >> t & 1) || !model_tunnel_usable(member))
			continue;
		if (member == tunnel || member->instance == instance)
			touched = true;
		else
			left = true;
	}
	return touched && !left;
}

const struct model_connection *judge_cut_by(const struct model *model, const struct model_instance *instance,
					    const struct model_tunnel *tunnel)
{
	for (size_t c = 0; c < model->config->connection_count; c++) {
		const struct model_connection *connection = &model->connections[c];

		if (is_cut(connection, ~0ull, instance, tunnel))
			return connection;
		for (const struct model_subset *subset = connection->subsets; subset; subset = subset->next)
			if (subset->prefixes && is_cut(connection, subset->tunnels, instance, tunnel))
				return connection;
	}
	return NULL;
}
