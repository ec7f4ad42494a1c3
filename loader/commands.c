/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What operators ask of the daemon: one function a command. control.h has checked already who may ask.
 *
 * `drain --wait` and `events --follow` keep their request; the rest answers at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "clock.h"
#include "steerd.h"

#define PROGRESS_NS	  NS_PER_SECOND
#define EVENTS_BY_DEFAULT 100

struct waiter {
	struct waiter *next;
	struct steerd *steerd;
	struct control_request *request;
	char name[NAME_BYTES];
	uint64_t deadline_ns; /* monotonic; 0: none */
	sd_event_source *timer;
};

struct follower {
	struct follower *next;
	struct steerd *steerd;
	struct control_request *request;
};

/* An instance or a tunnel: what drain and undrain take. */
struct target {
	struct model_instance *instance;
	struct model_tunnel *tunnel;
	struct unit *unit; /* of whichever it is; NULL: neither */
};

static struct target target_find(const struct steerd *steerd, const char *name)
{
	struct target target = {.instance = model_instance_by_name(steerd->model, name),
				.tunnel = model_tunnel_by_name(steerd->model, name)};

	target.unit = target.instance ? &target.instance->unit : target.tunnel ? &target.tunnel->unit : NULL;
	return target;
}

static json_t *target_result(const struct target *target)
{
	return json_pack("{s:s, s:s, s:s}", "name", target->unit->name, "state", unit_state_text(target->unit->state),
			 "reason", target->unit->reason);
}

static void target_judge(struct steerd *steerd, const struct target *target)
{
	if (target->instance)
		judge_instance(steerd->model, target->instance);
	else
		judge_tunnel(target->tunnel);
	steerd_unsettle(steerd);
	steerd_settle(steerd);
}

/* Marks the tunnels of a target as silent, or has their silence measured from now on. */
static void target_silence(struct steerd *steerd, const struct target *target, bool silent)
{
	uint64_t now_ns = clock_monotonic_ns();

	target->unit->silent = target->unit->silenced = silent;
	for (size_t t = 0; t < steerd->model->config->tunnel_count; t++) {
		struct model_tunnel *tunnel = &steerd->model->tunnels[t];

		if (tunnel != target->tunnel && tunnel->instance != target->instance)
			continue;
		tunnel->unit.silent = tunnel->unit.silenced = silent;
		tunnel->last_rx_ns = silent ? 0 : now_ns;
		tunnel->connection->unsettled = true;
	}
}

static int target_set_out(struct steerd *steerd, const struct target *target, bool out)
{
	int err = admin_set_out(steerd->admin, target->unit->name, out);

	if (err)
		return err;
	steerd_event(steerd, out ? "drain" : "undrain", target->unit->name, "%s is %s", target->unit->name,
		     out ? "taken out" : "put back");
	target->unit->facts.admin_out = out;
	target_silence(steerd, target, false);
	target_judge(steerd, target);
	return 0;
}

int commands_set_out(struct steerd *steerd, struct model_instance *instance, bool out)
{
	struct target target = {.instance = instance, .unit = &instance->unit};

	return target_set_out(steerd, &target, out);
}

void commands_silence(struct steerd *steerd, struct model_instance *instance)
{
	struct target target = {.instance = instance, .unit = &instance->unit};

	target_silence(steerd, &target, true);
	target_judge(steerd, &target);
}

static void waiter_free(struct waiter *waiter)
{
	struct waiter **at = &waiter->steerd->waiters;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	sd_event_source_disable_unref(waiter->timer);
	free(waiter);
}

static void waiter_closed(struct control_request *request, void *context)
{
	waiter_free(context);
	control_answer(request, EXIT_FAILED, "", NULL);
}

/* Answers if the waiting has an end now. */
static bool waiter_check(struct waiter *waiter)
{
	struct target target = target_find(waiter->steerd, waiter->name);
	struct control_request *request = waiter->request;
	char name[NAME_BYTES];

	memcpy(name, waiter->name, sizeof(name));
	if (!target.unit) {
		waiter_free(waiter);
		control_fail(request, EXIT_FAILED, "'%s' left the configuration", name);
	} else if (!target.unit->facts.admin_out) {
		waiter_free(waiter);
		control_fail(request, EXIT_FAILED, "'%s' was undrained meanwhile", name);
	} else if (target.unit->state == UNIT_DRAINED) {
		waiter_free(waiter);
		control_answer(request, EXIT_DONE, NULL, target_result(&target));
	} else if (waiter->deadline_ns && clock_monotonic_ns() >= waiter->deadline_ns) {
		waiter_free(waiter);
		control_answer(request, EXIT_TIMED_OUT, "the deadline passed, and packets still come in",
			       target_result(&target));
	} else {
		return false;
	}
	return true;
}

static uint64_t target_rx_pps(const struct steerd *steerd, const struct target *target)
{
	uint64_t pps = 0;

	for (size_t t = 0; t < steerd->model->config->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &steerd->model->tunnels[t];

		if (tunnel == target->tunnel || tunnel->instance == target->instance)
			pps += tunnel->rate.rx_packets;
	}
	return pps;
}

uint64_t commands_rx_pps(const struct steerd *steerd, struct model_instance *instance)
{
	struct target target = {.instance = instance, .unit = &instance->unit};

	return target_rx_pps(steerd, &target);
}

static uint64_t waiter_next_ns(const struct waiter *waiter)
{
	uint64_t next_ns = clock_monotonic_ns() + PROGRESS_NS;

	return waiter->deadline_ns && waiter->deadline_ns < next_ns ? waiter->deadline_ns : next_ns;
}

static int on_waiter_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct waiter *waiter = context;
	struct target target = target_find(waiter->steerd, waiter->name);

	(void)usec;
	if (waiter_check(waiter))
		return 0;
	control_progress(waiter->request, json_pack("{s:s, s:s, s:I}", "name", target.unit->name, "state",
						    unit_state_text(target.unit->state), "rx_pps",
						    (json_int_t)target_rx_pps(waiter->steerd, &target)));
	sd_event_source_set_time(source, waiter_next_ns(waiter) / 1000 + 1);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void wait_drained(struct steerd *steerd, struct control_request *request, const char *name, uint64_t deadline_ms)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter) {
		control_fail(request, EXIT_FAILED, "out of memory");
		return;
	}
	waiter->steerd = steerd;
	waiter->request = request;
	strncpy(waiter->name, name, sizeof(waiter->name) - 1);
	waiter->deadline_ns = deadline_ms ? clock_monotonic_ns() + deadline_ms * NS_PER_MS : 0;
	waiter->next = steerd->waiters;
	steerd->waiters = waiter;
	control_on_close(request, waiter_closed, waiter);
	if (waiter_check(waiter))
		return;
	sd_event_add_time(steerd->loop, &waiter->timer, CLOCK_MONOTONIC, waiter_next_ns(waiter) / 1000 + 1, 0,
			  on_waiter_timer, waiter);
}

void commands_settled(struct steerd *steerd)
{
	struct waiter *next;

	for (struct waiter *waiter = steerd->waiters; waiter; waiter = next) {
		next = waiter->next;
		waiter_check(waiter);
	}
}

static void run_drain(struct control_request *request, json_t *arguments, void *context)
{
	struct steerd *steerd = context;
	const struct model_connection *cut;
	const char *name;
	int now = 0, wait = 0, force = 0;
	json_int_t deadline_ms = 0;
	struct target target;
	json_error_t error;
	int err;

	if (json_unpack_ex(arguments, &error, JSON_STRICT, "{s:s, s?b, s?b, s?b, s?I}", "name", &name, "now", &now,
			   "wait", &wait, "force", &force, "deadline_ms", &deadline_ms) ||
	    deadline_ms < 0) {
		control_fail(request, EXIT_USAGE, "drain: %s", error.text);
		return;
	}
	target = target_find(steerd, name);
	if (!target.unit) {
		control_fail(request, EXIT_FAILED, "no instance or tunnel is called '%s'", name);
		return;
	}
	cut = target.unit->facts.admin_out || force ? NULL
						    : judge_cut_by(steerd->model, target.instance, target.tunnel);
	if (cut) {
		control_fail(request, EXIT_REFUSED,
			     "refused: without '%s' connection '%s' has no usable tunnel left (--force does it all the "
			     "same)",
			     name, cut->config->name);
		return;
	}
	if (!target.unit->facts.admin_out) {
		err = target_set_out(steerd, &target, true);
		if (err) {
			control_fail(request, EXIT_FAILED, "'%s' stays in: this cannot be remembered on disk: %s", name,
				     strerror(-err));
			return;
		}
	}
	if (now) {
		target_silence(steerd, &target, true);
		target_judge(steerd, &target);
	}
	if (wait)
		wait_drained(steerd, request, name, (uint64_t)deadline_ms);
	else
		control_answer(request, EXIT_DONE, NULL, target_result(&target));
}

static void run_undrain(struct control_request *request, json_t *arguments, void *context)
{
	struct steerd *steerd = context;
	struct target target;
	json_error_t error;
	const char *name;
	int err = 0;

	if (json_unpack_ex(arguments, &error, JSON_STRICT, "{s:s}", "name", &name)) {
		control_fail(request, EXIT_USAGE, "undrain: %s", error.text);
		return;
	}
	target = target_find(steerd, name);
	if (!target.unit) {
		control_fail(request, EXIT_FAILED, "no instance or tunnel is called '%s'", name);
		return;
	}
	if (reset_holds(steerd, target.instance)) {
		control_fail(request, EXIT_REFUSED,
			     "refused: %s is being reset, and is put back when that is done; see aa-steer events",
			     name);
		return;
	}
	if (target.unit->facts.admin_out)
		err = target_set_out(steerd, &target, false);
	if (err)
		control_fail(request, EXIT_FAILED, "'%s' stays out: this cannot be remembered on disk: %s", name,
			     strerror(-err));
	else
		control_answer(request, EXIT_DONE, NULL, target_result(&target));
}

static void run_status(struct control_request *request, json_t *arguments, void *context)
{
	const char *name = NULL;
	json_error_t error;
	json_t *status;

	if (json_unpack_ex(arguments, &error, JSON_STRICT, "{s?s}", "name", &name)) {
		control_fail(request, EXIT_USAGE, "status: %s", error.text);
		return;
	}
	status = report_status(context, name);
	if (status)
		control_answer(request, EXIT_DONE, NULL, status);
	else
		control_fail(request, EXIT_FAILED, "no instance, tunnel or connection is called '%s'", name ?: "");
}

static void run_where(struct control_request *request, json_t *arguments, void *context)
{
	int exit_code = EXIT_USAGE;
	const char *error = "";
	json_t *result = where_ask(context, arguments, &exit_code, &error);

	if (result)
		control_answer(request, EXIT_DONE, NULL, result);
	else
		control_fail(request, exit_code, "where: %s", error);
}

void commands_event(json_t *event, void *context)
{
	struct steerd *steerd = context;

	for (struct follower *follower = steerd->followers; follower; follower = follower->next)
		control_event(follower->request, json_incref(event));
}

static void follower_closed(struct control_request *request, void *context)
{
	struct follower *follower = context, **at = &follower->steerd->followers;

	while (*at != follower)
		at = &(*at)->next;
	*at = follower->next;
	free(follower);
	control_answer(request, EXIT_DONE, NULL, NULL);
}

static void events_follow(struct steerd *steerd, struct control_request *request, json_t *last)
{
	struct follower *follower = calloc(1, sizeof(*follower));
	json_t *event;
	size_t i;

	if (!follower) {
		control_fail(request, EXIT_FAILED, "out of memory");
		return;
	}
	json_array_foreach (last, i, event)
		control_event(request, json_incref(event));
	follower->steerd = steerd;
	follower->request = request;
	follower->next = steerd->followers;
	steerd->followers = follower;
	control_on_close(request, follower_closed, follower);
}

static void run_events(struct control_request *request, json_t *arguments, void *context)
{
	struct steerd *steerd = context;
	json_int_t last = EVENTS_BY_DEFAULT;
	json_error_t error;
	json_t *events;
	int follow = 0;

	if (json_unpack_ex(arguments, &error, JSON_STRICT, "{s?b, s?I}", "follow", &follow, "last", &last) ||
	    last < 0) {
		control_fail(request, EXIT_USAGE, "events: %s", error.text);
		return;
	}
	events = journal_last(steerd->journal, (size_t)last);
	if (!follow) {
		control_answer(request, EXIT_DONE, NULL, json_pack("{s:o}", "events", events));
		return;
	}
	events_follow(steerd, request, events);
	json_decref(events);
}

/* Of a command that takes none; answers where there are some. */
static bool no_arguments(struct control_request *request, const json_t *arguments)
{
	if (!json_object_size(arguments))
		return true;
	control_fail(request, EXIT_USAGE, "this command takes no arguments");
	return false;
}

static void run_version(struct control_request *request, json_t *arguments, void *context)
{
	if (no_arguments(request, arguments))
		control_answer(request, EXIT_DONE, NULL, report_version(context));
}

/* Every fault on a line of its own, as --check prints them. */
static void answer_faults(struct control_request *request, const struct steerd *steerd,
			  const struct config_faults *faults)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	for (size_t i = 0; file && i < faults->count; i++)
		config_fault_print(file, steerd->config_path, &faults->fault[i]);
	if (file)
		fclose(file);
	if (length && text[length - 1] == '\n')
		text[length - 1] = 0;
	control_fail(request, EXIT_USAGE, "%s", text ?: "the configuration is faulty");
	free(text);
}

int commands_reload(struct steerd *steerd, struct control_request *request)
{
	struct config_faults faults = {0};
	char error[512];
	int err;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(clock_monotonic_ns() / 1000));
	err = generation_replace(steerd, &faults, error, sizeof(error));
	sd_notify(0, "READY=1");
	if (err)
		steerd_event(steerd, "reload-failed", NULL, "the configuration was not loaded, the old one goes on: %s",
			     faults.count ? faults.fault[0].text : error);
	else
		steerd_event(steerd, "reload", NULL, "the configuration was loaded anew");
	if (request && faults.count)
		answer_faults(request, steerd, &faults);
	else if (request && err)
		control_fail(request, err == -EINVAL ? EXIT_USAGE : EXIT_FAILED, "%s", error);
	else if (request)
		control_answer(request, EXIT_DONE, NULL, NULL);
	config_faults_free(&faults);
	return err;
}

static void run_reload(struct control_request *request, json_t *arguments, void *context)
{
	if (no_arguments(request, arguments))
		commands_reload(context, request);
}

/* Without programs there is nothing left to do for the daemon: it ends once the answer is sent. */
static void run_unload(struct control_request *request, json_t *arguments, void *context)
{
	struct steerd *steerd = context;
	int err;

	if (!no_arguments(request, arguments))
		return;
	err = generation_unload(steerd);
	steerd_event(steerd, "unload", NULL, "the programs were taken off");
	if (err)
		control_fail(request, EXIT_FAILED, "not everything could be taken off: %s", strerror(-err));
	else
		control_answer(request, EXIT_DONE, NULL, NULL);
	sd_event_exit(steerd->loop, err ? EXIT_FAILED : EXIT_DONE);
}

const struct control_command commands_table[] = {
	{"status", false, run_status},	 {"where", false, run_where},  {"events", false, run_events},
	{"version", false, run_version}, {"drain", true, run_drain},   {"undrain", true, run_undrain},
	{"flows", false, flows_run},	 {"reload", true, run_reload}, {"unload", true, run_unload},
	{"mode", true, mode_run},	 {"reset", true, reset_run},   {NULL, false, NULL},
};

void commands_close(struct steerd *steerd)
{
	while (steerd->waiters) {
		struct control_request *request = steerd->waiters->request;

		waiter_free(steerd->waiters);
		control_fail(request, EXIT_NO_DAEMON, "aa-steerd stops; what was drained stays so");
	}
	while (steerd->followers) {
		struct follower *follower = steerd->followers;

		steerd->followers = follower->next;
		control_fail(follower->request, EXIT_NO_DAEMON, "aa-steerd stops");
		free(follower);
	}
}
