/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes the machine stand still, as a virtual one does whose host takes its CPUs away: on every CPU at once, for some
 * milliseconds, nothing is scheduled and no softirq runs, so packets and timers wait.
 *
 *   stall_make LEAST_MS MOST_MS PAUSE_MS SECONDS
 *
 * Stalls of LEAST_MS, LEAST_MS + 1, ... MOST_MS and again from LEAST_MS, PAUSE_MS between two, for so many seconds.
 * Prints how many there were. How: stall.h. Ends with 77 where the kernel cannot.
 */
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "stall.h"

#define PRIORITY  90 /* each CPU's thread must begin when the others do */
#define MOST_CPUS 64
#define SKIPPED	  77
#define NS_PER_S  1000000000ull

static pthread_barrier_t barrier;
static int program_fd;
static uint32_t length_ns; /* of the next stall; 0: there is none any more */

static void *run(void *context)
{
	struct sched_param priority = {.sched_priority = PRIORITY};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((int)(intptr_t)context, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) || sched_setscheduler(0, SCHED_FIFO, &priority))
		err(1, "CPU %d", (int)(intptr_t)context);
	for (;;) {
		pthread_barrier_wait(&barrier);
		if (!length_ns)
			return NULL;
		if (stall_run(program_fd, length_ns))
			err(1, "running the program");
	}
}

static void sleep_ms(unsigned long ms)
{
	struct timespec length = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * STALL_NS_PER_MS)};

	nanosleep(&length, NULL);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long least, most, pause_ms, stalls = 0;
	pthread_t threads[MOST_CPUS];
	uint64_t end_ns;

	if (argc != 5)
		errx(2, "usage: stall_make LEAST_MS MOST_MS PAUSE_MS SECONDS");
	least = strtoul(argv[1], NULL, 10);
	most = strtoul(argv[2], NULL, 10);
	pause_ms = strtoul(argv[3], NULL, 10);
	if (!least || least > most || most > STALL_MOST_MS || cpus > MOST_CPUS)
		errx(2, "stalls are of 1 to %d ms", STALL_MOST_MS);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	program_fd = stall_load();
	if (program_fd == -ENOENT) {
		warnx("this kernel has no open-coded iterators");
		return SKIPPED;
	}
	if (program_fd < 0)
		err(1, "loading the program");
	pthread_barrier_init(&barrier, NULL, (unsigned)cpus + 1);
	for (long cpu = 0; cpu < cpus; cpu++)
		if (pthread_create(&threads[cpu], NULL, run, (void *)cpu))
			errx(1, "no thread for CPU %ld", cpu);
	end_ns = now_ns() + strtoul(argv[4], NULL, 10) * NS_PER_S;
	for (; now_ns() < end_ns; stalls++) {
		sleep_ms(pause_ms);
		length_ns = (uint32_t)((least + stalls % (most - least + 1)) * STALL_NS_PER_MS);
		pthread_barrier_wait(&barrier);
	}
	length_ns = 0;
	pthread_barrier_wait(&barrier);
	for (long cpu = 0; cpu < cpus; cpu++)
		pthread_join(threads[cpu], NULL);
	printf("%lu\n", stalls);
	return 0;
}
