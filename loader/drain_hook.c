/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `on-drain` and `on-undrain`: commands that follow a drain, so that a routing daemon has the peer leave the instance,
 * or come back. See drain.h; child.h runs them.
 *
 * Neither is waited for: a drain goes on whatever becomes of its command, and ends when the peer is seen to have left.
 * One command of an instance runs at a time, so that the last one says what holds. A failure is an event, and a warning
 * of status until the instance's next command. Knows instances by name: reloads may come in between.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "clock.h"
#include "steerd.h"

#define LIMIT_NS (60 * NS_PER_SECOND)

enum hook_kind { HOOK_NONE, HOOK_DRAIN, HOOK_UNDRAIN };

static const char *const kind_text[] = {[HOOK_DRAIN] = "on-drain", [HOOK_UNDRAIN] = "on-undrain"};

/* Of one instance, from its first command on. */
struct drain_hook {
	struct drain_hook *next;
	struct steerd *steerd;
	char name[NAME_BYTES];
	struct child *child;		   /* NULL: none runs */
	enum hook_kind kind;		   /* of the one that runs, or ran last */
	enum hook_kind then;		   /* to be run after it */
	char failure[CHILD_FAILURE_BYTES]; /* of the one that ran last; "" it worked */
};

static struct drain_hook *hook_find(const struct steerd *steerd, const char *name)
{
	struct drain_hook *hook = steerd->hooks;

	while (hook && strcmp(hook->name, name))
		hook = hook->next;
	return hook;
}

static struct drain_hook *hook_new(struct steerd *steerd, const char *name)
{
	struct drain_hook *hook = calloc(1, sizeof(*hook));

	if (!hook)
		return NULL;
	hook->steerd = steerd;
	snprintf(hook->name, sizeof(hook->name), "%s", name);
	hook->next = steerd->hooks;
	steerd->hooks = hook;
	return hook;
}

static const char *command_of(const struct model_instance *instance, enum hook_kind kind)
{
	return kind == HOOK_DRAIN ? instance->config->on_drain : instance->config->on_undrain;
}

static const char *consequence_of(enum hook_kind kind)
{
	return kind == HOOK_DRAIN ? "the drain goes on without it" : "the instance is in use all the same";
}

static void hook_failed(struct drain_hook *hook, const char *failure)
{
	snprintf(hook->failure, sizeof(hook->failure), "%s", failure);
	steerd_event(hook->steerd, "hook-failed", hook->name, "%s: its %s command %s; %s", hook->name,
		     kind_text[hook->kind], failure, consequence_of(hook->kind));
}

static void hook_start(struct drain_hook *hook, const struct model_instance *instance, enum hook_kind kind);

static void on_ended(const struct child_end *end, void *context)
{
	struct drain_hook *hook = context;
	const struct model_instance *instance = model_instance_by_name(hook->steerd->model, hook->name);
	enum hook_kind then = hook->then;
	char buffer[CHILD_FAILURE_BYTES];
	const char *failure = child_failure(end, LIMIT_NS, buffer);

	hook->child = NULL;
	hook->then = HOOK_NONE;
	if (failure)
		hook_failed(hook, failure);
	else
		steerd_event(hook->steerd, "hook", hook->name, "%s: its %s command has run%s%s%s", hook->name,
			     kind_text[hook->kind], end->last[0] ? " (\"" : "", end->last, end->last[0] ? "\")" : "");
	if (then && instance)
		hook_start(hook, instance, then);
}

/* Of a kind for which the configuration has no command, too: what failed before does not matter any more then. */
static void hook_start(struct drain_hook *hook, const struct model_instance *instance, enum hook_kind kind)
{
	struct child_options options = {
		.command = command_of(instance, kind),
		.instance = hook->name,
		.gateway = hook->steerd->model->config->name,
		.limit_ns = LIMIT_NS,
		.ended = on_ended,
		.context = hook,
	};
	char failure[CHILD_FAILURE_BYTES];
	int err;

	hook->kind = kind;
	hook->failure[0] = 0;
	if (!options.command)
		return;
	err = child_start(hook->steerd->loop, &options, &hook->child);
	if (!err)
		return;
	snprintf(failure, sizeof(failure), "cannot be run: %s", strerror(-err));
	hook_failed(hook, failure);
}

void drain_hook_run(struct steerd *steerd, const struct model_instance *instance, bool drains)
{
	enum hook_kind kind = drains ? HOOK_DRAIN : HOOK_UNDRAIN;
	struct drain_hook *hook = hook_find(steerd, instance->unit.name);

	if (!hook && command_of(instance, kind))
		hook = hook_new(steerd, instance->unit.name);
	if (!hook)
		return;
	if (hook->child)
		hook->then = hook->kind == kind ? HOOK_NONE : kind;
	else
		hook_start(hook, instance, kind);
}

void drain_hook_warn(const struct steerd *steerd, const char *name, json_t *warnings)
{
	for (const struct drain_hook *hook = steerd->hooks; hook; hook = hook->next) {
		if (!hook->failure[0] || (name && strcmp(name, hook->name)))
			continue;
		json_array_append_new(warnings,
				      json_pack("{s:s, s:s, s:o}", "level", "warning", "subject", hook->name, "message",
						json_sprintf("its %s command %s; %s", kind_text[hook->kind],
							     hook->failure, consequence_of(hook->kind))));
	}
}

void drain_hook_close(struct steerd *steerd)
{
	while (steerd->hooks) {
		struct drain_hook *hook = steerd->hooks;

		if (hook->child)
			hook_failed(hook, "was stopped, as aa-steerd stops");
		child_stop(hook->child);
		steerd->hooks = hook->next;
		free(hook);
	}
}
