/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What sessions say, from the ring buffer: verdicts that the programs have reached, and acted upon, already.
 *
 * Each is handed to the judge, which learns it from the health map, and told to the journal. Context: the event loop,
 * at the watchers' priority. What a full ring lost is found by the tick (sessions_watch()), and at once where a burst
 * was so long that the ring may have been full.
 */
#include "session_events.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "steerd.h"

/* Each with a header of 8 bytes; and one less, for that a full ring has no room for one more. */
#define RING_EVENTS ((int)(SESSION_EVENTS_BYTES / (sizeof(struct session_event) + 8)) - 1)

struct session_events {
	struct ring_buffer *ring;
	sd_event_source *source;
};

/* What of it the journal has, under which name; NULL for news that only the sender needs. */
static const char *const whats[SESSION_NEWS_COUNT] = {
	[SESSION_NEWS_live] = "probe-up",
	[SESSION_NEWS_holding] = "probe-holding",
	[SESSION_NEWS_silent] = "probe-down",
	[SESSION_NEWS_peer_down] = "probe-down",
	[SESSION_NEWS_peer_leaves] = "probe-peer-leaves",
	[SESSION_NEWS_blind] = "probe-blind",
};

static const char *const sentences[SESSION_NEWS_COUNT] = {
#define X(name, word) [SESSION_NEWS_##name] = word,
	SESSION_NEWS(X)
#undef X
};

/* What the unit's next change of state will be told with. */
static void unit_learn(struct unit *unit, const struct session_event *event)
{
	switch (event->news) {
	case SESSION_NEWS_silent:
	case SESSION_NEWS_peer_down:
		unit->failure = (struct unit_failure){.known = true,
						      .by_peer = event->news == SESSION_NEWS_peer_down,
						      .silence_ns = event->silence_ns,
						      .lost_packets = event->lost_packets};
		unit->probe_reason = unit->failure.by_peer ? "the peer says it is down" : NULL;
		break;
	case SESSION_NEWS_holding:
		unit->probe_reason = "answers again, and is held";
		break;
	case SESSION_NEWS_live:
		unit->probe_reason = NULL;
		unit->failure = (struct unit_failure){0};
		break;
	default:
		break;
	}
}

static void event_tell(struct steerd *steerd, const struct session_owner *owner, const struct session_event *event)
{
	const struct model_tunnel *tunnel = owner->tunnel;
	const char *name = owner->unit->name, *kind = tunnel ? "tunnel" : "instance";
	uint64_t age_ns = clock_monotonic_ns() - event->time_ns;
	char message[256], age[32] = "";
	json_t *json;

	/* It waited in the ring for a daemon. */
	if (age_ns >= NS_PER_SECOND)
		snprintf(age, sizeof(age), " (%llu s ago)", (unsigned long long)(age_ns / NS_PER_SECOND));
	snprintf(message, sizeof(message), "%s %s: %s%s", kind, name, sentences[event->news], age);
	log_notice("%s", message);
	json = json_pack("{s:s, s:s, s:s*, s:s, s:s}", "what", whats[event->news], "name", name, "connection",
			 tunnel ? tunnel->connection->config->name : NULL, "instance",
			 tunnel ? tunnel->instance->unit.name : name, "message", message);
	if (event->news == SESSION_NEWS_silent || event->news == SESSION_NEWS_peer_down)
		journal_add_failure(json, &owner->unit->failure, tunnel != NULL);
	if (event->news == SESSION_NEWS_blind)
		json_object_set_new(json, "blind_ms", journal_ms(event->silence_ns));
	journal_add(steerd->journal, json);
}

/* An index may have been given to another since: the discriminator tells. */
static int on_event(void *context, void *data, size_t size)
{
	const struct session_event *event = data;
	const struct session_owner *owner;
	struct steerd *steerd = context;

	if (size < sizeof(*event) || event->session >= MAX_SESSIONS || event->news >= SESSION_NEWS_COUNT)
		return 0;
	owner = &steerd->sessions->owner[event->session];
	if (!owner->unit || event->discriminator != steerd->datapath->session_configs[event->session].discriminator)
		return 0;
	unit_learn(owner->unit, event);
	sessions_judge(steerd, event->session);
	/* Whether there is anything to send is session_control's to say. */
	sender_kick(steerd->sender, event->session);
	if (whats[event->news])
		event_tell(steerd, owner, event);
	return 0;
}

static int on_ring(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct steerd *steerd = context;

	(void)source, (void)fd, (void)events;
	if (ring_buffer__consume(steerd->session_events->ring) < RING_EVENTS)
		return 0;
	log_warning("more verdicts of probes at once than there is room for: some are told late");
	sessions_watch(steerd);
	return 0;
}

/* The ring is the same over generations; the descriptor is this one's. */
int session_events_follow(struct steerd *steerd)
{
	struct session_events *events = calloc(1, sizeof(*events));
	int err;

	if (!events)
		return -ENOMEM;
	events->ring = ring_buffer__new(datapath_session_events_fd(steerd->datapath), on_event, steerd, NULL);
	err = events->ring ? sd_event_add_io(steerd->loop, &events->source, ring_buffer__epoll_fd(events->ring),
					     EPOLLIN, on_ring, steerd)
			   : -errno;
	if (err < 0) {
		session_events_close(events);
		return err;
	}
	session_events_close(steerd->session_events);
	steerd->session_events = events;
	return 0;
}

void session_events_close(struct session_events *events)
{
	if (!events)
		return;
	sd_event_source_disable_unref(events->source);
	ring_buffer__free(events->ring);
	free(events);
}
