/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control protocol between aa-steer and aa-steerd: a stream socket, one JSON object a line.
 *
 * request   {"command": "drain", "arguments": {"name": "in0", "wait": true}}
 * answer    any number of {"progress": {...}} or {"event": {...}}, then one {"exit": 0, "message": "", "result": {...}}
 *
 * `exit` is the exit code of aa-steer; `message` is for people, empty at success; `result` is what --json prints. A
 * request or answer is at most CONTROL_LINE_BYTES long, its newline included. A peer whose uid is neither 0 nor the
 * daemon's may ask only for what changes nothing. docs/control-protocol.md lists commands and arguments.
 */
#ifndef MAPS_CONTROL_H
#define MAPS_CONTROL_H

#define CONTROL_DIRECTORY     "/run/aa-steer" /* or $RUNTIME_DIRECTORY */
#define CONTROL_SOCKET_SUFFIX ".sock"	      /* <directory>/<gateway>.sock */
#define CONTROL_REQUEST_BYTES 4096
#define CONTROL_LINE_BYTES    (64 << 20)

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,
	EXIT_TIMED_OUT = 4,
	EXIT_NO_DAEMON = 5,
};

#endif
