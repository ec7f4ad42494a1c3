/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Judges a sequence of operations and faults by what was sent, seen in tunnels and received meanwhile, and by looks at
 * the gateway between them. Prints a line for each violation; ends with 1 where there is one. Pure: files in, text out.
 *
 *   random_judge SENT RECEIVED TUNNELS STEPS CONNECTION...
 *
 * Flow i is of connection i modulo the connections. STEPS has a look (random_look) on its first line, and then by turns
 * what was done, {"seed", "step", "what", "target", "kind", "begin_ns", "begin_ms"}, and a look after it. Kinds: "plan"
 * (nothing may be lost), "fault" (of tunnel `target`: only what was in it may be), "any" (several at once: only what it
 * leads to is judged). Once settled, until the next step begins, for each connection that has a usable tunnel:
 *
 *   - no packet is lost, and each is in the tunnel that `where` names, which status calls active;
 *   - status, health in the maps, and what is expected of both agree.
 *
 * In a step:
 *
 *   - a flow moves at most once, to where it is afterwards, and only with a reason that events tell: its tunnel is not
 *     active any more; the other one has become active; or its connection's weights changed;
 *   - nothing is lost, if its connection had a usable tunnel before and has one afterwards, but what a fault may take.
 */
#include <jansson.h>
#include <stdarg.h>

#include "traffic.h"

#define MAX_STEPS	4096
#define MAX_CONNECTIONS 16
#define GUARD_NS	20000000ull /* a packet sent so shortly before a step may be steered within it */
#define SHOWN		20

struct packet {
	uint64_t sent_ns;
	bool received, seen;
	uint8_t tunnel;
};

struct flow {
	struct packet *packets;
	uint32_t count;
};

struct step {
	json_t *done; /* NULL: of the first look */
	json_t *look;
	uint64_t begin_ns, settled_ns;
};

static struct traffic_log sent, received, seen;
static struct flow flows[TRAFFIC_MAX_FLOWS];
static struct step steps[MAX_STEPS];
static uint32_t step_count, violations, moves, judged;
static char **connections;
static uint32_t connection_count;

static void log_read(struct traffic_log *log, const char *path)
{
	FILE *file = fopen(path, "r");

	traffic_log_open(log);
	if (!file)
		err(1, "%s", path);
	if (fread(&log->head, sizeof(log->head), 1, file) != 1 ||
	    memcmp(log->head.magic, TRAFFIC_LOG_MAGIC, sizeof(log->head.magic)))
		errx(1, "%s: no traffic log", path);
	log->count = (uint32_t)fread(log->records, sizeof(*log->records), TRAFFIC_MAX_RECORDS, file);
	fclose(file);
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

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static void steps_read(const char *path)
{
	FILE *file = fopen(path, "r");
	json_t *line, *done = NULL;
	json_error_t error;

	if (!file)
		err(1, "%s", path);
	while ((line = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error))) {
		struct step *step = &steps[step_count];

		if (!json_object_get(line, "status")) {
			done = line;
			continue;
		}
		if (step_count == MAX_STEPS || (step_count && !done))
			errx(1, "%s: too many steps, or a look that nothing was done before", path);
		*step = (struct step){.done = done, .look = line, .settled_ns = number(line, "settled_ns")};
		step->begin_ns = done ? number(done, "begin_ns") : 0;
		step_count++;
		done = NULL;
	}
	if (!feof(file))
		errx(1, "%s: %s", path, error.text);
	fclose(file);
	if (!step_count)
		errx(1, "%s: no steps", path);
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

static json_t *connection_find(const struct step *step, const char *name)
{
	json_t *connection;
	size_t c;

	json_array_foreach (json_object_get(json_object_get(step->look, "status"), "connections"), c, connection)
		if (!strcmp(text(connection, "name"), name))
			return connection;
	return NULL;
}

static bool state_usable(const char *state)
{
	return !strcmp(state, "active") || !strcmp(state, "standby");
}

static bool connection_usable(const struct step *step, const char *name)
{
	json_t *tunnel;
	size_t t;

	json_array_foreach (json_object_get(connection_find(step, name), "tunnels"), t, tunnel)
		if (state_usable(text(tunnel, "state")))
			return true;
	return false;
}

static json_t *tunnel_find(const struct step *step, const char *name)
{
	json_t *connection, *tunnel;
	size_t c, t;

	json_array_foreach (json_object_get(json_object_get(step->look, "status"), "connections"), c, connection)
		json_array_foreach (json_object_get(connection, "tunnels"), t, tunnel)
			if (!strcmp(text(tunnel, "name"), name))
				return tunnel;
	return NULL;
}

static bool is_active(const struct step *step, const char *tunnel)
{
	return !strcmp(text(tunnel_find(step, tunnel), "state"), "active");
}

static const char *where(const struct step *step, uint32_t flow)
{
	return json_string_value(json_array_get(json_object_get(step->look, "where"), flow)) ?: "";
}

/* Flow -> tunnel as the watcher named it, "" for a packet that nobody saw. */
static const char *tunnel_of(const struct packet *packet)
{
	return packet->seen ? seen.head.names[packet->tunnel] : "";
}

static json_int_t event_ms(const json_t *event)
{
	struct tm time = {0};
	const char *rest = strptime(text(event, "time"), "%Y-%m-%dT%H:%M:%S", &time);

	return rest && *rest == '.' ? (json_int_t)timegm(&time) * 1000 + atoi(rest + 1) : 0;
}

/* Did an event in this step tell something of this name, or, of NULL, a new configuration or mode? */
static bool is_told(const struct step *step, const char *name)
{
	json_int_t begin_ms = (json_int_t)number(step->done, "begin_ms");
	json_int_t end_ms = (json_int_t)number(step->look, "settled_ms");
	json_t *event;
	size_t e;

	json_array_foreach (json_object_get(step->look, "events"), e, event) {
		const char *what = text(event, "what");
		json_int_t at_ms = event_ms(event);

		if (at_ms < begin_ms || at_ms > end_ms)
			continue;
		if (name ? !strcmp(text(event, "name"), name) : !strcmp(what, "reload") || !strcmp(what, "mode"))
			return true;
	}
	return false;
}

static bool is_told_of(const struct step *before, const struct step *step, const char *tunnel)
{
	const json_t *found = tunnel_find(step, tunnel) ?: tunnel_find(before, tunnel);

	return is_told(step, NULL) || is_told(step, tunnel) || is_told(step, text(found, "instance"));
}

static bool move_has_reason(const struct step *before, const struct step *step, uint32_t flow, const char *from,
			    const char *to)
{
	const char *connection = connections[flow % connection_count];

	if (!is_active(step, from))
		return is_told_of(before, step, from);
	if (!is_active(before, to) && is_active(step, to))
		return is_told_of(before, step, to);
	return !strcmp(text(step->done, "what"), "weights") && !strcmp(text(step->done, "target"), connection) &&
	       is_told(step, NULL);
}

/* From its first packet of the step on, a flow is where it was, until it is where it will be. */
static void flow_in_step(const struct step *before, const struct step *step, uint32_t flow, uint32_t first,
			 uint32_t end)
{
	const char *name = connections[flow % connection_count], *from = where(before, flow), *to = where(step, flow);
	const char *kind = text(step->done, "kind"), *at = from;
	bool may_lose = !strcmp(kind, "fault") && !strcmp(text(step->done, "target"), from);

	if (!strcmp(kind, "any") || !connection_usable(before, name) || !connection_usable(step, name))
		return;
	judged++;
	if (strcmp(from, to)) {
		moves++;
		if (!move_has_reason(before, step, flow, from, to))
			violated(step, "flow %u moved from %s to %s, and no event tells why", flow, from, to);
	}
	for (uint32_t i = first; i < end; i++) {
		const struct packet *packet = &flows[flow].packets[i];
		const char *tunnel = tunnel_of(packet);

		if (!packet->received && !may_lose)
			violated(step, "packet %u of flow %u is lost, seen in '%s', on its way from %s to %s", i, flow,
				 tunnel, from, to);
		if (!packet->seen || !strcmp(tunnel, at))
			continue;
		if (strcmp(tunnel, to))
			violated(step, "flow %u is in %s on its way from %s to %s", flow, tunnel, from, to);
		at = to;
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

static void flow_settled(const struct step *step, uint32_t flow, uint32_t first, uint32_t end)
{
	const char *name = connections[flow % connection_count], *expected = where(step, flow);

	if (!connection_usable(step, name))
		return;
	judged++;
	if (!is_active(step, expected))
		violated(step, "where sends flow %u into %s, which is %s", flow, expected,
			 text(tunnel_find(step, expected), "state"));
	for (uint32_t i = first; i < end; i++) {
		const struct packet *packet = &flows[flow].packets[i];

		if (!packet->received)
			violated(step, "afterwards, packet %u of flow %u is lost, seen in '%s'", i, flow,
				 tunnel_of(packet));
		else if (strcmp(tunnel_of(packet), expected))
			violated(step, "afterwards, flow %u is in '%s', where says %s, of which events tell: %s", flow,
				 tunnel_of(packet), expected, told_afterwards(step, expected));
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
	uint32_t at = 0;

	for (uint32_t s = 0; s < step_count; s++) {
		const struct step *step = &steps[s];
		uint32_t settled = flow_until(flow, at, step->settled_ns), end;

		if (s)
			flow_in_step(&steps[s - 1], step, flow, at, settled);
		end = s + 1 < step_count ? flow_until(flow, settled, steps[s + 1].begin_ns - GUARD_NS)
					 : flows[flow].count;
		/* What was sent before the first look was not looked at. */
		flow_settled(step, flow, settled, end);
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

			if (json_is_true(json_object_get(health, text(tunnel, "name"))) != usable)
				violated(step, "status says that %s is %s, and the maps do not", text(tunnel, "name"),
					 text(tunnel, "state"));
		}
}

int main(int argc, char **argv)
{
	if (argc < 6 || argc - 5 > MAX_CONNECTIONS)
		errx(2, "usage: random_judge SENT RECEIVED TUNNELS STEPS CONNECTION...");
	log_read(&sent, argv[1]);
	log_read(&received, argv[2]);
	log_read(&seen, argv[3]);
	packets_join();
	steps_read(argv[4]);
	connections = argv + 5;
	connection_count = (uint32_t)argc - 5;
	for (uint32_t s = 0; s < step_count; s++)
		look_judge(&steps[s]);
	for (uint32_t flow = 0; flow < TRAFFIC_MAX_FLOWS; flow++)
		if (flows[flow].count)
			flow_judge(flow);
	printf("%u steps, %u packets, %u flows judged, of which %u moved; %u violations\n", step_count - 1, sent.count,
	       judged, moves, violations);
	return violations || !judged;
}
