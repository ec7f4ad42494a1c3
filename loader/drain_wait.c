/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `drain --wait`: keeps the request until what it asked for is drained, or its deadline has passed, and tells each
 * second how it goes. Knows names, no pointers into the model: reloads may come in between. See drain.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "steerd.h"

#define PROGRESS_NS NS_PER_SECOND

struct waiter {
	struct waiter *next;
	struct steerd *steerd;
	struct control_request *request;
	char name[NAME_BYTES];
	uint64_t deadline_ns; /* monotonic; 0: none */
	sd_event_source *timer;
};

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

static void answer_late(struct steerd *steerd, struct control_request *request, const struct drain_target *target)
{
	char reason[DRAIN_REASON_BYTES], message[DRAIN_REASON_BYTES + 64];

	snprintf(message, sizeof(message), "the deadline passed, and %s is not drained: %s", target->unit->name,
		 drain_reason(steerd->model, target, reason));
	control_answer(request, EXIT_TIMED_OUT, message, drain_result(steerd, target));
}

/* Answers if the waiting has an end now. */
static bool waiter_check(struct waiter *waiter)
{
	struct steerd *steerd = waiter->steerd;
	struct drain_target target = drain_target_find(steerd->model, waiter->name);
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
		control_answer(request, EXIT_DONE, NULL, drain_result(steerd, &target));
	} else if (waiter->deadline_ns && clock_monotonic_ns() >= waiter->deadline_ns) {
		waiter_free(waiter);
		answer_late(steerd, request, &target);
	} else {
		return false;
	}
	return true;
}

static uint64_t waiter_next_ns(const struct waiter *waiter)
{
	uint64_t next_ns = clock_monotonic_ns() + PROGRESS_NS;

	return waiter->deadline_ns && waiter->deadline_ns < next_ns ? waiter->deadline_ns : next_ns;
}

static void waiter_tell(const struct waiter *waiter)
{
	const struct model *model = waiter->steerd->model;
	struct drain_target target = drain_target_find(model, waiter->name);
	struct drain_rest rest = drain_rest(model, &target);

	control_progress(waiter->request, json_pack("{s:s, s:s, s:I, s:I}", "name", target.unit->name, "state",
						    unit_state_text(target.unit->state), "flows",
						    (json_int_t)rest.flows, "rx_pps", (json_int_t)rest.rx_pps));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct waiter *waiter = context;

	(void)usec;
	if (waiter_check(waiter))
		return 0;
	waiter_tell(waiter);
	sd_event_source_set_time(source, waiter_next_ns(waiter) / 1000 + 1);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void drain_wait(struct steerd *steerd, struct control_request *request, const char *name, uint64_t deadline_ms)
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
	sd_event_add_time(steerd->loop, &waiter->timer, CLOCK_MONOTONIC, waiter_next_ns(waiter) / 1000 + 1, 0, on_timer,
			  waiter);
}

void drain_wait_settled(struct steerd *steerd)
{
	struct waiter *next;

	for (struct waiter *waiter = steerd->waiters; waiter; waiter = next) {
		next = waiter->next;
		waiter_check(waiter);
	}
}

void drain_wait_late(struct steerd *steerd, const char *name)
{
	for (struct waiter *waiter = steerd->waiters; waiter; waiter = waiter->next)
		if (waiter->deadline_ns && !strcmp(waiter->name, name))
			waiter->deadline_ns = clock_monotonic_ns();
}

void drain_wait_close(struct steerd *steerd)
{
	while (steerd->waiters) {
		struct control_request *request = steerd->waiters->request;

		waiter_free(steerd->waiters);
		control_fail(request, EXIT_NO_DAEMON, "aa-steerd stops; what was drained stays so");
	}
}
