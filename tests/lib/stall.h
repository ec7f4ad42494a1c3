/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A CPU that stands still, as one of a virtual machine does whose host takes it away: for up to STALL_MOST_MS nothing
 * else is scheduled on it and no softirq runs, so packets and timers wait. A BPF program that loops until its time is
 * over does it: BPF_PROG_TEST_RUN runs it with softirqs disabled. Needs the open-coded iterators of Linux 6.4.
 */
#ifndef TESTS_LIB_STALL_H
#define TESTS_LIB_STALL_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define STALL_MOST_MS	   100
#define STALL_ROUNDS	   (1 << 23)
#define STALL_FRAME_BYTES  64
#define STALL_NS_PER_MS	   1000000ull
#define STALL_LENGTH_FIELD offsetof(struct __sk_buff, cb[0]) /* in ns */

/* The kernel's function by its BTF number, or a negative error: -ENOENT where the kernel has none of that name. */
static inline int stall_kernel_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
}

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOVE(d, s)	    INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i)	    INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, i)	    INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define CALL(helper)	    INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define CALL_KERNEL(id)	    INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, id)
#define ITERATOR	    MOVE(BPF_REG_1, BPF_REG_10), ADD(BPF_REG_1, -8)

/* Until the clock says so; the iterator is only there for the verifier. Returns a descriptor of the program, or < 0. */
static inline int stall_load(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int fresh = stall_kernel_function(btf, "bpf_iter_num_new"),
	    next = stall_kernel_function(btf, "bpf_iter_num_next"),
	    destroy = stall_kernel_function(btf, "bpf_iter_num_destroy");
	struct bpf_insn code[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_1, STALL_LENGTH_FIELD, 0),
		CALL(BPF_FUNC_ktime_get_ns),
		INSN(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_6, BPF_REG_0, 0, 0),
		ITERATOR,
		SET(BPF_REG_2, 0),
		SET(BPF_REG_3, STALL_ROUNDS),
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

	btf__free(btf);
	if (fresh < 0 || next < 0 || destroy < 0)
		return -ENOENT;
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "stall", "GPL", code, sizeof(code) / sizeof(*code), NULL);
}

/* On the CPU that this thread runs on, which is for the caller to see to. Returns 0 or < 0. */
static inline int stall_run(int program_fd, uint32_t length_ns)
{
	uint8_t frame[STALL_FRAME_BYTES] = {[12] = 0x08};
	struct __sk_buff context = {.cb = {length_ns}};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));

	return bpf_prog_test_run_opts(program_fd, &options);
}

#undef INSN
#undef MOVE
#undef SET
#undef ADD
#undef CALL
#undef CALL_KERNEL
#undef ITERATOR

#endif
