/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes the machine stand still, as a virtual one does whose host takes its CPUs away: on every CPU at once, for some
 * milliseconds, nothing is scheduled and no softirq runs, so packets and timers wait.
 *
 *   stall_make LEAST_MS MOST_MS PAUSE_MS SECONDS
 *
 * Stalls of LEAST_MS, LEAST_MS + 1, ... MOST_MS and again from LEAST_MS, PAUSE_MS between two, for so many seconds.
 * Prints how many there were. A BPF program that loops until its time is over does it: BPF_PROG_TEST_RUN runs it with
 * softirqs disabled. Needs the open-coded iterators of Linux 6.4; ends with 77 where they are not there.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <err.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define PRIORITY     90 /* each CPU's thread must begin when the others do */
#define ROUNDS	     (1 << 23)
#define MOST_CPUS    64
#define MOST_MS	     100
#define NS_PER_MS    1000000ull
#define SKIPPED	     77
#define FRAME_BYTES  64
#define NS_PER_S     1000000000ull
#define LENGTH_FIELD offsetof(struct __sk_buff, cb[0]) /* in ns */

static pthread_barrier_t barrier;
static int program_fd;
static uint32_t length_ns; /* of the next stall; 0: there is none any more */

static int kernel_function(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);

	if (id < 0) {
		warnx("the kernel has no %s", name);
		exit(SKIPPED);
	}
	return id;
}

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOVE(d, s)	    INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i)	    INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, i)	    INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define CALL(helper)	    INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define CALL_KERNEL(id)	    INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, id)
#define ITERATOR	    MOVE(BPF_REG_1, BPF_REG_10), ADD(BPF_REG_1, -8)

/* Until the clock says so; the iterator is only there for the verifier. */
static int program_load(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int fresh = kernel_function(btf, "bpf_iter_num_new"), next = kernel_function(btf, "bpf_iter_num_next"),
	    destroy = kernel_function(btf, "bpf_iter_num_destroy");
	struct bpf_insn code[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_1, LENGTH_FIELD, 0),
		CALL(BPF_FUNC_ktime_get_ns),
		INSN(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_6, BPF_REG_0, 0, 0),
		ITERATOR,
		SET(BPF_REG_2, 0),
		SET(BPF_REG_3, ROUNDS),
		CALL_KERNEL(fresh),
		ITERATOR,
		CALL_KERNEL(next),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0),
		CALL(BPF_FUNC_ktime_get_ns),
		INSN(BPF_JMP | BPF_JLT | BPF_X, BPF_REG_0, BPF_REG_6, -6, 0),
		ITERATOR,
		CALL_KERNEL(destroy),
		SET(BPF_REG_0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "stall", "GPL", code, sizeof(code) / sizeof(*code), NULL);

	if (fd < 0)
		err(1, "loading the program");
	btf__free(btf);
	return fd;
}

static void stand_still(uint32_t ns)
{
	uint8_t frame[FRAME_BYTES] = {[12] = 0x08};
	struct __sk_buff context = {.cb = {ns}};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));

	if (bpf_prog_test_run_opts(program_fd, &options))
		err(1, "running the program");
}

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
		stand_still(length_ns);
	}
}

static void sleep_ms(unsigned long ms)
{
	struct timespec length = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * NS_PER_MS)};

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
	if (!least || least > most || most > MOST_MS || cpus > MOST_CPUS)
		errx(2, "stalls are of 1 to %d ms", MOST_MS);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	program_fd = program_load();
	pthread_barrier_init(&barrier, NULL, (unsigned)cpus + 1);
	for (long cpu = 0; cpu < cpus; cpu++)
		if (pthread_create(&threads[cpu], NULL, run, (void *)cpu))
			errx(1, "no thread for CPU %ld", cpu);
	end_ns = now_ns() + strtoul(argv[4], NULL, 10) * NS_PER_S;
	for (; now_ns() < end_ns; stalls++) {
		sleep_ms(pause_ms);
		length_ns = (uint32_t)((least + stalls % (most - least + 1)) * NS_PER_MS);
		pthread_barrier_wait(&barrier);
	}
	length_ns = 0;
	pthread_barrier_wait(&barrier);
	for (long cpu = 0; cpu < cpus; cpu++)
		pthread_join(threads[cpu], NULL);
	printf("%lu\n", stalls);
	return 0;
}
