/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells when the machine itself stood still: a virtual one whose host gave it no CPU, say. Where nothing at all ran for
 * most of a detection time, no failure that was found then, at either end, says anything of the program under test.
 *
 *   stall_watch [-l LEAST_MS]       until SIGTERM; a line "START_NS LENGTH_NS" on stdout for each stall,
 * CLOCK_MONOTONIC
 *
 * One thread a CPU, of the highest real-time priority, sleeps for a millisecond at a time. Whatever makes it late by
 * LEAST_MS (5) is above every process: the host, the kernel with interrupts off, or its reserve for ordinary processes.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "traffic.h"

#define SLEEP_NS 1000000ull
#define MAX_CPUS 256

static uint64_t least_ns = 5000000;

static void *watch(void *argument)
{
	const struct timespec nap = {.tv_nsec = SLEEP_NS};
	const int cpu = (int)(intptr_t)argument;
	struct sched_param priority = {.sched_priority = sched_get_priority_max(SCHED_FIFO)};
	uint64_t before_ns, now_ns;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) || sched_setscheduler(0, SCHED_FIFO, &priority))
		err(1, "CPU %d", cpu);
	for (before_ns = traffic_now_ns(); !traffic_ended; before_ns = now_ns) {
		nanosleep(&nap, NULL);
		now_ns = traffic_now_ns();
		if (now_ns - before_ns < least_ns + SLEEP_NS)
			continue;
		printf("%llu %llu\n", (unsigned long long)before_ns, (unsigned long long)(now_ns - before_ns));
		fflush(stdout);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[MAX_CPUS];
	int option;

	while ((option = getopt(argc, argv, "l:")) != -1) {
		if (option != 'l')
			return 2;
		least_ns = strtoul(optarg, NULL, 10) * 1000000ull;
	}
	traffic_handle_signals();
	if (cpus > MAX_CPUS)
		cpus = MAX_CPUS;
	for (long cpu = 0; cpu < cpus; cpu++)
		if (pthread_create(&threads[cpu], NULL, watch, (void *)cpu))
			errx(1, "no thread for CPU %ld", cpu);
	for (long cpu = 0; cpu < cpus; cpu++)
		pthread_join(threads[cpu], NULL);
	return 0;
}
