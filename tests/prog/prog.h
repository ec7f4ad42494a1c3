/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Program tests: packet in -> BPF_PROG_TEST_RUN over the rig -> verdict, packet out, counters.
 */
#ifndef TESTS_PROG_PROG_H
#define TESTS_PROG_PROG_H

#include "rig.h"

#include "../../maps/where.h"

/* What a program did to a packet. */
struct run {
	int verdict;
	uint8_t data[FRAME_BYTES];
	size_t length;
	uint32_t mark;
	struct where_answer answer; /* after ask() */
};

/* Word number `word` of the value, summed over all CPUs. */
static inline uint64_t rig_count(const struct bpf_map *map, uint32_t key, size_t word)
{
	static uint64_t values[65536];
	size_t words = bpf_map__value_size(map) / sizeof(uint64_t);
	uint64_t sum = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &key, values), 0);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		sum += values[cpu * words + word];
	return sum;
}

static inline uint64_t passes_of(enum pass_reason reason)
{
	return rig_count(rig.tc->maps.passes, 0, reason);
}

static inline uint64_t drops_of(enum drop_reason reason)
{
	return rig_count(rig.tc->maps.drops, 0, reason);
}

static inline uint64_t tx_packets(uint32_t tunnel)
{
	return rig_count(rig.tc->maps.counters, tunnel, offsetof(struct counters, tx_packets) / 8);
}

static inline uint64_t tx_bytes(uint32_t tunnel)
{
	return rig_count(rig.tc->maps.counters, tunnel, offsetof(struct counters, tx_bytes) / 8);
}

/* All that was counted anywhere: to show that nothing else was. */
static inline uint64_t counted_packets(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PASS_REASON_COUNT; i++)
		sum += passes_of(i);
	for (uint32_t i = 0; i < DROP_REASON_COUNT; i++)
		sum += drops_of(i);
	for (uint32_t i = 0; i < RIG_TUNNELS; i++)
		sum += tx_packets(i);
	return sum;
}

static inline struct run run_tc_with(int program, const struct frame *frame, struct __sk_buff *context)
{
	struct run run = {.length = 0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data, .data_size_in = frame->length,
		    .data_out = run.data, .data_size_out = sizeof(run.data), .ctx_in = context,
		    .ctx_size_in = sizeof(*context), .ctx_out = context, .ctx_size_out = sizeof(*context), .repeat = 1);

	if (bpf_prog_test_run_opts(program, &options))
		fail_msg("test run: %s", strerror(errno));
	run.verdict = (int)options.retval;
	run.length = options.data_size_out;
	run.mark = context->mark;
	memcpy(&run.answer, context->cb, sizeof(run.answer));
	return run;
}

static inline struct run run_tc(const struct frame *frame)
{
	struct __sk_buff context = {.mark = 0};

	return run_tc_with(bpf_program__fd(rig.tc->progs.steer_tc), frame, &context);
}

static inline struct run run_tc_gso(const struct frame *frame, uint32_t gso_size, uint32_t gso_segs)
{
	struct __sk_buff context = {.gso_size = gso_size, .gso_segs = gso_segs};

	return run_tc_with(bpf_program__fd(rig.tc->progs.steer_tc), frame, &context);
}

/* `where`, as aa-steerd asks it. */
static inline struct run ask(const struct frame *frame)
{
	static const uint32_t question[] = WHERE_QUESTION;
	struct __sk_buff context = {.mark = 0};

	memcpy(context.cb, question, sizeof(question));
	return run_tc_with(bpf_program__fd(rig.tc->progs.steer_tc), frame, &context);
}

static inline struct run run_xdp(const struct frame *frame)
{
	struct run run = {.length = 0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data, .data_size_in = frame->length,
		    .data_out = run.data, .data_size_out = sizeof(run.data), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(rig.xdp->progs.steer_xdp), &options))
		fail_msg("test run: %s", strerror(errno));
	run.verdict = (int)options.retval;
	run.length = options.data_size_out;
	return run;
}

/* A UDP packet to `to` whose flow's row is row modulo `modulus`: so that a test says which member comes first. */
static inline struct frame frame_for_row(const char *from, const char *to, unsigned row, unsigned modulus)
{
	for (unsigned port = 1024; port < 65536; port++) {
		struct flow flow = case_flow(from, port, to, 2000, IPPROTO_UDP);

		if ((flow_hash(&flow, SEED) & RIG_ROW_MASK) % modulus == row)
			return frame_of_udp(from, port, to, 2000);
	}
	fail_msg("no port leads to row %u of %u", row, modulus);
	abort();
}

/* A packet to "hq" whose first choice is this member. */
static inline struct frame frame_to(unsigned member)
{
	return frame_for_row(CLIENT, SERVER, member, HQ_MEMBERS);
}

static inline struct frame frame6_to(unsigned member)
{
	return frame_for_row(CLIENT6, SERVER6, member, HQ_MEMBERS);
}

#define assert_passed(run, reason)                                                                                     \
	do {                                                                                                           \
		assert_int_equal((run).verdict, TC_ACT_UNSPEC);                                                        \
		assert_int_equal(passes_of(reason), 1);                                                                \
		assert_int_equal(counted_packets(), 1);                                                                \
	} while (0)

#define assert_dropped(run, reason)                                                                                    \
	do {                                                                                                           \
		assert_int_equal((run).verdict, TC_ACT_SHOT);                                                          \
		assert_int_equal(drops_of(reason), 1);                                                                 \
		assert_int_equal(counted_packets(), 1);                                                                \
	} while (0)

#define assert_sent_to(run, tunnel)                                                                                    \
	do {                                                                                                           \
		assert_int_equal((run).verdict, TC_ACT_REDIRECT);                                                      \
		assert_int_equal(tx_packets(tunnel), 1);                                                               \
		assert_int_equal(counted_packets(), 1);                                                                \
	} while (0)

#define assert_unchanged(run, frame)                                                                                   \
	do {                                                                                                           \
		assert_int_equal((run).length, (frame).length);                                                        \
		assert_memory_equal((run).data, (frame).data, (frame).length);                                         \
	} while (0)

#endif
