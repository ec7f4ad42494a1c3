/* SPDX-License-Identifier: GPL-2.0-only */
/* An audit as a whole. See audit.h. */
#include "audit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "audit_gather.h"
#include "audit_list.h"

static void tell(struct audit_list *list, enum audit_level level, const char *subject, const char *message)
{
	json_array_append_new(list->findings,
			      json_pack("{s:s, s:s, s:s}", "level", level == AUDIT_ERROR ? "error" : "warning",
					"subject", subject, "message", message));
}

void audit_find(struct audit_list *list, enum audit_level level, const char *subject, const char *format, ...)
{
	char message[768];
	va_list arguments;

	if ((int)level > list->worst)
		list->worst = level;
	if (++list->count > AUDIT_FINDINGS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	tell(list, level, subject, message);
}

int audit_findings(const struct config *config, const struct prefix_index *prefixes, const struct audit_facts *facts,
		   json_t *findings)
{
	struct audit_list list = {.findings = findings};
	char message[128];

	/* What concerns everything comes first, so that no crowd of connections hides it. */
	if (facts)
		audit_host(&list, config, facts);
	audit_config(&list, config, prefixes);
	if (facts && !facts->links_error) {
		audit_links(&list, config, facts);
		audit_ways(&list, config, facts);
	}
	if (list.count > AUDIT_FINDINGS_MAX) {
		snprintf(message, sizeof(message),
			 "%zu findings more are not shown: mend those that are, and look again",
			 list.count - AUDIT_FINDINGS_MAX);
		tell(&list, (enum audit_level)list.worst, config->name, message);
	}
	return list.worst;
}

/* --- of the box as it is, without a daemon --- */

static void ignore_link(const struct link *link, void *context)
{
	(void)link, (void)context;
}

static void ignore_address(const struct own_address *address, bool present, void *context)
{
	(void)address, (void)present, (void)context;
}

static void ignore_sa(uint32_t if_id, bool present, void *context)
{
	(void)if_id, (void)present, (void)context;
}

static bool is_own(const struct config_address *address, void *context)
{
	const struct audit_sources *sources = context;

	return addresses_is_own(sources->addresses, address);
}

static void sources_open(sd_event *loop, struct audit_sources *sources)
{
	int err = links_open(loop, ignore_link, ignore_link, NULL, &sources->links);

	if (!err)
		err = addresses_open(loop, ignore_address, NULL, &sources->addresses);
	sources->links_error = err;
	if (!err)
		sources->sas_error = sas_open(loop, is_own, ignore_sa, ignore_sa, sources, &sources->sas);
}

static void sources_close(struct audit_sources *sources)
{
	sas_close(sources->sas);
	addresses_close(sources->addresses);
	links_close(sources->links);
}

int audit(const struct config *config, json_t *findings)
{
	struct audit_sources sources = {0};
	struct prefix_index *prefixes = NULL;
	struct audit_gather *gather = NULL;
	sd_event *loop = NULL;
	int worst = AUDIT_ERROR, err = sd_event_new(&loop);

	if (err >= 0)
		err = prefix_index_new(config, &prefixes);
	if (!err) {
		sources_open(loop, &sources);
		err = audit_gather_new(config, prefixes, &sources, NULL, &gather);
	}
	if (!err) {
		while (audit_gather_step(gather))
			continue;
		worst = audit_findings(config, prefixes, audit_gather_facts(gather), findings);
	} else {
		tell(&(struct audit_list){.findings = findings}, AUDIT_ERROR, config->name, strerror(-err));
	}
	audit_gather_free(gather);
	prefix_index_free(prefixes);
	sources_close(&sources);
	sd_event_unref(loop);
	return worst;
}
