/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands of aa-steer share: the call, its options, and the way from the daemon's answer to the screen.
 *
 * Every command is one function of one file: it reads its arguments, asks the daemon and prints what it answers. Its
 * return value is aa-steer's exit code (maps/control.h). Nothing here knows a map, a packet or the configuration.
 */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "../maps/control.h"
#include "client.h"

#define TOOL_PREFIX "aa-steer: "

struct tool_call;

struct tool {
	const char *name;  /* NULL ends the table */
	const char *usage; /* what follows the name: "NAME [--wait]" */
	const char *help;  /* one line */
	const char *more;  /* further lines of `aa-steer NAME --help`; may be NULL */
	int (*run)(struct tool_call *call);
};

struct tool_call {
	const struct tool *tool;
	bool json;
	const char *gateway; /* NULL: the only one that runs */
	int argc;	     /* argv[0] is the command; getopt's order */
	char **argv;
};

/* Options that stand before and after every command's name, to be put into its own tables. */
#define TOOL_SHORT_OPTIONS "jg:h"
#define TOOL_LONG_OPTIONS                                                                                              \
	{"json", no_argument, NULL, 'j'}, {"gateway", required_argument, NULL, 'g'}, {"help", no_argument, NULL, 'h'}, \
	{                                                                                                              \
		NULL, 0, NULL, 0                                                                                       \
	}

/*
 * getopt_long() that deals with the shared options. Returns the command's own ones; -1 at the end; TOOL_HELPED or
 * TOOL_FAULTY when help was printed or a fault told: the command then returns tool_ended() of it.
 */
enum { TOOL_HELPED = 256, TOOL_FAULTY = 257 };
int tool_getopt(struct tool_call *call, const char *short_options, const struct option *long_options);

/*
 * For commands without options of their own: reads the shared ones, and from min to max words. Returns 0 with the words
 * at argv[optind]; or TOOL_HELPED, TOOL_FAULTY.
 */
int tool_words(struct tool_call *call, int min, int max);

/* The same after the command's own loop over tool_getopt(): the words that are left are from min to max. */
int tool_words_left(struct tool_call *call, int min, int max);

/* The exit code of a call that TOOL_HELPED or TOOL_FAULTY ended. */
int tool_ended(int how);

void tool_print_usage(FILE *file, const struct tool *tool);

/* Tells a failure: "aa-steer: ..." on stderr, or with --json {"error": ..., "exit": ...} on stdout. Returns exit_code.
 */
int tool_fail(const struct tool_call *call, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for what the daemon answered. With --json its result, if any, is beside the error. prefix: "aa-steer: ". */
int tool_fail_answer(const struct tool_call *call, const struct client_answer *answer, const char *prefix);

/* With --json: one document on stdout. */
void tool_print_json(const json_t *json, size_t flags);

struct tool_request {
	const char *command;
	json_t *arguments;    /* taken over; NULL: json_pack() refused what the user typed */
	bool unhurried;	      /* silence of the daemon is no fault */
	bool faults;	      /* EXIT_USAGE is faults of a file: lines that name their place themselves */
	bool stream;	      /* lines are all there is to print: the result says nothing */
	bool prints_refused;  /* the result of what was refused is for people, too */
	client_line_fn *line; /* on progress and events; may be NULL */
	/* Instead of failing where no daemon answers; answer says so. Returns the exit code. May be NULL. */
	int (*without_daemon)(struct tool_call *call, const struct client_answer *answer);
	void (*print)(const json_t *result, const struct tool_call *call); /* for people; NULL: nothing to print */
};

/* Asks the daemon and prints its answer. Returns the exit code. */
int tool_ask(struct tool_call *call, const struct tool_request *request);

/* A member of the daemon's JSON that is a string; "" where there is none. */
const char *tool_string(const json_t *object, const char *key);

/* For tool_request.print: {"name", "state", "reason"} of an instance or tunnel, on a line. */
void tool_print_unit(const json_t *result, const struct tool_call *call);

/*
 * How a drain goes: {"name", "state", "flows", "rx_pps"} on a line, unless it is the same as the last one that was
 * printed so.
 */
void tool_print_drain(const json_t *progress);

/* One function a file. */
int check_main(struct tool_call *call);
int drain_main(struct tool_call *call);
int events_main(struct tool_call *call);
int flows_main(struct tool_call *call);
int mode_main(struct tool_call *call);
int reload_main(struct tool_call *call);
int reset_main(struct tool_call *call);
int status_main(struct tool_call *call);
int undrain_main(struct tool_call *call);
int unload_main(struct tool_call *call);
int version_main(struct tool_call *call);
int where_main(struct tool_call *call);

#endif
