/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Judges a sequence of operations and faults by what was sent, seen in tunnels and received meanwhile, and by looks at
 * the gateway between them. Prints a line for each violation; ends with 1 where there is one. Pure: files in, text out.
 *
 *   random_judge SENT RECEIVED TUNNELS STEPS CONNECTION[=IDLE_MS]...
 *
 * Flow i is of connection i modulo the connections; one with an idle time pins its flows (affinity: sticky). TUNNELS
 * names a local tunnel by its name, and those of a remote instance, which share a device, by the instance's. STEPS has
 * a look (random_look) on its first line, and then by turns
 * what was done, {"seed", "step", "what", "target", "kind", "begin_ns", "begin_ms"}, and a look after it. Kinds: "plan"
 * (nothing may be lost), "fault" (of tunnel or instance `target`: only what was in it may be), "any" (several at once:
 * only what it leads to is judged). Once settled, until the next step begins, for each connection that has a usable
 * tunnel:
 *
 *   - no packet is lost, and each is in the tunnel that `where` names;
 *   - status calls that one active; or the flow is pinned and was there before, and it has neither failed nor been
 * shut;
 *   - status, health in the maps, and what is expected of both agree.
 *
 * In a step:
 *
 *   - a flow moves at most once, to where it is afterwards, and only with a reason that events tell: its tunnel is not
 *     active any more; the other one has become active; or its connection's weights changed; in a reset it comes back;
 *   - a pinned flow moves only if its tunnel failed, was shut (a drain's deadline, or --now; a reset), or it was idle;
 *   - nothing is lost, if its connection had a usable tunnel before and has one afterwards, but what a fault may take.
 */
#include <jansson.h>
#include <stdarg.h>

#include "random_steps.h"
#include "traffic.h"

#define MAX_CONNECTIONS 16
#define GUARD_NS	20000000ull  /* a packet sent so shortly before a step may be steered within it */
#define SLACK_NS	100000000ull /* by which a flow's silence may differ between its sender and the gateway */
#define SHOWN		20
#define STOPS		3

struct packet {
	uint64_t sent_ns;
	bool received, seen;
	uint8_t tunnel;
};

struct flow {
	struct packet *packets;
	uint32_t count;
};

struct connection {
	char *name;
	uint64_t idle_ns; /* 0: its flows are not pinned */
};

/* Where a flow may be in a step, one after the other; NULL: in any other one that was usable, the same throughout. */
struct way {
	const char *stops[STOPS];
	uint32_t count, at;
};

static struct traffic_log sent, received, seen;
static struct flow flows[TRAFFIC_MAX_FLOWS];
static uint32_t violations, moves, moves_pinned, stays, judged;
static struct connection connections[MAX_CONNECTIONS];
static uint32_t connection_count;

static void log_read(struct traffic_log *log, const char *path)
{
	traffic_log_read(log, path);
	if (log->head.missed_packets)
		errx(1, "%s: the tester itself missed %u packets", path, log->head.missed_packets);
}

static struct packet *packet_of(const struct traffic_record *record)
{
	struct flow *flow = &flows[record->flow % TRAFFIC_MAX_FLOWS];

	return record->sequence < flow->count ? &flow->packets[record->sequence] : NULL;
}

static void packets_join(void)
{
	struct packet *packet;

	for (uint32_t i = 0; i < sent.count; i++)
		flows[sent.records[i].flow].count++;
	for (uint32_t i = 0; i < TRAFFIC_MAX_FLOWS; i++)
		flows[i].packets = calloc(flows[i].count + 1, sizeof(*flows[i].packets));
	for (uint32_t i = 0; i < sent.count; i++)
		packet_of(&sent.records[i])->sent_ns = sent.records[i].time_ns;
	for (uint32_t i = 0; i < received.count; i++)
		if ((packet = packet_of(&received.records[i])))
			packet->received = true;
	for (uint32_t i = 0; i < seen.count; i++)
		if ((packet = packet_of(&seen.records[i]))) {
			packet->seen = true;
			packet->tunnel = seen.records[i].tunnel;
		}
}

__attribute__((format(printf, 2, 3))) static void violated(const struct step *step, const char *format, ...)
{
	va_list arguments;

	if (violations++ >= SHOWN)
		return;
	if (step->done)
		printf("seed %lld step %lld, %s %s: ", (long long)number(step->done, "seed"),
		       (long long)number(step->done, "step"), text(step->done, "what"), text(step->done, "target"));
	else
		printf("at the beginning: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static const struct connection *connection_of(uint32_t flow)
{
	return &connections[flow % connection_count];
}

/* Flow -> tunnel by what the watcher saw, "" for a packet that nobody saw. */
static const char *tunnel_of(const struct step *step, uint32_t flow, const struct packet *packet)
{
	const char *name = packet->seen ? seen.head.names[packet->tunnel] : "";
	json_t *tunnel;
	size_t t;

	json_array_foreach (json_object_get(connection_find(step, connection_of(flow)->name), "tunnels"), t, tunnel)
		if (!strcmp(text(tunnel, "instance"), name))
			return text(tunnel, "name");
	return name;
}

/* The longest silence of a flow before any of these packets, or before the one that follows them. */
static uint64_t silence_ns(uint32_t flow, uint32_t first, uint32_t end)
{
	const struct packet *packets = flows[flow].packets;
	uint64_t longest_ns = 0;

	for (uint32_t i = first ?: 1; i <= end && i < flows[flow].count; i++)
		if (packets[i].sent_ns - packets[i - 1].sent_ns > longest_ns)
			longest_ns = packets[i].sent_ns - packets[i - 1].sent_ns;
	return longest_ns;
}

static bool move_has_reason(const struct step *before, const struct step *step, uint32_t flow, const char *from,
			    const char *to)
{
	if (!is_active(step, from))
		return is_told_of(before, step, from);
	if (!is_active(before, to) && is_active(step, to))
		return is_told_of(before, step, to);
	return is_done(step, "weights") && !strcmp(text(step->done, "target"), connection_of(flow)->name) &&
	       is_told(step, NULL);
}

static void move_judge(const struct step *before, const struct step *step, uint32_t flow, const char *from,
		       const char *to)
{
	if (!move_has_reason(before, step, flow, from, to))
		violated(step, "flow %u moved from %s to %s, and no event tells why", flow, from, to);
}

/* idle: it may have been silent for so long that it is a new one. */
static void move_judge_pinned(const struct step *before, const struct step *step, uint32_t flow, const char *from,
			      const char *to, bool idle)
{
	moves_pinned++;
	if (idle)
		return;
	if (!is_failed(step, from) && !is_shut(step, from))
		violated(step, "flow %u was pinned to %s, which neither failed nor was shut, and moved to %s", flow,
			 from, to);
	else if (!is_told_of(before, step, from))
		violated(step, "flow %u was pinned to %s and moved to %s, and no event tells why", flow, from, to);
}

static bool way_goes_by(const struct way *way, uint32_t stop, const struct step *before, const char *tunnel)
{
	if (way->stops[stop])
		return !strcmp(way->stops[stop], tunnel);
	return strcmp(way->stops[0], tunnel) && state_usable(text(tunnel_find(before, tunnel), "state"));
}

/* Goes on to this tunnel; false: that is not on its way. */
static bool way_follow(struct way *way, const struct step *before, const char *tunnel)
{
	for (uint32_t stop = way->at; stop < way->count; stop++)
		if (way_goes_by(way, stop, before, tunnel)) {
			if (!way->stops[stop])
				way->stops[stop] = tunnel;
			way->at = stop;
			return true;
		}
	return false;
}

/* From its first packet of the step on, a flow is where it was, until it is where it will be. */
static void flow_in_step(const struct step *before, const struct step *step, uint32_t flow, uint32_t first,
			 uint32_t end)
{
	const struct connection *connection = connection_of(flow);
	const char *from = where(before, flow), *to = where(step, flow);
	bool may_lose = is_failed(step, from), away = is_done(step, "reset") && is_shut(step, from);
	struct way way = {.stops = {from, to}, .count = 2};

	if (!strcmp(text(step->done, "kind"), "any") || !connection_usable(before, connection->name) ||
	    !connection_usable(step, connection->name))
		return;
	judged++;
	if (away && !connection->idle_ns)
		way = (struct way){.stops = {from, NULL, to}, .count = 3};
	if (strcmp(from, to)) {
		moves++;
		if (connection->idle_ns)
			move_judge_pinned(before, step, flow, from, to,
					  silence_ns(flow, first, end) + SLACK_NS > connection->idle_ns);
		else
			move_judge(before, step, flow, from, to);
	} else if (away && connection->idle_ns) {
		violated(step, "flow %u is pinned to %s, which was reset, all the same", flow, from);
	}
	for (uint32_t i = first; i < end; i++) {
		const struct packet *packet = &flows[flow].packets[i];
		const char *tunnel = tunnel_of(before, flow, packet);

		if (!packet->received && !may_lose)
			violated(step, "packet %u of flow %u is lost, seen in '%s', on its way from %s to %s", i, flow,
				 tunnel, from, to);
		if (packet->seen && !way_follow(&way, before, tunnel))
			violated(step, "flow %u is in %s on its way from %s to %s", flow, tunnel, from, to);
	}
}

/* What events tell of this tunnel between this step and the next one's begin: nobody did anything then. */
static const char *told_afterwards(const struct step *step, const char *tunnel)
{
	const struct step *next = step + 1;
	json_int_t begin_ms = (json_int_t)number(step->look, "settled_ms");
	json_t *event;
	size_t e;

	if (next == &steps[step_count])
		return "nothing";
	json_array_foreach (json_object_get(next->look, "events"), e, event)
		if (event_ms(event) >= begin_ms && event_ms(event) <= (json_int_t)number(next->done, "begin_ms") &&
		    !strcmp(text(event, "name"), tunnel))
			return text(event, "message");
	return "nothing";
}

/*
 * May a pinned flow be in a tunnel that is not active? Where it was before, or where it fled to from a reset: for as
 * long as that tunnel carries packets, and the flow speaks.
 */
static bool may_stay(const struct step *step, uint32_t flow, const char *tunnel, bool idle)
{
	const json_t *health = json_object_get(json_object_get(step->look, "health"), tunnel);

	if (!connection_of(flow)->idle_ns || !step->done || idle || !health ||
	    json_is_true(json_object_get(health, "failed")) || json_is_true(json_object_get(health, "out")))
		return false;
	return !strcmp(where(step - 1, flow), tunnel) ||
	       (is_done(step, "reset") && state_usable(text(tunnel_find(step, tunnel), "state")));
}

/* idle: it was silent for so long that it is a new one since the step began. */
static void flow_settled(const struct step *step, uint32_t flow, uint32_t first, uint32_t end, bool idle)
{
	const struct connection *connection = connection_of(flow);
	const char *expected = where(step, flow);

	if (!connection_usable(step, connection->name))
		return;
	judged++;
	if (!is_active(step, expected) && may_stay(step, flow, expected, idle))
		stays++;
	else if (!is_active(step, expected))
		violated(step, "where sends flow %u into %s, which is %s", flow, expected,
			 text(tunnel_find(step, expected), "state"));
	for (uint32_t i = first; i < end; i++) {
		const struct packet *packet = &flows[flow].packets[i];
		const char *tunnel = tunnel_of(step, flow, packet);

		if (!packet->received)
			violated(step, "afterwards, packet %u of flow %u is lost, seen in '%s'", i, flow, tunnel);
		else if (strcmp(tunnel, expected))
			violated(step, "afterwards, flow %u is in '%s', where says %s, of which events tell: %s", flow,
				 tunnel, expected, told_afterwards(step, expected));
	}
}

static uint32_t flow_until(uint32_t flow, uint32_t first, uint64_t ns)
{
	while (first < flows[flow].count && flows[flow].packets[first].sent_ns < ns)
		first++;
	return first;
}

static void flow_judge(uint32_t flow)
{
	uint64_t idle_ns = connection_of(flow)->idle_ns;
	uint32_t at = 0;

	for (uint32_t s = 0; s < step_count; s++) {
		const struct step *step = &steps[s];
		uint32_t settled = flow_until(flow, at, step->settled_ns), end;
		bool idle = silence_ns(flow, at, settled) > idle_ns + SLACK_NS;

		if (s)
			flow_in_step(&steps[s - 1], step, flow, at, settled);
		end = s + 1 < step_count ? flow_until(flow, settled, steps[s + 1].begin_ns - GUARD_NS)
					 : flows[flow].count;
		/* What was sent before the first look was not looked at. */
		flow_settled(step, flow, settled, end, idle);
		at = end;
	}
}

static void look_judge(const struct step *step)
{
	const json_t *health = json_object_get(step->look, "health");
	json_t *connection, *tunnel;
	size_t c, t;

	if (!json_is_true(json_object_get(step->look, "agreed")))
		violated(step, "status does not come to say what is so");
	json_array_foreach (json_object_get(json_object_get(step->look, "status"), "connections"), c, connection)
		json_array_foreach (json_object_get(connection, "tunnels"), t, tunnel) {
			bool usable = state_usable(text(tunnel, "state"));

			if (json_is_true(json_object_get(json_object_get(health, text(tunnel, "name")), "usable")) !=
			    usable)
				violated(step, "status says that %s is %s, and the maps do not", text(tunnel, "name"),
					 text(tunnel, "state"));
		}
}

static void connections_read(char **arguments, uint32_t count)
{
	for (connection_count = 0; connection_count < count; connection_count++) {
		struct connection *connection = &connections[connection_count];

		connection->name = strsep(&arguments[connection_count], "=");
		if (arguments[connection_count])
			connection->idle_ns = strtoull(arguments[connection_count], NULL, 10) * 1000000;
	}
}

int main(int argc, char **argv)
{
	if (argc < 6 || argc - 5 > MAX_CONNECTIONS)
		errx(2, "usage: random_judge SENT RECEIVED TUNNELS STEPS CONNECTION[=IDLE_MS]...");
	log_read(&sent, argv[1]);
	log_read(&received, argv[2]);
	log_read(&seen, argv[3]);
	packets_join();
	steps_read(argv[4]);
	connections_read(argv + 5, (uint32_t)argc - 5);
	for (uint32_t s = 0; s < step_count; s++)
		look_judge(&steps[s]);
	for (uint32_t flow = 0; flow < TRAFFIC_MAX_FLOWS; flow++)
		if (flows[flow].count)
			flow_judge(flow);
	printf("%u steps, %u packets, %u flows judged, of which %u moved, %u of them pinned; %u stayed where no new "
	       "one "
	       "goes; %u violations\n",
	       step_count - 1, sent.count, judged, moves, moves_pinned, stays, violations);
	return violations || !judged;
}
