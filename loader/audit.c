/* SPDX-License-Identifier: GPL-2.0-only */
/* Findings about a configuration and the box it is for. See audit.h. */
#include "audit.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "addresses.h"
#include "links.h"
#include "netfilter.h"

/* A probe that gives up sooner than this takes the pauses of its own host for the peer's silence. */
#define DETECTION_LEAST_NS 9000000ull

struct audit {
	const struct config *config;
	json_t *findings;
	int worst;
};

static void find(struct audit *audit, enum audit_level level, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void find(struct audit *audit, enum audit_level level, const char *subject, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	json_array_append_new(audit->findings,
			      json_pack("{s:s, s:s, s:s}", "level", level == AUDIT_ERROR ? "error" : "warning",
					"subject", subject, "message", message));
	if ((int)level > audit->worst)
		audit->worst = level;
}

static void audit_instances(struct audit *audit)
{
	const struct config *config = audit->config;
	char address[CONFIG_ADDRESS_TEXT];

	if (config->instance_count < 2)
		find(audit, AUDIT_WARNING, config->instances[0].name,
		     "%s needs two instances: with one, its maintenance cuts every connection; add a second",
		     config->mode == MODE_ACTIVE_ACTIVE ? "active-active" : "active-standby");
	for (size_t a = 0; a < config->instance_count; a++)
		for (size_t b = a + 1; b < config->instance_count; b++)
			if (!memcmp(config->instances[a].public.byte, config->instances[b].public.byte, 16))
				find(audit, AUDIT_WARNING, config->instances[b].name,
				     "public address %s is that of instance '%s' too: each needs its own",
				     config_address_text(&config->instances[b].public, address),
				     config->instances[a].name);
}

static void audit_redundancy(struct audit *audit)
{
	for (size_t c = 0; c < audit->config->connection_count; c++) {
		const struct config_connection *connection = &audit->config->connections[c];
		bool redundant = false;

		for (size_t t = 1; t < connection->tunnel_count; t++)
			redundant |= connection->tunnels[t].instance != connection->tunnels[0].instance;
		if (!redundant)
			find(audit, AUDIT_WARNING, connection->name,
			     "not redundant: %s on instance '%s'; add a tunnel of another instance",
			     connection->tunnel_count == 1 ? "its only tunnel is" : "all its tunnels are",
			     audit->config->instances[connection->tunnels[0].instance].name);
	}
}

static const struct config_address *next_hop(const struct config *config, const struct config_tunnel *tunnel)
{
	const struct config_instance *instance = &config->instances[tunnel->instance];

	if (instance->remote)
		return &instance->via;
	return tunnel->has_via ? &tunnel->via : NULL;
}

static bool has_family(const struct config_connection *connection, bool ipv4)
{
	for (size_t p = 0; p < connection->remote_count; p++)
		if (connection->remote[p].is_ipv4 == ipv4)
			return true;
	return false;
}

/* The kernel routes by next hops of the packet's own family; path: fast needs their MAC address alone. */
static void audit_families(struct audit *audit)
{
	const struct config *config = audit->config;

	for (size_t c = 0; c < config->connection_count && config->path == PATH_STACK; c++)
		for (size_t t = 0; t < config->connections[c].tunnel_count; t++) {
			const struct config_tunnel *tunnel = &config->connections[c].tunnels[t];
			const struct config_address *via = next_hop(config, tunnel);

			if (via && has_family(&config->connections[c], !via->is_ipv4))
				find(audit, AUDIT_WARNING, tunnel->name,
				     "path: stack loses the IPv%d packets of connection '%s': the kernel does not "
				     "route them to an IPv%d next hop; use path: fast",
				     via->is_ipv4 ? 6 : 4, config->connections[c].name, via->is_ipv4 ? 4 : 6);
		}
}

static const struct config_probe *probe_of(const struct config *config, const struct config_tunnel *tunnel)
{
	const struct config_instance *instance = &config->instances[tunnel->instance];

	return instance->remote ? &instance->probe : &tunnel->probe;
}

static bool is_probed(const struct config *config, const struct config_tunnel *tunnel)
{
	return probe_of(config, tunnel)->kind != SESSION_NONE;
}

static void audit_probe(struct audit *audit, const char *unit, const struct config_probe *probe)
{
	uint64_t detection_us = probe->interval_ns * probe->multiplier / 1000;

	if (probe->kind == SESSION_NONE)
		return;
	if (probe->multiplier == 1)
		find(audit, AUDIT_WARNING, unit,
		     "its probe has multiplier 1: one lost packet is a failure; 3 is usual");
	if (detection_us < DETECTION_LEAST_NS / 1000)
		find(audit, AUDIT_WARNING, unit,
		     "its probe gives up after %llu.%03llu ms, which a host can stand still for even when idle: "
		     "failures that are none; let interval times multiplier be 9ms at least",
		     (unsigned long long)(detection_us / 1000), (unsigned long long)(detection_us % 1000));
}

/* The tunnels of one connection: all that lack a probe where another has one; the connection once where none has. */
static void audit_unprobed(struct audit *audit, const struct config_connection *connection)
{
	const struct config_tunnel *probed = NULL;

	for (size_t t = 0; t < connection->tunnel_count && !probed; t++)
		if (is_probed(audit->config, &connection->tunnels[t]))
			probed = &connection->tunnels[t];
	if (!probed) {
		find(audit, AUDIT_WARNING, connection->name,
		     "no probe: a peer or an instance that dies without a word is not noticed; add probe to its "
		     "tunnels");
		return;
	}
	for (size_t t = 0; t < connection->tunnel_count; t++) {
		const struct config_tunnel *tunnel = &connection->tunnels[t];
		const struct config_instance *instance = &audit->config->instances[tunnel->instance];

		if (!is_probed(audit->config, tunnel))
			find(audit, AUDIT_WARNING, tunnel->name,
			     "has no probe, as tunnel '%s' has: its silent failure is not seen; add probe to %s%s%s",
			     probed->name, instance->remote ? "instance '" : "it",
			     instance->remote ? instance->name : "", instance->remote ? "'" : "");
	}
}

/* A file without any probe means link and SA to be enough: no finding. */
static void audit_probes(struct audit *audit)
{
	const struct config *config = audit->config;
	bool any = false;

	for (size_t i = 0; i < config->instance_count; i++) {
		audit_probe(audit, config->instances[i].name, &config->instances[i].probe);
		any |= config->instances[i].probe.kind != SESSION_NONE;
	}
	for (size_t c = 0; c < config->connection_count; c++)
		for (size_t t = 0; t < config->connections[c].tunnel_count; t++) {
			const struct config_tunnel *tunnel = &config->connections[c].tunnels[t];

			audit_probe(audit, tunnel->name, &tunnel->probe);
			any |= tunnel->probe.kind != SESSION_NONE;
		}
	for (size_t c = 0; any && c < config->connection_count; c++)
		audit_unprobed(audit, &config->connections[c]);
}

static void audit_nics(struct audit *audit, const struct links *links)
{
	for (size_t i = 0; i < audit->config->inside_count; i++) {
		const struct link *link = links_by_name(links, audit->config->inside[i]);

		if (!link)
			find(audit, AUDIT_WARNING, audit->config->inside[i],
			     "there is no such interface now: nothing is steered from it until there is");
		else if (!link->ethernet)
			find(audit, AUDIT_ERROR, link->name, "not an Ethernet device: it cannot stand in inside");
	}
	for (size_t i = 0; i < audit->config->outside_count; i++)
		if (!links_by_name(links, audit->config->outside[i]))
			find(audit, AUDIT_WARNING, audit->config->outside[i], "there is no such interface now");
}

static void audit_tunnel(struct audit *audit, const struct config_tunnel *tunnel, const struct link *link)
{
	if (!link)
		find(audit, AUDIT_WARNING, tunnel->name,
		     "its device '%s' does not exist now: the tunnel is down until it does; make it with "
		     "ip link add %s type xfrm if_id N",
		     tunnel->device, tunnel->device);
	else if (!strcmp(link->kind, "xfrm") && !link->if_id)
		find(audit, AUDIT_ERROR, tunnel->name,
		     "its device '%s' has no if_id, so no SA can be told to be its own; make it anew with if_id",
		     link->name);
	else if (link->ethernet && !tunnel->has_via)
		find(audit, AUDIT_ERROR, tunnel->name,
		     "its device '%s' takes Ethernet frames: name the next hop behind it with via", link->name);
	else if (strcmp(link->kind, "xfrm"))
		find(audit, AUDIT_WARNING, tunnel->name,
		     "its device '%s' is no xfrm interface (%s): nothing here shows that it encrypts", link->name,
		     link->kind[0] ? link->kind : "a plain NIC");
}

static void audit_tunnels(struct audit *audit, const struct links *links)
{
	const struct config *config = audit->config;

	for (size_t c = 0; c < config->connection_count; c++)
		for (size_t t = 0; t < config->connections[c].tunnel_count; t++) {
			const struct config_tunnel *tunnel = &config->connections[c].tunnels[t];

			if (!config->instances[tunnel->instance].remote)
				audit_tunnel(audit, tunnel, links_by_name(links, tunnel->device));
		}
}

static int dynamic_public(const struct own_address *own, void *context)
{
	struct audit *audit = context;

	for (size_t i = 0; own->dynamic && i < audit->config->instance_count; i++)
		if (!memcmp(audit->config->instances[i].public.byte, own->address.byte, 16))
			find(audit, AUDIT_WARNING, audit->config->instances[i].name,
			     "its public address is a dynamic one on this host: active-active needs static ones");
	return 0;
}

static void audit_kernel(struct audit *audit)
{
	struct utsname kernel;
	unsigned major = 0, minor = 0;

	uname(&kernel);
	if (sscanf(kernel.release, "%u.%u", &major, &minor) == 2 && (major < 6 || (major == 6 && minor < 1)))
		find(audit, AUDIT_ERROR, "kernel", "Linux %s is too old: 6.1 is the oldest that is tested",
		     kernel.release);
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL) != 1)
		find(audit, AUDIT_ERROR, "kernel", "it does not load TC programs%s",
		     geteuid() ? " for this user: check as root" : "");
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) != 1)
		find(audit, AUDIT_WARNING, "kernel", "it does not load XDP programs: steer_tc does all of the work");
}

static void audit_netfilter(struct audit *audit)
{
	size_t chains = 0;

	if (audit->config->path == PATH_FAST && !netfilter_forward_rules(&chains) && chains)
		find(audit, AUDIT_WARNING, "netfilter",
		     "%zu chain%s with rules on the forward hook: path: fast passes them by; use path: stack where "
		     "they matter",
		     chains, chains == 1 ? "" : "s");
}

static void ignore_link(const struct link *link, void *context)
{
	(void)link, (void)context;
}

static void ignore_address(const struct own_address *address, bool present, void *context)
{
	(void)address, (void)present, (void)context;
}

static void audit_box(struct audit *audit)
{
	struct addresses *addresses = NULL;
	struct links *links = NULL;
	sd_event *loop = NULL;
	int err = sd_event_new(&loop);

	if (err >= 0)
		err = links_open(loop, ignore_link, ignore_link, NULL, &links);
	if (!err)
		err = addresses_open(loop, ignore_address, NULL, &addresses);
	if (err < 0) {
		find(audit, AUDIT_WARNING, "kernel", "its interfaces cannot be read: %s", strerror(-err));
	} else {
		audit_nics(audit, links);
		audit_tunnels(audit, links);
		addresses_each(addresses, dynamic_public, audit);
	}
	addresses_close(addresses);
	links_close(links);
	sd_event_unref(loop);
}

int audit_config(const struct config *config, json_t *findings)
{
	struct audit audit = {.config = config, .findings = findings};

	audit_instances(&audit);
	audit_redundancy(&audit);
	audit_families(&audit);
	audit_probes(&audit);
	return audit.worst;
}

int audit(const struct config *config, json_t *findings)
{
	struct audit audit = {.config = config, .findings = findings};

	audit.worst = audit_config(config, findings);
	audit_box(&audit);
	audit_kernel(&audit);
	audit_netfilter(&audit);
	return audit.worst;
}
