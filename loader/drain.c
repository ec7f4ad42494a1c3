/* SPDX-License-Identifier: GPL-2.0-only */
/* What operators take out and put back: on disk, then in the maps. See drain.h. */
#include "drain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "drain_plan.h"
#include "log.h"
#include "slow_start.h"
#include "steerd.h"

#define DEADLINE_ACCURACY_US 1000
#define RETRY_NS	     NS_PER_SECOND /* of what could not be written */

json_t *drain_result(const struct steerd *steerd, const struct drain_target *target)
{
	char reason[DRAIN_REASON_BYTES];

	return json_pack("{s:s, s:s, s:s}", "name", target->unit->name, "state", unit_state_text(target->unit->state),
			 "reason", drain_reason(steerd->model, target, reason));
}

static void target_judge(struct steerd *steerd, const struct drain_target *target)
{
	if (target->instance)
		judge_instance(steerd->model, target->instance);
	else
		judge_tunnel(target->tunnel);
	steerd_unsettle(steerd);
}

static void target_settle(struct steerd *steerd, const struct drain_target *target)
{
	target_judge(steerd, target);
	steerd_settle(steerd);
}

/* Marks the tunnels of a target as silent, or has their silence measured from now on. */
static void target_silence(struct steerd *steerd, const struct drain_target *target, bool silent)
{
	uint64_t now_ns = clock_monotonic_ns();

	target->unit->silent = target->unit->silenced = silent;
	for (size_t t = 0; t < steerd->model->config->tunnel_count; t++) {
		struct model_tunnel *tunnel = &steerd->model->tunnels[t];

		if (!drain_target_has(target, tunnel))
			continue;
		tunnel->unit.silent = tunnel->unit.silenced = silent;
		tunnel->last_rx_ns = silent ? 0 : now_ns;
		tunnel->flows_counted_ns = 0;
		tunnel->connection->unsettled = true;
	}
}

/* --- deadlines -----------------------------------------------------------------------------------------------------
 */

static int on_deadline(sd_event_source *source, uint64_t usec, void *context);

/* Wakes at the next deadline, but no sooner than this. */
static void deadlines_arm(struct steerd *steerd, uint64_t not_before_ns)
{
	uint64_t at_ns;
	int err;

	steerd->drain_deadline = sd_event_source_disable_unref(steerd->drain_deadline);
	if (!admin_next_deadline(steerd->admin, &at_ns))
		return;
	if (at_ns < not_before_ns)
		at_ns = not_before_ns;
	err = sd_event_add_time(steerd->loop, &steerd->drain_deadline, CLOCK_REALTIME, at_ns / 1000 + 1,
				DEADLINE_ACCURACY_US, on_deadline, steerd);
	if (err >= 0)
		err = sd_event_source_set_priority(steerd->drain_deadline, CONTROL_PRIORITY);
	if (err < 0)
		log_error("the deadlines of drains cannot be kept: %s", strerror(-err));
}

/* Who is still there has to go. It is so in the maps even where it cannot be written; that is tried again. */
static int deadline_keep(struct steerd *steerd, const char *name)
{
	struct drain_target target = drain_target_find(steerd->model, name);
	uint64_t flows = target.unit ? drain_rest(steerd->model, &target).flows : 0;
	int err = admin_set_out(steerd->admin, name, ADMIN_OUT, 0);

	if (err)
		log_error("%s: that the deadline of its drain has passed cannot be remembered on disk: %s", name,
			  strerror(-err));
	if (!target.unit || target.unit->facts.admin_out != ADMIN_DRAINING)
		return err;
	target.unit->facts.admin_out = ADMIN_OUT;
	target_judge(steerd, &target);
	steerd_event(steerd, "drain-deadline", name,
		     "%s: the deadline of its drain passed before it was drained; %" PRIu64 " flow%s left, and moved",
		     name, flows, flows == 1 ? " was" : "s were");
	drain_wait_late(steerd, name);
	steerd_settle(steerd);
	return err;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *context)
{
	struct steerd *steerd = context;
	char name[NAME_BYTES];
	const char *next;
	uint64_t at_ns, now_ns = clock_wall_ns();
	int err = 0;

	(void)source, (void)usec;
	while (!err && (next = admin_next_deadline(steerd->admin, &at_ns)) && at_ns <= now_ns) {
		snprintf(name, sizeof(name), "%s", next);
		err = deadline_keep(steerd, name);
	}
	deadlines_arm(steerd, err ? now_ns + RETRY_NS : 0);
	return 0;
}

void drain_open(struct steerd *steerd)
{
	deadlines_arm(steerd, 0);
}

void drain_close(struct steerd *steerd)
{
	steerd->drain_deadline = sd_event_source_disable_unref(steerd->drain_deadline);
	drain_wait_close(steerd);
	drain_hook_close(steerd);
	slow_start_close(steerd);
}

/* --- the stores ----------------------------------------------------------------------------------------------------
 */

int drain_take_out(struct steerd *steerd, const struct drain_target *target, enum admin_out out, uint64_t deadline_ns)
{
	const char *name = target->unit->name;
	bool begins = !target->unit->facts.admin_out;
	int err;

	if (target->unit->facts.admin_out == ADMIN_OUT)
		return 0;
	err = admin_set_out(steerd->admin, name, out, deadline_ns ?: admin_deadline_ns(steerd->admin, name));
	if (err)
		return err;
	deadlines_arm(steerd, 0);
	target->unit->facts.admin_out = out;
	slow_start_end(target->unit);
	if (begins) {
		target_silence(steerd, target, false);
		flows_hurry(steerd);
		steerd_event(steerd, "drain", name, "%s is taken out", name);
	}
	target_settle(steerd, target);
	if (begins && target->instance)
		drain_hook_run(steerd, target->instance, true);
	return 0;
}

int drain_put_back(struct steerd *steerd, const struct drain_target *target)
{
	const struct model_instance *instance = target->instance ?: target->tunnel->instance;
	uint64_t slow_ns = instance->config->slow_start_ns;
	const char *name = target->unit->name;
	int err = admin_set_out(steerd->admin, name, 0, 0);

	if (err)
		return err;
	deadlines_arm(steerd, 0);
	target->unit->facts.admin_out = 0;
	if (slow_ns)
		slow_start_begin(steerd, target->unit, slow_ns);
	target_silence(steerd, target, false);
	if (target->unit->facts.slow_start)
		steerd_event(steerd, "undrain", name, "%s is put back, and takes its flows over %.3g s", name,
			     (double)slow_ns / NS_PER_SECOND);
	else
		steerd_event(steerd, "undrain", name, "%s is put back", name);
	target_settle(steerd, target);
	if (target->instance)
		drain_hook_run(steerd, target->instance, false);
	return 0;
}

void drain_silence(struct steerd *steerd, const struct drain_target *target)
{
	target_silence(steerd, target, true);
	target_settle(steerd, target);
}

/* Flows have left one that is drained, and none may come back. Where that cannot be written, the next tick tries. */
static bool unit_is_to_shut(struct steerd *steerd, struct unit *unit)
{
	if (unit->facts.admin_out != ADMIN_DRAINING || !unit->silent ||
	    admin_set_out(steerd->admin, unit->name, ADMIN_OUT, 0))
		return false;
	unit->facts.admin_out = ADMIN_OUT;
	return true;
}

void drain_tick(struct steerd *steerd, uint64_t now_ns)
{
	struct model *model = steerd->model;

	if (drain_watch(model, now_ns))
		steerd_unsettle(steerd);
	for (size_t i = 0; i < model->config->instance_count; i++)
		if (unit_is_to_shut(steerd, &model->instances[i].unit))
			judge_instance(model, &model->instances[i]);
	for (size_t t = 0; t < model->config->tunnel_count; t++)
		if (unit_is_to_shut(steerd, &model->tunnels[t].unit))
			judge_tunnel(&model->tunnels[t]);
}

/* --- the commands --------------------------------------------------------------------------------------------------
 */

struct drain_arguments {
	const char *name;
	int now, wait, force, dry_run;
	json_int_t deadline_ms; /* 0: none */
};

/* Answers where that cannot be. */
static bool arguments_read(struct control_request *request, json_t *json, struct drain_arguments *arguments)
{
	json_error_t error;

	*arguments = (struct drain_arguments){0};
	if (!json_unpack_ex(json, &error, JSON_STRICT, "{s:s, s?b, s?b, s?b, s?b, s?I}", "name", &arguments->name,
			    "now", &arguments->now, "wait", &arguments->wait, "force", &arguments->force, "dry_run",
			    &arguments->dry_run, "deadline_ms", &arguments->deadline_ms)) {
		if (arguments->deadline_ms >= 0)
			return true;
		snprintf(error.text, sizeof(error.text), "deadline_ms is negative");
	}
	control_fail(request, EXIT_USAGE, "drain: %s", error.text);
	return false;
}

/* Which connection it would leave with nothing, unless that is wanted; NULL: none. */
static const struct model_connection *cut_by(const struct steerd *steerd, const struct drain_target *target, int force)
{
	return target->unit->facts.admin_out || force ? NULL
						      : judge_cut_by(steerd->model, target->instance, target->tunnel);
}

/* What would become of it, with the exit code that it would have. result is taken over. */
static void refuse(struct control_request *request, const struct drain_target *target,
		   const struct model_connection *cut, json_t *result)
{
	char message[256];

	snprintf(message, sizeof(message),
		 "refused: without '%s' connection '%s' has no usable tunnel left (--force does it all the same)",
		 target->unit->name, cut->config->name);
	control_answer(request, EXIT_REFUSED, message, result);
}

static void answer_plan(const struct steerd *steerd, struct control_request *request, const struct drain_target *target,
			const struct model_connection *cut)
{
	json_t *plan = drain_plan(steerd->model, steerd->datapath->rows, target);

	if (!plan)
		control_fail(request, EXIT_FAILED, "out of memory");
	else if (cut)
		refuse(request, target, cut, plan);
	else
		control_answer(request, EXIT_DONE, NULL, plan);
}

void drain_run(struct control_request *request, json_t *json, void *context)
{
	struct steerd *steerd = context;
	const struct model_connection *cut;
	struct drain_arguments arguments;
	struct drain_target target;
	uint64_t deadline_ns;
	int err;

	if (!arguments_read(request, json, &arguments))
		return;
	target = drain_target_find(steerd->model, arguments.name);
	if (!target.unit) {
		control_fail(request, EXIT_FAILED, "no instance or tunnel is called '%s'", arguments.name);
		return;
	}
	cut = cut_by(steerd, &target, arguments.force);
	if (arguments.dry_run) {
		answer_plan(steerd, request, &target, cut);
		return;
	}
	if (cut) {
		refuse(request, &target, cut, NULL);
		return;
	}
	deadline_ns = arguments.deadline_ms ? clock_wall_ns() + (uint64_t)arguments.deadline_ms * NS_PER_MS : 0;
	err = drain_take_out(steerd, &target, arguments.now ? ADMIN_OUT : ADMIN_DRAINING, deadline_ns);
	if (err) {
		control_fail(request, EXIT_FAILED, "'%s' stays as it was: this cannot be remembered on disk: %s",
			     arguments.name, strerror(-err));
		return;
	}
	if (arguments.now)
		drain_silence(steerd, &target);
	if (arguments.wait)
		drain_wait(steerd, request, arguments.name, (uint64_t)arguments.deadline_ms);
	else
		control_answer(request, EXIT_DONE, NULL, drain_result(steerd, &target));
}

void undrain_run(struct control_request *request, json_t *arguments, void *context)
{
	struct steerd *steerd = context;
	struct drain_target target;
	json_error_t error;
	const char *name;
	int err = 0;

	if (json_unpack_ex(arguments, &error, JSON_STRICT, "{s:s}", "name", &name)) {
		control_fail(request, EXIT_USAGE, "undrain: %s", error.text);
		return;
	}
	target = drain_target_find(steerd->model, name);
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
		err = drain_put_back(steerd, &target);
	if (err)
		control_fail(request, EXIT_FAILED, "'%s' stays out: this cannot be remembered on disk: %s", name,
			     strerror(-err));
	else
		control_answer(request, EXIT_DONE, NULL, drain_result(steerd, &target));
}
