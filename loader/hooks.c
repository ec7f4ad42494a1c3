/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs on devices: steer_tc and steer_xdp on inside NICs, tunnel_tc on tunnel devices and, for the answers to
 * probes, on NICs before remote instances; and the maps `inside_nics` and `devices` that they read.
 *
 * A NIC that is missing, down or refuses is no reason not to run: status names it, and its return is taken up.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "answer_source.h"
#include "log.h"
#include "steerd.h"
#include "xdp_port.h"

void hooks_nics_reset(struct steerd *steerd)
{
	const struct config *config = steerd->model->config;

	memset(steerd->nics, 0, sizeof(steerd->nics));
	steerd->nic_count = 0;
	for (size_t i = 0; i < config->inside_count; i++)
		steerd->nics[steerd->nic_count++] = (struct nic){.name = config->inside[i], .inside = true};
	for (size_t i = 0; i < config->outside_count; i++)
		steerd->nics[steerd->nic_count++] = (struct nic){.name = config->outside[i]};
}

/* XDP earns its place only by sending to other boxes. For tunnels of this one, steer_tc alone is the shorter way. */
static bool wants_xdp(const struct steerd *steerd)
{
	const struct config *config = steerd->model->config;

	if (config->path == PATH_STACK)
		return false;
	for (size_t i = 0; i < config->instance_count; i++)
		if (config->instances[i].remote)
			return true;
	return false;
}

static bool is_inside(const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->config->inside_count; i++)
		if (!strcmp(model->config->inside[i], name))
			return true;
	return false;
}

static bool is_remote_port(const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->config->instance_count; i++)
		if (model->config->instances[i].remote && !strcmp(model->config->instances[i].dev, name))
			return true;
	return false;
}

/* Do flows of a connection with a tunnel of this instance follow what comes from there? */
static bool has_pinned_flows(const struct model *model, const struct model_instance *instance)
{
	for (size_t t = 0; t < model->config->tunnel_count; t++)
		if (model->tunnels[t].instance == instance &&
		    model->tunnels[t].connection->config->affinity != AFFINITY_HASH)
			return true;
	return false;
}

/* A NIC where a remote instance's answers to its probe arrive, or what tells of pinned flows. */
static bool is_heard_port(const struct model *model, const char *name)
{
	for (size_t i = 0; i < model->config->instance_count; i++) {
		const struct model_instance *instance = &model->instances[i];

		if (!instance->config->remote || strcmp(instance->config->dev, name))
			continue;
		if (instance->unit.probe || has_pinned_flows(model, instance))
			return true;
	}
	return false;
}

struct source_search {
	const struct links *links;
	int ifindex; /* of the NIC */
	struct answer_source ipv4, ipv6;
};

static int source_consider(const struct own_address *own, void *context)
{
	struct source_search *search = context;
	const struct link *link = links_by_index(search->links, own->ifindex);
	int lower_ifindex = link ? link->lower_ifindex : 0;

	answer_source_consider(own->address.is_ipv4 ? &search->ipv4 : &search->ipv6, own, search->ifindex,
			       lower_ifindex);
	return 0;
}

static void inside_nic_describe(const struct steerd *steerd, struct datapath *datapath, uint32_t number,
				const struct link *link)
{
	struct source_search search = {.links = steerd->links, .ifindex = link->ifindex};
	struct inside_nic nic = {.ifindex = (__u32)link->ifindex};

	addresses_each(steerd->addresses, source_consider, &search);
	memcpy(nic.mac, link->mac, sizeof(link->mac));
	memcpy(&nic.ipv4, search.ipv4.address + 12, sizeof(nic.ipv4));
	memcpy(nic.ipv6, search.ipv6.address, sizeof(nic.ipv6));
	datapath_set_inside_nic(datapath, number, &nic);
}

void hooks_address_changed(struct steerd *steerd)
{
	const struct config *config = steerd->model->config;

	for (size_t i = 0; i < config->inside_count; i++) {
		const struct link *link = links_by_name(steerd->links, config->inside[i]);

		if (link)
			inside_nic_describe(steerd, steerd->datapath, (uint32_t)i, link);
	}
}

/* Writes what the packet path must know of this interface. */
void hooks_describe(const struct steerd *steerd, const struct model *model, struct datapath *datapath,
		    const struct link *link)
{
	const struct model_tunnel *tunnel = model_tunnel_by_device(model, link->name);
	struct device device = {.tunnel = tunnel ? tunnel->index : NO_TUNNEL};

	if (tunnel || is_remote_port(model, link->name))
		datapath_set_device(datapath, link->ifindex, &device);
	else
		datapath_remove_device(datapath, link->ifindex);
	for (size_t i = 0; i < model->config->inside_count; i++)
		if (!strcmp(model->config->inside[i], link->name))
			inside_nic_describe(steerd, datapath, (uint32_t)i, link);
	for (size_t i = 0; i < model->config->instance_count; i++)
		if (model->config->instances[i].remote && !strcmp(model->config->instances[i].dev, link->name))
			/* Without a port, steer_xdp leaves the instance's packets to steer_tc. */
			datapath_set_remote_port(datapath, model->instances[i].index,
						 xdp_port_takes_frames(link->ifindex) ? link->ifindex : 0);
}

static void nic_xdp(struct steerd *steerd, struct nic *nic)
{
	int err;

	if (!wants_xdp(steerd)) {
		attach_xdp_off(&steerd->datapath->pins, nic->ifindex);
		nic->xdp = ATTACH_XDP_OFF;
		return;
	}
	err = attach_xdp(steerd->datapath, nic->ifindex, (uint32_t)(nic - steerd->nics), &nic->xdp);
	if (!err)
		return;
	/* An earlier generation's would go on steering by maps that nobody keeps true. */
	attach_xdp_off(&steerd->datapath->pins, nic->ifindex);
	nic->xdp = ATTACH_XDP_OFF;
	snprintf(nic->reason, sizeof(nic->reason), "%s; steer_tc does all of the work",
		 err == -EBUSY ? "another XDP program that is not libxdp's holds this NIC" : strerror(-err));
}

/* That may be meant. Or it is what a gateway left that bears another name now, and goes on by what it knew. */
static void nic_shared(const struct steerd *steerd, struct nic *nic)
{
	char other[NAME_BYTES];

	if (!attach_tc_shared(&steerd->datapath->pins, nic->ifindex, other))
		return;
	snprintf(nic->reason, sizeof(nic->reason),
		 "gateway '%s' steers from it too; aa-steer -g %s unload takes it off", other, other);
	log_warning("%s: %s", nic->name, nic->reason);
}

static void nic_attach(struct steerd *steerd, struct nic *nic, const struct link *link)
{
	int err;

	nic->ifindex = link->ifindex;
	nic->up = link->up;
	nic->reason[0] = 0;
	if (!link->up)
		snprintf(nic->reason, sizeof(nic->reason), "link down");
	if (!nic->inside)
		return;
	if (!link->ethernet) {
		snprintf(nic->reason, sizeof(nic->reason), "not an Ethernet device: nothing is steered from it");
		return;
	}
	err = attach_tc(&steerd->datapath->pins, ATTACH_STEER_TC, steerd->datapath->steer_tc_fd, link->ifindex,
			link->name, &nic->tc);
	if (err) {
		nic->tc = ATTACH_TC_OFF;
		nic->xdp = ATTACH_XDP_OFF;
		/* An earlier generation's would go on steering by maps that nobody keeps true. */
		attach_xdp_off(&steerd->datapath->pins, link->ifindex);
		snprintf(nic->reason, sizeof(nic->reason), "steer_tc cannot be attached: %s", strerror(-err));
		log_error("%s: %s", nic->name, nic->reason);
		return;
	}
	nic_shared(steerd, nic);
	nic_xdp(steerd, nic);
}

static void nic_gone(struct nic *nic)
{
	nic->ifindex = 0;
	nic->up = false;
	nic->xdp = ATTACH_XDP_OFF;
	nic->tc = ATTACH_TC_OFF;
	snprintf(nic->reason, sizeof(nic->reason), "there is no interface of this name");
}

static void tunnel_attach(struct steerd *steerd, const struct model_tunnel *tunnel, const struct link *link)
{
	enum attach_tc_kind kind;
	int err = attach_tc(&steerd->datapath->pins, ATTACH_TUNNEL_TC, steerd->datapath->tunnel_tc_fd, link->ifindex,
			    link->name, &kind);

	if (err)
		log_warning("%s: what tunnel %s receives is not counted: %s", link->name, tunnel->unit.name,
			    strerror(-err));
}

/* What the kernel receives of probes by other ways is no answer, so the instances behind this NIC stay dead. */
static void port_attach(struct steerd *steerd, const struct link *link)
{
	enum attach_tc_kind kind;
	int err = attach_tc(&steerd->datapath->pins, ATTACH_TUNNEL_TC, steerd->datapath->tunnel_tc_fd, link->ifindex,
			    link->name, &kind);

	if (err)
		log_error("%s: answers to probes of the instances behind it cannot be received: %s", link->name,
			  strerror(-err));
}

static bool is_wanted(enum attach_tc_program program, int ifindex, const char *device, void *context)
{
	const struct steerd *steerd = context;

	(void)ifindex;
	if (program == ATTACH_STEER_TC)
		return is_inside(steerd->model, device);
	return model_tunnel_by_device(steerd->model, device) || is_heard_port(steerd->model, device);
}

int hooks_xdp_sweep(struct steerd *steerd, bool everything)
{
	struct if_nameindex *interfaces = if_nameindex();
	int err = 0;

	for (struct if_nameindex *at = interfaces; at && at->if_index; at++) {
		const struct link *link = links_by_index(steerd->links, (int)at->if_index);

		if (link && link->ethernet && (everything || !is_inside(steerd->model, link->name)))
			err = err ?: attach_xdp_off(&steerd->datapath->pins, link->ifindex);
	}
	if (interfaces)
		if_freenameindex(interfaces);
	return err;
}

void hooks_attach_all(struct steerd *steerd)
{
	for (size_t n = 0; n < steerd->nic_count; n++) {
		const struct link *link = links_by_name(steerd->links, steerd->nics[n].name);

		if (link)
			nic_attach(steerd, &steerd->nics[n], link);
		else
			nic_gone(&steerd->nics[n]);
	}
	for (size_t t = 0; t < steerd->model->config->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &steerd->model->tunnels[t];
		const struct link *link = links_by_index(steerd->links, tunnel->unit.ifindex);

		if (link)
			tunnel_attach(steerd, tunnel, link);
	}
	for (size_t i = 0; i < steerd->model->config->instance_count; i++) {
		const struct unit *unit = &steerd->model->instances[i].unit;
		const struct link *link = unit->probe ? links_by_index(steerd->links, unit->ifindex) : NULL;

		if (link)
			port_attach(steerd, link);
	}
	attach_tc_sweep(&steerd->datapath->pins, is_wanted, steerd);
	hooks_xdp_sweep(steerd, false);
}

/* A NIC before probed instances that bears another name now: its hook is pinned under the old one. */
static void port_renamed(struct steerd *steerd, const struct link *link)
{
	for (size_t i = 0; i < steerd->model->config->instance_count; i++) {
		const struct unit *unit = &steerd->model->instances[i].unit;

		if (unit->probe && !unit->ifindex && strcmp(unit->device, link->name))
			attach_tc_off(&steerd->datapath->pins, ATTACH_TUNNEL_TC, link->ifindex, unit->device);
	}
}

/* A device that bears another name now. */
static void device_renamed(struct steerd *steerd, const struct link *link)
{
	const struct model_tunnel *tunnel;
	struct device device;

	if (datapath_device(steerd->datapath, link->ifindex, &device))
		return;
	tunnel = model_tunnel_by_index(steerd->model, device.tunnel);
	if (device.tunnel == NO_TUNNEL)
		port_renamed(steerd, link);
	if (tunnel && tunnel->unit.device && strcmp(tunnel->unit.device, link->name))
		attach_tc_off(&steerd->datapath->pins, ATTACH_TUNNEL_TC, link->ifindex, tunnel->unit.device);
}

/* Before the name that it bears now is hooked: off goes the link, whatever name it is looked for by. */
static void nic_renamed(struct steerd *steerd, const struct link *link)
{
	for (size_t n = 0; n < steerd->nic_count; n++) {
		struct nic *nic = &steerd->nics[n];

		if (nic->ifindex != link->ifindex || !strcmp(nic->name, link->name))
			continue;
		steerd_event(steerd, "nic-renamed", nic->name, "NIC %s is now called %s", nic->name, link->name);
		if (nic->inside) {
			attach_tc_off(&steerd->datapath->pins, ATTACH_STEER_TC, link->ifindex, nic->name);
			attach_xdp_off(&steerd->datapath->pins, link->ifindex);
		}
		nic_gone(nic);
	}
}

void hooks_link_changed(struct steerd *steerd, const struct link *link)
{
	const struct model_tunnel *tunnel = model_tunnel_by_device(steerd->model, link->name);

	device_renamed(steerd, link);
	nic_renamed(steerd, link);
	hooks_describe(steerd, steerd->model, steerd->datapath, link);
	for (size_t n = 0; n < steerd->nic_count; n++) {
		struct nic *nic = &steerd->nics[n];

		if (strcmp(nic->name, link->name) || (nic->ifindex == link->ifindex && nic->up == link->up))
			continue;
		nic_attach(steerd, nic, link);
		steerd_event(steerd, nic->up ? "nic-up" : "nic-down", nic->name, "NIC %s is %s", nic->name,
			     nic->up ? "up" : "down");
	}
	if (tunnel)
		tunnel_attach(steerd, tunnel, link);
	else if (is_heard_port(steerd->model, link->name))
		port_attach(steerd, link);
}

void hooks_link_removed(struct steerd *steerd, const struct link *link)
{
	datapath_remove_device(steerd->datapath, link->ifindex);
	for (enum attach_tc_program program = 0; program < ATTACH_TC_PROGRAMS; program++)
		attach_tc_off(&steerd->datapath->pins, program, link->ifindex, link->name);
	for (size_t n = 0; n < steerd->nic_count; n++) {
		struct nic *nic = &steerd->nics[n];

		if (nic->ifindex != link->ifindex)
			continue;
		nic_gone(nic);
		steerd_event(steerd, "nic-gone", nic->name, "NIC %s is gone", nic->name);
	}
	/* After an overrun, another interface may have its name already. */
	if (links_by_name(steerd->links, link->name))
		return;
	for (size_t i = 0; i < steerd->model->config->instance_count; i++)
		if (steerd->model->config->instances[i].remote &&
		    !strcmp(steerd->model->config->instances[i].dev, link->name))
			datapath_set_remote_port(steerd->datapath, steerd->model->instances[i].index, 0);
}
