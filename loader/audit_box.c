/* SPDX-License-Identifier: GPL-2.0-only */
/* Findings about the box that a configuration is for, from facts that were gathered. See audit.h. Pure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit_list.h"
#include "sa_set.h"

#define KERNEL_MAJOR_LEAST 6
#define KERNEL_MINOR_LEAST 1

/*
 * The kernel may encrypt the packets of one SA on several CPUs, and the way may reorder them: one that comes later than
 * the window reaches back is dropped as a replay. 32 is what IKE daemons ask for unless told.
 */
#define WINDOW_LEAST_PACKETS 64

/* --- the host --- */

static void audit_kernel(struct audit_list *list, const struct audit_kernel *kernel)
{
	unsigned major = 0, minor = 0;

	if (sscanf(kernel->release, "%u.%u", &major, &minor) == 2 &&
	    (major < KERNEL_MAJOR_LEAST || (major == KERNEL_MAJOR_LEAST && minor < KERNEL_MINOR_LEAST)))
		audit_find(list, AUDIT_ERROR, "kernel",
			   "Linux %s is too old: %d.%d is the oldest that is tested; boot a newer one", kernel->release,
			   KERNEL_MAJOR_LEAST, KERNEL_MINOR_LEAST);
	if (!kernel->loads_tc)
		audit_find(list, AUDIT_ERROR, "kernel", "it does not load TC programs%s",
			   geteuid() ? " for this user: check as root" : "");
	if (!kernel->loads_xdp)
		audit_find(list, AUDIT_WARNING, "kernel",
			   "it does not load XDP programs: steer_tc does all of the work");
}

static void audit_netfilter(struct audit_list *list, const struct config *config, const struct audit_facts *facts)
{
	if (config->path == PATH_FAST && facts->forward_chains)
		audit_find(list, AUDIT_WARNING, "netfilter",
			   "%zu chain%s with rules on the forward hook: path: fast passes them by; use path: stack "
			   "where they matter",
			   facts->forward_chains, facts->forward_chains == 1 ? "" : "s");
}

/* What cannot be looked at is not found sound. A kernel without IPsec has nothing to look at. */
static void audit_blind(struct audit_list *list, const struct audit_facts *facts)
{
	int ipsec_error = facts->ipsec_error == -EPROTONOSUPPORT ? 0 : facts->ipsec_error;

	if (facts->links_error)
		audit_find(list, AUDIT_WARNING, "kernel", "its interfaces cannot be read: %s",
			   strerror(-facts->links_error));
	if (ipsec_error == -EPERM || facts->netfilter_error == -EPERM) {
		audit_find(list, AUDIT_WARNING, "kernel",
			   "SAs, IPsec policies and netfilter rules are not shown to this user: check as root");
		return;
	}
	if (ipsec_error)
		audit_find(list, AUDIT_WARNING, "kernel",
			   "its SAs and IPsec policies cannot be read, so they are not checked: %s; try again",
			   strerror(-ipsec_error));
	if (facts->netfilter_error)
		audit_find(list, AUDIT_WARNING, "netfilter",
			   "its chains cannot be read, so they are not checked: %s; try again",
			   strerror(-facts->netfilter_error));
}

void audit_host(struct audit_list *list, const struct config *config, const struct audit_facts *facts)
{
	audit_kernel(list, &facts->kernel);
	audit_blind(list, facts);
	audit_netfilter(list, config, facts);
}

/* --- NICs, addresses, tunnels --- */

static const struct link *present(const struct link *link)
{
	return link->ifindex ? link : NULL;
}

static void audit_addresses(struct audit_list *list, const struct config *config, const struct audit_facts *facts)
{
	char address[CONFIG_ADDRESS_TEXT];

	for (size_t i = 0; i < config->instance_count; i++)
		if (facts->dynamic[i])
			audit_find(
				list, AUDIT_WARNING, config->instances[i].name,
				"its public address %s is a dynamic one on this host, which can be gone when its lease "
				"ends; active-active needs static ones: configure it for good",
				config_address_text(&config->instances[i].public, address));
}

static void audit_nics(struct audit_list *list, const struct config *config, const struct audit_facts *facts)
{
	for (size_t i = 0; i < config->inside_count; i++) {
		const struct link *link = present(&facts->inside[i]);

		if (!link)
			audit_find(list, AUDIT_WARNING, config->inside[i],
				   "there is no such interface now: nothing is steered from it until there is");
		else if (!link->ethernet)
			audit_find(list, AUDIT_ERROR, link->name,
				   "not an Ethernet device: it cannot stand in inside; name the NIC where the traffic "
				   "arrives");
	}
	for (size_t i = 0; i < config->outside_count; i++)
		if (!facts->outside[i].ifindex)
			audit_find(list, AUDIT_WARNING, config->outside[i],
				   "there is no such interface now: make it, or leave it out of outside");
}

static void audit_tunnel(struct audit_list *list, const struct config_tunnel *tunnel, const struct link *link)
{
	if (!link)
		audit_find(list, AUDIT_WARNING, tunnel->name,
			   "its device '%s' does not exist now: the tunnel is down until it does; make it with "
			   "ip link add %s type xfrm if_id N",
			   tunnel->device, tunnel->device);
	else if (!strcmp(link->kind, "xfrm") && !link->if_id)
		audit_find(list, AUDIT_ERROR, tunnel->name,
			   "its device '%s' has no if_id, so no SA can be told to be its own; make it anew with if_id",
			   link->name);
	else if (link->ethernet && !tunnel->has_via)
		audit_find(list, AUDIT_ERROR, tunnel->name,
			   "its device '%s' takes Ethernet frames: name the next hop behind it with via", link->name);
	else if (strcmp(link->kind, "xfrm"))
		audit_find(list, AUDIT_WARNING, tunnel->name,
			   "its device '%s' is no xfrm interface (%s): nothing here shows that it encrypts", link->name,
			   link->kind[0] ? link->kind : "a plain NIC");
}

/* SAs that the kernel takes for no xfrm interface's are nobody's here. */
static void audit_window(struct audit_list *list, const struct config_tunnel *tunnel, uint32_t window_packets)
{
	if (window_packets == 0)
		audit_find(
			list, AUDIT_WARNING, tunnel->name,
			"an inbound SA of it has replay window 0: whoever recorded a packet can send it in once more; "
			"set a window, 1024 say (swanctl.conf: replay_window), and rekey");
	else if (window_packets < WINDOW_LEAST_PACKETS)
		audit_find(
			list, AUDIT_WARNING, tunnel->name,
			"an inbound SA of it has a replay window of %u packets: those that the way, or the peer's "
			"CPUs, "
			"put out of order by more are dropped; set 1024 say (swanctl.conf: replay_window), and rekey",
			window_packets);
}

/* A remote instance's tunnels are that box's: their MTU is not known here. */
static void audit_mtus(struct audit_list *list, const struct config *config, const struct config_connection *connection,
		       const struct audit_tunnel *tunnels)
{
	size_t least = connection->tunnel_count, most = connection->tunnel_count;

	for (size_t t = 0; t < connection->tunnel_count; t++) {
		if (config->instances[connection->tunnels[t].instance].remote || !tunnels[t].link.ifindex)
			continue;
		if (least == connection->tunnel_count || tunnels[t].link.mtu_bytes < tunnels[least].link.mtu_bytes)
			least = t;
		if (most == connection->tunnel_count || tunnels[t].link.mtu_bytes > tunnels[most].link.mtu_bytes)
			most = t;
	}
	if (least == most || tunnels[least].link.mtu_bytes == tunnels[most].link.mtu_bytes)
		return;
	audit_find(list, AUDIT_WARNING, connection->name,
		   "the MTUs of its tunnels differ, from %u of '%s' to %u of '%s': packets of all of them are held to "
		   "the smallest; let them be one, with ip link set %s mtu %u",
		   tunnels[least].link.mtu_bytes, connection->tunnels[least].name, tunnels[most].link.mtu_bytes,
		   connection->tunnels[most].name, connection->tunnels[most].device, tunnels[least].link.mtu_bytes);
}

static void audit_tunnels(struct audit_list *list, const struct config *config, const struct audit_facts *facts)
{
	const struct audit_tunnel *tunnels = facts->tunnels;

	for (size_t c = 0; c < config->connection_count; c++) {
		const struct config_connection *connection = &config->connections[c];

		for (size_t t = 0; t < connection->tunnel_count; t++) {
			const struct config_tunnel *tunnel = &connection->tunnels[t];

			if (config->instances[tunnel->instance].remote)
				continue;
			audit_tunnel(list, tunnel, present(&tunnels[t].link));
			audit_window(list, tunnel, tunnels[t].window_packets);
		}
		audit_mtus(list, config, connection, tunnels);
		tunnels += connection->tunnel_count;
	}
}

void audit_links(struct audit_list *list, const struct config *config, const struct audit_facts *facts)
{
	audit_nics(list, config, facts);
	audit_addresses(list, config, facts);
	audit_tunnels(list, config, facts);
}

/* --- past the tunnels --- */

static void audit_policy(struct audit_list *list, const struct config_connection *connection,
			 const struct audit_connection *facts)
{
	char source[CONFIG_ADDRESS_TEXT], destination[CONFIG_ADDRESS_TEXT], prefix[CONFIG_ADDRESS_TEXT];
	char more[64] = "";

	if (facts->diverted_count > 1)
		snprintf(more, sizeof(more), " (and there are %zu more such overlaps)", facts->diverted_count - 1);
	audit_find(
		list, AUDIT_WARNING, connection->name,
		"an IPsec policy without if_id, from %s to %s, %s what the kernel routes to its prefix %s%s; give the "
		"policy the if_id of a tunnel (swanctl.conf: if_id_out), or remove it",
		config_address_text(&facts->policy.source, source),
		config_address_text(&facts->policy.destination, destination),
		facts->policy.blocks ? "drops" : "takes past the tunnels",
		config_address_text(&facts->diverted, prefix), more);
}

/* "dev ipsec0", "via 10.0.0.3 dev lan1": where a route through its first tunnel leads. */
static void route_text(const struct config *config, const struct config_connection *connection, bool ipv4, char *text,
		       size_t text_bytes)
{
	const struct config_tunnel *tunnel = &connection->tunnels[0];
	const struct config_instance *instance = &config->instances[tunnel->instance];
	const struct config_address *via = instance->remote ? &instance->via : tunnel->has_via ? &tunnel->via : NULL;
	char address[CONFIG_ADDRESS_TEXT];

	if (via && via->is_ipv4 != ipv4)
		via = NULL;
	snprintf(text, text_bytes, "%s%s%sdev %s", via ? "via " : "", via ? config_address_text(via, address) : "",
		 via ? " " : "", instance->remote ? instance->dev : tunnel->device);
}

static void audit_route(struct audit_list *list, const struct config *config,
			const struct config_connection *connection, const struct audit_connection *facts)
{
	char prefix[CONFIG_ADDRESS_TEXT], more[64] = "", route[CONFIG_ADDRESS_TEXT + IFNAMSIZ + 16];
	bool ipv6_lost = facts->unreachable && !facts->unrouted.is_ipv4;

	config_address_text(&facts->unrouted, prefix);
	route_text(config, connection, facts->unrouted.is_ipv4, route, sizeof(route));
	if (facts->unrouted_count > 1)
		snprintf(more, sizeof(more), " (nor to %zu more)", facts->unrouted_count - 1);
	audit_find(list, AUDIT_WARNING, connection->name,
		   "the kernel has no route to its prefix %s%s through a tunnel's device: while no program is attached "
		   "its "
		   "packets %s%s; set install-routes: true, or ip route add %s %s",
		   prefix, more, facts->unreachable ? "are lost" : "leave in clear, past the tunnels",
		   ipv6_lost ? ", and an xfrm interface loses IPv6 that no route leads anywhere at any time" : "",
		   prefix, route);
}

void audit_ways(struct audit_list *list, const struct config *config, const struct audit_facts *facts)
{
	for (size_t c = 0; c < config->connection_count; c++) {
		if (facts->connections[c].diverted_count)
			audit_policy(list, &config->connections[c], &facts->connections[c]);
		if (facts->connections[c].unrouted_count)
			audit_route(list, config, &config->connections[c], &facts->connections[c]);
	}
}
