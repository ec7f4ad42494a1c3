/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What random_judge knows of a gateway beside its traffic: the steps of a sequence, each with what was done and the
 * look (random_look) after it, and what may be asked of them. A step's look tells of the time when it had settled.
 * Functions end the program where the file is not as random_judge.c says; what they return is the step's.
 */
#ifndef TESTS_RANDOM_STEPS_H
#define TESTS_RANDOM_STEPS_H

#include <err.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_STEPS 4096

struct step {
	json_t *done; /* NULL: of the first look */
	json_t *look;
	uint64_t begin_ns, settled_ns;
};

static struct step steps[MAX_STEPS];
static uint32_t step_count;

static inline uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static inline const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static inline void steps_read(const char *path)
{
	FILE *file = fopen(path, "r");
	json_t *line, *done = NULL;
	json_error_t error;

	if (!file)
		err(1, "%s", path);
	while ((line = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error))) {
		struct step *step = &steps[step_count];

		if (!json_object_get(line, "status")) {
			done = line;
			continue;
		}
		if (step_count == MAX_STEPS || (step_count && !done))
			errx(1, "%s: too many steps, or a look that nothing was done before", path);
		*step = (struct step){.done = done, .look = line, .settled_ns = number(line, "settled_ns")};
		step->begin_ns = done ? number(done, "begin_ns") : 0;
		step_count++;
		done = NULL;
	}
	if (!feof(file))
		errx(1, "%s: %s", path, error.text);
	fclose(file);
	if (!step_count)
		errx(1, "%s: no steps", path);
}

static inline json_t *connection_find(const struct step *step, const char *name)
{
	json_t *connection;
	size_t c;

	json_array_foreach (json_object_get(json_object_get(step->look, "status"), "connections"), c, connection)
		if (!strcmp(text(connection, "name"), name))
			return connection;
	return NULL;
}

static inline bool state_usable(const char *state)
{
	return !strcmp(state, "active") || !strcmp(state, "standby");
}

static inline bool connection_usable(const struct step *step, const char *name)
{
	json_t *tunnel;
	size_t t;

	json_array_foreach (json_object_get(connection_find(step, name), "tunnels"), t, tunnel)
		if (state_usable(text(tunnel, "state")))
			return true;
	return false;
}

static inline json_t *tunnel_find(const struct step *step, const char *name)
{
	json_t *connection, *tunnel;
	size_t c, t;

	json_array_foreach (json_object_get(json_object_get(step->look, "status"), "connections"), c, connection)
		json_array_foreach (json_object_get(connection, "tunnels"), t, tunnel)
			if (!strcmp(text(tunnel, "name"), name))
				return tunnel;
	return NULL;
}

static inline bool is_active(const struct step *step, const char *tunnel)
{
	return !strcmp(text(tunnel_find(step, tunnel), "state"), "active");
}

/* Is it this tunnel, or its instance? */
static inline bool is_of(const struct step *step, const char *tunnel, const char *name)
{
	return !strcmp(tunnel, name) || !strcmp(text(tunnel_find(step, tunnel), "instance"), name);
}

static inline bool is_done(const struct step *step, const char *what)
{
	return !strcmp(text(step->done, "what"), what);
}

/* Has the step shut this tunnel, so that pinned flows leave, too? */
static inline bool is_shut(const struct step *step, const char *tunnel)
{
	return (is_done(step, "reset") || is_done(step, "drain--now") || is_done(step, "drain--deadline")) &&
	       is_of(step, tunnel, text(step->done, "target"));
}

static inline bool is_failed(const struct step *step, const char *tunnel)
{
	return !strcmp(text(step->done, "kind"), "fault") && is_of(step, tunnel, text(step->done, "target"));
}

static inline const char *where(const struct step *step, uint32_t flow)
{
	return json_string_value(json_array_get(json_object_get(step->look, "where"), flow)) ?: "";
}

static inline json_int_t event_ms(const json_t *event)
{
	struct tm time = {0};
	const char *rest = strptime(text(event, "time"), "%Y-%m-%dT%H:%M:%S", &time);

	return rest && *rest == '.' ? (json_int_t)timegm(&time) * 1000 + atoi(rest + 1) : 0;
}

/* Did an event in this step tell something of this name, or, of NULL, a new configuration or mode? */
static inline bool is_told(const struct step *step, const char *name)
{
	json_int_t begin_ms = (json_int_t)number(step->done, "begin_ms");
	json_int_t end_ms = (json_int_t)number(step->look, "settled_ms");
	json_t *event;
	size_t e;

	json_array_foreach (json_object_get(step->look, "events"), e, event) {
		const char *what = text(event, "what");
		json_int_t at_ms = event_ms(event);

		if (at_ms < begin_ms || at_ms > end_ms)
			continue;
		if (name ? !strcmp(text(event, "name"), name) : !strcmp(what, "reload") || !strcmp(what, "mode"))
			return true;
	}
	return false;
}

static inline bool is_told_of(const struct step *before, const struct step *step, const char *tunnel)
{
	const json_t *found = tunnel_find(step, tunnel) ?: tunnel_find(before, tunnel);

	return is_told(step, NULL) || is_told(step, tunnel) || is_told(step, text(found, "instance"));
}

#endif
