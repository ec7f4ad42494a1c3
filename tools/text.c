/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Quantities as people type and read them. See text.h.
 */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_MS (INT64_C(366) * 24 * 3600 * 1000)

int text_to_ms(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t us;
	} unit[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}};
	unsigned long long number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		if (strcmp(end, unit[i].name))
			continue;
		if (errno || number > (unsigned long long)(YEAR_MS * 1000 / unit[i].us))
			return -ERANGE;
		*ret_ms = ((int64_t)number * unit[i].us + 999) / 1000;
		return 0;
	}
	return -EINVAL;
}

const char *text_of_ms(double ms, char buffer[TEXT_BYTES])
{
	snprintf(buffer, TEXT_BYTES, ms < 999.5 ? "%.3g ms" : "%.0f ms", ms);
	return buffer;
}

const char *text_of_rate(int64_t rate, char buffer[TEXT_BYTES])
{
	static const char prefix[] = "kMGTPE";
	double scaled = (double)rate;
	int power = -1;

	if (rate < 1000) {
		snprintf(buffer, TEXT_BYTES, "%lld", (long long)rate);
		return buffer;
	}
	/* 999.5 would be printed as 1000. */
	while (scaled >= 999.5 && power < (int)sizeof(prefix) - 2) {
		scaled /= 1000;
		power++;
	}
	snprintf(buffer, TEXT_BYTES, "%.*f%c", scaled < 9.95 ? 1 : 0, scaled, prefix[power]);
	return buffer;
}

const char *text_of_age(const char *since, time_t now, char buffer[TEXT_BYTES])
{
	struct tm then = {0};
	long long s;

	if (!since || !strptime(since, "%Y-%m-%dT%H:%M:%S", &then)) {
		snprintf(buffer, TEXT_BYTES, "-");
		return buffer;
	}
	s = (long long)difftime(now, timegm(&then));
	if (s < 0)
		s = 0;
	if (s < 60)
		snprintf(buffer, TEXT_BYTES, "%llds", s);
	else if (s < 3600)
		snprintf(buffer, TEXT_BYTES, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buffer, TEXT_BYTES, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buffer, TEXT_BYTES, "%lldd%02lldh", s / 86400, s / 3600 % 24);
	return buffer;
}
