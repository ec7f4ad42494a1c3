/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's part in pinned flows: counts them by tunnel, takes out those that are idle, and lists them.
 *
 * At a sweep, too, half of `flow_marks` is cleared, when no flow that may go on has its only mark there.
 *
 * The programs hold no flow for longer than its idle time by themselves; the sweep makes room and tells drains how many
 * are left. It walks whenever the loop has nothing else to do (flow_walk.h), every quarter of the shortest idle time,
 * and every second while a tunnel is drained, but never for more than a tenth of a CPU.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "flow_walk.h"
#include "log.h"
#include "steerd.h"

#define FLOWS_PRIORITY	   10 /* after everything else of the loop */
#define SWEEP_LEAST_NS	   NS_PER_SECOND
#define SWEEP_MOST_NS	   (15 * NS_PER_SECOND)
#define SWEEP_REST	   10		 /* times as long as a sweep took, until the next */
#define IDLE_SLACK_NS	   NS_PER_SECOND /* what the programs still count as there is not taken from them */
#define LISTED_MOST	   10000
#define LISTED_UNLESS_SAID 20

struct flows {
	sd_event_source *timer, *idle;
	struct flow_walk *walk; /* NULL: no sweep is under way */
	uint64_t *count;	/* by tunnel index, of the sweep under way */
	uint64_t began_ns, ended_ns;
	uint64_t turned_ns; /* when the half of flow_marks that is written now was begun, at the latest */
	bool again;	    /* a drain began meanwhile: what this sweep counts may be too old for it */
	struct listing *listings;
};

/* What a pin is worth now: its tunnel, or NULL for one that holds no longer. */
static const struct model_tunnel *pin_tunnel(const struct steerd *steerd, const struct flow_pin *pin, uint64_t now_ns,
					     uint64_t slack_ns)
{
	const struct model_tunnel *tunnel = model_tunnel_by_index(steerd->model, pin->tunnel);
	uint64_t silence_ns = now_ns > pin->seen_ns ? now_ns - pin->seen_ns : 0;
	uint64_t idle_ns;

	if (!tunnel || tunnel->connection->config->affinity == AFFINITY_HASH ||
	    steerd->datapath->tunnel_epochs[pin->tunnel].epoch != pin->epoch)
		return NULL;
	idle_ns = pin->ends == FLOW_ENDS_BOTH ? FLOW_ENDED_NS : tunnel->connection->config->idle_ns;
	return silence_ns <= idle_ns + slack_ns ? tunnel : NULL;
}

static bool some_drain(const struct steerd *steerd)
{
	for (size_t t = 0; t < steerd->model->config->tunnel_count; t++)
		if (steerd->model->tunnels[t].unit.state == UNIT_DRAINING)
			return true;
	return false;
}

static uint64_t sweep_pause_ns(const struct steerd *steerd)
{
	const struct config *config = steerd->model->config;
	uint64_t pause_ns = SWEEP_MOST_NS;

	for (size_t c = 0; c < config->connection_count; c++)
		if (config->connections[c].affinity != AFFINITY_HASH && config->connections[c].idle_ns / 4 < pause_ns)
			pause_ns = config->connections[c].idle_ns / 4;
	return pause_ns < SWEEP_LEAST_NS || some_drain(steerd) ? SWEEP_LEAST_NS : pause_ns;
}

static void sweep_schedule(struct steerd *steerd, uint64_t pause_ns)
{
	sd_event_source_set_time_relative(steerd->flows->timer, pause_ns / 1000);
	sd_event_source_set_enabled(steerd->flows->timer, SD_EVENT_ONESHOT);
}

static void sweep_stop(struct flows *flows)
{
	flow_walk_free(flows->walk);
	flows->walk = NULL;
	free(flows->count);
	flows->count = NULL;
}

static void idle_enable(struct flows *flows)
{
	sd_event_source_set_enabled(flows->idle, flows->walk || flows->listings ? SD_EVENT_ON : SD_EVENT_OFF);
}

/* A flow that may go on has spoken since the half that is written now was begun, or before that in the other. */
static void marks_turn(struct steerd *steerd, uint64_t now_ns)
{
	struct datapath *datapath = steerd->datapath;
	__u32 now = datapath->flow_marks->half[0] & 1;

	if (now_ns - steerd->flows->turned_ns <= datapath->flow_burst_ns)
		return;
	for (__u32 i = 1; i <= datapath->flow_mark_mask / FLOW_MARKS + 1; i++)
		datapath->flow_marks[i].half[!now] = 0;
	__atomic_store_n(&datapath->flow_marks->half[0], !now, __ATOMIC_RELEASE);
	steerd->flows->turned_ns = now_ns;
}

static void sweep_start(struct steerd *steerd)
{
	struct flows *flows = steerd->flows;

	sweep_stop(flows);
	flows->again = false;
	flows->began_ns = clock_monotonic_ns();
	marks_turn(steerd, flows->began_ns);
	flows->walk = flow_walk_new(datapath_flows_fd(steerd->datapath));
	flows->count = calloc(steerd->model->tunnel_indexes + 1, sizeof(*flows->count));
	if (!flows->walk || !flows->count) {
		sweep_stop(flows);
		sweep_schedule(steerd, SWEEP_MOST_NS);
	}
	idle_enable(flows);
}

static void sweep_end(struct steerd *steerd)
{
	struct flows *flows = steerd->flows;
	uint64_t pause_ns = sweep_pause_ns(steerd), took_ns;

	for (size_t t = 0; t < steerd->model->config->tunnel_count; t++) {
		struct model_tunnel *tunnel = &steerd->model->tunnels[t];

		tunnel->flows = flows->count[tunnel->index];
		if (!flows->again)
			tunnel->flows_counted_ns = flows->began_ns;
	}
	flows->ended_ns = clock_monotonic_ns();
	took_ns = flows->ended_ns - flows->began_ns;
	if (flows->again)
		pause_ns = 0;
	else if (pause_ns < took_ns * SWEEP_REST)
		pause_ns = took_ns * SWEEP_REST;
	sweep_stop(flows);
	sweep_schedule(steerd, pause_ns);
}

static void sweep_step(struct steerd *steerd)
{
	struct flows *flows = steerd->flows;
	uint64_t now_ns = clock_monotonic_ns();
	const struct flow_key *keys;
	const struct flow_pin *pins;
	int count = flow_walk_step(flows->walk, &keys, &pins);

	for (int i = 0; i < count; i++) {
		if (pin_tunnel(steerd, &pins[i], now_ns, IDLE_SLACK_NS))
			flows->count[pins[i].tunnel]++;
		else
			bpf_map_delete_elem(datapath_flows_fd(steerd->datapath), &keys[i]);
	}
	if (count < 0) {
		log_warning("pinned flows cannot be counted: %s", strerror(-count));
		sweep_stop(flows);
		sweep_schedule(steerd, SWEEP_MOST_NS);
	} else if (!count) {
		sweep_end(steerd);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	sweep_start(context);
	return 0;
}

/* --- flows, the command --------------------------------------------------------------------------------------------
 */

struct listed {
	struct flow_key key;
	struct flow_pin pin;
};

/* A request for the flows with the most traffic. */
struct listing {
	struct listing *next;
	struct control_request *request;
	struct flow_walk *walk;
	char tunnel[NAME_BYTES]; /* "": of all tunnels */
	size_t top;
	uint64_t total;	     /* flows met */
	struct listed *heap; /* the best so far, the least of them first */
	size_t count;
};

static void listing_free(struct flows *flows, struct listing *listing)
{
	struct listing **at = &flows->listings;

	while (*at && *at != listing)
		at = &(*at)->next;
	if (*at)
		*at = listing->next;
	flow_walk_free(listing->walk);
	free(listing->heap);
	free(listing);
}

static void heap_sink(struct listing *listing, size_t at)
{
	for (;;) {
		size_t least = at, child = 2 * at + 1;

		for (size_t c = child; c < child + 2 && c < listing->count; c++)
			if (listing->heap[c].pin.tx_bytes < listing->heap[least].pin.tx_bytes)
				least = c;
		if (least == at)
			return;
		struct listed swapped = listing->heap[at];

		listing->heap[at] = listing->heap[least];
		listing->heap[least] = swapped;
		at = least;
	}
}

static void heap_offer(struct listing *listing, const struct flow_key *key, const struct flow_pin *pin)
{
	struct listed listed = {*key, *pin};

	if (!listing->top)
		return;
	if (listing->count < listing->top) {
		listing->heap[listing->count++] = listed;
		for (size_t at = listing->count / 2; listing->count == listing->top && at-- > 0;)
			heap_sink(listing, at);
		return;
	}
	if (pin->tx_bytes <= listing->heap[0].pin.tx_bytes)
		return;
	listing->heap[0] = listed;
	heap_sink(listing, 0);
}

static int by_traffic(const void *left, const void *right)
{
	const struct listed *l = left, *r = right;

	return (l->pin.tx_bytes < r->pin.tx_bytes) - (l->pin.tx_bytes > r->pin.tx_bytes);
}

static json_t *end_json(const __u8 address[16], __be16 port)
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	char text[INET6_ADDRSTRLEN];

	if (!memcmp(address, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, address + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, address, text, sizeof(text));
	return json_pack("{s:s, s:i}", "address", text, "port", (int)ntohs(port));
}

static const char *cause_text(uint8_t cause)
{
	static const char *const text[] = {
#define X(name, sentence) sentence,
		FLOW_CAUSES(X)
#undef X
	};

	return cause < FLOW_CAUSE_COUNT ? text[cause] : "unknown";
}

static uint64_t ms_since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? (now_ns - then_ns) / NS_PER_MS : 0;
}

static json_t *listed_json(const struct model_tunnel *tunnel, const struct listed *listed, uint64_t now_ns)
{
	return json_pack("{s:i, s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "protocol", (int)listed->key.protocol,
			 "inside", end_json(listed->key.inside_address, listed->key.inside_port), "remote",
			 end_json(listed->key.remote_address, listed->key.remote_port), "tunnel", tunnel->unit.name,
			 "connection", tunnel->connection->config->name, "tx_packets",
			 (json_int_t)listed->pin.tx_packets, "tx_bytes", (json_int_t)listed->pin.tx_bytes, "silent_ms",
			 (json_int_t)ms_since(listed->pin.seen_ns, now_ns), "pinned_ms",
			 (json_int_t)ms_since(listed->pin.pinned_ns, now_ns), "reason", cause_text(listed->pin.cause));
}

static json_t *counts_json(const struct steerd *steerd)
{
	struct flow_counts counts = {0};

	datapath_flow_counts(steerd->datapath, &counts);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "pinned", (json_int_t)counts.pinned, "unpinned_packets",
			 (json_int_t)counts.unpinned, "moved_failure", (json_int_t)counts.moved_failure, "moved_drain",
			 (json_int_t)counts.moved_drain, "moved_peer", (json_int_t)counts.moved_peer, "reset",
			 (json_int_t)counts.reset);
}

static void listing_answer(struct steerd *steerd, struct listing *listing)
{
	struct control_request *request = listing->request;
	uint64_t now_ns = clock_monotonic_ns();
	json_t *flows = json_array(), *result;

	qsort(listing->heap, listing->count, sizeof(*listing->heap), by_traffic);
	for (size_t i = 0; i < listing->count; i++) {
		const struct model_tunnel *tunnel = pin_tunnel(steerd, &listing->heap[i].pin, now_ns, IDLE_SLACK_NS);

		if (tunnel)
			json_array_append_new(flows, listed_json(tunnel, &listing->heap[i], now_ns));
	}
	result = json_pack("{s:o, s:I, s:I, s:o}", "flows", flows, "total", (json_int_t)listing->total, "room",
			   (json_int_t)steerd->model->config->flows, "counts", counts_json(steerd));
	listing_free(steerd->flows, listing);
	control_answer(request, EXIT_DONE, NULL, result);
}

static void listing_step(struct steerd *steerd, struct listing *listing)
{
	struct control_request *request = listing->request;
	uint64_t now_ns = clock_monotonic_ns();
	const struct flow_key *keys;
	const struct flow_pin *pins;
	int count = flow_walk_step(listing->walk, &keys, &pins);

	for (int i = 0; i < count; i++) {
		const struct model_tunnel *tunnel = pin_tunnel(steerd, &pins[i], now_ns, 0);

		if (!tunnel || (listing->tunnel[0] && strcmp(listing->tunnel, tunnel->unit.name)))
			continue;
		listing->total++;
		heap_offer(listing, &keys[i], &pins[i]);
	}
	if (!count) {
		listing_answer(steerd, listing);
	} else if (count < 0) {
		listing_free(steerd->flows, listing);
		control_fail(request, EXIT_FAILED, "flows: the map cannot be read: %s", strerror(-count));
	}
}

static int on_idle(sd_event_source *source, void *context)
{
	struct steerd *steerd = context;

	(void)source;
	if (steerd->flows->walk)
		sweep_step(steerd);
	if (steerd->flows->listings)
		listing_step(steerd, steerd->flows->listings);
	idle_enable(steerd->flows);
	return 0;
}

static void listing_closed(struct control_request *request, void *context)
{
	struct steerd *steerd = context;

	for (struct listing *listing = steerd->flows->listings; listing; listing = listing->next) {
		if (listing->request != request)
			continue;
		listing_free(steerd->flows, listing);
		break;
	}
	control_answer(request, EXIT_FAILED, "", NULL);
}

void flows_run(struct control_request *request, json_t *arguments, void *context)
{
	struct steerd *steerd = context;
	json_int_t top = LISTED_UNLESS_SAID;
	const char *name = NULL;
	struct listing *listing;
	json_error_t error;

	if (json_unpack_ex(arguments, &error, JSON_STRICT, "{s?s, s?I}", "tunnel", &name, "top", &top) || top < 0 ||
	    top > LISTED_MOST) {
		control_fail(request, EXIT_USAGE, "flows: arguments are tunnel, a name, and top, 0..%d", LISTED_MOST);
		return;
	}
	if (name && !model_tunnel_by_name(steerd->model, name)) {
		control_fail(request, EXIT_FAILED, "no tunnel is called '%s'", name);
		return;
	}
	listing = calloc(1, sizeof(*listing));
	if (listing) {
		listing->walk = flow_walk_new(datapath_flows_fd(steerd->datapath));
		listing->heap = calloc((size_t)top + 1, sizeof(*listing->heap));
	}
	if (!listing || !listing->walk || !listing->heap) {
		if (listing)
			listing_free(steerd->flows, listing);
		control_fail(request, EXIT_FAILED, "out of memory");
		return;
	}
	listing->request = request;
	listing->top = (size_t)top;
	snprintf(listing->tunnel, sizeof(listing->tunnel), "%s", name ?: "");
	listing->next = steerd->flows->listings;
	steerd->flows->listings = listing;
	control_on_close(request, listing_closed, steerd);
	idle_enable(steerd->flows);
}

/* --- its life ------------------------------------------------------------------------------------------------------
 */

int flows_open(struct steerd *steerd)
{
	struct flows *flows = calloc(1, sizeof(*flows));
	int err;

	if (!flows)
		return -ENOMEM;
	steerd->flows = flows;
	flows->turned_ns = clock_monotonic_ns();
	err = sd_event_add_time_relative(steerd->loop, &flows->timer, CLOCK_MONOTONIC, 0, 0, on_timer, steerd);
	if (err >= 0)
		err = sd_event_source_set_priority(flows->timer, FLOWS_PRIORITY);
	if (err >= 0)
		err = sd_event_source_set_enabled(flows->timer, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_add_defer(steerd->loop, &flows->idle, on_idle, steerd);
	if (err >= 0)
		err = sd_event_source_set_priority(flows->idle, FLOWS_PRIORITY);
	if (err >= 0)
		err = sd_event_source_set_enabled(flows->idle, SD_EVENT_OFF);
	return err < 0 ? err : 0;
}

void flows_close(struct steerd *steerd)
{
	struct flows *flows = steerd->flows;

	if (!flows)
		return;
	while (flows->listings) {
		struct control_request *request = flows->listings->request;

		listing_free(flows, flows->listings);
		control_fail(request, EXIT_FAILED, "the daemon ends");
	}
	sweep_stop(flows);
	sd_event_source_disable_unref(flows->timer);
	sd_event_source_disable_unref(flows->idle);
	free(flows);
	steerd->flows = NULL;
}

void flows_generation(struct steerd *steerd)
{
	struct flows *flows = steerd->flows;

	sweep_stop(flows);
	if (steerd->datapath->flow_marks_new)
		flows->turned_ns = clock_monotonic_ns();
	/* Their map may be another one now. */
	while (flows->listings) {
		struct control_request *request = flows->listings->request;

		listing_free(flows, flows->listings);
		control_fail(request, EXIT_FAILED, "another configuration was loaded meanwhile; ask again");
	}
	if (steerd->datapath->flows_kept)
		sweep_start(steerd);
	else
		sd_event_source_set_enabled(flows->timer, SD_EVENT_OFF);
	idle_enable(flows);
}

void flows_hurry(struct steerd *steerd)
{
	struct flows *flows = steerd->flows;

	if (!flows || !steerd->datapath || !steerd->datapath->flows_kept)
		return;
	if (flows->walk)
		flows->again = true;
	else
		sweep_start(steerd);
}
