/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the watchers told, into the model: which tunnel or instance it concerns, and which of its facts.
 *
 * Each change is handed to the judge at once, whose store is the failover; states follow when the loop is idle.
 */
#include <string.h>

#include "clock.h"
#include "sizes.h"
#include "steerd.h"

#define SA_HOLD_NS (500 * NS_PER_MS) /* from an SA's return to its use */

/* A MAC address and two bytes of zero, by one store, so that no packet leaves with half of an old one. */
static void mac_store(__u8 field[8], const uint8_t mac[6])
{
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	__atomic_store_n((uint64_t *)field, word, __ATOMIC_RELEASE);
}

static bool address_equal(const struct config_address *a, const struct config_address *b)
{
	return !memcmp(a->byte, b->byte, sizeof(a->byte));
}

/* Outside NICs are where xfrm interfaces without a lower device send; with none of them up no tunnel can. */
static bool outside_down(const struct steerd *steerd, const struct model *model)
{
	for (size_t i = 0; i < model->config->outside_count; i++) {
		const struct link *nic = links_by_name(steerd->links, model->config->outside[i]);

		if (nic && nic->up)
			return false;
	}
	return model->config->outside_count;
}

static void unit_without_device(struct unit *unit)
{
	if (!unit->device)
		return;
	unit->ifindex = 0;
	unit->lower_ifindex = 0;
	unit->facts.device_missing = 1;
	unit->facts.link_down = 0;
	unit->facts.sa_missing = 0;
	unit->facts.sa_expiring = 0;
	unit->facts.next_hop_missing = unit->via != NULL;
}

/* egress.kind last: what the packet path reads before it trusts the rest. */
static void unit_egress(struct unit *unit, const struct link *link)
{
	struct egress *egress = unit->egress;
	bool ethernet = link->ethernet && unit->via;

	mac_store(egress->source_mac, link->mac);
	egress->ifindex = (__u32)link->ifindex;
	egress->mtu_bytes = link->mtu_bytes;
	__atomic_store_n(&egress->kind, ethernet ? EGRESS_ETHERNET : EGRESS_LAYER3, __ATOMIC_RELEASE);
}

static void unit_device(struct steerd *steerd, const struct model *model, struct unit *unit, const struct link *link)
{
	const struct link *lower = links_by_index(steerd->links, link->lower_ifindex);
	bool over_outside = !lower && link->if_id;
	bool moved = unit->ifindex != link->ifindex;

	unit->ifindex = link->ifindex;
	unit->lower_ifindex = link->lower_ifindex;
	unit->facts.device_missing = 0;
	unit->facts.link_down = !link->up || (lower && !lower->up) || (over_outside && outside_down(steerd, model));
	unit_egress(unit, link);
	if (!link->ethernet)
		unit->facts.next_hop_missing = 0;
	else if (!unit->via || moved)
		unit->facts.next_hop_missing = 1;
	/* Calls back at once where the next hop is known already. */
	if (link->ethernet && unit->via && link->up)
		neighbours_watch(steerd->neighbours, link->ifindex, unit->via);
}

/* Its SA came back, or went, too lately for its policies to be there. */
static bool sa_is_held(const struct model_tunnel *tunnel, uint64_t now_ns)
{
	return tunnel->sa_back_ns && now_ns - tunnel->sa_back_ns < SA_HOLD_NS;
}

static void tunnel_device(struct steerd *steerd, const struct model *model, struct model_tunnel *tunnel,
			  const struct link *link)
{
	unit_device(steerd, model, &tunnel->unit, link);
	tunnel->unit.facts.sa_expiring = link->if_id && steerd->sas && sas_expiring(steerd->sas, link->if_id);
	/* What is held (facts_sa_changed()) is no link's to free. */
	if (tunnel->if_id == link->if_id && tunnel->unit.facts.sa_missing && sa_is_held(tunnel, clock_monotonic_ns()))
		return;
	tunnel->if_id = link->if_id;
	tunnel->unit.facts.sa_missing = link->if_id && steerd->sas && !sas_present(steerd->sas, link->if_id);
}

/* An xfrm interface whose lower device vanished sends by whatever outside NIC there is, and may be named after a NIC
 * that comes back under another index. */
static bool depends_on(const struct steerd *steerd, const struct model_tunnel *tunnel, const struct link *nic)
{
	if (tunnel->unit.lower_ifindex == nic->ifindex)
		return true;
	return tunnel->if_id && !links_by_index(steerd->links, tunnel->unit.lower_ifindex);
}

/* Nothing of routes is before the store of a failure: failsafe.c passes over what is down. */
static void tunnel_changed(struct steerd *steerd, struct model_tunnel *tunnel, const struct link *link)
{
	tunnel_device(steerd, steerd->model, tunnel, link);
	sizes_connection(tunnel->connection);
	failsafe_mark_tunnel(steerd, tunnel);
	judge_tunnel(tunnel);
}

/* A NIC that may be under tunnels came, went or changed. */
static void tunnels_above_changed(struct steerd *steerd, const struct link *nic)
{
	struct model *model = steerd->model;

	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		struct model_tunnel *tunnel = &model->tunnels[t];
		const struct link *link = links_by_index(steerd->links, tunnel->unit.ifindex);

		if (link && depends_on(steerd, tunnel, nic))
			tunnel_changed(steerd, tunnel, link);
	}
}

/* A NIC under tunnels or in front of remote instances: look at all that depend on it again. */
static void dependents_changed(struct steerd *steerd, const struct link *nic)
{
	struct model *model = steerd->model;

	for (size_t i = 0; i < model->config->instance_count; i++) {
		struct model_instance *instance = &model->instances[i];

		if (!instance->unit.device || strcmp(instance->unit.device, nic->name))
			continue;
		unit_device(steerd, model, &instance->unit, nic);
		sizes_instance(model, instance);
		failsafe_mark_instance(steerd, instance);
		judge_instance(model, instance);
	}
	tunnels_above_changed(steerd, nic);
}

/* A device that was renamed is missing under its old name. */
static void renamed_away(struct steerd *steerd, const struct link *link)
{
	struct model *model = steerd->model;

	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		struct unit *unit = &model->tunnels[t].unit;

		if (unit->ifindex != link->ifindex || !unit->device || !strcmp(unit->device, link->name))
			continue;
		unit_without_device(unit);
		judge_tunnel(&model->tunnels[t]);
	}
	for (size_t i = 0; i < model->config->instance_count; i++) {
		struct unit *unit = &model->instances[i].unit;

		if (unit->ifindex != link->ifindex || !unit->device || !strcmp(unit->device, link->name))
			continue;
		unit_without_device(unit);
		judge_instance(model, &model->instances[i]);
	}
}

void facts_link_changed(struct steerd *steerd, const struct link *link)
{
	struct model_tunnel *tunnel = model_tunnel_by_device(steerd->model, link->name);

	renamed_away(steerd, link);
	if (tunnel)
		tunnel_changed(steerd, tunnel, link);
	else
		dependents_changed(steerd, link);
	sessions_follow(steerd, link->ifindex);
	steerd_unsettle(steerd);
}

void facts_link_removed(struct steerd *steerd, const struct link *link)
{
	struct model *model = steerd->model;
	struct model_tunnel *tunnel = model_tunnel_by_device(model, link->name);

	if (tunnel && tunnel->unit.ifindex == link->ifindex) {
		unit_without_device(&tunnel->unit);
		judge_tunnel(tunnel);
	}
	for (size_t i = 0; i < model->config->instance_count; i++) {
		struct model_instance *instance = &model->instances[i];

		if (instance->unit.ifindex != link->ifindex)
			continue;
		unit_without_device(&instance->unit);
		judge_instance(model, instance);
	}
	if (!tunnel)
		tunnels_above_changed(steerd, link);
	sessions_follow(steerd, link->ifindex);
	steerd_unsettle(steerd);
}

static bool unit_next_hop(struct unit *unit, int ifindex, const struct config_address *next_hop, bool present,
			  const uint8_t mac[6])
{
	if (!unit->via || unit->ifindex != ifindex || !address_equal(unit->via, next_hop))
		return false;
	if (present)
		mac_store(unit->egress->next_hop_mac, mac);
	unit->facts.next_hop_missing = !present;
	return true;
}

/* Called back while a next hop is being watched for a model that does not run yet, too: facts_gather() judges that one
 * whole. */
void facts_next_hop_changed(int ifindex, const struct config_address *next_hop, bool present, const uint8_t mac[6],
			    void *context)
{
	struct steerd *steerd = context;
	struct model *models[] = {steerd->model, steerd->building};

	for (size_t m = 0; m < 2; m++) {
		struct model *model = models[m];

		if (!model)
			continue;
		for (size_t i = 0; i < model->config->instance_count; i++)
			if (unit_next_hop(&model->instances[i].unit, ifindex, next_hop, present, mac) && m == 0)
				judge_instance(model, &model->instances[i]);
		for (size_t t = 0; t < model->config->tunnel_count; t++)
			if (unit_next_hop(&model->tunnels[t].unit, ifindex, next_hop, present, mac) && m == 0)
				judge_tunnel(&model->tunnels[t]);
	}
	steerd_unsettle(steerd);
}

void facts_sa_changed(uint32_t if_id, bool present, void *context)
{
	struct steerd *steerd = context;
	struct model *model = steerd->model;

	if (!model || !if_id)
		return;
	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		if (model->tunnels[t].if_id != if_id)
			continue;
		/* Gone is gone at once. Back is held for a while: the IKE daemon installs policies after the SA. */
		model->tunnels[t].sa_back_ns = clock_monotonic_ns();
		if (present)
			continue;
		model->tunnels[t].unit.facts.sa_missing = 1;
		judge_tunnel(&model->tunnels[t]);
	}
	steerd_unsettle(steerd);
}

/* Back without a hold: the successor serves policies that were there all along. */
void facts_sa_expiring(uint32_t if_id, bool expiring, void *context)
{
	struct steerd *steerd = context;
	struct model *model = steerd->model;

	if (!model || !if_id)
		return;
	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		if (model->tunnels[t].if_id != if_id)
			continue;
		model->tunnels[t].unit.facts.sa_expiring = expiring;
		judge_tunnel(&model->tunnels[t]);
	}
	steerd_unsettle(steerd);
}

void facts_sas_held(struct steerd *steerd, uint64_t now_ns)
{
	struct model *model = steerd->model;

	for (size_t t = 0; t < model->config->tunnel_count && steerd->sas; t++) {
		struct model_tunnel *tunnel = &model->tunnels[t];

		if (!tunnel->unit.facts.sa_missing || sa_is_held(tunnel, now_ns) ||
		    !sas_present(steerd->sas, tunnel->if_id))
			continue;
		tunnel->unit.facts.sa_missing = 0;
		judge_tunnel(tunnel);
		steerd_unsettle(steerd);
	}
}

void facts_gather(struct steerd *steerd, struct model *model)
{
	steerd->building = model;
	for (size_t i = 0; i < model->config->instance_count; i++) {
		struct unit *unit = &model->instances[i].unit;
		const struct link *link = unit->device ? links_by_name(steerd->links, unit->device) : NULL;

		unit->facts.admin_out = admin_is_out(steerd->admin, unit->name);
		if (link)
			unit_device(steerd, model, unit, link);
	}
	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		struct unit *unit = &model->tunnels[t].unit;
		const struct link *link = unit->device ? links_by_name(steerd->links, unit->device) : NULL;

		unit->facts.admin_out = admin_is_out(steerd->admin, unit->name);
		if (link)
			tunnel_device(steerd, model, &model->tunnels[t], link);
		else
			unit->facts.sa_missing = 0; /* inherited, and no matter without a device */
	}
	for (size_t c = 0; c < model->config->connection_count; c++)
		sizes_connection(&model->connections[c]);
	steerd->building = NULL;
}

static bool is_configured(const struct model *model, const struct config_address *prefix)
{
	for (size_t c = 0; c < model->config->connection_count; c++)
		for (size_t p = 0; p < model->config->connections[c].remote_count; p++) {
			const struct config_address *remote = &model->config->connections[c].remote[p];

			if (remote->length == prefix->length && address_equal(remote, prefix))
				return true;
		}
	return false;
}

struct config_address facts_own_network(const struct own_address *own)
{
	struct config_address network = own->address;

	network.length = own->network_length;
	for (unsigned bit = network.length; bit < 128; bit++)
		network.byte[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	return network;
}

static int compare_own(const struct own_address *own, void *context)
{
	const struct config_address *prefix = context;
	struct config_address network = facts_own_network(own);

	return (prefix->length == 128 && address_equal(&own->address, prefix)) ||
	       (prefix->length == network.length && address_equal(&network, prefix));
}

bool facts_is_own_prefix(const struct steerd *steerd, const struct config_address *prefix)
{
	return addresses_each(steerd->addresses, compare_own, (void *)prefix);
}

static int count_network(const struct own_address *own, void *context)
{
	struct {
		struct config_address network;
		unsigned count;
	} *wanted = context;
	struct config_address network = facts_own_network(own);

	wanted->count += network.length == wanted->network.length && address_equal(&network, &wanted->network);
	return 0;
}

/*
 * The box's own addresses, and the networks that it is on, are the kernel's even where a connection's prefix covers
 * them, as they are in any routing table. A prefix that is configured to the bit is steered all the same: somebody
 * wrote it down.
 */
void facts_own_address(struct steerd *steerd, const struct model *model, struct datapath *datapath,
		       const struct own_address *own, bool present)
{
	struct config_address address = own->address;
	struct {
		struct config_address network;
		unsigned count;
	} wanted = {.network = facts_own_network(own)};
	bool link_local = address.byte[0] == 0xfe && (address.byte[1] & 0xc0) == 0x80;

	if (link_local)
		return;
	address.length = 128;
	if (present) {
		if (!is_configured(model, &address))
			datapath_set_prefix(datapath, &address, NO_CONNECTION);
		if (!is_configured(model, &wanted.network))
			datapath_set_prefix(datapath, &wanted.network, NO_CONNECTION);
		return;
	}
	if (!addresses_is_own(steerd->addresses, &address) && !is_configured(model, &address))
		datapath_remove_prefix(datapath, &address);
	if (wanted.network.length == 128)
		return; /* it is the address itself */
	addresses_each(steerd->addresses, count_network, &wanted);
	if (!wanted.count && !is_configured(model, &wanted.network))
		datapath_remove_prefix(datapath, &wanted.network);
}
