/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer: the command line of a gateway that aa-steerd runs. This file is the table of commands; each is a file of
 * its own. All of them ask the daemon over its control socket, but `check`, which needs none.
 */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const struct tool tools[] = {
	{"check", "[FILE]", "Validate and audit a configuration file; needs no daemon.",
	 "FILE is /etc/aa-steer/aa-steer.yaml where none is given.\nExit code: 0 sound, 1 warnings, 2 errors.\n",
	 check_main},
	{"status", "[NAME]", "Show instances, connections, tunnels and NICs: state, why, since when, rates.",
	 "NAME is an instance, a tunnel or a connection.\n", status_main},
	{"drain", "NAME [--now] [--wait] [--deadline T] [--dry-run] [--force]",
	 "Take an instance or a tunnel out without loss.",
	 "  --now         wait for nobody: pinned flows move, and it is drained at once\n"
	 "  --wait        return when it is drained, and show how it goes\n"
	 "  --deadline T  after T (us ms s m) pinned flows move, and --wait ends with exit code 4. It stays out.\n"
	 "  --dry-run     change nothing; show which flows and how much traffic would move where\n"
	 "  --force       even if that leaves a connection with no usable tunnel\n",
	 drain_main},
	{"undrain", "NAME", "Put an instance or a tunnel back.", NULL, undrain_main},
	{"reset", "NAME | --all [--now] [--deadline T] [--force]", "Drain an instance, restart it, and put it back.",
	 "The instance's reset command from the configuration is run in between.\n"
	 "  --all         every instance, one after the other\n"
	 "  --now         do not wait for the peer to stop sending\n"
	 "  --deadline T  each instance must be done within T (us ms s m), 5m unless given; else exit code 4\n"
	 "  --force       even if that leaves a connection with no usable tunnel meanwhile\n",
	 reset_main},
	{"mode", "active-active | active-standby [--active NAME]", "Change the mode with traffic running.",
	 "  --active NAME  this instance carries everything for as long as it is usable\n"
	 "It holds over restarts, until the mode in the file changes, or the file's own mode is given here.\n",
	 mode_main},
	{"where", "PROTO SRC[:PORT] DST[:PORT]", "Ask the loaded program which tunnel a flow takes, and why.",
	 "PROTO is tcp, udp, sctp, icmp, icmp6 or a number. The port of an ICMP source is its echo id.\n"
	 "IPv6 addresses with a port stand in brackets: [2001:db8::1]:443\n",
	 where_main},
	{"flows", "[--tunnel NAME] [--top N]", "List pinned flows, those with the most traffic first.",
	 "  --tunnel NAME  only flows of this tunnel\n"
	 "  --top N        that many, 20 unless given\n"
	 "Connections with affinity sticky or symmetric pin their flows; those with hash have none to list.\n",
	 flows_main},
	{"events", "[-f] [-n N]", "Show what happened, oldest first.",
	 "  -f, --follow  and what happens from now on\n"
	 "  -n, --last N  only the last N events\n",
	 events_main},
	{"reload", "", "Apply the changed configuration file. A faulty one changes nothing.", NULL, reload_main},
	{"unload", "", "Take all programs, maps and routes off, and end the daemon.", NULL, unload_main},
	{"version", "", "Show the versions of program, map ABI and kernel, and the features in use.", NULL,
	 version_main},
	{NULL, NULL, NULL, NULL, NULL},
};

static void print_usage(FILE *file)
{
	int width = 0;

	for (const struct tool *tool = tools; tool->name; tool++)
		if ((int)strlen(tool->name) > width)
			width = (int)strlen(tool->name);
	fputs("usage: aa-steer [-j] [-g GATEWAY] COMMAND [ARGUMENTS]\n\n", file);
	for (const struct tool *tool = tools; tool->name; tool++)
		fprintf(file, "  %-*s  %s\n", width, tool->name, tool->help);
	fputs("\n"
	      "  -j, --json          print JSON\n"
	      "  -g, --gateway NAME  where several gateways run\n"
	      "  -h, --help          of a command: aa-steer COMMAND --help\n\n"
	      "Exit codes: 0 done, 1 it did not work out, 2 usage or configuration, 3 refused, would cut traffic,\n"
	      "            4 timed out, 5 no daemon answers\n",
	      file);
}

static const struct tool *find_tool(const char *name)
{
	for (const struct tool *tool = tools; tool->name; tool++)
		if (!strcmp(tool->name, name))
			return tool;
	return NULL;
}

/* Options before the command. Returns -1 where a command follows, else the exit code. */
static int read_options(struct tool_call *call, int argc, char **argv)
{
	static const struct option options[] = {TOOL_LONG_OPTIONS};
	int option;

	while ((option = getopt_long(argc, argv, "+" TOOL_SHORT_OPTIONS, options, NULL)) != -1) {
		switch (option) {
		case 'j':
			call->json = true;
			break;
		case 'g':
			call->gateway = optarg;
			break;
		case 'h':
			print_usage(stdout);
			return EXIT_DONE;
		default:
			return EXIT_USAGE;
		}
	}
	return -1;
}

/* What was printed to a full disk was not printed. */
static int finish(int exit_code)
{
	if (fflush(stdout) || ferror(stdout)) {
		perror("aa-steer: standard output");
		return exit_code ? exit_code : EXIT_FAILED;
	}
	return exit_code;
}

int main(int argc, char **argv)
{
	struct tool_call call = {0};
	int exit_code = read_options(&call, argc, argv);

	if (exit_code >= 0)
		return finish(exit_code);
	if (optind == argc) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	call.tool = find_tool(argv[optind]);
	if (!call.tool)
		return finish(tool_fail(&call, EXIT_USAGE, "'%s' is not a command; aa-steer --help lists them",
					argv[optind]));
	call.argc = argc - optind;
	call.argv = argv + optind;
	call.argv[0] = argv[0]; /* getopt names the program by it */
	optind = 0;		/* getopt starts anew */
	return finish(call.tool->run(&call));
}
