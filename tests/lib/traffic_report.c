/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Joins what was sent, seen in tunnels and received, and prints figures for each phase as JSON. Pure: files in, text
 * out.
 *
 *   traffic_report SENT RECEIVED TUNNELS MARKS [BACK]        (TUNNELS may be - where nobody watched)
 *
 * MARKS has lines "NAME CLOCK_MONOTONIC_NS", in order; a phase lasts from its mark to the next one. A packet belongs to
 * the phase in which it was sent. For each phase:
 *
 *   sent, lost_packets, duplicated, reordered   packets; lost is exact: what the sender's log has and the receiver's
 * not gap_ms_max, gap_at_ms                       longest silence of any flow while it was sending, and when it began,
 *                                               counted from the mark
 *   sent_gap_ms_max                             longest time between two packets of a flow by the sender's own doing,
 *                                               where it, or the machine, stood still
 *   spread {tunnel: share}                      of the packets
 *   flows {tunnel: count}                       flows by the tunnel of their last packet in the phase
 *   moves {"from>to": count}                    changes of a flow's tunnel between consecutive packets, the last packet
 *                                               of the phase before included
 *   moved_from {tunnel: flows}                  flows that were in that tunnel when the phase began and left it
 *   moved_gap_ms {tunnel: ms}                   of those the longest silence, from a flow's last packet in the tunnel
 * to its first one in another, wherever in between the phase began
 *
 * and with BACK, what a watch on the other end's tunnels, by the same names in the same order, saw of the flows' other
 * direction:
 *
 *   both {flows, same_tunnel, apart_ms_max}     flows that were seen both ways; of these, flows whose last packets of
 *                                               the phase were in one tunnel; the longest time from one direction's
 *                                               last change of tunnel to the other's, where both changed
 */
#include <jansson.h>

#include "traffic.h"

#define MAX_PHASES 64
#define UNSEEN	   255

struct packet { /* all that became of one sent packet */
	uint64_t sent_ns;
	uint64_t received_ns; /* 0: never */
	uint64_t seen_ns;     /* in the tunnel */
	uint8_t tunnel;	      /* UNSEEN: in none */
	uint8_t duplicates;
	bool reordered; /* came after a later one of its flow */
};

struct flow {
	struct packet *packets;
	uint32_t count;
};

struct phase {
	char name[64];
	uint64_t start_ns, end_ns;
	uint64_t sent, lost, duplicated, reordered;
	uint64_t gap_ns, gap_start_ns;
	uint64_t sent_gap_ns;
	uint64_t in_tunnel[TRAFFIC_MAX_TUNNELS];
	uint32_t flows[TRAFFIC_MAX_TUNNELS];
	uint32_t moves[TRAFFIC_MAX_TUNNELS][TRAFFIC_MAX_TUNNELS];
	uint32_t moved_from[TRAFFIC_MAX_TUNNELS];
	uint64_t moved_gap_ns[TRAFFIC_MAX_TUNNELS];
};

struct direction {	/* of a flow, in a phase */
	uint8_t tunnel; /* of the last packet; UNSEEN */
	uint64_t moved_ns;
};

enum { THERE, BACK, DIRECTIONS };

static struct direction directions[MAX_PHASES][TRAFFIC_MAX_FLOWS][DIRECTIONS];
static bool is_both_ways;
static struct flow flows[TRAFFIC_MAX_FLOWS];
static struct phase phases[MAX_PHASES];
static struct traffic_log sent, received, seen, seen_back;
static uint32_t phase_count;

static void marks_read(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long long ns;
	char name[64];

	if (!file)
		err(1, "%s", path);
	while (phase_count < MAX_PHASES && fscanf(file, "%63s %llu", name, &ns) == 2) {
		struct phase *phase = &phases[phase_count++];

		snprintf(phase->name, sizeof(phase->name), "%s", name);
		phase->start_ns = ns;
		phase->end_ns = UINT64_MAX;
		if (phase_count > 1)
			phases[phase_count - 2].end_ns = ns;
	}
	fclose(file);
}

static struct phase *phase_at(uint64_t ns)
{
	for (uint32_t i = phase_count; i-- > 0;)
		if (ns >= phases[i].start_ns)
			return &phases[i];
	return NULL;
}

/* NULL for a packet that nobody sent. */
static struct packet *packet_of(const struct traffic_record *record)
{
	struct flow *flow = &flows[record->flow % TRAFFIC_MAX_FLOWS];

	return record->sequence < flow->count ? &flow->packets[record->sequence] : NULL;
}

static void join_sent(void)
{
	for (uint32_t i = 0; i < sent.count; i++)
		flows[sent.records[i].flow].count++;
	for (uint32_t i = 0; i < TRAFFIC_MAX_FLOWS; i++)
		if (flows[i].count)
			flows[i].packets = calloc(flows[i].count, sizeof(*flows[i].packets));
	for (uint32_t i = 0; i < sent.count; i++)
		*packet_of(&sent.records[i]) = (struct packet){.sent_ns = sent.records[i].time_ns, .tunnel = UNSEEN};
}

/* The log is in order of arrival. Returns how many were never sent: that must be none. */
static uint32_t join_received(void)
{
	static uint32_t next[TRAFFIC_MAX_FLOWS];
	uint32_t strangers = 0;

	for (uint32_t i = 0; i < received.count; i++) {
		const struct traffic_record *record = &received.records[i];
		struct packet *packet = packet_of(record);

		if (!packet) {
			strangers++;
			continue;
		}
		if (packet->received_ns) {
			packet->duplicates++;
			continue;
		}
		packet->received_ns = record->time_ns;
		packet->reordered = record->sequence < next[record->flow];
		if (!packet->reordered)
			next[record->flow] = record->sequence + 1;
	}
	return strangers;
}

static void join_seen(void)
{
	for (uint32_t i = 0; i < seen.count; i++) {
		struct packet *packet = packet_of(&seen.records[i]);

		if (!packet || packet->tunnel != UNSEEN)
			continue;
		packet->tunnel = seen.records[i].tunnel;
		packet->seen_ns = seen.records[i].time_ns;
	}
}

static void note_gap(uint64_t from_ns, uint64_t to_ns)
{
	struct phase *phase = phase_at(to_ns);

	/* The silence that a cut makes may begin just before its mark and counts where it ends. */
	if (phase && to_ns - from_ns > phase->gap_ns) {
		phase->gap_ns = to_ns - from_ns;
		phase->gap_start_ns = from_ns;
	}
}

static void note_moved(struct phase *phase, uint8_t from, uint64_t from_ns, uint64_t to_ns)
{
	phase->moved_from[from]++;
	if (to_ns > from_ns && to_ns - from_ns > phase->moved_gap_ns[from])
		phase->moved_gap_ns[from] = to_ns - from_ns;
}

/* Where each flow was at the beginning of each phase decides who counts as a mover. */
static void count_flow(const struct flow *flow)
{
	uint8_t tunnel = UNSEEN, home = UNSEEN;
	struct phase *current = NULL;
	uint64_t last_ns = 0, seen_ns = 0, sent_ns = 0;
	bool left = false;

	for (uint32_t i = 0; i < flow->count; i++) {
		const struct packet *packet = &flow->packets[i];
		struct phase *phase = phase_at(packet->sent_ns);

		if (!phase)
			continue;
		if (phase != current) {
			if (current && tunnel != UNSEEN)
				current->flows[tunnel]++;
			current = phase;
			home = tunnel;
			left = false;
		}
		phase->sent++;
		if (sent_ns && packet->sent_ns - sent_ns > phase->sent_gap_ns)
			phase->sent_gap_ns = packet->sent_ns - sent_ns;
		sent_ns = packet->sent_ns;
		phase->lost += !packet->received_ns;
		phase->duplicated += packet->duplicates;
		phase->reordered += packet->reordered;
		if (packet->received_ns && !packet->reordered) {
			if (last_ns)
				note_gap(last_ns, packet->received_ns);
			last_ns = packet->received_ns;
		}
		if (packet->tunnel == UNSEEN)
			continue;
		phase->in_tunnel[packet->tunnel]++;
		if (tunnel != UNSEEN && tunnel != packet->tunnel)
			phase->moves[tunnel][packet->tunnel]++;
		tunnel = packet->tunnel;
		if (home != UNSEEN && tunnel != home && !left) {
			note_moved(phase, home, seen_ns, packet->seen_ns);
			left = true;
		}
		seen_ns = packet->seen_ns;
	}
	if (current && tunnel != UNSEEN)
		current->flows[tunnel]++;
}

/* The log is in order of time. */
static void note_directions(const struct traffic_log *log, int direction)
{
	static uint8_t tunnels[TRAFFIC_MAX_FLOWS];

	memset(tunnels, UNSEEN, sizeof(tunnels));
	for (uint32_t p = 0; p < phase_count; p++)
		for (uint32_t i = 0; i < TRAFFIC_MAX_FLOWS; i++)
			directions[p][i][direction] = (struct direction){.tunnel = UNSEEN};
	for (uint32_t i = 0; i < log->count; i++) {
		const struct traffic_record *record = &log->records[i];
		const struct phase *phase = phase_at(record->time_ns);
		uint8_t *tunnel = &tunnels[record->flow];
		struct direction *now;

		if (!phase)
			continue;
		now = &directions[phase - phases][record->flow][direction];
		if (*tunnel != UNSEEN && *tunnel != record->tunnel)
			now->moved_ns = record->time_ns;
		now->tunnel = *tunnel = record->tunnel;
	}
}

static json_t *both_json(const struct phase *phase)
{
	uint32_t seen_both = 0, same = 0;
	uint64_t apart_ns = 0;

	for (uint32_t i = 0; i < TRAFFIC_MAX_FLOWS; i++) {
		const struct direction *there = &directions[phase - phases][i][THERE];
		const struct direction *back = &directions[phase - phases][i][BACK];
		uint64_t ns = there->moved_ns > back->moved_ns ? there->moved_ns - back->moved_ns
							       : back->moved_ns - there->moved_ns;

		if (there->tunnel == UNSEEN || back->tunnel == UNSEEN)
			continue;
		seen_both++;
		same += there->tunnel == back->tunnel;
		if (there->moved_ns && back->moved_ns && ns > apart_ns)
			apart_ns = ns;
	}
	return json_pack("{s:i s:i s:f}", "flows", (int)seen_both, "same_tunnel", (int)same, "apart_ms_max",
			 apart_ns / 1e6);
}

static void phase_tunnels(const struct phase *phase, json_t *object)
{
	json_t *spread = json_object(), *now = json_object(), *moves = json_object(), *from = json_object();
	json_t *gap = json_object();
	uint64_t total = 0;

	for (uint32_t i = 0; i < seen.head.tunnels; i++)
		total += phase->in_tunnel[i];
	for (uint32_t i = 0; i < seen.head.tunnels; i++) {
		const char *name = seen.head.names[i];

		json_object_set_new(spread, name, json_real(total ? 1.0 * phase->in_tunnel[i] / total : 0));
		json_object_set_new(now, name, json_integer(phase->flows[i]));
		json_object_set_new(from, name, json_integer(phase->moved_from[i]));
		json_object_set_new(gap, name, json_real(phase->moved_gap_ns[i] / 1e6));
		for (uint32_t to = 0; to < seen.head.tunnels; to++) {
			char key[80];

			if (!phase->moves[i][to])
				continue;
			snprintf(key, sizeof(key), "%s>%s", name, seen.head.names[to]);
			json_object_set_new(moves, key, json_integer(phase->moves[i][to]));
		}
	}
	json_object_set_new(object, "spread", spread);
	json_object_set_new(object, "flows", now);
	json_object_set_new(object, "moves", moves);
	json_object_set_new(object, "moved_from", from);
	json_object_set_new(object, "moved_gap_ms", gap);
}

static json_t *phase_json(const struct phase *phase)
{
	double gap_at_ms = phase->gap_ns ? ((double)phase->gap_start_ns - (double)phase->start_ns) / 1e6 : 0;
	json_t *object = json_pack("{s:I s:I s:I s:I s:f s:f s:f}", "sent", (json_int_t)phase->sent, "lost_packets",
				   (json_int_t)phase->lost, "duplicated", (json_int_t)phase->duplicated, "reordered",
				   (json_int_t)phase->reordered, "gap_ms_max", phase->gap_ns / 1e6, "gap_at_ms",
				   gap_at_ms, "sent_gap_ms_max", phase->sent_gap_ns / 1e6);

	phase_tunnels(phase, object);
	if (is_both_ways)
		json_object_set_new(object, "both", both_json(phase));
	return object;
}

static double rate_pps(void)
{
	uint64_t span_ns;

	if (sent.count < 2)
		return 0;
	span_ns = sent.records[sent.count - 1].time_ns - sent.records[0].time_ns;
	return (sent.count - 1) * 1e9 / span_ns;
}

int main(int argc, char **argv)
{
	json_t *root, *list = json_object();
	uint32_t active = 0, strangers;

	if (argc != 5 && argc != 6)
		errx(2, "usage: traffic_report SENT RECEIVED TUNNELS|- MARKS [BACK]");
	traffic_log_read(&sent, argv[1]);
	traffic_log_read(&received, argv[2]);
	if (strcmp(argv[3], "-"))
		traffic_log_read(&seen, argv[3]);
	marks_read(argv[4]);
	join_sent();
	strangers = join_received();
	join_seen();
	if (argc == 6) {
		traffic_log_read(&seen_back, argv[5]);
		is_both_ways = true;
		note_directions(&seen, THERE);
		note_directions(&seen_back, BACK);
	}
	for (uint32_t i = 0; i < TRAFFIC_MAX_FLOWS; i++) {
		if (!flows[i].count)
			continue;
		active++;
		count_flow(&flows[i]);
	}
	for (uint32_t i = 0; i < phase_count; i++)
		json_object_set_new(list, phases[i].name, phase_json(&phases[i]));
	root = json_pack("{s:f s:i s:I s:I s:I s:I s:o}", "rate_pps", rate_pps(), "flows", (int)active, "sent",
			 (json_int_t)sent.count, "received", (json_int_t)received.count, "strangers",
			 (json_int_t)strangers, "missed_packets",
			 (json_int_t)(sent.head.missed_packets + received.head.missed_packets +
				      seen.head.missed_packets + seen_back.head.missed_packets),
			 "phases", list);
	json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	puts("");
	json_decref(root);
	return 0;
}
