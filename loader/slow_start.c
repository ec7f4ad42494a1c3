/* SPDX-License-Identifier: GPL-2.0-only */
/* Counting slow starts down. See slow_start.h. */
#include "slow_start.h"

#include <string.h>

#include "clock.h"
#include "log.h"
#include "steerd.h"

#define LEVELS	    255
#define STEP_US	    100000
#define ACCURACY_US 10000

uint8_t slow_start_level(uint64_t elapsed_ns, uint64_t duration_ns)
{
	if (elapsed_ns >= duration_ns)
		return 0;
	return (uint8_t)(LEVELS - (uint64_t)((double)elapsed_ns / (double)duration_ns * LEVELS));
}

static unsigned percent_of_level(uint8_t level)
{
	return (LEVELS + 1u - level) * 100 / (LEVELS + 1);
}

unsigned slow_start_percent(const struct unit *unit)
{
	return percent_of_level(unit->facts.slow_start);
}

unsigned slow_start_percent_of_tunnel(const struct model_tunnel *tunnel)
{
	unsigned own = slow_start_percent(&tunnel->unit), instance = slow_start_percent(&tunnel->instance->unit);

	return own < instance ? own : instance;
}

/* Returns whether it goes on. */
static bool unit_step(struct steerd *steerd, struct unit *unit, uint64_t now_ns)
{
	if (!unit->slow_ns)
		return false;
	unit->facts.slow_start = slow_start_level(now_ns - unit->slow_since_ns, unit->slow_ns);
	judge_slow_start(unit);
	if (unit->facts.slow_start)
		return true;
	slow_start_end(unit);
	steerd_event(steerd, "slow-start-done", unit->name, "%s takes all of its flows again", unit->name);
	return false;
}

static int on_step(sd_event_source *source, uint64_t usec, void *context)
{
	struct steerd *steerd = context;
	struct model *model = steerd->model;
	uint64_t now_ns = clock_monotonic_ns();
	bool goes_on = false;

	(void)usec;
	for (size_t i = 0; i < model->config->instance_count; i++)
		goes_on |= unit_step(steerd, &model->instances[i].unit, now_ns);
	for (size_t t = 0; t < model->config->tunnel_count; t++)
		goes_on |= unit_step(steerd, &model->tunnels[t].unit, now_ns);
	if (!goes_on) {
		steerd->slow_start = sd_event_source_disable_unref(steerd->slow_start);
		return 0;
	}
	sd_event_source_set_time(source, now_ns / 1000 + STEP_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void slow_start_begin(struct steerd *steerd, struct unit *unit, uint64_t duration_ns)
{
	int err = 0;

	if (!steerd->slow_start)
		err = sd_event_add_time_relative(steerd->loop, &steerd->slow_start, CLOCK_MONOTONIC, STEP_US,
						 ACCURACY_US, on_step, steerd);
	if (err < 0) {
		log_warning("%s takes all of its flows at once: %s", unit->name, strerror(-err));
		return;
	}
	sd_event_source_set_priority(steerd->slow_start, CONTROL_PRIORITY);
	unit->slow_since_ns = clock_monotonic_ns();
	unit->slow_ns = duration_ns;
	unit->facts.slow_start = slow_start_level(0, duration_ns);
}

void slow_start_end(struct unit *unit)
{
	unit->slow_ns = 0;
	unit->facts.slow_start = 0;
}

void slow_start_close(struct steerd *steerd)
{
	steerd->slow_start = sd_event_source_disable_unref(steerd->slow_start);
}
