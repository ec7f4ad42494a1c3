/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a drain has come, from the model alone. See drain.h. */
#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "drain.h"
#include "judge.h"
#include "slow_start.h"

#define SILENCE_NS NS_PER_SECOND /* a tunnel that is out and received nothing for this long is drained */

struct drain_target drain_target_find(const struct model *model, const char *name)
{
	struct drain_target target = {.instance = model_instance_by_name(model, name),
				      .tunnel = model_tunnel_by_name(model, name)};

	target.unit = target.instance ? &target.instance->unit : target.tunnel ? &target.tunnel->unit : NULL;
	return target;
}

bool drain_target_has(const struct drain_target *target, const struct model_tunnel *tunnel)
{
	return tunnel == target->tunnel || tunnel->instance == target->instance;
}

/* Flows that are pinned to it and need not leave. */
static uint64_t flows_left(const struct model_tunnel *tunnel)
{
	return model_tunnel_out(tunnel) == ADMIN_DRAINING ? tunnel->flows : 0;
}

/* Have they been counted since it is out? */
static bool flows_known(const struct model_tunnel *tunnel)
{
	return tunnel->connection->config->affinity == AFFINITY_HASH || tunnel->flows_counted_ns;
}

struct drain_rest drain_rest(const struct model *model, const struct drain_target *target)
{
	struct drain_rest rest = {0};

	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &model->tunnels[t];

		if (!drain_target_has(target, tunnel))
			continue;
		rest.flows += flows_left(tunnel);
		rest.rx_pps += tunnel->rate.rx_through_packets;
	}
	return rest;
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

const char *drain_reason(const struct model *model, const struct drain_target *target, char buffer[DRAIN_REASON_BYTES])
{
	const struct unit *unit = target->unit;
	unsigned percent = target->tunnel ? slow_start_percent_of_tunnel(target->tunnel) : slow_start_percent(unit);
	struct drain_rest rest;
	int length = snprintf(buffer, DRAIN_REASON_BYTES, "%s", unit->reason);

	if ((unit->state == UNIT_ACTIVE || unit->state == UNIT_STANDBY) && percent < 100)
		snprintf(buffer, DRAIN_REASON_BYTES, "slow start: %u %%", percent);
	if (unit->state != UNIT_DRAINING || length >= DRAIN_REASON_BYTES)
		return buffer;
	rest = drain_rest(model, target);
	if (rest.flows)
		length += snprintf(buffer + length, DRAIN_REASON_BYTES - (size_t)length,
				   ": waits for %" PRIu64 " flow%s", rest.flows, plural(rest.flows));
	if (rest.rx_pps && length < DRAIN_REASON_BYTES)
		snprintf(buffer + length, DRAIN_REASON_BYTES - (size_t)length,
			 "%s the peer still sends %" PRIu64 " packet%s/s", rest.flows ? ", and" : ":", rest.rx_pps,
			 plural(rest.rx_pps));
	if (!rest.flows && !rest.rx_pps)
		snprintf(buffer + length, DRAIN_REASON_BYTES - (size_t)length, ": waits for a second of silence");
	return buffer;
}

static bool tunnel_is_silent(const struct model_tunnel *tunnel, uint64_t now_ns)
{
	if (!model_tunnel_out(tunnel))
		return false;
	return tunnel->unit.silenced ||
	       (flows_known(tunnel) && !flows_left(tunnel) && now_ns - tunnel->last_rx_ns >= SILENCE_NS);
}

bool drain_watch(struct model *model, uint64_t now_ns)
{
	uint64_t speaking = 0; /* instances, by index */
	bool changed = false;

	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		struct model_tunnel *tunnel = &model->tunnels[t];
		bool silent = tunnel_is_silent(tunnel, now_ns);

		if (!silent)
			speaking |= 1ull << tunnel->instance->index;
		if (silent == tunnel->unit.silent)
			continue;
		tunnel->unit.silent = silent;
		judge_tunnel(tunnel);
		changed = true;
	}
	for (size_t i = 0; i < model->config->instance_count; i++) {
		struct model_instance *instance = &model->instances[i];
		bool silent = instance->unit.facts.admin_out && !(speaking >> instance->index & 1);

		if (silent == instance->unit.silent)
			continue;
		instance->unit.silent = silent;
		judge_instance(model, instance);
		changed = true;
	}
	return changed;
}
