/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a drain would move, and to whom. See drain_plan.h.
 *
 * Each row's first usable member has its flows now, and the first one that is not taken out has them then: the very
 * choice of bpf/choose.bpf.h, made for all rows of a connection. Connections of one profile in the same state share one
 * count, so ten thousand of them take as long as a few, unless they have no rows: those are sampled.
 */
#include "drain_plan.h"

#include <stdlib.h>
#include <string.h>

#include "../bpf/rank.h"

#define SAMPLE_SCORES 8192u /* of a connection without rows: keys times members, but ... */
#define SAMPLE_KEYS   256u  /* ... this many keys at least */
#define NOBODY	      MAX_MEMBERS

/* How the keys (rows, or hashes) of one connection move. Valid for `value` alike and the same sets of members. */
struct spread {
	bool known;
	uint32_t first_row, row_mask, members;
	struct member_rank rank[MAX_MEMBERS];
	uint64_t usable, leaving; /* by ordinal; leaving are usable */
	uint32_t keys;
	uint32_t before[MAX_MEMBERS];		      /* keys, by ordinal */
	uint32_t moves[MAX_MEMBERS][MAX_MEMBERS + 1]; /* from, to or NOBODY */
};

struct plan {
	const struct model *model;
	const struct row *rows;
	const struct drain_target *target;
	struct spread spread;
	bool traffic;		       /* there is some: else shares are of flows */
	double now[MAX_INSTANCES];     /* load by place in the model: bytes per second, or connections' flows */
	double then[MAX_INSTANCES];    /* ... after the drain */
	double weighed[MAX_INSTANCES]; /* ... as weights share it out when all are in */
	double total;
	uint64_t flows;
	double tx_pps, tx_bps;
	json_t *connections, *at_risk, *cut;
};

/* --- one connection's keys -----------------------------------------------------------------------------------------
 */

static uint32_t pick_ranked(const struct connection *connection, uint32_t key, uint64_t usable)
{
	uint64_t best_score = 0;
	uint32_t best = NOBODY;

	for (uint32_t i = 0; i < connection->members; i++) {
		const struct member_rank *rank = &connection->rank[i];
		uint64_t score;

		if (!(usable >> i & 1) || (best != NOBODY && rank->tier > connection->rank[best].tier))
			continue;
		score = rank_score(key, i, rank->weight);
		if (best != NOBODY && rank->tier == connection->rank[best].tier && score <= best_score)
			continue;
		best = i;
		best_score = score;
	}
	return best;
}

static uint32_t pick(const struct plan *plan, const struct connection *connection, uint32_t key, uint64_t usable)
{
	const struct row *row;

	if (connection->first_row == NO_ROWS)
		return pick_ranked(connection, key * 0x9e3779b1u, usable);
	row = &plan->rows[connection->first_row + key];
	for (size_t place = 0; place < ROW_CANDIDATES && row->candidate[place] < MAX_MEMBERS; place++)
		if (usable >> row->candidate[place] & 1)
			return row->candidate[place];
	return connection->members > ROW_CANDIDATES ? pick_ranked(connection, key, usable) : NOBODY;
}

static uint32_t keys_of(const struct connection *connection)
{
	uint32_t keys = SAMPLE_SCORES / connection->members;

	if (connection->first_row != NO_ROWS)
		return connection->row_mask + 1;
	return keys > SAMPLE_KEYS ? keys : SAMPLE_KEYS;
}

static bool spread_holds(const struct spread *spread, const struct connection *value, uint64_t usable, uint64_t leaving)
{
	return spread->known && spread->first_row == value->first_row && spread->row_mask == value->row_mask &&
	       spread->members == value->members && spread->usable == usable && spread->leaving == leaving &&
	       !memcmp(spread->rank, value->rank, sizeof(spread->rank));
}

static const struct spread *spread_of(struct plan *plan, const struct connection *value, uint64_t usable,
				      uint64_t leaving)
{
	struct spread *spread = &plan->spread;

	if (spread_holds(spread, value, usable, leaving))
		return spread;
	*spread = (struct spread){.known = true,
				  .first_row = value->first_row,
				  .row_mask = value->row_mask,
				  .members = value->members,
				  .usable = usable,
				  .leaving = leaving,
				  .keys = keys_of(value)};
	memcpy(spread->rank, value->rank, sizeof(spread->rank));
	for (uint32_t key = 0; key < spread->keys; key++) {
		uint32_t from = pick(plan, value, key, usable);

		if (from == NOBODY)
			continue;
		spread->before[from]++;
		if (leaving >> from & 1)
			spread->moves[from][pick(plan, value, key, usable & ~leaving)]++;
	}
	return spread;
}

/* --- loads of instances --------------------------------------------------------------------------------------------
 */

static size_t place_of(const struct plan *plan, const struct model_instance *instance)
{
	return (size_t)(instance - plan->model->instances);
}

/* What a tunnel carries, in the measure of this plan. */
static double load_of(const struct plan *plan, const struct spread *spread, const struct model_tunnel *tunnel)
{
	if (plan->traffic)
		return (double)tunnel->rate.tx_bytes;
	return (double)spread->before[tunnel->ordinal] / spread->keys;
}

/* All of the connection's load, dealt out by weight among the tier that carries then, whether its members are in or
 * not. */
static void loads_weigh(struct plan *plan, const struct model_connection *connection, uint64_t left, double load)
{
	uint32_t tier = UINT32_MAX, weights = 0;

	for (size_t t = 0; t < connection->config->tunnel_count; t++)
		if (left >> t & 1 && connection->tunnels[t].instance->tier < tier)
			tier = connection->tunnels[t].instance->tier;
	for (size_t t = 0; t < connection->config->tunnel_count; t++)
		if (connection->tunnels[t].instance->tier == tier)
			weights += connection->tunnels[t].config->weight;
	for (size_t t = 0; t < connection->config->tunnel_count && weights; t++) {
		const struct model_tunnel *tunnel = &connection->tunnels[t];

		if (tunnel->instance->tier == tier)
			plan->weighed[place_of(plan, tunnel->instance)] += load * tunnel->config->weight / weights;
	}
}

static void loads_add(struct plan *plan, const struct model_connection *connection, const struct spread *spread)
{
	double all = 0;

	for (size_t t = 0; t < connection->config->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &connection->tunnels[t];
		double load = load_of(plan, spread, tunnel);

		all += load;
		plan->now[place_of(plan, tunnel->instance)] += load;
		if (!(spread->leaving >> t & 1) || !spread->before[t]) {
			plan->then[place_of(plan, tunnel->instance)] += load;
			continue;
		}
		for (size_t to = 0; to < connection->config->tunnel_count; to++)
			plan->then[place_of(plan, connection->tunnels[to].instance)] +=
				load * spread->moves[t][to] / spread->before[t];
	}
	plan->total += all;
	loads_weigh(plan, connection, spread->usable & ~spread->leaving, all);
}

/* --- connections that lose a tunnel --------------------------------------------------------------------------------
 */

static json_t *move_json(const struct model_connection *connection, const struct spread *spread, size_t from, size_t to)
{
	const struct model_tunnel *tunnel = &connection->tunnels[from];
	double part = (double)spread->moves[from][to] / spread->before[from];

	return json_pack("{s:s, s:s*, s:f, s:I, s:I}", "from", tunnel->unit.name, "to",
			 to == NOBODY ? NULL : connection->tunnels[to].unit.name, "share",
			 (double)spread->moves[from][to] / spread->keys, "tx_pps",
			 (json_int_t)((double)tunnel->rate.tx_packets * part + 0.5), "tx_bps",
			 (json_int_t)((double)tunnel->rate.tx_bytes * 8 * part + 0.5));
}

static enum connection_state state_then(const struct model_connection *connection, uint64_t left)
{
	uint64_t instances = 0;

	for (size_t t = 0; t < connection->config->tunnel_count; t++)
		if (left >> t & 1)
			instances |= 1ull << connection->tunnels[t].instance->index;
	return !instances ? CONNECTION_DOWN : instances & (instances - 1) ? CONNECTION_REDUNDANT : CONNECTION_AT_RISK;
}

static void connection_tell(struct plan *plan, const struct model_connection *connection, const struct spread *spread)
{
	enum connection_state then = state_then(connection, spread->usable & ~spread->leaving);
	json_t *moves = json_array();
	uint64_t flows = 0;
	uint32_t keys = 0;

	for (size_t from = 0; from < connection->config->tunnel_count; from++) {
		const struct model_tunnel *tunnel = &connection->tunnels[from];

		if (!(spread->leaving >> from & 1))
			continue;
		flows += tunnel->flows;
		keys += spread->before[from];
		plan->tx_pps += (double)tunnel->rate.tx_packets;
		plan->tx_bps += (double)tunnel->rate.tx_bytes * 8;
		for (size_t to = 0; to <= NOBODY; to++)
			if (spread->moves[from][to])
				json_array_append_new(moves, move_json(connection, spread, from, to));
	}
	plan->flows += flows;
	json_array_append_new(plan->connections,
			      json_pack("{s:s, s:s, s:s, s:f, s:I, s:o}", "name", connection->config->name, "state",
					connection_state_text(connection->state), "state_then",
					connection_state_text(then), "share", (double)keys / spread->keys, "flows",
					(json_int_t)flows, "moves", moves));
	if (then == CONNECTION_DOWN)
		json_array_append_new(plan->cut, json_string(connection->config->name));
	else if (then == CONNECTION_AT_RISK && connection->state == CONNECTION_REDUNDANT)
		json_array_append_new(plan->at_risk, json_string(connection->config->name));
}

static void connection_add(struct plan *plan, const struct model_connection *connection)
{
	const struct spread *spread;
	uint64_t usable = 0, leaving = 0;

	for (size_t t = 0; t < connection->config->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &connection->tunnels[t];

		usable |= (uint64_t)model_tunnel_usable(tunnel) << t;
		leaving |= (uint64_t)(model_tunnel_usable(tunnel) && drain_target_has(plan->target, tunnel)) << t;
	}
	spread = spread_of(plan, connection->value, usable, leaving);
	loads_add(plan, connection, spread);
	if (leaving)
		connection_tell(plan, connection, spread);
}

/* --- the whole -----------------------------------------------------------------------------------------------------
 */

/* Those that carry something now or then. */
static json_t *instances_json(const struct plan *plan)
{
	double total = plan->total > 0 ? plan->total : 1;
	json_t *instances = json_array();

	for (size_t i = 0; i < plan->model->config->instance_count; i++) {
		json_t *json;

		if (plan->now[i] <= 0 && plan->then[i] <= 0)
			continue;
		json = json_pack("{s:s, s:f, s:f, s:f}", "name", plan->model->instances[i].unit.name, "share",
				 plan->now[i] / total, "share_then", plan->then[i] / total, "share_by_weight",
				 plan->weighed[i] / total);
		if (plan->traffic)
			json_object_update_new(json,
					       json_pack("{s:I, s:I}", "tx_bps", (json_int_t)(plan->now[i] * 8 + 0.5),
							 "tx_bps_then", (json_int_t)(plan->then[i] * 8 + 0.5)));
		json_array_append_new(instances, json);
	}
	return instances;
}

json_t *drain_plan(const struct model *model, const struct row *rows, const struct drain_target *target)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	json_t *json;

	if (!plan)
		return NULL;
	plan->model = model;
	plan->rows = rows;
	plan->target = target;
	plan->connections = json_array();
	plan->at_risk = json_array();
	plan->cut = json_array();
	for (size_t t = 0; t < model->config->tunnel_count; t++)
		plan->traffic |= model->tunnels[t].rate.tx_bytes > 0;
	for (size_t c = 0; c < model->config->connection_count; c++)
		connection_add(plan, &model->connections[c]);
	json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "name", target->unit->name, "state",
			 unit_state_text(target->unit->state), "flows", (json_int_t)plan->flows, "tx_pps",
			 (json_int_t)(plan->tx_pps + 0.5), "tx_bps", (json_int_t)(plan->tx_bps + 0.5), "connections",
			 plan->connections, "instances", instances_json(plan), "at_risk", plan->at_risk, "cut",
			 plan->cut);
	free(plan);
	return json;
}
