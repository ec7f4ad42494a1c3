/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `aa-steer reset`: an instance is drained, its reset command is run, its tunnels are waited for, and it is put back;
 * with --all one instance after the other. One reset at a time.
 *
 * A reset belongs to the daemon: who asked for it may go away, it goes on. It stops at the first thing that goes wrong,
 * leaves the instance drained, and says so. It holds names, no pointers into the model, so that reloads may come in
 * between. Context: the event loop, which it never blocks: the command is a child (child.h).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "clock.h"
#include "steerd.h"

#define LIMIT_NS      (300 * NS_PER_SECOND) /* for each instance, unless the request has a deadline */
#define LOOK_NS	      (NS_PER_SECOND / 4)
#define PROGRESS_NS   NS_PER_SECOND
#define STEADY_NS     (2 * NS_PER_SECOND) /* usable for this long: what the command still brings down is down by then */
#define LINE_BYTES    160
#define MESSAGE_BYTES 1024

enum step { STEP_DRAIN, STEP_COMMAND, STEP_RETURN };

static const char *const step_text[] = {[STEP_DRAIN] = "drain", [STEP_COMMAND] = "command", [STEP_RETURN] = "return"};

struct reset {
	struct steerd *steerd;
	struct control_request *request; /* NULL: who asked has gone */
	bool now, force;
	uint64_t limit_ns;
	char name[MAX_INSTANCES][NAME_BYTES]; /* in the order in which they are reset */
	size_t count, at;

	/* Of name[at]. */
	enum step step;
	bool was_out;		     /* drained before: it stays so */
	uint64_t deadline_ns;	     /* monotonic */
	uint64_t told_ns;	     /* monotonic: the last progress */
	uint64_t usable_ns;	     /* monotonic: since when, in STEP_RETURN; 0: it is not */
	struct child *child;	     /* NULL: no command runs */
	char last[CHILD_LINE_BYTES]; /* of the output of the command that has ended */
	sd_event_source *timer;
};

static const char *name_of(const struct reset *reset)
{
	return reset->name[reset->at];
}

static struct drain_target target_of(struct model_instance *instance)
{
	return (struct drain_target){.instance = instance, .unit = &instance->unit};
}

static struct model_instance *instance_of(const struct reset *reset)
{
	return model_instance_by_name(reset->steerd->model, name_of(reset));
}

bool reset_holds(const struct steerd *steerd, const struct model_instance *instance)
{
	return steerd->reset && instance && !strcmp(name_of(steerd->reset), instance->unit.name);
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static void reset_free(struct reset *reset)
{
	reset->steerd->reset = NULL;
	child_stop(reset->child);
	sd_event_source_disable_unref(reset->timer);
	free(reset);
}

/* Names of those that are done. */
static json_t *result_json(const struct reset *reset)
{
	json_t *done = json_array();

	for (size_t i = 0; i < reset->at; i++)
		json_array_append_new(done, json_string(reset->name[i]));
	return json_pack("{s:o}", "reset", done);
}

/* Ends the whole of it. The message says what went wrong and what state is left. */
static __attribute__((format(printf, 3, 4))) void reset_fail(struct reset *reset, int exit_code, const char *format,
							     ...)
{
	const struct model_instance *instance = instance_of(reset);
	json_t *result = result_json(reset);
	char message[MESSAGE_BYTES];
	va_list arguments;
	int length = 0;

	if (reset->at)
		length =
			snprintf(message, sizeof(message), "%zu of %zu instances are reset; ", reset->at, reset->count);
	va_start(arguments, format);
	vsnprintf(message + length, sizeof(message) - (size_t)length, format, arguments);
	va_end(arguments);
	steerd_event(reset->steerd, "reset-failed", name_of(reset), "reset: %s", message);
	json_object_set_new(result, "name", json_string(name_of(reset)));
	if (instance)
		json_object_update_new(result, json_pack("{s:s, s:s}", "state", unit_state_text(instance->unit.state),
							 "reason", instance->unit.reason));
	if (reset->request)
		control_answer(reset->request, exit_code, message, result);
	else
		json_decref(result);
	reset_free(reset);
}

/* The same, of an instance that is drained by now. */
static __attribute__((format(printf, 3, 4))) void reset_fail_drained(struct reset *reset, int exit_code,
								     const char *format, ...)
{
	char what[MESSAGE_BYTES / 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	reset_fail(reset, exit_code, "%s is drained%s, %s; run aa-steer undrain %s when it is well", name_of(reset),
		   reset->was_out ? " as before" : "", what, name_of(reset));
}

/* --- progress ------------------------------------------------------------------------------------------------------
 */

/*
 * Why it cannot be put back yet; NULL: it can. What was usable before must be so again, and one tunnel at least, unless
 * all are drained on their own account.
 */
static const char *missing_of(const struct reset *reset, const struct model_instance *instance, char buffer[LINE_BYTES])
{
	const struct model *model = reset->steerd->model;
	struct unit unit = unit_left_in(&instance->unit);
	bool any_in = false, any_usable = false;

	if (!unit_usable(&unit))
		return unit_cause(&unit);
	for (size_t t = 0; t < model->config->tunnel_count; t++) {
		const struct model_tunnel *tunnel = &model->tunnels[t];
		bool usable = unit_usable(&tunnel->unit);

		if (tunnel->instance != instance || tunnel->unit.facts.admin_out)
			continue;
		if (tunnel->awaited && !usable) {
			snprintf(buffer, LINE_BYTES, "%s: %s", tunnel->unit.name, unit_cause(&tunnel->unit));
			return buffer;
		}
		any_in = true;
		any_usable |= usable;
	}
	return any_in && !any_usable ? "none of its tunnels is usable" : NULL;
}

/* The last line of what the command printed. */
static const char *output_of(const struct reset *reset)
{
	if (reset->step == STEP_DRAIN)
		return NULL;
	return reset->child ? child_last_line(reset->child) : reset->last;
}

static void progress_tell(struct reset *reset, struct model_instance *instance, const char *step)
{
	char buffer[LINE_BYTES];
	const char *missing = reset->step == STEP_RETURN ? missing_of(reset, instance, buffer) : NULL;
	struct drain_target target = target_of(instance);

	reset->told_ns = clock_monotonic_ns();
	if (reset->request)
		control_progress(reset->request,
				 json_pack("{s:s, s:s, s:s, s:I, s:s*, s:s*}", "name", name_of(reset), "step", step,
					   "state", unit_state_text(instance->unit.state), "rx_pps",
					   (json_int_t)drain_rest(reset->steerd->model, &target).rx_pps, "output",
					   output_of(reset), "reason", missing));
}

static void step_enter(struct reset *reset, struct model_instance *instance, enum step step)
{
	reset->step = step;
	progress_tell(reset, instance, step_text[step]);
}

/* --- the command ---------------------------------------------------------------------------------------------------
 */

/* ' ("its last line")' */
static const char *last_text(const struct reset *reset, char buffer[CHILD_LINE_BYTES + 8])
{
	buffer[0] = 0;
	if (reset->last[0])
		snprintf(buffer, CHILD_LINE_BYTES + 8, " (\"%s\")", reset->last);
	return buffer;
}

static void on_command_ended(const struct child_end *end, void *context)
{
	struct reset *reset = context;
	struct model_instance *instance = instance_of(reset);
	char buffer[CHILD_FAILURE_BYTES];
	const char *failure = child_failure(end, reset->limit_ns, buffer);

	reset->child = NULL;
	memcpy(reset->last, end->last, sizeof(reset->last));
	if (failure)
		reset_fail_drained(reset, end->overran ? EXIT_TIMED_OUT : EXIT_FAILED, "its reset command %s", failure);
	else if (!instance)
		reset_fail_drained(reset, EXIT_FAILED,
				   "its reset command was run, but it left the configuration meanwhile");
	else
		step_enter(reset, instance, STEP_RETURN);
}

static int command_start(struct reset *reset, const struct model_instance *instance)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct child_options options = {
		.command = instance->config->reset,
		.instance = instance->unit.name,
		.gateway = reset->steerd->model->config->name,
		.limit_ns = reset->deadline_ns > now_ns ? reset->deadline_ns - now_ns : 0,
		.ended = on_command_ended,
		.context = reset,
	};

	return child_start(reset->steerd->loop, &options, &reset->child);
}

/* --- step by step --------------------------------------------------------------------------------------------------
 */

static void instance_begin(struct reset *reset);

static void drain_look(struct reset *reset, struct model_instance *instance, bool late)
{
	int err;

	if (instance->unit.state != UNIT_DRAINED) {
		if (late)
			reset_fail(reset, EXIT_TIMED_OUT,
				   "%s is out, but packets still come in, so its reset command was not run (--now does "
				   "not wait for that); run aa-steer undrain %s to put it back",
				   name_of(reset), name_of(reset));
		return;
	}
	if (!instance->config->reset) {
		reset_fail_drained(reset, EXIT_USAGE, "its reset command left the configuration meanwhile");
		return;
	}
	err = command_start(reset, instance);
	if (err)
		reset_fail_drained(reset, EXIT_FAILED, "its reset command cannot be run: %s", strerror(-err));
	else
		step_enter(reset, instance, STEP_COMMAND);
}

static void instance_done(struct reset *reset, struct model_instance *instance)
{
	struct drain_target target = target_of(instance);
	int err = reset->was_out ? 0 : drain_put_back(reset->steerd, &target);
	char last[CHILD_LINE_BYTES + 8];

	if (err) {
		reset_fail_drained(reset, EXIT_FAILED, "reset, but that it is back cannot be remembered on disk: %s",
				   strerror(-err));
		return;
	}
	steerd_event(reset->steerd, "reset-done", name_of(reset), "%s is reset%s%s", name_of(reset),
		     reset->was_out ? ", and drained as before" : "", last_text(reset, last));
	progress_tell(reset, instance, "done");
	if (++reset->at < reset->count) {
		instance_begin(reset);
		return;
	}
	if (reset->request)
		control_answer(reset->request, EXIT_DONE, NULL, result_json(reset));
	reset_free(reset);
}

static void return_look(struct reset *reset, struct model_instance *instance, uint64_t now_ns)
{
	char buffer[LINE_BYTES];
	const char *missing = missing_of(reset, instance, buffer);

	if (missing) {
		reset->usable_ns = 0;
		if (now_ns >= reset->deadline_ns)
			reset_fail_drained(reset, EXIT_TIMED_OUT,
					   "its reset command was run, but it is not usable within %.3g s (%s)",
					   (double)reset->limit_ns / NS_PER_SECOND, missing);
		return;
	}
	if (!reset->usable_ns)
		reset->usable_ns = now_ns;
	if (now_ns - reset->usable_ns >= STEADY_NS)
		instance_done(reset, instance);
}

/* The reset may be gone after this. */
static void reset_look(struct reset *reset)
{
	struct model_instance *instance = instance_of(reset);
	uint64_t now_ns = clock_monotonic_ns();

	if (instance && now_ns - reset->told_ns >= PROGRESS_NS)
		progress_tell(reset, instance, step_text[reset->step]);
	if (reset->step == STEP_COMMAND)
		return; /* its end is told, and its limit kept, by child.c */
	if (!instance)
		reset_fail(reset, EXIT_FAILED,
			   "%s left the configuration meanwhile; it is drained, should it come back", name_of(reset));
	else if (reset->step == STEP_DRAIN)
		drain_look(reset, instance, now_ns >= reset->deadline_ns);
	else
		return_look(reset, instance, now_ns);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct reset *reset = context;

	(void)usec;
	sd_event_source_set_time(source, (clock_monotonic_ns() + LOOK_NS) / 1000);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	reset_look(reset);
	return 0;
}

static void tunnels_await(const struct reset *reset, const struct model_instance *instance)
{
	const struct model *model = reset->steerd->model;
	struct unit unit = unit_left_in(&instance->unit);

	for (size_t t = 0; t < model->config->tunnel_count; t++)
		if (model->tunnels[t].instance == instance)
			model->tunnels[t].awaited = unit_usable(&unit) && unit_usable(&model->tunnels[t].unit);
}

static void instance_begin(struct reset *reset)
{
	struct steerd *steerd = reset->steerd;
	struct model_instance *instance = instance_of(reset);
	const struct model_connection *cut;
	struct drain_target target;
	int err;

	if (!instance) {
		reset_fail(reset, EXIT_FAILED, "%s left the configuration meanwhile", name_of(reset));
		return;
	}
	reset->was_out = instance->unit.facts.admin_out;
	cut = reset->was_out || reset->force ? NULL : judge_cut_by(steerd->model, instance, NULL);
	if (cut) {
		reset_fail(reset, EXIT_REFUSED,
			   "refused: without '%s' connection '%s' has no usable tunnel left (--force does it all the "
			   "same); %s is as it was",
			   name_of(reset), cut->config->name, name_of(reset));
		return;
	}
	tunnels_await(reset, instance);
	steerd_event(steerd, "reset-started", name_of(reset), "%s is reset: drained, then by its command",
		     name_of(reset));
	/* What is pinned to an instance that restarts has to move in any case. */
	target = target_of(instance);
	err = drain_take_out(steerd, &target, ADMIN_OUT, 0);
	if (err) {
		reset_fail(reset, EXIT_FAILED, "'%s' stays in: this cannot be remembered on disk: %s", name_of(reset),
			   strerror(-err));
		return;
	}
	if (reset->now)
		drain_silence(steerd, &target);
	reset->deadline_ns = clock_monotonic_ns() + reset->limit_ns;
	reset->usable_ns = 0;
	step_enter(reset, instance, STEP_DRAIN);
}

static void on_gone(struct control_request *request, void *context)
{
	struct reset *reset = context;

	reset->request = NULL;
	control_answer(request, EXIT_FAILED, "", NULL);
}

/* Whom to reset. Answers where that cannot be. */
static bool names_collect(struct reset *reset, struct control_request *request, const char *name)
{
	const struct model *model = reset->steerd->model;
	const struct config *config = model->config;

	if (name && !model_instance_by_name(model, name)) {
		control_fail(request, EXIT_FAILED, "no instance is called '%s'", name);
		return false;
	}
	for (size_t i = 0; i < config->instance_count; i++) {
		const struct config_instance *instance = &config->instances[i];

		if (name && strcmp(name, instance->name))
			continue;
		if (!instance->reset) {
			control_fail(request, EXIT_USAGE,
				     "instance '%s' has no reset command; give it one in the configuration, as "
				     "'reset' of the instance",
				     instance->name);
			return false;
		}
		strcpy(reset->name[reset->count++], instance->name);
	}
	return true;
}

void reset_run(struct control_request *request, json_t *arguments, void *context)
{
	struct steerd *steerd = context;
	int all = 0, now = 0, force = 0;
	json_int_t deadline_ms = 0;
	const char *name = NULL;
	struct reset *reset;
	json_error_t error;

	if (json_unpack_ex(arguments, &error, JSON_STRICT, "{s?s, s?b, s?b, s?b, s?I}", "name", &name, "all", &all,
			   "now", &now, "force", &force, "deadline_ms", &deadline_ms)) {
		control_fail(request, EXIT_USAGE, "reset: %s", error.text);
		return;
	}
	if (!name == !all || deadline_ms < 0) {
		control_fail(request, EXIT_USAGE, "reset: wants either the name of an instance or all");
		return;
	}
	if (steerd->reset) {
		control_fail(request, EXIT_REFUSED,
			     "refused: %s is being reset, and one at a time is; wait for its end",
			     name_of(steerd->reset));
		return;
	}
	reset = calloc(1, sizeof(*reset));
	if (!reset) {
		control_fail(request, EXIT_FAILED, "out of memory");
		return;
	}
	*reset = (struct reset){
		.steerd = steerd,
		.now = now,
		.force = force,
		.limit_ns = deadline_ms ? (uint64_t)deadline_ms * NS_PER_MS : LIMIT_NS,
	};
	if (!names_collect(reset, request, name)) {
		free(reset);
		return;
	}
	if (sd_event_add_time_relative(steerd->loop, &reset->timer, CLOCK_MONOTONIC, LOOK_NS / 1000, 0, on_timer,
				       reset) < 0) {
		control_fail(request, EXIT_FAILED, "out of memory");
		free(reset);
		return;
	}
	sd_event_source_set_priority(reset->timer, CONTROL_PRIORITY);
	steerd->reset = reset;
	reset->request = request;
	control_on_close(request, on_gone, reset);
	instance_begin(reset);
}

void reset_close(struct steerd *steerd)
{
	struct reset *reset = steerd->reset;

	if (!reset)
		return;
	reset_fail_drained(reset, EXIT_NO_DAEMON, "aa-steerd stops%s",
			   reset->step == STEP_DRAIN	 ? " before its reset command was run"
			   : reset->step == STEP_COMMAND ? ", and its reset command was stopped"
							 : " after its reset command was run");
}
