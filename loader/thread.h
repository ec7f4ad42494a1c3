/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads beside the event loop. */
#ifndef LOADER_THREAD_H
#define LOADER_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Signals are the event loop's: the thread is born with all of them blocked. Returns 0 or -errno. */
static inline int thread_start(pthread_t *ret_thread, void *(*run)(void *), void *context)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(ret_thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

#endif
