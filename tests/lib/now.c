/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prints CLOCK_MONOTONIC in nanoseconds: the clock that the traffic tools stamp packets with. Scripts mark a test's
 * phases by it; bash itself knows the wall clock only.
 */
#include "traffic.h"

int main(void)
{
	printf("%llu\n", (unsigned long long)traffic_now_ns());
	return 0;
}
