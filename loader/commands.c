/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What operators ask of the daemon: one function a command. control.h has checked already who may ask.
 *
 * Drains are drain.c's, the rest of what takes its time is a file of its own, too. `events --follow` keeps its request;
 * the rest here answers at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "clock.h"
#include "steerd.h"

#define EVENTS_BY_DEFAULT 100

struct follower {
	struct follower *next;
	struct steerd *steerd;
	struct control_request *request;
};

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
	{"version", false, run_version}, {"drain", true, drain_run},   {"undrain", true, undrain_run},
	{"flows", false, flows_run},	 {"reload", true, run_reload}, {"unload", true, run_unload},
	{"mode", true, mode_run},	 {"reset", true, reset_run},   {NULL, false, NULL},
};

void commands_close(struct steerd *steerd)
{
	while (steerd->followers) {
		struct follower *follower = steerd->followers;

		steerd->followers = follower->next;
		control_fail(follower->request, EXIT_NO_DAEMON, "aa-steerd stops");
		free(follower);
	}
}
