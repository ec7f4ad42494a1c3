/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What status says of probes: each session's state, measurements and verdict, as the programs left them in the map.
 * Reads, changes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "steerd.h"

#define NS_PER_US 1000ull

/* How a session stands, in the words of JSON. */
struct standing {
	const struct session_config *config;
	const struct session *session;
	uint64_t detection_ns; /* in effect: silent for this long, it is down */
};

static bool is_bfd(const struct standing *standing)
{
	return standing->config->kind == SESSION_BFD;
}

/* RFC 5880, section 6.8.4: the peer's multiplier, and the slower of what we take and it sends. */
static uint64_t detection_ns(const struct session_config *config, const struct session *session)
{
	const struct bfd *bfd = &session->bfd;
	uint64_t interval_us = bfd->rx_us > bfd->remote_desired_tx_us ? bfd->rx_us : bfd->remote_desired_tx_us;

	if (config->kind == SESSION_BFD && bfd->remote_multiplier)
		return bfd->remote_multiplier * interval_us * NS_PER_US;
	return config->multiplier * config->interval_ns;
}

static const char *bfd_state_text(unsigned state)
{
	static const char *const text[] = {"admin-down", "down", "init", "up"};

	return state < sizeof(text) / sizeof(*text) ? text[state] : "";
}

static const char *bfd_diagnostic_text(unsigned diagnostic)
{
	static const char *const text[] = {
		[BFD_NO_DIAGNOSTIC] = "",
		[BFD_DETECTION_EXPIRED] = "detection time expired",
		[2] = "echo function failed",
		[BFD_NEIGHBOUR_SIGNALLED_DOWN] = "neighbour signalled down",
		[4] = "forwarding plane reset",
		[5] = "path down",
		[6] = "concatenated path down",
		[BFD_ADMINISTRATIVELY_DOWN] = "administratively down",
		[8] = "reverse concatenated path down",
	};

	return diagnostic < sizeof(text) / sizeof(*text) ? text[diagnostic] : "unknown";
}

static const char *state_text(const struct standing *standing)
{
	const struct session *session = standing->session;

	if (is_bfd(standing))
		return bfd_state_text(session->bfd.admin_down ? BFD_ADMIN_DOWN : session->bfd.state);
	return session->answered_ns && !session->echo.missed_ns ? "answering" : "silent";
}

static const char *verdict_text(const struct liveness *liveness)
{
	return liveness->live ? "live" : liveness->live_at_ns ? "holding" : "dead";
}

/* Who asked nothing lately knows nothing. */
static bool is_blind(const struct standing *standing, uint64_t now_ns)
{
	uint64_t sent_ns = standing->session->sent_ns;

	return !is_bfd(standing) && (int64_t)(now_ns - sent_ns) > (int64_t)standing->detection_ns;
}

static json_t *us_as_ms(uint32_t us)
{
	return journal_ms(us * NS_PER_US);
}

static json_t *remote_json(const struct bfd *bfd)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:i}", "state", bfd_state_text(bfd->remote_state), "diagnostic",
			 bfd_diagnostic_text(bfd->remote_diagnostic), "desired_tx_ms",
			 us_as_ms(bfd->remote_desired_tx_us), "required_rx_ms", us_as_ms(bfd->remote_required_rx_us),
			 "multiplier", (int)bfd->remote_multiplier);
}

/* Decimal places that a time in milliseconds is worth. */
static int places_of(uint64_t ns)
{
	return ns % NS_PER_MS && ns < 100 * NS_PER_MS ? 1 : 0;
}

static json_t *warning_json(const struct unit *unit, const struct standing *standing)
{
	uint64_t gap_ns = standing->session->gap_max_ns;

	if (unit->unaddressed)
		return json_sprintf("no address of ours on %s to probe from", unit->device);
	if (gap_ns <= standing->detection_ns)
		return NULL;
	return json_sprintf(
		"the largest gap between answers was %.*f ms: multiplier x interval is %.*f ms; raise one of "
		"them",
		places_of(gap_ns), (double)gap_ns / NS_PER_MS, places_of(standing->detection_ns),
		(double)standing->detection_ns / NS_PER_MS);
}

static json_t *figures_json(const struct standing *standing)
{
	const struct session_config *config = standing->config;
	const struct session *session = standing->session;

	return json_pack("{s:o, s:o, s:o, s:i, s:I, s:I, s:I}", "gap_max_ms", journal_ms(session->gap_max_ns),
			 "detection_ms", journal_ms(standing->detection_ns), "interval_ms",
			 journal_ms(config->interval_ns), "multiplier", (int)config->multiplier, "sent",
			 (json_int_t)session->sent_packets, "answered", (json_int_t)session->answered_packets,
			 "replied", (json_int_t)session->replied_packets);
}

json_t *report_probe(const struct steerd *steerd, const struct unit *unit)
{
	const struct session_config *config;
	struct session session;
	struct standing standing;
	json_t *json, *warning;

	if (!unit->probe || unit->session == NO_SESSION || datapath_session(steerd->datapath, unit->session, &session))
		return NULL;
	config = &steerd->datapath->session_configs[unit->session];
	standing = (struct standing){config, &session, detection_ns(config, &session)};
	json = json_pack("{s:s, s:s, s:s, s:b}", "kind", is_bfd(&standing) ? "bfd" : "icmp", "state",
			 state_text(&standing), "verdict", verdict_text(&session.liveness), "blind",
			 is_blind(&standing, clock_monotonic_ns()));
	json_object_update_new(json, figures_json(&standing));
	if (is_bfd(&standing)) {
		json_object_set_new(json, "diagnostic", json_string(bfd_diagnostic_text(session.bfd.diagnostic)));
		json_object_set_new(json, "remote", remote_json(&session.bfd));
	} else {
		json_object_set_new(json, "rtt_ms", journal_ms(session.rtt_ns));
	}
	warning = warning_json(unit, &standing);
	if (warning)
		json_object_set_new(json, "warning", warning);
	return json;
}

json_t *report_probe_rejects(const struct steerd *steerd)
{
	struct probe_rejects rejects = {0};
	json_t *json = json_object();

	if (!datapath_probe_rejects(steerd->datapath, &rejects)) {
#define X(name, sentence) json_object_set_new(json, #name, json_integer((json_int_t)rejects.name));
		PROBE_REJECTS(X)
#undef X
	}
	return json;
}

json_t *report_probe_sender(const struct steerd *steerd)
{
	if (!steerd->sender)
		return NULL;
	return json_pack("{s:o, s:b}", "late_max_ms", journal_ms(sender_late_max_ns(steerd->sender)), "realtime",
			 sender_is_realtime(steerd->sender));
}
