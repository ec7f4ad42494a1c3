/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `aa-steer where`: builds a packet of the flow in question and asks the loaded program about it (maps/where.h). The
 * answer's numbers get their names here; nothing is decided here.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <string.h>

#include "slow_start.h"
#include "steerd.h"
#include "subsets.h"

#define FRAME_TTL	64
#define TRANSPORT_BYTES 20

struct question {
	int family; /* AF_INET or AF_INET6 */
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port; /* of ICMP: the echo id as source_port */
	uint8_t protocol;
};

static int address_read(const char *text, int *family, uint8_t *address)
{
	int found = strchr(text, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(found, text, address) != 1 || (*family && *family != found))
		return -1;
	*family = found;
	return 0;
}

static int protocol_read(const char *name, int family, uint8_t *ret_protocol)
{
	static const struct {
		const char *name;
		uint8_t number;
	} known[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};
	char *end;
	unsigned long number;

	if (!strcmp(name, "icmp") || !strcmp(name, "icmp6")) {
		*ret_protocol = family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		return strcmp(name, "icmp6") || family == AF_INET6 ? 0 : -1;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(name, known[i].name))
			continue;
		*ret_protocol = known[i].number;
		return 0;
	}
	number = strtoul(name, &end, 10);
	*ret_protocol = (uint8_t)number;
	return *name && !*end && number <= 255 ? 0 : -1;
}

static const char *question_read(const json_t *arguments, struct question *question)
{
	const char *protocol, *source, *destination;
	int source_port = 0, destination_port = 0;
	json_error_t error;

	if (json_unpack_ex((json_t *)arguments, &error, JSON_STRICT, "{s:s, s:{s:s, s?i}, s:{s:s, s?i}}", "protocol",
			   &protocol, "source", "address", &source, "port", &source_port, "destination", "address",
			   &destination, "port", &destination_port))
		return "arguments are protocol, source {address, port}, destination {address, port}";
	if (source_port < 0 || source_port > 65535 || destination_port < 0 || destination_port > 65535)
		return "a port is 0..65535";
	question->family = 0;
	if (address_read(source, &question->family, question->source) ||
	    address_read(destination, &question->family, question->destination))
		return "source and destination are both IPv4 or both IPv6 addresses";
	if (protocol_read(protocol, question->family, &question->protocol))
		return "the protocol is tcp, udp, sctp, icmp, icmp6 (between IPv6 addresses) or a number up to 255";
	question->source_port = (uint16_t)source_port;
	question->destination_port = (uint16_t)destination_port;
	return NULL;
}

/* Ports where TCP, UDP and SCTP have them; an echo request where ICMP. Checksums are nobody's matter here. */
static void transport_write(uint8_t *at, const struct question *question)
{
	uint16_t ports[2] = {htons(question->source_port), htons(question->destination_port)};
	uint16_t id = htons(question->source_port ?: question->destination_port);

	memset(at, 0, TRANSPORT_BYTES);
	if (question->protocol == IPPROTO_ICMP || question->protocol == IPPROTO_ICMPV6) {
		at[0] = question->protocol == IPPROTO_ICMP ? 8 : 128;
		memcpy(at + 4, &id, sizeof(id));
		return;
	}
	memcpy(at, ports, sizeof(ports));
}

static size_t frame_write(uint8_t *frame, const struct question *question)
{
	struct ethhdr *ethernet = (struct ethhdr *)frame;
	uint8_t *ip = frame + ETH_HLEN;
	size_t ip_bytes;

	memset(ethernet, 0, ETH_HLEN); /* to the loopback device, whose address is zero: for this host */
	if (question->family == AF_INET) {
		struct iphdr header = {.version = 4, .ihl = 5, .ttl = FRAME_TTL, .protocol = question->protocol};

		ethernet->h_proto = htons(ETH_P_IP);
		header.tot_len = htons(sizeof(header) + TRANSPORT_BYTES);
		memcpy(&header.saddr, question->source, 4);
		memcpy(&header.daddr, question->destination, 4);
		memcpy(ip, &header, sizeof(header));
		ip_bytes = sizeof(header);
	} else {
		struct ipv6hdr header = {.version = 6, .hop_limit = FRAME_TTL, .nexthdr = question->protocol};

		ethernet->h_proto = htons(ETH_P_IPV6);
		header.payload_len = htons(TRANSPORT_BYTES);
		memcpy(&header.saddr, question->source, 16);
		memcpy(&header.daddr, question->destination, 16);
		memcpy(ip, &header, sizeof(header));
		ip_bytes = sizeof(header);
	}
	transport_write(ip + ip_bytes, question);
	return ETH_HLEN + ip_bytes + TRANSPORT_BYTES;
}

static const char *drop_text(uint32_t reason)
{
	static const char *const text[] = {
#define X(name, sentence) sentence,
		DROP_REASONS(X)
#undef X
	};

	return reason < DROP_REASON_COUNT ? text[reason] : "unknown";
}

static const char *pass_text(uint32_t reason)
{
	static const char *const text[] = {
#define X(name, sentence) sentence,
		PASS_REASONS(X)
#undef X
	};

	return reason < PASS_REASON_COUNT ? text[reason] : "unknown";
}

/* The candidates of the row that rank before the answer, and why each was passed over. tunnels: where the destination's
 * route leads. */
static json_t *skipped_json(const struct steerd *steerd, const struct model_connection *connection, uint64_t tunnels,
			    const struct where_answer *answer)
{
	json_t *skipped = json_array();
	struct connection value;
	struct row row;

	if (datapath_connection(steerd->datapath, connection->index, &value) || value.first_row == NO_ROWS)
		return skipped;
	row = steerd->datapath->rows[value.first_row + (answer->flow_hash & value.row_mask)];
	for (uint32_t i = 0; i < (answer->rank & WHERE_RANK) && i < ROW_CANDIDATES && row.candidate[i] != NO_CANDIDATE;
	     i++) {
		struct model_tunnel *tunnel = &connection->tunnels[row.candidate[i]];
		struct drain_target target = {.tunnel = tunnel, .unit = &tunnel->unit};
		bool routed = tunnels >> row.candidate[i] & 1;
		char reason[DRAIN_REASON_BYTES];

		json_array_append_new(skipped, json_pack("{s:s, s:s}", "tunnel", tunnel->unit.name, "reason",
							 routed ? drain_reason(steerd->model, &target, reason)
								: "the route to the destination does not name it"));
	}
	return skipped;
}

/* Why this tunnel: a new string. The daemon may not know yet of a panic that the packet path is in. */
static json_t *tunnel_reason(const struct model_tunnel *tunnel, uint32_t rank)
{
	const char *text = rank ? "the best usable candidate of its row" : "first choice of its row";
	unsigned percent = slow_start_percent_of_tunnel(tunnel);

	if (rank & WHERE_PANIC)
		return json_sprintf("panic: %s",
				    tunnel->connection->panic ?: "every tunnel of the connection fails its probe");
	if (rank & WHERE_PINNED)
		return json_string("the flow is pinned to it");
	return percent < 100 ? json_sprintf("%s, in slow start: %u %%", text, percent) : json_string(text);
}

static json_t *answer_json(const struct steerd *steerd, const struct where_answer *answer)
{
	const struct model *model = steerd->model;
	const struct model_tunnel *tunnel =
		answer->verdict == WHERE_TUNNEL ? model_tunnel_by_index(model, answer->detail) : NULL;
	uint64_t tunnels = 0;
	const struct model_connection *connection = subsets_owner(model, answer->connection, &tunnels);
	json_t *json = json_pack("{s:I, s:s*}", "flow_hash", (json_int_t)answer->flow_hash, "connection",
				 connection ? connection->config->name : NULL);

	if (tunnel) {
		const struct unit *instance = &tunnel->instance->unit;

		json_object_update_new(
			json, json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:b, s:o, s:o}", "verdict", "tunnel", "tunnel",
					tunnel->unit.name, "instance", instance->name, "device",
					tunnel->unit.device ?: instance->device ?: "", "rank",
					(int)(answer->rank & WHERE_RANK), "panic", (answer->rank & WHERE_PANIC) != 0,
					"pinned", (answer->rank & WHERE_PINNED) != 0,
					"reason", tunnel_reason(tunnel, answer->rank), "skipped",
					skipped_json(steerd, tunnel->connection, tunnels, answer)));
		return json;
	}
	json_object_set_new(json, "verdict", json_string(answer->verdict == WHERE_DROP ? "drop" : "pass"));
	json_object_set_new(
		json, "reason",
		json_string(answer->verdict == WHERE_DROP ? drop_text(answer->detail) : pass_text(answer->detail)));
	return json;
}

json_t *where_ask(struct steerd *steerd, const json_t *arguments, int *ret_exit, const char **ret_error)
{
	uint8_t frame[ETH_HLEN + sizeof(struct ipv6hdr) + TRANSPORT_BYTES];
	struct where_answer answer;
	struct question question;

	*ret_exit = EXIT_USAGE;
	*ret_error = question_read(arguments, &question);
	if (*ret_error)
		return NULL;
	if (datapath_where(steerd->datapath, frame, frame_write(frame, &question), &answer)) {
		*ret_exit = EXIT_FAILED;
		*ret_error = "the kernel refuses to run the program on a packet of ours";
		return NULL;
	}
	return answer_json(steerd, &answer);
}
