/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose turn it is: the mode in force and the order of instances, from the configuration, `aa-steer mode`, and, without
 * preemption, from who failed before.
 *
 * An operator's mode holds until the file's own mode changes. Order is part of what rows are made of, and these never
 * change once programs read them: another order is another generation (generation_rebuild()), built beside the running
 * one from the same configuration, so that no packet is lost, and rows.c sees to it that only flows move that must.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "steerd.h"

#define ORDER_BYTES (MAX_INSTANCES * (NAME_BYTES + 2))

/* Who is out for this long, while another carries in its place, has lost its turn. What failed with it is stored first.
 */
#define YIELD_NS (NS_PER_SECOND / 2)

static bool is_by_hand(const struct admin_order *order, const struct config *config)
{
	return order->by_hand && order->over == config->mode;
}

void mode_apply(const struct steerd *steerd, struct model *model)
{
	const struct admin_order *order = admin_order(steerd->admin);
	bool by_hand = is_by_hand(order, model->config);

	model_order(model, by_hand ? order->mode : model->config->mode, by_hand ? order->first : NULL, order->behind,
		    model->config->preempt ? 0 : order->behind_count);
}

/* The instance whose turn is the tier'th. */
static const struct model_instance *instance_at(const struct model *model, uint32_t tier)
{
	size_t i = 0;

	while (i + 1 < model->config->instance_count && model->instances[i].tier != tier)
		i++;
	return &model->instances[i];
}

json_t *mode_json(const struct steerd *steerd)
{
	const struct model *model = steerd->model;
	const struct config *config = model->config;
	json_t *json = json_pack("{s:s, s:s}", "mode", config_mode_text(model->mode), "mode_by", "file"), *order;

	if (is_by_hand(admin_order(steerd->admin), config)) {
		json_object_set_new(json, "mode_by", json_string("hand"));
		json_object_set_new(json, "mode_file", json_string(config_mode_text(config->mode)));
	}
	if (model->mode != MODE_ACTIVE_STANDBY)
		return json;
	order = json_array();
	for (uint32_t tier = 0; tier < config->instance_count; tier++)
		json_array_append_new(order, json_string(instance_at(model, tier)->unit.name));
	json_object_set_new(json, "order", order);
	json_object_set_new(json, "preempt", json_boolean(config->preempt));
	return json;
}

/* "active-standby, in the order in1, in0". */
static const char *mode_text(const struct model *model, char buffer[ORDER_BYTES])
{
	int length = snprintf(buffer, ORDER_BYTES, "%s", config_mode_text(model->mode));

	for (uint32_t tier = 0; model->mode == MODE_ACTIVE_STANDBY && tier < model->config->instance_count; tier++)
		length += snprintf(buffer + length, ORDER_BYTES - (size_t)length, "%s%s",
				   tier ? ", " : ", in the order ", instance_at(model, tier)->unit.name);
	return buffer;
}

void mode_loaded(struct steerd *steerd)
{
	const struct config *config = steerd->model->config;
	struct admin_order order = *admin_order(steerd->admin);
	bool ended = order.by_hand && order.over != config->mode;
	bool moot = order.behind_count && (config->preempt || steerd->model->mode != MODE_ACTIVE_STANDBY);
	int err;

	if (!ended && !moot)
		return;
	if (ended) {
		order.by_hand = false;
		order.first[0] = 0;
	}
	if (moot)
		order.behind_count = 0;
	err = admin_set_order(steerd->admin, &order);
	if (err)
		log_error("that the file's mode holds again cannot be remembered on disk: %s", strerror(-err));
	if (ended)
		steerd_event(steerd, "mode", NULL, "mode %s, by the file, which has changed: the one set by hand ends",
			     config_mode_text(config->mode));
}

/* On disk first, so that a daemon that dies on the way starts with the new order. */
static int order_change(struct steerd *steerd, const struct admin_order *order, char *error, size_t error_size)
{
	struct admin_order before = *admin_order(steerd->admin);
	int err = admin_set_order(steerd->admin, order);

	if (err) {
		snprintf(error, error_size, "this cannot be remembered on disk: %s", strerror(-err));
		return err;
	}
	err = generation_rebuild(steerd, error, error_size);
	if (err && admin_set_order(steerd->admin, &before))
		log_error("the mode on disk is not the one that runs: it comes into force with the next start");
	return err;
}

/* --- without preemption --------------------------------------------------------------------------------------------
 */

static bool is_out(const struct model_instance *instance)
{
	return instance->unit.state != UNIT_ACTIVE && instance->unit.state != UNIT_STANDBY;
}

/* The first of those behind it that carries. */
static const struct model_instance *successor_of(const struct model *model, const struct model_instance *instance)
{
	for (uint32_t tier = instance->tier + 1; tier < model->config->instance_count; tier++) {
		const struct model_instance *other = instance_at(model, tier);

		if (other->tunnels && other->unit.state == UNIT_ACTIVE)
			return other;
	}
	return NULL;
}

static bool has_lost_its_turn(const struct model *model, const struct model_instance *instance)
{
	return model->mode == MODE_ACTIVE_STANDBY && !model->config->preempt && is_out(instance) &&
	       successor_of(model, instance);
}

static void behind_remove(struct admin_order *order, size_t at)
{
	order->behind_count--;
	memmove(order->behind[at], order->behind[at + 1], (order->behind_count - at) * NAME_BYTES);
}

/* Behind all others. Names that left the configuration make room. */
static void behind_add(struct admin_order *order, const struct model *model, const char *name)
{
	for (size_t i = order->behind_count; i-- > 0;)
		if (!strcmp(order->behind[i], name) || !model_instance_by_name(model, order->behind[i]))
			behind_remove(order, i);
	snprintf(order->behind[order->behind_count++], NAME_BYTES, "%s", name);
	if (!strcmp(order->first, name))
		order->first[0] = 0;
}

/* No flow moves: all that these instances carried has left them. */
static int on_yield(sd_event_source *source, uint64_t usec, void *context)
{
	struct steerd *steerd = context;
	struct admin_order order = *admin_order(steerd->admin);
	/* The configuration's, which the next generation has, too. */
	const char *lost[MAX_INSTANCES], *to[MAX_INSTANCES];
	size_t count = 0;
	char error[512];

	(void)source, (void)usec;
	steerd->yielding = sd_event_source_disable_unref(steerd->yielding);
	for (uint32_t tier = 0; tier < steerd->model->config->instance_count; tier++) {
		const struct model_instance *instance = instance_at(steerd->model, tier);

		if (!has_lost_its_turn(steerd->model, instance))
			continue;
		behind_add(&order, steerd->model, instance->unit.name);
		lost[count] = instance->unit.name;
		to[count++] = successor_of(steerd->model, instance)->unit.name;
	}
	if (count && order_change(steerd, &order, error, sizeof(error))) {
		log_error("instances that lost their turn take it again when they are back: %s", error);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		steerd_event(steerd, "yield", lost[i],
			     "%s has lost its turn to %s: it stands by when it is back (gateway.preempt is false)",
			     lost[i], to[i]);
	return 0;
}

void mode_watch(struct steerd *steerd)
{
	bool wanted = false;

	for (size_t i = 0; i < steerd->model->config->instance_count; i++)
		wanted |= has_lost_its_turn(steerd->model, &steerd->model->instances[i]);
	if (!wanted)
		steerd->yielding = sd_event_source_disable_unref(steerd->yielding);
	else if (!steerd->yielding && sd_event_add_time_relative(steerd->loop, &steerd->yielding, CLOCK_MONOTONIC,
								 YIELD_NS / 1000, 0, on_yield, steerd) >= 0)
		sd_event_source_set_priority(steerd->yielding, CONTROL_PRIORITY); /* after all news */
}

void mode_close(struct steerd *steerd)
{
	steerd->yielding = sd_event_source_disable_unref(steerd->yielding);
}

/* --- by hand -------------------------------------------------------------------------------------------------------
 */

static bool is_in_force(const struct steerd *steerd, const struct admin_order *wanted)
{
	const struct admin_order *order = admin_order(steerd->admin);

	if (order->by_hand != wanted->by_hand || order->behind_count)
		return false;
	return !order->by_hand ||
	       (order->mode == wanted->mode && order->over == wanted->over && !strcmp(order->first, wanted->first));
}

/* What the operator asks for, as an order; the file's own mode without anybody put first is no more than the file's. */
static struct admin_order order_wanted(const struct steerd *steerd, enum config_mode mode, const char *active)
{
	struct admin_order order = {.by_hand = true, .mode = mode, .over = steerd->model->config->mode};

	if (!active && mode == order.over)
		return (struct admin_order){0};
	snprintf(order.first, sizeof(order.first), "%s", active ?: "");
	return order;
}

void mode_run(struct control_request *request, json_t *arguments, void *context)
{
	struct steerd *steerd = context;
	const char *word, *active = NULL;
	struct admin_order order;
	enum config_mode mode;
	char text[ORDER_BYTES], error[512];
	json_error_t fault;

	if (json_unpack_ex(arguments, &fault, JSON_STRICT, "{s:s, s?s}", "mode", &word, "active", &active)) {
		control_fail(request, EXIT_USAGE, "mode: %s", fault.text);
		return;
	}
	if (config_mode_of(word, &mode)) {
		control_fail(request, EXIT_USAGE, "mode: '%s' is not one of active-active, active-standby", word);
		return;
	}
	if (active && mode != MODE_ACTIVE_STANDBY) {
		control_fail(request, EXIT_USAGE,
			     "mode: --active chooses who is first in active-standby; in active-active everybody is");
		return;
	}
	if (active && !model_instance_by_name(steerd->model, active)) {
		control_fail(request, EXIT_FAILED, "no instance is called '%s'", active);
		return;
	}
	order = order_wanted(steerd, mode, active);
	if (!is_in_force(steerd, &order)) {
		if (order_change(steerd, &order, error, sizeof(error))) {
			control_fail(request, EXIT_FAILED, "the mode stays %s: %s", mode_text(steerd->model, text),
				     error);
			return;
		}
		steerd_event(steerd, "mode", active, "mode %s, by hand", mode_text(steerd->model, text));
	}
	control_answer(request, EXIT_DONE, NULL, mode_json(steerd));
}
