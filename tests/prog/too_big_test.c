// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet that is too big for a tunnel of its connection comes back as the ICMP error that its sender is owed, with
 * the connection's smallest MTU in it, whichever tunnel it would have gone by; at a bounded rate.
 *
 * All tunnels take MTU_BYTES, but the connection's smallest is SMALLEST, as if another one were out.
 */
#include <sched.h>
#include <time.h>

#include "prog.h"

#include "../../maps/answers.h"

#define SMALLEST 1300
#define OWN	 "10.1.2.1"
#define OWN6	 "2001:db8:aaaa::1"
#define QUOTE4	 548  /* RFC 1812, section 4.3.2.3 */
#define QUOTE6	 1232 /* RFC 4443, section 2.4 */

static void budget_is(uint64_t spent_ns)
{
	static struct answers values[1024];
	uint32_t zero = 0;

	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		values[cpu].spent_ns = spent_ns;
	rig_update(rig.tc->maps.answers, &zero, values);
}

static void nic_is(uint32_t number, uint32_t ifindex, const char *ipv4, const char *ipv6)
{
	struct inside_nic nic = {.ifindex = ifindex};

	memcpy(nic.mac, GATEWAY_MAC, ETH_ALEN);
	if (ipv4)
		inet_pton(AF_INET, ipv4, &nic.ipv4);
	if (ipv6)
		inet_pton(AF_INET6, ipv6, nic.ipv6);
	rig_update(rig.tc->maps.inside_nics, &number, &nic);
}

static int reset(void **state)
{
	rig_reset(state);
	rig.connections[HQ].mtu_bytes = SMALLEST;
	nic_is(INSIDE_NIC, LOOPBACK, OWN, OWN6);
	budget_is(0);
	return 0;
}

static void set_fragment_field(struct frame *frame, unsigned value)
{
	frame_put16(frame->data + frame->ip[0] + 6, value);
	frame_end(frame);
}

#define DONT_FRAGMENT 0x4000

/* UDP, with DF where it is IPv4. */
static struct frame frame_of(bool ipv6, unsigned member, size_t ip_bytes)
{
	struct frame frame = ipv6 ? frame6_to(member) : frame_to(member);

	frame_payload(&frame, ip_bytes - (frame.length - ETH_HLEN));
	frame_end(&frame);
	if (!ipv6)
		set_fragment_field(&frame, DONT_FRAGMENT);
	return frame;
}

/* Of a protocol that has no ports, to whichever member it comes. */
static struct frame frame_of_protocol(bool ipv6, unsigned protocol, size_t ip_bytes)
{
	struct frame frame = frame_start(ipv6 ? ETH_P_IPV6 : ETH_P_IP);

	if (ipv6)
		frame_ipv6(&frame, CLIENT6, SERVER6, protocol);
	else
		frame_ipv4(&frame, CLIENT, SERVER, protocol);
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		frame_icmp(&frame, ipv6 ? 128 : 8, 1);
	frame_payload(&frame, ip_bytes - (frame.length - ETH_HLEN));
	frame_end(&frame);
	if (!ipv6)
		set_fragment_field(&frame, DONT_FRAGMENT);
	return frame;
}

/* Pseudo header (ICMPv6's, TCP's, UDP's over IPv6) and what follows; 0: the checksum is right. */
static unsigned fault6(const uint8_t *ip, unsigned protocol, size_t bytes)
{
	static uint8_t all[FRAME_BYTES];

	memcpy(all, ip + 8, 32);
	memset(all + 32, 0, 8);
	frame_put16(all + 34, bytes);
	all[39] = protocol;
	memcpy(all + 40, ip + 40, bytes);
	return frame_checksum(all, 40 + bytes);
}

static void assert_headers(const struct run *run, bool ipv6, unsigned mtu_bytes)
{
	const uint8_t *ip = run->data + ETH_HLEN, *icmp = ip + (ipv6 ? 40 : 20);
	size_t quote = ipv6 ? QUOTE6 : QUOTE4;
	uint8_t from[16], to[16];

	assert_memory_equal(run->data, CLIENT_MAC, ETH_ALEN);
	assert_memory_equal(run->data + ETH_ALEN, GATEWAY_MAC, ETH_ALEN);
	assert_int_equal(frame_get16(run->data + 12), ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	assert_int_equal(run->length, (size_t)(icmp - run->data) + 8 + quote);
	inet_pton(ipv6 ? AF_INET6 : AF_INET, ipv6 ? OWN6 : OWN, from);
	inet_pton(ipv6 ? AF_INET6 : AF_INET, ipv6 ? CLIENT6 : CLIENT, to);
	assert_memory_equal(ip + (ipv6 ? 8 : 12), from, ipv6 ? 16 : 4);
	assert_memory_equal(ip + (ipv6 ? 24 : 16), to, ipv6 ? 16 : 4);
	assert_int_equal(ip[ipv6 ? 7 : 8], 64);
	if (ipv6) {
		assert_int_equal(ip[0], 0x60);
		assert_int_equal(frame_get16(ip + 4), 8 + quote);
		assert_int_equal(ip[6], IPPROTO_ICMPV6);
		assert_int_equal(fault6(ip, IPPROTO_ICMPV6, 8 + quote), 0);
	} else {
		assert_int_equal(ip[0], 0x45);
		assert_int_equal(frame_get16(ip + 2), 28 + quote);
		assert_int_equal(ip[9], IPPROTO_ICMP);
		assert_int_equal(frame_ipv4_fault(ip), 0);
		assert_int_equal(frame_checksum(icmp, 8 + quote), 0);
	}
	assert_int_equal(icmp[0], ipv6 ? 2 : 3);
	assert_int_equal(icmp[1], ipv6 ? 0 : 4);
	assert_int_equal(frame_get16(icmp + 4), 0);
	assert_int_equal(frame_get16(icmp + 6), mtu_bytes);
}

/* made_up: the last bytes of the quote that need not be the packet's. */
static void assert_answered(const struct run *run, const struct frame *frame, unsigned mtu_bytes, size_t made_up)
{
	bool ipv6 = frame->data[12] == 0x86;
	const uint8_t *quote = run->data + ETH_HLEN + (ipv6 ? 48 : 28);

	assert_int_equal(run->verdict, TC_ACT_REDIRECT);
	assert_int_equal(drops_of(DROP_too_big_answered), 1);
	assert_int_equal(counted_packets(), 1);
	assert_headers(run, ipv6, mtu_bytes);
	assert_memory_equal(quote, frame->data + ETH_HLEN, (ipv6 ? QUOTE6 : QUOTE4) - made_up);
}

static void answers(const struct frame *frame, unsigned mtu_bytes, size_t made_up)
{
	struct run run;

	reset_counters();
	run = run_tc(frame);
	assert_answered(&run, frame, mtu_bytes, made_up);
}

static void is_sent(const struct frame *frame, unsigned member)
{
	reset_counters();
	assert_sent_to(run_tc(frame), member);
}

static void test_too_big__border_is_the_smallest_mtu_whichever_tunnel_is_chosen(void **state)
{
	(void)state;
	for (unsigned member = 0; member < HQ_MEMBERS; member++) {
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			for (size_t bytes = SMALLEST - 3; bytes < SMALLEST + 4; bytes++) {
				struct frame frame = frame_of(ipv6, member, bytes);

				if (bytes <= SMALLEST)
					is_sent(&frame, member);
				else
					answers(&frame, SMALLEST, 2);
			}
		}
	}
}

static void test_too_big__beyond_all_tunnels_the_smallest_mtu_is_told(void **state)
{
	static const size_t sizes[] = {MTU_BYTES - 1, MTU_BYTES, MTU_BYTES + 1, 1500, 3000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			struct frame frame = frame_of(ipv6, LAYER3, sizes[i]);

			answers(&frame, SMALLEST, 2);
		}
	}
}

static void test_too_big__ipv4_that_may_be_fragmented_goes_by_its_tunnel(void **state)
{
	(void)state;
	for (size_t bytes = SMALLEST - 1; bytes <= MTU_BYTES; bytes++) {
		struct frame frame = frame_of(false, ETHERNET, bytes);

		set_fragment_field(&frame, 0);
		is_sent(&frame, ETHERNET);
	}
	for (size_t bytes = MTU_BYTES + 1; bytes < 1600; bytes += 33) {
		struct frame frame = frame_of(false, ETHERNET, bytes);
		struct run run;

		set_fragment_field(&frame, 0);
		reset_counters();
		run = run_tc(&frame);
		assert_passed(run, PASS_too_big);
		assert_unchanged(run, frame);
	}
}

static void test_too_big__without_a_known_mtu_the_tunnels_own_counts(void **state)
{
	struct frame fits = frame_of(false, LAYER3, MTU_BYTES), large = frame_of(false, LAYER3, MTU_BYTES + 1);

	(void)state;
	rig.connections[HQ].mtu_bytes = 0;
	is_sent(&fits, LAYER3);
	reset_counters();
	assert_passed(run_tc(&large), PASS_too_big);
}

static void test_too_big__ipv6_is_never_told_less_than_1280(void **state)
{
	struct frame least = frame_of(true, LAYER3, 1280), more = frame_of(true, LAYER3, 1281);

	(void)state;
	rig.connections[HQ].mtu_bytes = 1000;
	is_sent(&least, LAYER3);
	answers(&more, 1280, 2);
}

static void test_too_big__ipv4_is_told_small_mtus_too(void **state)
{
	struct frame frame = frame_of(false, LAYER3, QUOTE4 + 1), short_frame = frame_of(false, LAYER3, QUOTE4 - 1);

	(void)state;
	rig.connections[HQ].mtu_bytes = QUOTE4;
	answers(&frame, QUOTE4, 2);
	rig.connections[HQ].mtu_bytes = QUOTE4 - 2;
	is_sent(&short_frame, LAYER3); /* shorter than a quote */
}

/* As a NIC does, or the kernel in its place: the checksum of what is behind `start`, at `field`, but for the rest. */
static void complete(uint8_t *start, const uint8_t *end, size_t field)
{
	unsigned sum = frame_checksum(start, (size_t)(end - start));

	frame_put16(start + field, sum ? sum : 0xffff);
}

/* Whatever stands in the checksum's place: it is part of a sum, the one that is not completed yet. */
static void assert_completion_changes_nothing(struct frame *frame, size_t transport, size_t field)
{
	bool ipv6 = frame->data[12] == 0x86;
	size_t head = ipv6 ? 48 : 28, offset = transport - ETH_HLEN;

	for (unsigned value = 0; value < 65536; value += 4369) {
		struct run run, completed;
		uint8_t *start;

		frame_put16(frame->data + transport + field, value);
		reset_counters();
		budget_is(0);
		run = run_tc(frame);
		assert_answered(&run, frame, SMALLEST, 2);
		completed = run;
		start = completed.data + ETH_HLEN + head + offset;
		complete(start, completed.data + completed.length, field);
		assert_headers(&completed, ipv6, SMALLEST);
		/* 0 and 65,535 are one value of a sum. */
		assert_int_equal(frame_get16(start + field) % 65535, value % 65535);
	}
}

static void test_too_big__nic_that_completes_the_quoted_checksum_changes_nothing(void **state)
{
	struct frame udp = frame_of(false, LAYER3, 1400), udp6 = frame_of(true, LAYER3, 1400);
	struct frame tcp = frame_start(ETH_P_IP), tcp6 = frame_start(ETH_P_IPV6);
	size_t transport;

	(void)state;
	assert_completion_changes_nothing(&udp, ETH_HLEN + 20, 6);
	assert_completion_changes_nothing(&udp6, ETH_HLEN + 40, 6);

	frame_ipv4_with_options(&tcp, CLIENT, SERVER, IPPROTO_TCP, 40);
	transport = tcp.length;
	frame_tcp(&tcp, 1000, 443);
	frame_payload(&tcp, 1400);
	frame_end(&tcp);
	set_fragment_field(&tcp, DONT_FRAGMENT);
	assert_completion_changes_nothing(&tcp, transport, 16);

	frame_ipv6(&tcp6, CLIENT6, SERVER6, IPPROTO_HOPOPTS);
	frame_extension(&tcp6, IPPROTO_DSTOPTS, 0);
	frame_extension(&tcp6, IPPROTO_TCP, 40);
	transport = tcp6.length;
	frame_tcp(&tcp6, 1000, 443);
	frame_payload(&tcp6, 1000);
	frame_end(&tcp6);
	assert_completion_changes_nothing(&tcp6, transport, 16);
}

static void test_too_big__other_protocols_are_quoted_as_they_are(void **state)
{
	static const unsigned protocols[] = {IPPROTO_ICMP, IPPROTO_ESP, IPPROTO_GRE, IPPROTO_SCTP},
			      protocols6[] = {IPPROTO_ICMPV6, IPPROTO_ESP, IPPROTO_GRE, IPPROTO_SCTP};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct frame frame = frame_of_protocol(false, protocols[i], 1401);
		struct frame frame6 = frame_of_protocol(true, protocols6[i], 1401);

		answers(&frame, SMALLEST, 0);
		answers(&frame6, SMALLEST, 0);
	}
}

/* Padded, as to a NIC's block size: the IP packet counts. */
static void test_too_big__padding_is_no_part_of_it(void **state)
{
	struct frame fits = frame_of(false, LAYER3, SMALLEST), large = frame_of(false, LAYER3, SMALLEST + 1);

	(void)state;
	frame_payload(&fits, 100);
	is_sent(&fits, LAYER3);
	frame_payload(&large, 100);
	answers(&large, SMALLEST, 2);
}

static void test_too_big__first_fragment_is_answered_the_others_are_not(void **state)
{
	struct frame frame = frame_of_protocol(false, IPPROTO_UDP, MTU_BYTES + 1);

	(void)state;
	set_fragment_field(&frame, DONT_FRAGMENT | 0x2000);
	answers(&frame, SMALLEST, 0);
	reset_counters();
	set_fragment_field(&frame, DONT_FRAGMENT | 10);
	assert_passed(run_tc(&frame), PASS_too_big);
}

/* What is not answered goes on as if there were no smaller tunnel than its own. */
static void is_left(const struct frame *fits, const struct frame *large)
{
	struct run run;

	reset_counters();
	assert_int_equal(run_tc(fits).verdict, TC_ACT_REDIRECT);
	assert_int_equal(drops_of(DROP_too_big_answered), 0);
	reset_counters();
	run = run_tc(large);
	assert_passed(run, PASS_too_big);
	assert_unchanged(run, *large);
}

static void test_too_big__icmp_errors_are_not_answered(void **state)
{
	struct frame fits[2] = {frame_of_protocol(false, IPPROTO_ICMP, MTU_BYTES),
				frame_of_protocol(true, IPPROTO_ICMPV6, MTU_BYTES)};
	struct frame large[2] = {frame_of_protocol(false, IPPROTO_ICMP, MTU_BYTES + 1),
				 frame_of_protocol(true, IPPROTO_ICMPV6, MTU_BYTES + 1)};

	(void)state;
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		fits[ipv6].data[ETH_HLEN + (ipv6 ? 40 : 20)] = large[ipv6].data[ETH_HLEN + (ipv6 ? 40 : 20)] = 3;
		is_left(&fits[ipv6], &large[ipv6]);
	}
}

static void test_too_big__sctp_without_a_checksum_yet_is_not_answered(void **state)
{
	struct frame fits = frame_of_protocol(false, IPPROTO_SCTP, MTU_BYTES);
	struct frame large = frame_of_protocol(false, IPPROTO_SCTP, MTU_BYTES + 1);

	(void)state;
	memset(fits.data + ETH_HLEN + 20 + 8, 0, 4);
	memset(large.data + ETH_HLEN + 20 + 8, 0, 4);
	is_left(&fits, &large);
}

static void test_too_big__senders_that_are_no_single_host_are_not_answered(void **state)
{
	static const char *const ipv4[] = {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"};
	static const char *const ipv6[] = {"::", "::1", "ff02::1"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct frame fits = frame_of_protocol(false, IPPROTO_GRE, MTU_BYTES);
		struct frame large = frame_of_protocol(false, IPPROTO_GRE, MTU_BYTES + 1);

		inet_pton(AF_INET, ipv4[i], fits.data + ETH_HLEN + 12);
		inet_pton(AF_INET, ipv4[i], large.data + ETH_HLEN + 12);
		frame_end(&fits);
		frame_end(&large);
		is_left(&fits, &large);
	}
	for (size_t i = 0; i < 3; i++) {
		struct frame fits = frame_of_protocol(true, IPPROTO_GRE, MTU_BYTES);
		struct frame large = frame_of_protocol(true, IPPROTO_GRE, MTU_BYTES + 1);

		inet_pton(AF_INET6, ipv6[i], fits.data + ETH_HLEN + 8);
		inet_pton(AF_INET6, ipv6[i], large.data + ETH_HLEN + 8);
		is_left(&fits, &large);
	}
}

static void test_too_big__without_an_address_of_ours_nobody_is_answered(void **state)
{
	struct frame fits = frame_of(false, LAYER3, MTU_BYTES), large = frame_of(false, LAYER3, MTU_BYTES + 1);
	struct frame fits6 = frame_of(true, LAYER3, MTU_BYTES), large6 = frame_of(true, LAYER3, MTU_BYTES + 1);

	(void)state;
	nic_is(INSIDE_NIC, LOOPBACK, NULL, OWN6);
	is_left(&fits, &large);
	answers(&fits6, SMALLEST, 2);
	nic_is(INSIDE_NIC, LOOPBACK, OWN, NULL);
	is_left(&fits6, &large6);
	answers(&fits, SMALLEST, 2);
	nic_is(INSIDE_NIC, LOOPBACK + 1, OWN, OWN6); /* another NIC's */
	is_left(&fits, &large);
}

static void test_too_big__answer_comes_from_the_nic_that_the_packet_came_in_by(void **state)
{
	struct frame frame = frame_of(false, LAYER3, MTU_BYTES);

	(void)state;
	nic_is(INSIDE_NIC, LOOPBACK + 1, "10.9.9.9", NULL);
	nic_is(MAX_INSIDE_NICS - 1, LOOPBACK, OWN, NULL);
	answers(&frame, SMALLEST, 2);
	nic_is(MAX_INSIDE_NICS - 1, 0, NULL, NULL);
}

static void test_too_big__tags_in_the_frame_are_left(void **state)
{
	struct frame plain = frame_of(false, LAYER3, MTU_BYTES + 1), frame = frame_start(ETH_P_8021Q);
	struct run run;

	(void)state;
	frame_tag(&frame, 100, ETH_P_IP);
	memcpy(frame_add(&frame, MTU_BYTES + 1), plain.data + ETH_HLEN, MTU_BYTES + 1);
	run = run_tc(&frame);
	assert_passed(run, PASS_too_big);
	assert_unchanged(run, frame);
}

static void test_too_big__gso_packet_is_measured_by_its_segments(void **state)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame frame = frame_of(ipv6, LAYER3, 3000);
		unsigned headers = ipv6 ? 48 : 28;
		struct run run;

		reset(state);
		run = run_tc_gso(&frame, SMALLEST - headers, 3);
		assert_int_equal(run.verdict, TC_ACT_REDIRECT);
		assert_int_equal(tx_packets(LAYER3), 3);
		reset(state);
		run = run_tc_gso(&frame, SMALLEST - headers + 1, 3);
		assert_answered(&run, &frame, SMALLEST, 2);
	}
}

static void test_too_big__expiring_ttl_is_the_kernels_first(void **state)
{
	struct frame frame = frame_of(false, LAYER3, MTU_BYTES + 1);

	(void)state;
	frame_set_ttl(&frame, 1);
	assert_passed(run_tc(&frame), PASS_ttl_expires);
}

static void test_too_big__asking_answers_nobody(void **state)
{
	struct frame frame = frame_of(false, LAYER3, MTU_BYTES);
	struct run run = ask(&frame);

	(void)state;
	assert_int_equal(run.answer.verdict, WHERE_DROP);
	assert_int_equal(run.answer.detail, DROP_too_big_answered);
	assert_int_equal(counted_packets(), 0);
	assert_unchanged(run, frame);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void test_too_big__beyond_the_budget_none_is_answered(void **state)
{
	struct frame frame = frame_of(false, LAYER3, MTU_BYTES), frame6 = frame_of(true, LAYER3, 1500);

	(void)state;
	budget_is(now_ns() + 3600 * 1000000000ull);
	assert_dropped(run_tc(&frame), DROP_too_big);
	reset_counters();
	assert_dropped(run_tc(&frame6), DROP_too_big);
}

static void test_too_big__budget_is_a_burst_and_a_rate(void **state)
{
	enum { FLOOD = 2000 };
	struct frame frame = frame_of(true, LAYER3, 1500);
	cpu_set_t before, one;
	uint64_t start_ns, elapsed_ns, answered;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	start_ns = now_ns();
	for (int i = 0; i < FLOOD; i++)
		run_tc(&frame);
	elapsed_ns = now_ns() - start_ns;
	sched_setaffinity(0, sizeof(before), &before);
	answered = drops_of(DROP_too_big_answered);
	assert_int_equal(answered + drops_of(DROP_too_big), FLOOD);
	assert_in_range(answered, ANSWERS_BURST, ANSWERS_BURST + elapsed_ns / ANSWER_NS + 1);
	assert_true(answered < FLOOD);
}

static void test_too_big__xdp_leaves_what_is_above_the_smallest_mtu(void **state)
{
	(void)state;
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame fits = frame_of(ipv6, REMOTE, SMALLEST), large = frame_of(ipv6, REMOTE, SMALLEST + 1);
		struct run run;

		reset_counters();
		assert_int_equal(run_xdp(&fits).verdict, XDP_REDIRECT);
		assert_int_equal(tx_packets(REMOTE), 1);
		reset_counters();
		run = run_xdp(&large);
		assert_int_equal(run.verdict, XDP_PASS);
		assert_int_equal(passes_of(PASS_to_tc), 1);
		assert_unchanged(run, large);
	}
}

/* What is left to the kernel finds no route there, and that keeps it from leaking. */
static int set_up(void **state)
{
	if (rig_set_up(state))
		return -1;
	shell("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_too_big__##name, reset)
	static const struct CMUnitTest tests[] = {
		TEST(border_is_the_smallest_mtu_whichever_tunnel_is_chosen),
		TEST(beyond_all_tunnels_the_smallest_mtu_is_told),
		TEST(ipv4_that_may_be_fragmented_goes_by_its_tunnel),
		TEST(without_a_known_mtu_the_tunnels_own_counts),
		TEST(ipv6_is_never_told_less_than_1280),
		TEST(ipv4_is_told_small_mtus_too),
		TEST(nic_that_completes_the_quoted_checksum_changes_nothing),
		TEST(other_protocols_are_quoted_as_they_are),
		TEST(padding_is_no_part_of_it),
		TEST(first_fragment_is_answered_the_others_are_not),
		TEST(icmp_errors_are_not_answered),
		TEST(sctp_without_a_checksum_yet_is_not_answered),
		TEST(senders_that_are_no_single_host_are_not_answered),
		TEST(without_an_address_of_ours_nobody_is_answered),
		TEST(answer_comes_from_the_nic_that_the_packet_came_in_by),
		TEST(tags_in_the_frame_are_left),
		TEST(gso_packet_is_measured_by_its_segments),
		TEST(expiring_ttl_is_the_kernels_first),
		TEST(asking_answers_nobody),
		TEST(beyond_the_budget_none_is_answered),
		TEST(budget_is_a_burst_and_a_rate),
		TEST(xdp_leaves_what_is_above_the_smallest_mtu),
	};
#undef TEST

	return cmocka_run_group_tests_name("too_big", tests, set_up, rig_tear_down);
}
