/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's life: opens what it watches, loads the first generation, settles states, ticks.
 *
 * Watchers run at the loop's normal priority; settling, ticks and control come after them, so that a burst of news is
 * stored in full before anybody looks at what it means.
 */
#include "steerd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "paths.h"

#define SETTLE_PRIORITY 5
#define TICK_PRIORITY	6
#define TICK_NS		NS_PER_SECOND

/* A message may quote a file or a device's name, which may be any bytes, and may be cut within a character. */
static void utf8_force(char *text)
{
	json_t *string = json_string(text);

	for (char *c = text; !string && *c; c++)
		if (*c & 0x80)
			*c = '?';
	json_decref(string);
}

void steerd_event(struct steerd *steerd, const char *what, const char *name, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	log_notice("%s", message);
	utf8_force(message);
	journal_add(steerd->journal, json_pack("{s:s, s:s*, s:s}", "what", what, "name", name, "message", message));
}

static const char *const subject_texts[] = {
	[JUDGE_TUNNEL] = "tunnel", [JUDGE_INSTANCE] = "instance", [JUDGE_CONNECTION] = "connection"};

static void state_changed(const struct judge_change *change, void *context)
{
	struct steerd *steerd = context;
	const char *subject = subject_texts[change->subject];
	char what[64], message[256];
	json_t *event;

	snprintf(what, sizeof(what), "%s-%s", subject, change->to);
	snprintf(message, sizeof(message), "%s %s: %s -> %s%s%s", subject, change->name, change->from, change->to,
		 change->reason[0] ? ": " : "", change->reason);
	log_notice("%s", message);
	event = json_pack("{s:s, s:s, s:s*, s:s*, s:s, s:s}", "what", what, "name", change->name, "connection",
			  change->connection, "instance", change->instance, "cause", change->reason, "message",
			  message);
	if (change->dead)
		journal_add_failure(event, &change->dead->failure,
				    change->subject == JUDGE_TUNNEL && !strcmp(change->dead->name, change->name));
	journal_add(steerd->journal, event);
}

void steerd_unsettle(struct steerd *steerd)
{
	if (steerd->settle)
		sd_event_source_set_enabled(steerd->settle, SD_EVENT_ONESHOT);
	steerd->routes_stale = true;
}

void steerd_settle(struct steerd *steerd)
{
	judge_settle(&steerd->judge, steerd->model);
	if (steerd->routes_stale)
		failsafe_apply(steerd);
	steerd->routes_stale = false;
	mode_watch(steerd);
	drain_wait_settled(steerd);
}

static int on_settle(sd_event_source *source, void *context)
{
	(void)source;
	steerd_settle(context);
	return 0;
}

/* Packets since the last tick, per second. */
static struct counters rate_of(const struct counters *now, const struct counters *before, uint64_t elapsed_ns)
{
	double per_second = elapsed_ns ? (double)NS_PER_SECOND / (double)elapsed_ns : 0;

	return (struct counters){
		.tx_packets = (__u64)((double)(now->tx_packets - before->tx_packets) * per_second + 0.5),
		.tx_bytes = (__u64)((double)(now->tx_bytes - before->tx_bytes) * per_second + 0.5),
		.rx_packets = (__u64)((double)(now->rx_packets - before->rx_packets) * per_second + 0.5),
		.rx_bytes = (__u64)((double)(now->rx_bytes - before->rx_bytes) * per_second + 0.5),
		.rx_through_packets =
			(__u64)((double)(now->rx_through_packets - before->rx_through_packets) * per_second + 0.5),
	};
}

/* with_rates: a tick. Else totals alone are brought up to date, for a report. */
static void counters_sample(struct steerd *steerd, uint64_t now_ns, bool with_rates)
{
	struct model *model = steerd->model;
	struct counters *counters = calloc(model->tunnel_indexes + 1, sizeof(*counters));

	if (!counters || datapath_counters(steerd->datapath, counters, model->tunnel_indexes))
		goto out;
	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		struct model_tunnel *tunnel = &model->tunnels[t];
		const struct counters *now = &counters[tunnel->index];

		if (now->rx_through_packets != tunnel->seen.rx_through_packets)
			tunnel->last_rx_ns = now_ns;
		if (with_rates) {
			if (tunnel->has_ticked)
				tunnel->rate = rate_of(now, &tunnel->ticked, now_ns - steerd->ticked_ns);
			tunnel->has_ticked = true;
			tunnel->ticked = *now;
		}
		tunnel->seen = *now;
	}
out:
	free(counters);
}

void steerd_sample(struct steerd *steerd)
{
	counters_sample(steerd, clock_monotonic_ns(), false);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *context)
{
	struct steerd *steerd = context;
	uint64_t now_ns = clock_monotonic_ns();

	(void)usec;
	counters_sample(steerd, now_ns, true);
	drain_tick(steerd, now_ns);
	facts_sas_held(steerd, now_ns);
	sessions_watch(steerd);
	audit_watch_tick(steerd, now_ns);
	steerd->ticked_ns = now_ns;
	/* A daemon that stood still makes up for no ticks. */
	sd_event_source_set_time(source, now_ns / 1000 + TICK_NS / 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void on_link_changed(const struct link *link, void *context)
{
	struct steerd *steerd = context;

	if (!steerd->model)
		return;
	facts_link_changed(steerd, link);
	routed_link_changed(steerd);
	hooks_link_changed(steerd, link);
	audit_watch_changed(steerd);
}

static void on_link_removed(const struct link *link, void *context)
{
	struct steerd *steerd = context;

	if (!steerd->model)
		return;
	facts_link_removed(steerd, link);
	routed_link_changed(steerd);
	hooks_link_removed(steerd, link);
	audit_watch_changed(steerd);
}

static void on_address_changed(const struct own_address *address, bool present, void *context)
{
	struct steerd *steerd = context;

	if (steerd->sas)
		sas_recheck(steerd->sas);
	if (!steerd->model)
		return;
	facts_own_address(steerd, steerd->model, steerd->datapath, address, present);
	routed_own_address(steerd, address);
	hooks_address_changed(steerd);
	sessions_follow(steerd, address->ifindex);
	audit_watch_changed(steerd);
}

static bool is_own_address(const struct config_address *address, void *context)
{
	const struct steerd *steerd = context;

	return addresses_is_own(steerd->addresses, address);
}

static int watchers_open(struct steerd *steerd)
{
	int err = links_open(steerd->loop, on_link_changed, on_link_removed, steerd, &steerd->links);

	if (!err)
		err = addresses_open(steerd->loop, on_address_changed, steerd, &steerd->addresses);
	if (!err)
		err = neighbours_open(steerd->loop, facts_next_hop_changed, steerd, &steerd->neighbours);
	if (err) {
		log_error("the kernel's links cannot be watched: %s", strerror(-err));
		return err;
	}
	err = sas_open(steerd->loop, is_own_address, facts_sa_changed, facts_sa_expiring, steerd, &steerd->sas);
	if (err)
		log_warning("security associations cannot be watched, so no tunnel fails for want of one: %s",
			    strerror(-err));
	return 0;
}

static int state_open(struct steerd *steerd)
{
	char path[PATHS_BYTES + 32];
	int err;

	snprintf(path, sizeof(path), "%s/admin.json", steerd->state_directory);
	err = admin_open(path, &steerd->admin);
	if (err) {
		log_error("%s: cannot be read: %s; what was drained is not known. Mend or remove it", path,
			  strerror(-err));
		return err;
	}
	snprintf(path, sizeof(path), "%s/events.jsonl", steerd->state_directory);
	err = journal_open(path, &steerd->journal);
	if (!err)
		journal_listen(steerd->journal, commands_event, steerd);
	return err;
}

/* The name decides where everything else is; the file is read again, whole, when the generation is built. */
static int name_find(struct steerd *steerd)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	int err = config_load(steerd->config_path, &config, &faults);

	for (size_t i = 0; i < faults.count; i++)
		config_fault_print(stderr, steerd->config_path, &faults.fault[i]);
	/* A file that cannot be read is a fault of the configuration like any other. */
	if (faults.count)
		err = -EINVAL;
	config_faults_free(&faults);
	if (err)
		return err;
	err = paths_control(config->name, steerd->control_path);
	if (err)
		log_error("%s: %s", steerd->control_path, strerror(-err));
	else if ((err = paths_state(config->name, steerd->state_directory)))
		log_error("%s: %s", steerd->state_directory, strerror(-err));
	config_free(config);
	return err;
}

static int control_start(struct steerd *steerd)
{
	int err = control_open(steerd->loop, steerd->control_path, commands_table, steerd, &steerd->control);

	if (err)
		log_error("%s: %s", steerd->control_path,
			  err == -EADDRINUSE ? "a daemon serves this gateway already" : strerror(-err));
	return err;
}

static int timers_open(struct steerd *steerd)
{
	int err = sd_event_add_defer(steerd->loop, &steerd->settle, on_settle, steerd);

	if (err >= 0)
		err = sd_event_source_set_priority(steerd->settle, SETTLE_PRIORITY);
	if (err >= 0)
		err = sd_event_source_set_enabled(steerd->settle, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_add_time_relative(steerd->loop, &steerd->tick, CLOCK_MONOTONIC, TICK_NS / 1000, 0,
						 on_tick, steerd);
	if (err >= 0)
		err = sd_event_source_set_priority(steerd->tick, TICK_PRIORITY);
	return err < 0 ? err : 0;
}

static int first_generation(struct steerd *steerd)
{
	struct config_faults faults = {0};
	char error[512];
	int err = generation_replace(steerd, &faults, error, sizeof(error));

	if (err)
		log_error("%s", error[0] ? error : strerror(-err));
	config_faults_free(&faults);
	return err;
}

static int everything_open(struct steerd *steerd)
{
	return control_start(steerd) ?: state_open(steerd) ?: watchers_open(steerd) ?: timers_open(steerd) ?:
	       audit_watch_open(steerd) ?: flows_open(steerd) ?: first_generation(steerd);
}

/* -EINVAL says that the file is faulty: no restart will help then. */
static int not_the_file(int err)
{
	return err == -EINVAL ? -EIO : err;
}

int steerd_start(sd_event *loop, const char *config_path, struct steerd **ret_steerd)
{
	struct steerd *steerd = calloc(1, sizeof(*steerd));
	int err;

	if (!steerd)
		return -ENOMEM;
	steerd->loop = loop;
	steerd->sessions = calloc(1, sizeof(*steerd->sessions));
	if (!steerd->sessions) {
		free(steerd);
		return -ENOMEM;
	}
	steerd->judge = (struct judge){.changed = state_changed, .context = steerd};
	steerd->ticked_ns = clock_monotonic_ns();
	snprintf(steerd->config_path, sizeof(steerd->config_path), "%s", config_path);
	err = name_find(steerd) ?: not_the_file(everything_open(steerd));
	if (err) {
		steerd_stop(steerd);
		return err;
	}
	drain_open(steerd);
	steerd_event(steerd, "start", NULL, "aa-steerd %s forwards for gateway %s", AA_STEER_VERSION,
		     steerd->model->config->name);
	*ret_steerd = steerd;
	return 0;
}

void steerd_stop(struct steerd *steerd)
{
	if (!steerd)
		return;
	reset_close(steerd);
	drain_close(steerd);
	commands_close(steerd);
	mode_close(steerd);
	audit_watch_close(steerd);
	flows_close(steerd);
	control_close(steerd->control);
	sd_event_source_disable_unref(steerd->settle);
	sd_event_source_disable_unref(steerd->tick);
	sender_close(steerd->sender);
	session_events_close(steerd->session_events);
	free(steerd->sessions);
	routed_close(steerd);
	routes_close(steerd->routes);
	sas_close(steerd->sas);
	neighbours_close(steerd->neighbours);
	addresses_close(steerd->addresses);
	links_close(steerd->links);
	journal_close(steerd->journal);
	admin_close(steerd->admin);
	datapath_close(steerd->datapath);
	model_free(steerd->model);
	free(steerd);
}
