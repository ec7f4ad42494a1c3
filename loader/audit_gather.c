/* SPDX-License-Identifier: GPL-2.0-only */
/* Facts about the box. See audit_gather.h. */
#include "audit_gather.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "netfilter.h"
#include "nl.h"
#include "routes_hops.h"
#include "routes_message.h"
#include "sa_set.h"

#define CONNECTIONS_A_STEP 256
#define PREFIXES_A_STEP	   64
#define DUMP_ATTEMPTS	   4 /* while somebody else is changing the table */
#define QUESTION_BYTES	   256

typedef bool stage_fn(struct audit_gather *gather);

struct audit_gather {
	const struct config *config;
	const struct prefix_index *prefixes;
	struct audit_sources sources;
	struct audit_facts facts;
	bool kernel_known;
	size_t stage;
	size_t at;	/* in the stage: the next connection or prefix */
	size_t tunnels; /* looked at */
	size_t *firsts; /* of each connection: its first in facts.tunnels */
	struct nl_dump dump;
	int attempts;		   /* at this stage's dump */
	bool all_diverted[2];	   /* IPv4, IPv6: by a policy for every destination */
	struct mnl_socket *socket; /* for questions about routes */
};

/* --- the kernel, NICs, addresses --- */

static void look_at_kernel(struct audit_kernel *kernel)
{
	struct utsname names = {0};

	uname(&names);
	snprintf(kernel->release, sizeof(kernel->release), "%s", names.release);
	kernel->loads_tc = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL) == 1;
	kernel->loads_xdp = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) == 1;
}

static void copy_link(const struct audit_gather *gather, const char *name, struct link *ret_link)
{
	const struct link *link = links_by_name(gather->sources.links, name);

	if (link)
		*ret_link = *link;
}

static int look_at_address(const struct own_address *own, void *context)
{
	struct audit_gather *gather = context;

	for (size_t i = 0; own->dynamic && i < gather->config->instance_count; i++)
		if (!memcmp(gather->config->instances[i].public.byte, own->address.byte, 16))
			gather->facts.dynamic[i] = true;
	return 0;
}

static bool stage_host(struct audit_gather *gather)
{
	const struct config *config = gather->config;

	if (!gather->kernel_known)
		look_at_kernel(&gather->facts.kernel);
	if (!gather->sources.links)
		return false;
	for (size_t i = 0; i < config->inside_count; i++)
		copy_link(gather, config->inside[i], &gather->facts.inside[i]);
	for (size_t i = 0; i < config->outside_count; i++)
		copy_link(gather, config->outside[i], &gather->facts.outside[i]);
	addresses_each(gather->sources.addresses, look_at_address, gather);
	return false;
}

/* --- tunnels --- */

static void look_at_tunnel(struct audit_gather *gather, const struct config_tunnel *tunnel, struct audit_tunnel *facts)
{
	const struct config_instance *instance = &gather->config->instances[tunnel->instance];

	copy_link(gather, instance->remote ? instance->dev : tunnel->device, &facts->link);
	facts->window_packets = SA_NO_WINDOW;
	if (gather->sources.sas && facts->link.if_id)
		facts->window_packets = sas_window(gather->sources.sas, facts->link.if_id);
}

static bool stage_tunnels(struct audit_gather *gather)
{
	const struct config *config = gather->config;

	if (!gather->sources.links)
		return false;
	for (size_t n = 0; n < CONNECTIONS_A_STEP && gather->at < config->connection_count; n++) {
		const struct config_connection *connection = &config->connections[gather->at];

		gather->firsts[gather->at++] = gather->tunnels;
		for (size_t t = 0; t < connection->tunnel_count; t++)
			look_at_tunnel(gather, &connection->tunnels[t], &gather->facts.tunnels[gather->tunnels++]);
	}
	return gather->at < config->connection_count;
}

/* --- dumps --- */

/* Returns whether more is to come; else *ret_error tells how it ended. */
static bool step_dump(struct audit_gather *gather, int protocol, nl_dump_request_fn *build, nl_message_fn *message,
		      int *ret_error)
{
	int result = 1;

	if (!gather->dump.socket)
		result = nl_dump_begin(protocol, build, &gather->dump) ?: 1;
	else
		result = nl_dump_step(&gather->dump, message, gather);
	if (result > 0)
		return true;
	nl_dump_end(&gather->dump);
	if (result == -EAGAIN && ++gather->attempts < DUMP_ATTEMPTS)
		return true;
	*ret_error = result;
	return false;
}

struct diversion {
	struct audit_gather *gather;
	const struct policy *policy;
};

static void note_diverted(const struct prefix_entry *entry, void *context)
{
	const struct diversion *diversion = context;
	struct audit_connection *facts = &diversion->gather->facts.connections[entry->connection];

	if (facts->diverted_count++)
		return;
	facts->policy = *diversion->policy;
	facts->diverted = entry->prefix;
}

static void look_at_policy(const struct nlmsghdr *message, void *context)
{
	struct audit_gather *gather = context;
	struct policy policy;
	bool *all_diverted;

	if (policies_message_parse(message, &policy) < 0 || !policies_message_diverts(&policy))
		return;
	/* What the box itself sends is no connection's. */
	if (policy.source.length == 128 && addresses_is_own(gather->sources.addresses, &policy.source))
		return;
	/* Every connection is told of already: thousands of such policies are not gone through for each. */
	all_diverted = &gather->all_diverted[!policy.destination.is_ipv4];
	if (*all_diverted)
		return;
	*all_diverted = policy.destination.length == (policy.destination.is_ipv4 ? 96 : 0);
	prefix_index_sharing(gather->prefixes, &policy.destination, note_diverted,
			     &(struct diversion){.gather = gather, .policy = &policy});
}

static void forget_diverted(struct audit_gather *gather)
{
	memset(gather->all_diverted, 0, sizeof(gather->all_diverted));
	for (size_t c = 0; c < gather->config->connection_count; c++)
		gather->facts.connections[c].diverted_count = 0;
}

static bool stage_policies(struct audit_gather *gather)
{
	int error = 0;

	if (!gather->sources.links)
		return false;
	if (!gather->dump.socket)
		forget_diverted(gather);
	if (step_dump(gather, NETLINK_XFRM, policies_message_dump, look_at_policy, &error))
		return true;
	gather->facts.ipsec_error = error ?: gather->sources.sas_error;
	return false;
}

static void look_at_chain(const struct nlmsghdr *message, void *context)
{
	struct audit_gather *gather = context;

	gather->facts.forward_chains += netfilter_chain_acts(message);
}

static bool stage_netfilter(struct audit_gather *gather)
{
	int error = 0;

	if (gather->config->path != PATH_FAST)
		return false;
	if (!gather->dump.socket)
		gather->facts.forward_chains = 0;
	if (step_dump(gather, NETLINK_NETFILTER, netfilter_request_chains, look_at_chain, &error))
		return true;
	gather->facts.netfilter_error = netfilter_is_absent(error) ? 0 : error;
	return false;
}

/* --- routes --- */

struct answer {
	const struct audit_gather *gather;
	uint32_t connection;
	size_t inside, past; /* next hops: by devices of its tunnels, and by others */
};

static void look_at_hop(const struct route_hop *hop, void *context)
{
	struct answer *answer = context;
	const struct config_connection *connection = &answer->gather->config->connections[answer->connection];
	const struct audit_tunnel *tunnels = &answer->gather->facts.tunnels[answer->gather->firsts[answer->connection]];

	for (size_t t = 0; t < connection->tunnel_count; t++)
		if (tunnels[t].link.ifindex == hop->ifindex) {
			answer->inside++;
			return;
		}
	answer->past++;
}

static void look_at_answer(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type == RTM_NEWROUTE)
		routes_hops_each(message, look_at_hop, context);
}

/*
 * An address of the prefix to ask for: its first, which is that of the route as well. What begins at the unspecified
 * address, as a default route does, is asked for farther on. Returns false where there is none to ask for.
 */
static bool pick_address(const struct config_address *prefix, struct config_address *ret_address)
{
	static const uint8_t none[16];
	struct config_address address = *prefix;

	if (address.is_ipv4 && address.byte[12] == 0 && address.length < 96 + 8)
		address.byte[12] = address.byte[15] = 1;
	if (!address.is_ipv4 && address.byte[0] == 0 && address.length < 3)
		address.byte[0] = 0x20;
	address.length = 128;
	*ret_address = address;
	return memcmp(address.byte, none, sizeof(none)) && (!address.is_ipv4 || address.byte[12]);
}

static bool has_device(const struct audit_gather *gather, uint32_t connection)
{
	const struct audit_tunnel *tunnels = &gather->facts.tunnels[gather->firsts[connection]];

	for (size_t t = 0; t < gather->config->connections[connection].tunnel_count; t++)
		if (tunnels[t].link.ifindex)
			return true;
	return false;
}

static void look_at_route(struct audit_gather *gather, const struct prefix_entry *entry)
{
	uint8_t buffer[QUESTION_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *question = mnl_nlmsg_put_header(buffer);
	struct answer answer = {.gather = gather, .connection = entry->connection};
	struct audit_connection *facts = &gather->facts.connections[entry->connection];
	struct config_address address;
	int err;

	/* Without any device no route can be right, and that the devices are missing is told. */
	if (!has_device(gather, entry->connection) || !pick_address(&entry->prefix, &address))
		return;
	routes_message_put_question(question, &address);
	err = nl_transact(gather->socket, question, look_at_answer, &answer);
	if (err == -EIO || err == -ENOBUFS || err == -ENOMEM)
		return;
	if (!err && answer.inside && !answer.past)
		return;
	if (facts->unrouted_count++)
		return;
	facts->unrouted = entry->prefix;
	facts->unreachable = err != 0;
}

static bool stage_routes(struct audit_gather *gather)
{
	if (gather->config->install_routes || !gather->sources.links)
		return false;
	if (!gather->socket && nl_open(NETLINK_ROUTE, &gather->socket) < 0)
		return false;
	for (size_t n = 0; n < PREFIXES_A_STEP && gather->at < gather->prefixes->count; n++)
		look_at_route(gather, &gather->prefixes->entry[gather->at++]);
	return gather->at < gather->prefixes->count;
}

/* --- the whole --- */

static stage_fn *const stages[] = {stage_host, stage_tunnels, stage_policies, stage_netfilter, stage_routes};

bool audit_gather_step(struct audit_gather *gather)
{
	if (gather->stage == sizeof(stages) / sizeof(stages[0]))
		return false;
	if (!stages[gather->stage](gather)) {
		gather->stage++;
		gather->at = 0;
		gather->attempts = 0;
	}
	return true;
}

int audit_gather_new(const struct config *config, const struct prefix_index *prefixes,
		     const struct audit_sources *sources, const struct audit_kernel *kernel,
		     struct audit_gather **ret_gather)
{
	struct audit_gather *gather = calloc(1, sizeof(*gather));

	if (!gather)
		return -ENOMEM;
	gather->config = config;
	gather->prefixes = prefixes;
	gather->sources = *sources;
	gather->facts.links_error = sources->links_error;
	gather->kernel_known = kernel != NULL;
	if (kernel)
		gather->facts.kernel = *kernel;
	gather->firsts = calloc(config->connection_count + 1, sizeof(*gather->firsts));
	gather->facts.tunnels = calloc(config->tunnel_count + 1, sizeof(*gather->facts.tunnels));
	gather->facts.connections = calloc(config->connection_count + 1, sizeof(*gather->facts.connections));
	if (!gather->firsts || !gather->facts.tunnels || !gather->facts.connections) {
		audit_gather_free(gather);
		return -ENOMEM;
	}
	*ret_gather = gather;
	return 0;
}

void audit_gather_free(struct audit_gather *gather)
{
	if (!gather)
		return;
	nl_dump_end(&gather->dump);
	if (gather->socket)
		mnl_socket_close(gather->socket);
	free(gather->facts.connections);
	free(gather->facts.tunnels);
	free(gather->firsts);
	free(gather);
}

const struct audit_facts *audit_gather_facts(const struct audit_gather *gather)
{
	return &gather->facts;
}
