/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Load that starves what is not careful, for a time that it keeps itself: nobody has to run to end it.
 *
 *   load_storm MODE SECONDS
 *
 * hogs     four busy loops for each CPU
 * churn    context switches: 64 pairs of tasks, each a byte that goes to and fro between two pipes
 * timers   300 threads that a timer wakes every millisecond
 *
 * All at nice 0 of SCHED_OTHER, whatever it was started with, and in a session of its own, as a service would be. It
 * says "ready" when every thread is made, and ends with 0 when its time is over, or with who started it.
 */
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOGS_PER_CPU  4
#define PAIRS	      64
#define TIMER_THREADS 300
#define TIMER_NS      1000000
#define STACK_BYTES   (64 * 1024)
#define MAX_SECONDS   86400

struct end { /* of a pair's two pipes */
	int in, out;
};

static void on_time_over(int signal)
{
	(void)signal;
	_exit(0);
}

static void thread_make(void *(*run)(void *), void *context)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = pthread_create(&thread, &attributes, run, context);
	if (error)
		errx(1, "pthread_create: %s", strerror(error));
	pthread_attr_destroy(&attributes);
}

static void *hog(void *context)
{
	volatile uint64_t rounds = 1;

	while (rounds)
		rounds++;
	return context;
}

static void *pass_on(void *context)
{
	const struct end *end = context;
	char byte;

	while (read(end->in, &byte, 1) == 1 && write(end->out, &byte, 1) == 1)
		;
	return NULL;
}

static void *wake_often(void *context)
{
	struct timespec next;

	(void)context;
	prctl(PR_SET_TIMERSLACK, 1); /* ns: no two of them are served by one interrupt */
	clock_gettime(CLOCK_MONOTONIC, &next);
	do {
		next.tv_nsec += TIMER_NS;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
	} while (!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL));
	return NULL;
}

static void hogs_start(void)
{
	long count = HOGS_PER_CPU * sysconf(_SC_NPROCESSORS_ONLN);

	for (long i = 0; i < count; i++)
		thread_make(hog, NULL);
}

static void churn_start(void)
{
	static struct end ends[PAIRS][2];

	for (int i = 0; i < PAIRS; i++) {
		int to[2], fro[2];

		if (pipe(to) || pipe(fro))
			err(1, "pipe");
		ends[i][0] = (struct end){.in = to[0], .out = fro[1]};
		ends[i][1] = (struct end){.in = fro[0], .out = to[1]};
		thread_make(pass_on, &ends[i][0]);
		thread_make(pass_on, &ends[i][1]);
		if (write(to[1], "", 1) != 1)
			err(1, "write");
	}
}

static void timers_start(void)
{
	for (int i = 0; i < TIMER_THREADS; i++)
		thread_make(wake_often, NULL);
}

static const struct mode {
	const char *name;
	void (*start)(void);
} modes[] = {{"hogs", hogs_start}, {"churn", churn_start}, {"timers", timers_start}};

static const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	errx(2, "'%s' is none of hogs, churn, timers", name);
}

/* Before the first thread: each inherits it. */
static void become_ordinary(void)
{
	struct sched_param none = {0};

	setsid(); /* where it leads its group already, it stays in the session that it is in */
	if (sched_setscheduler(0, SCHED_OTHER, &none) || setpriority(PRIO_PROCESS, 0, 0))
		err(1, "SCHED_OTHER");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void time_start(const char *text)
{
	struct itimerval limit = {0};
	char *end;

	limit.it_value.tv_sec = strtol(text, &end, 10);
	if (!*text || *end || limit.it_value.tv_sec < 1 || limit.it_value.tv_sec > MAX_SECONDS)
		errx(2, "'%s' is not a number of seconds up to %d", text, MAX_SECONDS);
	signal(SIGALRM, on_time_over);
	if (setitimer(ITIMER_REAL, &limit, NULL))
		err(1, "setitimer");
}

int main(int argc, char **argv)
{
	const struct mode *mode;

	if (argc != 3)
		errx(2, "usage: load_storm hogs|churn|timers SECONDS");
	mode = mode_find(argv[1]);
	become_ordinary();
	time_start(argv[2]);
	mode->start();
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
