/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steerd: arguments, signals, the service manager. All else hangs on the event loop that runs here (steerd.h).
 *
 * SIGHUP reloads; SIGTERM and SIGINT end the daemon and leave the programs forwarding. --check looks at a file and runs
 * nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "audit.h"
#include "log.h"
#include "steerd.h"
#include "unload.h"

#define CONFIG_PATH "/etc/aa-steer/aa-steer.yaml"

static const char usage[] = "usage: aa-steerd [-c FILE]           load and run a gateway, in the foreground\n"
			    "       aa-steerd --check FILE [-j]   validate and audit a configuration\n"
			    "       aa-steerd --unload [GATEWAY]  take off what a daemon that ended left forwarding\n"
			    "\n"
			    "  -c, --config FILE   configuration (" CONFIG_PATH ")\n"
			    "      --check FILE    0 sound, 1 warnings, 2 errors\n"
			    "  -j, --json          findings as JSON\n"
			    "  -h, --help\n"
			    "  -V, --version\n"
			    "\n"
			    "SIGHUP reloads the file. SIGTERM ends the daemon and leaves its programs forwarding; "
			    "aa-steer unload takes them off.\n";

static json_t *fault_json(const struct config_fault *fault)
{
	return json_pack("{s:s, s:i, s:i, s:s}", "level", "error", "line", (int)fault->line, "column",
			 (int)fault->column, "message", fault->text);
}

static int check(const char *path, bool as_json)
{
	struct config_faults faults = {0};
	struct config *config = NULL;
	json_t *findings = json_array(), *finding;
	int worst = config_load(path, &config, &faults) ? AUDIT_ERROR : audit(config, findings);
	size_t at;

	if (as_json) {
		for (size_t i = 0; i < faults.count; i++)
			json_array_append_new(findings, fault_json(&faults.fault[i]));
		finding = json_pack("{s:s, s:i, s:O}", "file", path, "result", worst, "findings", findings);
		json_dumpf(finding, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(finding);
	} else {
		for (size_t i = 0; i < faults.count; i++)
			config_fault_print(stderr, path, &faults.fault[i]);
		json_array_foreach (findings, at, finding)
			printf("%s: %s: %s\n", json_string_value(json_object_get(finding, "level")),
			       json_string_value(json_object_get(finding, "subject")),
			       json_string_value(json_object_get(finding, "message")));
		if (!worst)
			printf("%s: sound\n", path);
	}
	json_decref(findings);
	config_free(config);
	config_faults_free(&faults);
	return worst;
}

/* For aa-steer unload, where no daemon answers: its exit codes. */
static int unload(const char *gateway)
{
	char error[512] = "";
	int err = unload_left(gateway, error, sizeof(error));

	if (!err)
		return EXIT_DONE;
	log_error("%s", error);
	return err == -ENOENT ? EXIT_NO_DAEMON : err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	(void)source, (void)info;
	commands_reload(context, NULL);
	return 0;
}

static int run(const char *path)
{
	struct steerd *steerd = NULL;
	sd_event *loop = NULL;
	sigset_t signals;
	int err = sd_event_default(&loop);

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD); /* of reset commands: sd_event_add_child() wants it so, in every thread */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	if (err < 0 || (err = sd_event_add_signal(loop, NULL, SIGTERM, NULL, NULL)) < 0 ||
	    (err = sd_event_add_signal(loop, NULL, SIGINT, NULL, NULL)) < 0) {
		log_error("no event loop: %s", strerror(-err));
		return EXIT_FAILED;
	}
	err = steerd_start(loop, path, &steerd);
	if (err) {
		sd_event_unref(loop);
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	sd_event_add_signal(loop, NULL, SIGHUP, on_reload, steerd);
	sd_event_set_watchdog(loop, true);
	sd_notify(0, "READY=1");
	err = sd_event_loop(loop);
	sd_notify(0, "STOPPING=1");
	steerd_stop(steerd);
	sd_event_unref(loop);
	return err < 0 ? EXIT_FAILED : err;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", required_argument, NULL, 'C'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"unload", no_argument, NULL, 'U'},
		{NULL, 0, NULL, 0},
	};
	const char *config = CONFIG_PATH, *checked = NULL;
	bool as_json = false, unloads = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:jhV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 'C':
			checked = optarg;
			break;
		case 'U':
			unloads = true;
			break;
		case 'j':
			as_json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case 'V':
			printf("aa-steerd %s\n", AA_STEER_VERSION);
			return EXIT_DONE;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (unloads && argc - optind <= 1)
		return unload(argv[optind]);
	if (optind < argc) {
		fprintf(stderr, "aa-steerd: '%s' is one argument too many\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	return checked ? check(checked, as_json) : run(config);
}
