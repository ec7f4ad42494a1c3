/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes when they are due. See sender.h.
 *
 * The thread sleeps on one futex word, with the first due time as the end of its sleep; whoever has news for it raises
 * the word after the news is in place. A new set of sessions is handed over while its giver waits, so that it needs no
 * memory of its own.
 */
#include "sender.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "due_heap.h"
#include "session_ask.h"
#include "thread.h"

#define PRIORITY       50
#define IDLE_NS	       (100 * NS_PER_MS) /* until a session that sends nothing is asked again */
#define PAUSE_LEAST_NS 50000ull		 /* between two packets of one session, whatever the program says */
#define KICK_WORDS     (MAX_SESSIONS / 64)

/* What sender_set() hands over; lives in the giver's frame. */
struct handover {
	int program_fd; /* the new one; the old one when it was taken */
	const struct sender_session *sessions;
	size_t count;
};

struct sender {
	pthread_t thread;
	uint32_t news;	/* futex: raised with everything that the thread must look at */
	uint32_t taken; /* futex: hand-overs that the thread took, and 1 for its start */
	struct handover *handover;
	uint64_t kicked[KICK_WORDS]; /* a bit each session */
	bool ends;
	bool realtime, locked; /* written before the thread says that it started */
	uint64_t late_max_ns;

	/* The thread's own. */
	int program_fd; /* -1: none yet */
	bool is_ipv6[MAX_SESSIONS];
	struct due_heap heap;
};

static void futex_wake(uint32_t *word)
{
	__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Until the word is no longer `seen`, or this time on the monotonic clock; 0: however long it takes. */
static void futex_wait(uint32_t *word, uint32_t seen, uint64_t until_ns)
{
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SECOND),
				 .tv_nsec = (long)(until_ns % NS_PER_SECOND)};

	syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen, until_ns ? &until : NULL, NULL,
		FUTEX_BITSET_MATCH_ANY);
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void handover_take(struct sender *sender)
{
	struct handover *handover = __atomic_load_n(&sender->handover, __ATOMIC_SEQ_CST);
	int old_fd = sender->program_fd;

	if (!handover)
		return;
	due_heap_clear(&sender->heap);
	for (size_t i = 0; i < handover->count; i++) {
		sender->is_ipv6[handover->sessions[i].session] = handover->sessions[i].is_ipv6;
		due_heap_set(&sender->heap, handover->sessions[i].session, 0);
	}
	sender->program_fd = handover->program_fd;
	handover->program_fd = old_fd;
	__atomic_store_n(&sender->handover, NULL, __ATOMIC_SEQ_CST);
	futex_wake(&sender->taken);
}

static void kicks_take(struct sender *sender)
{
	for (uint32_t word = 0; word < KICK_WORDS; word++) {
		uint64_t kicked = 0;

		if (__atomic_load_n(&sender->kicked[word], __ATOMIC_RELAXED))
			kicked = __atomic_exchange_n(&sender->kicked[word], 0, __ATOMIC_SEQ_CST);
		for (; kicked; kicked &= kicked - 1) {
			uint32_t session = word * 64 + (uint32_t)__builtin_ctzll(kicked);

			if (sender->heap.place[session])
				due_heap_set(&sender->heap, session, 0);
		}
	}
}

/* Sends the packet that is due, and puts its session where it is due next. */
static void due_send(struct sender *sender, struct due due, uint64_t now_ns)
{
	uint64_t next_ns = 0;

	/* A packet that could not leave is one that was lost: the next is due in its time. */
	session_ask(sender->program_fd, due.session, sender->is_ipv6[due.session], SESSION_SEND, &next_ns);
	if (due.at_ns && now_ns - due.at_ns > sender->late_max_ns)
		__atomic_store_n(&sender->late_max_ns, now_ns - due.at_ns, __ATOMIC_RELAXED);
	if (!next_ns)
		next_ns = IDLE_NS;
	else if (next_ns < PAUSE_LEAST_NS)
		next_ns = PAUSE_LEAST_NS;
	due_heap_set(&sender->heap, due.session, clock_monotonic_ns() + next_ns);
}

static void thread_prepare(struct sender *sender)
{
	struct sched_param priority = {.sched_priority = PRIORITY};

	sender->realtime = !sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority);
	prctl(PR_SET_TIMERSLACK, 1); /* ns; of weight where it is not real-time */
	/* What is mapped by now, this stack and the programs' text included, once it was touched. BPF maps are the
	 * kernel's memory and never leave; what the event loop maps later may. */
	sender->locked = !mlockall(MCL_CURRENT | MCL_ONFAULT);
}

static void *thread_run(void *context)
{
	struct sender *sender = context;

	thread_prepare(sender);
	futex_wake(&sender->taken);
	for (;;) {
		uint32_t news = load(&sender->news);
		const struct due *first;
		uint64_t now_ns;

		if (__atomic_load_n(&sender->ends, __ATOMIC_SEQ_CST))
			return NULL;
		handover_take(sender);
		kicks_take(sender);
		while ((first = due_heap_first(&sender->heap)) && first->at_ns <= (now_ns = clock_monotonic_ns()) &&
		       load(&sender->news) == news)
			due_send(sender, *first, now_ns);
		futex_wait(&sender->news, news, first ? first->at_ns ?: 1 : 0);
	}
}

int sender_open(struct sender **ret_sender)
{
	struct sender *sender = calloc(1, sizeof(*sender));
	int err;

	if (!sender)
		return -ENOMEM;
	sender->program_fd = -1;
	err = thread_start(&sender->thread, thread_run, sender);
	if (err) {
		free(sender);
		return err;
	}
	while (!load(&sender->taken))
		futex_wait(&sender->taken, 0, 0);
	*ret_sender = sender;
	return 0;
}

void sender_close(struct sender *sender)
{
	if (!sender)
		return;
	__atomic_store_n(&sender->ends, true, __ATOMIC_SEQ_CST);
	futex_wake(&sender->news);
	pthread_join(sender->thread, NULL);
	if (sender->program_fd >= 0)
		close(sender->program_fd);
	free(sender);
}

int sender_set(struct sender *sender, int program_fd, const struct sender_session *sessions, size_t count)
{
	struct handover handover = {
		.program_fd = fcntl(program_fd, F_DUPFD_CLOEXEC, 0), .sessions = sessions, .count = count};
	uint32_t taken = load(&sender->taken);

	if (handover.program_fd < 0)
		return -errno;
	__atomic_store_n(&sender->handover, &handover, __ATOMIC_SEQ_CST);
	futex_wake(&sender->news);
	while (load(&sender->taken) == taken)
		futex_wait(&sender->taken, taken, 0);
	if (handover.program_fd >= 0)
		close(handover.program_fd);
	return 0;
}

void sender_kick(struct sender *sender, uint32_t session)
{
	if (!sender)
		return;
	__atomic_fetch_or(&sender->kicked[session / 64], 1ull << session % 64, __ATOMIC_SEQ_CST);
	futex_wake(&sender->news);
}

bool sender_is_realtime(const struct sender *sender)
{
	return sender->realtime;
}

bool sender_is_locked(const struct sender *sender)
{
	return sender->locked;
}

uint64_t sender_late_max_ns(const struct sender *sender)
{
	return __atomic_load_n(&sender->late_max_ns, __ATOMIC_RELAXED);
}
