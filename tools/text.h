/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Quantities as people type and read them. Pure.
 */
#ifndef TOOLS_TEXT_H
#define TOOLS_TEXT_H

#include <stdint.h>
#include <time.h>

#define TEXT_BYTES 32

/* "250us" "50ms" "5s" "2m" -> ms, rounded up. Returns 0; -EINVAL; -ERANGE beyond a year. */
int text_to_ms(const char *text, int64_t *ret_ms);

/* 1234567 -> "1.2M", 999 -> "999": three figures and a power of 1000. Returns buffer. */
const char *text_of_rate(int64_t rate, char buffer[TEXT_BYTES]);

/* 0.0571 -> "0.0571 ms", 34 -> "34 ms", 1428.3 -> "1428 ms". Returns buffer. */
const char *text_of_ms(double ms, char buffer[TEXT_BYTES]);

/* From "2026-11-22T10:00:00.000Z" to now: "12s", "5m03s", "3h12m", "4d07h"; "-" if since is none. Returns buffer. */
const char *text_of_age(const char *since, time_t now, char buffer[TEXT_BYTES]);

#endif
