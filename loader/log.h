/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages for whoever runs the daemon: to stderr, with the priority that systemd reads where stderr is its journal.
 * For main and the parts that wire the daemon together; library code returns errors instead.
 */
#ifndef LOADER_LOG_H
#define LOADER_LOG_H

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#define log_at(priority, format, ...)                                                                                  \
	fprintf(stderr, "%saa-steerd: " format "\n", getenv("JOURNAL_STREAM") ? priority : "", ##__VA_ARGS__)
#define log_error(format, ...)	 log_at(SD_ERR, format, ##__VA_ARGS__)
#define log_warning(format, ...) log_at(SD_WARNING, format, ##__VA_ARGS__)
#define log_notice(format, ...)	 log_at(SD_NOTICE, format, ##__VA_ARGS__)

#endif
