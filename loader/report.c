/* SPDX-License-Identifier: GPL-2.0-only */
/* What status and version print: the model, as the contract's JSON. Reads, changes nothing. */
#include <string.h>
#include <sys/utsname.h>

#include "steerd.h"

static json_t *time_json(uint64_t wall_ns)
{
	char text[JOURNAL_TIME_TEXT];

	return json_string(journal_time_text(wall_ns, text));
}

static json_t *gateway_json(const struct steerd *steerd)
{
	const struct model *model = steerd->model;

	json_t *json = json_pack("{s:s, s:s, s:o*}", "name", model->config->name, "state",
				 connection_state_text(model->state), "probe_sender", report_probe_sender(steerd));

	json_object_update_new(json, mode_json(steerd));
	return json;
}

static json_t *reason_json(const struct steerd *steerd, const struct unit *unit)
{
	struct drain_target target = drain_target_find(steerd->model, unit->name);
	char reason[DRAIN_REASON_BYTES];

	return json_string(drain_reason(steerd->model, &target, reason));
}

/* Of a unit that was drained itself: how far that is; else NULL. */
static json_t *drain_json(const struct steerd *steerd, const struct unit *unit)
{
	struct drain_target target = drain_target_find(steerd->model, unit->name);
	uint64_t deadline_ns = admin_deadline_ns(steerd->admin, unit->name);
	struct drain_rest rest;

	if (!unit->facts.admin_out)
		return NULL;
	rest = drain_rest(steerd->model, &target);
	return json_pack("{s:b, s:I, s:I, s:o*}", "flows_may_stay", unit->facts.admin_out == ADMIN_DRAINING, "flows",
			 (json_int_t)rest.flows, "rx_pps", (json_int_t)rest.rx_pps, "deadline",
			 deadline_ns ? time_json(deadline_ns) : NULL);
}

static json_t *instance_json(const struct steerd *steerd, const struct model_instance *instance)
{
	const struct unit *unit = &instance->unit;
	char address[CONFIG_ADDRESS_TEXT];

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:i, s:o*, s:o*}", "name", unit->name, "public",
			 config_address_text(&instance->config->public, address), "state", unit_state_text(unit->state),
			 "reason", reason_json(steerd, unit), "since", time_json(unit->since_ns), "tunnels_usable",
			 (int)instance->tunnels_usable, "tunnels", (int)instance->tunnels, "probe",
			 report_probe(steerd, unit), "drain", drain_json(steerd, unit));
}

static json_t *tunnel_json(const struct steerd *steerd, const struct model_tunnel *tunnel)
{
	const struct unit *unit = &tunnel->unit, *instance = &tunnel->instance->unit;
	const struct unit *way = tunnel->instance->config->remote ? instance : unit;
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:o}", "name", unit->name, "instance",
				 instance->name, "device", way->device ?: "", "state", unit_state_text(unit->state),
				 "live", !unit->facts.probe_dead && !instance->facts.probe_dead, "sa",
				 !unit->facts.sa_missing && !unit->facts.device_missing, "link",
				 !way->facts.device_missing && !way->facts.link_down, "reason",
				 reason_json(steerd, unit), "since", time_json(unit->since_ns));

	json_object_update_new(
		json,
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "tx_packets", (json_int_t)tunnel->seen.tx_packets,
			  "tx_bytes", (json_int_t)tunnel->seen.tx_bytes, "rx_packets",
			  (json_int_t)tunnel->seen.rx_packets, "rx_bytes", (json_int_t)tunnel->seen.rx_bytes,
			  "panic_packets", (json_int_t)tunnel->seen.panic_packets, "flows", (json_int_t)tunnel->flows));
	json_object_update_new(
		json, json_pack("{s:I, s:I, s:I, s:I, s:i, s:o*, s:o*}", "tx_pps", (json_int_t)tunnel->rate.tx_packets,
				"tx_bps", (json_int_t)tunnel->rate.tx_bytes * 8, "rx_pps",
				(json_int_t)tunnel->rate.rx_packets, "rx_bps", (json_int_t)tunnel->rate.rx_bytes * 8,
				"weight", (int)tunnel->config->weight, "probe", report_probe(steerd, unit), "drain",
				drain_json(steerd, unit)));
	return json;
}

/* only: a tunnel to be shown alone, or NULL for all. */
static json_t *connection_json(const struct steerd *steerd, const struct model_connection *connection,
			       const struct model_tunnel *only)
{
	json_t *tunnels = json_array(),
	       *reason = connection->panic ? json_sprintf("panic: %s", connection->panic) : json_string("");

	json_t *json;

	for (size_t t = 0; t < connection->config->tunnel_count; t++)
		if (!only || only == &connection->tunnels[t])
			json_array_append_new(tunnels, tunnel_json(steerd, &connection->tunnels[t]));
	json = json_pack("{s:s, s:s, s:b, s:o, s:s, s:o, s:o}", "name", connection->config->name, "state",
			 connection_state_text(connection->state), "panic", connection->panic != NULL, "reason", reason,
			 "affinity", config_affinity_text(connection->config->affinity), "since",
			 time_json(connection->since_ns), "tunnels", tunnels);
	json_object_update_new(json, routed_json(connection));
	return json;
}

static json_t *nics_json(const struct steerd *steerd)
{
	json_t *nics = json_array();

	for (size_t n = 0; n < steerd->nic_count; n++) {
		const struct nic *nic = &steerd->nics[n];

		json_array_append_new(nics, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", nic->name, "role",
						      nic->inside ? "inside" : "outside", "state",
						      !nic->ifindex ? "missing"
						      : nic->up	    ? "up"
								    : "down",
						      "xdp", attach_xdp_kind_text(nic->xdp), "tc",
						      attach_tc_kind_text(nic->tc), "reason", nic->reason));
	}
	return nics;
}

static json_t *drops_json(const struct steerd *steerd)
{
	struct drops drops = {0};
	json_t *json = json_object();

	if (!datapath_drops(steerd->datapath, &drops)) {
#define X(name, sentence) json_object_set_new(json, #name, json_integer((json_int_t)drops.name));
		DROP_REASONS(X)
#undef X
	}
	return json;
}

static json_t *passes_json(const struct steerd *steerd)
{
	struct passes passes = {0};
	json_t *json = json_object();

	if (!datapath_passes(steerd->datapath, &passes)) {
#define X(name, sentence) json_object_set_new(json, #name, json_integer((json_int_t)passes.name));
		PASS_REASONS(X)
#undef X
	}
	return json;
}

/* NULL before the first audit has ended. */
static json_t *audited_json(const struct steerd *steerd)
{
	uint64_t wall_ns = audit_watch_time_ns(steerd);

	return wall_ns ? time_json(wall_ns) : NULL;
}

/* What is wrong, of what bears this name or (NULL) anywhere. */
static json_t *warnings_json(const struct steerd *steerd, const char *name)
{
	json_t *warnings = audit_watch_warnings(steerd, name);

	drain_hook_warn(steerd, name, warnings);
	routed_warn(steerd, name, warnings);
	return warnings;
}

static json_t *everything_json(struct steerd *steerd)
{
	const struct model *model = steerd->model;
	json_t *instances = json_array(), *connections = json_array();

	for (size_t i = 0; i < model->config->instance_count; i++)
		json_array_append_new(instances, instance_json(steerd, &model->instances[i]));
	for (size_t c = 0; c < model->config->connection_count; c++)
		json_array_append_new(connections, connection_json(steerd, &model->connections[c], NULL));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o*}", "gateway", gateway_json(steerd),
			 "instances", instances, "connections", connections, "nics", nics_json(steerd), "drops",
			 drops_json(steerd), "passes", passes_json(steerd), "probe_rejects",
			 report_probe_rejects(steerd), "route_errors",
			 steerd->routes ? (int)routes_errors(steerd->routes) : 0, "warnings",
			 warnings_json(steerd, NULL), "audited", audited_json(steerd));
}

json_t *report_status(struct steerd *steerd, const char *name)
{
	const struct model *model = steerd->model;
	const struct model_connection *connection;
	const struct model_instance *instance;
	const struct model_tunnel *tunnel;

	steerd_sample(steerd);
	if (!name)
		return everything_json(steerd);
	instance = model_instance_by_name(model, name);
	connection = model_connection_by_name(model, name);
	tunnel = model_tunnel_by_name(model, name);
	if (!instance && !connection && !tunnel)
		return NULL;
	return json_pack("{s:o, s:o, s:o*, s:o, s:o}", "gateway", gateway_json(steerd), "warnings",
			 warnings_json(steerd, name), "audited", audited_json(steerd), "instances",
			 instance ? json_pack("[o]", instance_json(steerd, instance)) : json_array(), "connections",
			 connection ? json_pack("[o]", connection_json(steerd, connection, NULL))
			 : tunnel   ? json_pack("[o]", connection_json(steerd, tunnel->connection, tunnel))
				    : json_array());
}

json_t *report_version(const struct steerd *steerd)
{
	struct utsname kernel = {0};
	bool tcx = false, native = false, generic = false;

	uname(&kernel);
	for (size_t n = 0; n < steerd->nic_count; n++) {
		tcx |= steerd->nics[n].tc == ATTACH_TC_TCX;
		native |= steerd->nics[n].xdp == ATTACH_XDP_NATIVE;
		generic |= steerd->nics[n].xdp == ATTACH_XDP_GENERIC;
	}
	return json_pack("{s:s, s:i, s:s, s:{s:b, s:b, s:b, s:b, s:b}}", "version", AA_STEER_VERSION, "map_abi",
			 MAP_ABI_VERSION, "kernel", kernel.release, "features", "tcx", tcx, "xdp_native", native,
			 "xdp_generic", generic, "xfrm", steerd->sas != NULL, "routes", steerd->routes != NULL);
}
