/* SPDX-License-Identifier: GPL-2.0-only */
/* Work on a thread, while the kernel is heard. See meanwhile.h. */
#include "meanwhile.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nl_watch.h"
#include "thread.h"

#define WATCHES 3

struct job {
	meanwhile_work_fn *work;
	void *context;
	int result;
	int done_fd; /* readable when there is a result */
};

static void *job_run(void *context)
{
	struct job *job = context;

	job->result = job->work(job->context);
	eventfd_write(job->done_fd, 1);
	return NULL;
}

static void hear_until(const struct steerd *steerd, int done_fd)
{
	struct nl_watch *watches[WATCHES] = {links_watched(steerd->links), neighbours_watched(steerd->neighbours),
					     steerd->sas ? sas_watched(steerd->sas) : NULL};
	struct pollfd fds[1 + WATCHES] = {{.fd = done_fd, .events = POLLIN}};

	for (int i = 0; i < WATCHES; i++)
		fds[1 + i] = (struct pollfd){.fd = watches[i] ? nl_watch_fd(watches[i]) : -1, .events = POLLIN};
	do {
		if (poll(fds, 1 + WATCHES, -1) < 0 && errno != EINTR)
			return; /* the thread is waited for, all the same */
		for (int i = 0; i < WATCHES; i++)
			if (fds[1 + i].revents)
				nl_watch_drain(watches[i]);
	} while (!fds[0].revents);
}

int meanwhile(const struct steerd *steerd, meanwhile_work_fn *work, void *context)
{
	struct job job = {.work = work, .context = context};
	pthread_t thread;

	if (!steerd->model)
		return work(context);
	job.done_fd = eventfd(0, EFD_CLOEXEC);
	if (job.done_fd < 0)
		return work(context);
	if (thread_start(&thread, job_run, &job)) {
		close(job.done_fd);
		return work(context);
	}
	hear_until(steerd, job.done_fd);
	pthread_join(thread, NULL);
	close(job.done_fd);
	return job.result;
}
