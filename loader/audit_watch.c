/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The audit of the running daemon: what `status` warns of.
 *
 * An audit is gathered step by step (audit_gather.h) whenever the loop has nothing else to do, so that nothing waits
 * for it longer than for one step; then it is judged as a whole. One begins with each generation, soon after interfaces
 * or addresses changed, and every half minute, for nobody tells of policies, rules and foreign routes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit_gather.h"
#include "clock.h"
#include "log.h"
#include "steerd.h"

#define AUDIT_PRIORITY 10 /* after everything else of the loop */
#define AUDIT_EVERY_NS (30 * NS_PER_SECOND)
#define AUDIT_PAUSE_NS (3 * NS_PER_SECOND) /* from the end of one to the next, whatever changes */

struct audit_watch {
	sd_event_source *idle;
	struct prefix_index *prefixes; /* of the generation that forwards; NULL: there is no memory for it */
	struct audit_gather *gather;   /* NULL: none is under way */
	struct audit_kernel kernel;    /* looked at once */
	bool kernel_known;
	bool stale;	    /* something changed since the latest began */
	uint64_t ended_ns;  /* monotonic: the latest; 0 before the first */
	uint64_t judged_ns; /* wall clock: likewise */
	json_t *findings;   /* of the latest; NULL before the first */
};

static void stop(struct audit_watch *watch)
{
	audit_gather_free(watch->gather);
	watch->gather = NULL;
	sd_event_source_set_enabled(watch->idle, SD_EVENT_OFF);
}

static void start(struct steerd *steerd)
{
	struct audit_watch *watch = steerd->audit;
	struct audit_sources sources = {
		.links = steerd->links, .addresses = steerd->addresses, .sas = steerd->sas,
		/* That it is missing was told when it was opened. */
	};

	stop(watch);
	watch->stale = false;
	if (!watch->prefixes || audit_gather_new(steerd->model->config, watch->prefixes, &sources,
						 watch->kernel_known ? &watch->kernel : NULL, &watch->gather))
		return;
	sd_event_source_set_enabled(watch->idle, SD_EVENT_ON);
}

static int on_idle(sd_event_source *source, void *context)
{
	struct steerd *steerd = context;
	struct audit_watch *watch = steerd->audit;
	const struct audit_facts *facts;

	(void)source;
	if (audit_gather_step(watch->gather))
		return 0;
	facts = audit_gather_facts(watch->gather);
	watch->kernel = facts->kernel;
	watch->kernel_known = true;
	json_decref(watch->findings);
	watch->findings = json_array();
	audit_findings(steerd->model->config, watch->prefixes, facts, watch->findings);
	watch->ended_ns = clock_monotonic_ns();
	watch->judged_ns = clock_wall_ns();
	stop(watch);
	return 0;
}

int audit_watch_open(struct steerd *steerd)
{
	struct audit_watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return -ENOMEM;
	steerd->audit = watch;
	err = sd_event_add_defer(steerd->loop, &watch->idle, on_idle, steerd);
	if (err >= 0)
		err = sd_event_source_set_priority(watch->idle, AUDIT_PRIORITY);
	if (err >= 0)
		err = sd_event_source_set_enabled(watch->idle, SD_EVENT_OFF);
	return err < 0 ? err : 0;
}

void audit_watch_close(struct steerd *steerd)
{
	struct audit_watch *watch = steerd->audit;

	if (!watch)
		return;
	audit_gather_free(watch->gather);
	prefix_index_free(watch->prefixes);
	sd_event_source_disable_unref(watch->idle);
	json_decref(watch->findings);
	free(watch);
	steerd->audit = NULL;
}

void audit_watch_generation(struct steerd *steerd)
{
	struct audit_watch *watch = steerd->audit;

	stop(watch);
	prefix_index_free(watch->prefixes);
	watch->prefixes = NULL;
	if (prefix_index_new(steerd->model->config, &watch->prefixes))
		log_warning("nothing is audited: out of memory");
	start(steerd);
}

void audit_watch_changed(struct steerd *steerd)
{
	steerd->audit->stale = true;
}

void audit_watch_tick(struct steerd *steerd, uint64_t now_ns)
{
	struct audit_watch *watch = steerd->audit;
	uint64_t pause_ns = watch->stale ? AUDIT_PAUSE_NS : AUDIT_EVERY_NS;

	if (!watch->gather && now_ns - watch->ended_ns >= pause_ns)
		start(steerd);
}

/* Is a finding's subject what is called name, or a tunnel of the connection of that name? */
static bool concerns(const struct steerd *steerd, const json_t *finding, const char *name)
{
	const char *subject = json_string_value(json_object_get(finding, "subject"));
	const struct model_tunnel *tunnel = model_tunnel_by_name(steerd->model, subject);

	return !strcmp(subject, name) || (tunnel && !strcmp(tunnel->connection->config->name, name));
}

json_t *audit_watch_warnings(const struct steerd *steerd, const char *name)
{
	json_t *warnings = json_array(), *finding;
	size_t i;

	json_array_foreach (steerd->audit->findings, i, finding)
		if (!name || concerns(steerd, finding, name))
			json_array_append(warnings, finding);
	return warnings;
}

uint64_t audit_watch_time_ns(const struct steerd *steerd)
{
	return steerd->audit->judged_ns;
}
