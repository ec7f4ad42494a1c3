/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XFRM messages as the kernel sends them, in every order that a rekey was seen to take, through sas_message into
 * sa_set.
 *
 * The box owns 203.0.113.10; peers are 198.51.100.n. "In" is an SA towards the box, "out" one towards a peer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/sa_set.h"
#include "../../loader/sas.c" /* for its handle_message() */
#include "../../loader/sas_message.h"

#define ATTRIBUTE_SA_DIR 33
#define IF_IDS		 8

#define BOX  "203.0.113.10"
#define PEER "198.51.100.1"

struct fixture {
	struct sa_set *set;
	bool present[IF_IDS]; /* as last told */
	bool expiring[IF_IDS];
	size_t ups, downs, expiries;
	bool owns_nothing;
	uint64_t wall_s, running_s;
	uint8_t buffer[4096] __attribute__((aligned(8)));
};

static bool is_own(const struct config_address *address, void *context)
{
	struct fixture *fixture = context;
	static const uint8_t box[4] = {203, 0, 113, 10};

	return !fixture->owns_nothing && address->is_ipv4 && memcmp(address->byte + 12, box, sizeof(box)) == 0;
}

static void changed(uint32_t if_id, bool present, void *context)
{
	struct fixture *fixture = context;

	assert_true(if_id < IF_IDS);
	/* Told only what is new, and what a question would answer. */
	assert_int_not_equal(fixture->present[if_id], present);
	assert_int_equal(sa_set_present(fixture->set, if_id), present);
	fixture->present[if_id] = present;
	fixture->ups += present;
	fixture->downs += !present;
}

static void expiring(uint32_t if_id, bool expires, void *context)
{
	struct fixture *fixture = context;

	assert_true(if_id < IF_IDS);
	assert_int_not_equal(fixture->expiring[if_id], expires);
	assert_int_equal(sa_set_expiring(fixture->set, if_id), expires);
	fixture->expiring[if_id] = expires;
	fixture->expiries += expires;
}

/* As sas.c does before each message and, by its timer, when something is due. */
static void time_passes(struct fixture *fixture, uint64_t seconds)
{
	fixture->wall_s += seconds;
	fixture->running_s += seconds;
	sa_set_clock(fixture->set, fixture->wall_s * NS_PER_SECOND, fixture->running_s * NS_PER_SECOND);
	if (sa_set_due_ns(fixture->set) <= fixture->running_s * NS_PER_SECOND)
		sa_set_expire(fixture->set);
}

#define NOW_S	  1800000000ull /* wall clock, at the start of each test */
#define RUNNING_S 5000ull	/* since boot */

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int result = sa_set_new(is_own, changed, expiring, fixture, &fixture->set);

	*state = fixture;
	fixture->wall_s = NOW_S;
	fixture->running_s = RUNNING_S;
	time_passes(fixture, 0);
	return result;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	sa_set_free(fixture->set);
	free(fixture);
	return 0;
}

struct text_sa {
	const char *source, *destination;
	uint32_t spi; /* host order; 0: larval */
	uint32_t if_id;
	uint32_t mark;
	uint8_t direction;    /* XFRMA_SA_DIR; 0: an older kernel */
	uint8_t window;	      /* of the header */
	uint32_t wide_window; /* XFRMA_REPLAY_ESN_VAL; 0: without */
	bool no_algorithm;
	uint8_t protocol;	      /* 0: ESP */
	uint64_t added_s, life_s;     /* wall clock, hard limit from then on; 0: none */
	uint64_t used_s, life_used_s; /* likewise from the first use */
};

static void fill_address(xfrm_address_t *address, const char *text)
{
	if (strchr(text, ':'))
		assert_int_equal(inet_pton(AF_INET6, text, address), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text, address), 1);
}

static void fill_info(struct xfrm_usersa_info *info, const struct text_sa *sa)
{
	info->family = strchr(sa->destination, ':') ? AF_INET6 : AF_INET;
	info->id.spi = htonl(sa->spi);
	info->id.proto = sa->protocol ? sa->protocol : IPPROTO_ESP;
	fill_address(&info->id.daddr, sa->destination);
	fill_address(&info->saddr, sa->source);
	info->replay_window = sa->window;
	info->lft.hard_byte_limit = info->lft.hard_packet_limit = XFRM_INF;
	info->curlft.add_time = sa->added_s;
	info->curlft.use_time = sa->used_s;
	info->lft.hard_add_expires_seconds = sa->life_s;
	info->lft.hard_use_expires_seconds = sa->life_used_s;
}

static void put_attributes(struct nlmsghdr *header, const struct text_sa *sa)
{
	struct xfrm_mark mark = {.v = sa->mark, .m = UINT32_MAX};
	struct xfrm_replay_state_esn replay = {.replay_window = sa->wide_window};
	uint8_t algorithm[sizeof(struct xfrm_algo_aead) + 20] = "rfc4106(gcm(aes))";

	if (!sa->no_algorithm)
		mnl_attr_put(header, XFRMA_ALG_AEAD, sizeof(algorithm), algorithm);
	if (sa->mark)
		mnl_attr_put(header, XFRMA_MARK, sizeof(mark), &mark);
	if (sa->if_id)
		mnl_attr_put_u32(header, XFRMA_IF_ID, sa->if_id);
	if (sa->wide_window)
		mnl_attr_put(header, XFRMA_REPLAY_ESN_VAL, sizeof(replay), &replay);
	if (sa->direction)
		mnl_attr_put_u8(header, ATTRIBUTE_SA_DIR, sa->direction);
}

static struct nlmsghdr *begin(struct fixture *fixture, uint16_t type)
{
	struct nlmsghdr *header;

	memset(fixture->buffer, 0, sizeof(fixture->buffer));
	header = mnl_nlmsg_put_header(fixture->buffer);
	header->nlmsg_type = type;
	return header;
}

/* As sas.c does with each message. */
static void feed(struct fixture *fixture, const struct nlmsghdr *header)
{
	struct sa_message news;

	assert_int_equal(sas_message_parse(header, &news), 0);
	if (news.event == SA_PUT)
		sa_set_put(fixture->set, &news.sa);
	else if (news.event == SA_GONE)
		sa_set_remove(fixture->set, &news.sa.id);
	else if (news.event == SA_FLUSHED)
		sa_set_flush(fixture->set, news.sa.id.protocol);
}

static void state_message(struct fixture *fixture, uint16_t type, const struct text_sa *sa)
{
	struct nlmsghdr *header = begin(fixture, type);

	fill_info(mnl_nlmsg_put_extra_header(header, sizeof(struct xfrm_usersa_info)), sa);
	put_attributes(header, sa);
	feed(fixture, header);
}

static void newsa(struct fixture *fixture, const struct text_sa *sa)
{
	state_message(fixture, XFRM_MSG_NEWSA, sa);
}

static void updsa(struct fixture *fixture, const struct text_sa *sa)
{
	state_message(fixture, XFRM_MSG_UPDSA, sa);
}

static void delsa(struct fixture *fixture, const struct text_sa *sa)
{
	struct nlmsghdr *header = begin(fixture, XFRM_MSG_DELSA);
	struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(header, sizeof(*id));
	struct xfrm_usersa_info info = {0};

	fill_info(&info, sa);
	id->daddr = info.id.daddr;
	id->spi = info.id.spi;
	id->proto = info.id.proto;
	id->family = info.family;
	mnl_attr_put(header, XFRMA_SA, sizeof(info), &info);
	put_attributes(header, sa);
	feed(fixture, header);
}

static void expire(struct fixture *fixture, const struct text_sa *sa, bool hard)
{
	struct nlmsghdr *header = begin(fixture, XFRM_MSG_EXPIRE);
	struct xfrm_user_expire *expiry = mnl_nlmsg_put_extra_header(header, sizeof(*expiry));

	fill_info(&expiry->state, sa);
	expiry->hard = hard;
	if (sa->if_id)
		mnl_attr_put_u32(header, XFRMA_IF_ID, sa->if_id);
	feed(fixture, header);
}

static void flush(struct fixture *fixture, uint8_t protocol)
{
	struct nlmsghdr *header = begin(fixture, XFRM_MSG_FLUSHSA);
	struct xfrm_usersa_flush *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

	body->proto = protocol;
	feed(fixture, header);
}

static const struct text_sa in_old = {.source = PEER, .destination = BOX, .spi = 0x100, .if_id = 1};
static const struct text_sa in_new = {.source = PEER, .destination = BOX, .spi = 0x101, .if_id = 1};
static const struct text_sa in_third = {.source = PEER, .destination = BOX, .spi = 0x102, .if_id = 1};
static const struct text_sa out_old = {.source = BOX, .destination = PEER, .spi = 0x200, .if_id = 1};
static const struct text_sa out_new = {.source = BOX, .destination = PEER, .spi = 0x201, .if_id = 1};
static const struct text_sa out_third = {.source = BOX, .destination = PEER, .spi = 0x202, .if_id = 1};

static void establish(struct fixture *fixture)
{
	updsa(fixture, &in_old);
	newsa(fixture, &out_old);
	assert_true(fixture->present[1]);
	assert_int_equal(fixture->ups, 1);
}

static void test_sas__first_outbound_one_makes_present(void **state)
{
	struct fixture *fixture = *state;

	updsa(fixture, &in_old);
	assert_false(sa_set_present(fixture->set, 1));
	newsa(fixture, &out_old);
	assert_true(fixture->present[1]);
	delsa(fixture, &out_old);
	assert_false(fixture->present[1]);
	/* An inbound SA sends nothing. */
	assert_int_equal(fixture->ups, 1);
	assert_int_equal(fixture->downs, 1);
}

static void test_sas__rekey_as_strongswan_does_it(void **state)
{
	struct fixture *fixture = *state;

	establish(fixture);
	expire(fixture, &out_old, false);
	updsa(fixture, &in_new);
	newsa(fixture, &out_new);
	delsa(fixture, &out_old);
	delsa(fixture, &in_old);
	assert_true(fixture->present[1]);
	assert_int_equal(fixture->downs, 0);
	delsa(fixture, &out_new);
	assert_false(fixture->present[1]);
}

static void test_sas__both_ends_rekey_at_once(void **state)
{
	struct fixture *fixture = *state;

	establish(fixture);
	updsa(fixture, &in_new);
	updsa(fixture, &in_third);
	newsa(fixture, &out_new);
	newsa(fixture, &out_third);
	delsa(fixture, &out_new);
	delsa(fixture, &out_old);
	delsa(fixture, &in_new);
	delsa(fixture, &in_old);
	assert_true(fixture->present[1]);
	assert_int_equal(fixture->downs, 0);
}

static void test_sas__hard_expiry_stands_for_deletion(void **state)
{
	struct fixture *fixture = *state;

	establish(fixture);
	newsa(fixture, &out_new);
	expire(fixture, &out_old, true);
	assert_true(fixture->present[1]);
	/* A DELSA may follow all the same. */
	delsa(fixture, &out_old);
	assert_true(fixture->present[1]);
	expire(fixture, &out_new, true);
	assert_false(fixture->present[1]);
}

static void test_sas__a_thousand_rekeys_bring_no_false_down(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = out_old, in = in_old, out_before, in_before;
	int i;

	establish(fixture);
	for (i = 0; i < 1000; i++) {
		out_before = out;
		in_before = in;
		out.spi += 16;
		in.spi += 16;
		updsa(fixture, &in);
		newsa(fixture, &out);
		delsa(fixture, &out_before);
		delsa(fixture, &in_before);
	}
	assert_int_equal(fixture->ups, 1);
	assert_int_equal(fixture->downs, 0);
}

static void test_sas__larval_ones_do_not_count(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa larval = {.source = BOX, .destination = PEER, .spi = 0x300, .if_id = 1, .no_algorithm = true};
	struct text_sa acquire = {.source = BOX, .destination = PEER, .spi = 0, .if_id = 1};

	newsa(fixture, &larval);
	newsa(fixture, &acquire);
	assert_int_equal(fixture->ups, 0);
	/* It grows up. */
	larval.no_algorithm = false;
	updsa(fixture, &larval);
	assert_int_equal(fixture->ups, 1);
	expire(fixture, &acquire, true);
	assert_int_equal(fixture->downs, 0);
}

static void test_sas__without_if_id_or_of_other_protocols_are_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa policy_based = {.source = BOX, .destination = PEER, .spi = 0x300};
	struct text_sa compression = {
		.source = BOX, .destination = PEER, .spi = 0x301, .if_id = 1, .protocol = IPPROTO_COMP};

	newsa(fixture, &policy_based);
	newsa(fixture, &compression);
	assert_int_equal(fixture->ups, 0);
}

/* The kernel repeats the request that updated the SA; the SA's own if_id stays. */
static void test_sas__updated_without_if_id_stay(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa untold = out_old;

	establish(fixture);
	untold.if_id = 0;
	updsa(fixture, &untold);
	assert_true(fixture->present[1]);
	assert_int_equal(fixture->downs, 0);
}

static void test_sas__interfaces_do_not_mix(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa other = {.source = BOX, .destination = "198.51.100.2", .spi = 0x200, .if_id = 2};

	establish(fixture);
	newsa(fixture, &other);
	delsa(fixture, &out_old);
	assert_false(fixture->present[1]);
	assert_true(fixture->present[2]);
}

static void test_sas__same_spi_under_other_marks_is_another_sa(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa first = out_old, second = out_old;

	first.mark = 1;
	second.mark = 2;
	newsa(fixture, &first);
	newsa(fixture, &second);
	delsa(fixture, &first);
	assert_true(fixture->present[1]);
	delsa(fixture, &second);
	assert_false(fixture->present[1]);
}

static void test_sas__update_may_move_to_another_interface(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa moved = out_old;

	newsa(fixture, &out_old);
	moved.if_id = 3;
	updsa(fixture, &moved);
	assert_false(fixture->present[1]);
	assert_true(fixture->present[3]);
	delsa(fixture, &moved);
	assert_false(fixture->present[3]);
}

static void test_sas__ipv6_and_ah_count(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa six = {.source = "2001:db8::1", .destination = "2001:db8::2", .spi = 7, .if_id = 4};
	struct text_sa ah = {.source = BOX, .destination = PEER, .spi = 8, .if_id = 5, .protocol = IPPROTO_AH};

	newsa(fixture, &six);
	newsa(fixture, &ah);
	assert_true(fixture->present[4]);
	assert_true(fixture->present[5]);
	flush(fixture, IPPROTO_AH);
	assert_true(fixture->present[4]);
	assert_false(fixture->present[5]);
}

static void test_sas__flush_takes_all(void **state)
{
	struct fixture *fixture = *state;

	establish(fixture);
	flush(fixture, 255);
	assert_false(fixture->present[1]);
	newsa(fixture, &out_new);
	flush(fixture, 0);
	assert_false(fixture->present[1]);
	newsa(fixture, &out_new);
	flush(fixture, IPPROTO_AH);
	assert_true(fixture->present[1]);
}

static void test_sas__direction_told_by_the_kernel_wins(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = {.source = PEER, .destination = BOX, .spi = 9, .if_id = 1, .direction = 2};
	struct text_sa in = {.source = BOX, .destination = PEER, .spi = 9, .if_id = 2, .direction = 1};

	newsa(fixture, &out);
	newsa(fixture, &in);
	assert_true(fixture->present[1]);
	assert_false(fixture->present[2]);
}

static void test_recheck__address_that_comes_turns_direction(void **state)
{
	struct fixture *fixture = *state;

	fixture->owns_nothing = true;
	updsa(fixture, &in_old);
	assert_true(fixture->present[1]);
	fixture->owns_nothing = false;
	sa_set_recheck(fixture->set);
	assert_false(fixture->present[1]);
	newsa(fixture, &out_old);
	sa_set_recheck(fixture->set);
	assert_true(fixture->present[1]);
	assert_int_equal(fixture->ups, 2);
}

static void test_dump__removes_what_it_does_not_show(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa other = {.source = BOX, .destination = "198.51.100.2", .spi = 0x200, .if_id = 2};

	establish(fixture);
	sa_set_begin(fixture->set);
	newsa(fixture, &out_new);
	newsa(fixture, &other);
	sa_set_end(fixture->set);
	assert_true(fixture->present[1]);
	assert_true(fixture->present[2]);
	assert_int_equal(fixture->downs, 0);
	sa_set_begin(fixture->set);
	newsa(fixture, &other);
	sa_set_end(fixture->set);
	assert_false(fixture->present[1]);
	assert_true(fixture->present[2]);
}

/* Read for a dump before it went, an SA may still be to come here after the news that it went. */
static void test_dump__is_disturbed_by_the_end_of_an_unknown_sa(void **state)
{
	struct fixture *fixture = *state;
	const struct nlmsghdr *message = (const struct nlmsghdr *)fixture->buffer;
	struct sas sas = {.set = fixture->set};

	delsa(fixture, &out_old);
	assert_true(handle_message(message, &sas));
	expire(fixture, &out_old, true);
	assert_true(handle_message(message, &sas));
	expire(fixture, &out_old, false);
	assert_false(handle_message(message, &sas));
	newsa(fixture, &out_old);
	assert_false(handle_message(message, &sas));
}

static struct text_sa living(struct text_sa sa, uint64_t added_s, uint64_t life_s)
{
	sa.added_s = added_s;
	sa.life_s = life_s;
	return sa;
}

static void test_expiry__last_sa_is_left_two_seconds_before(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S - 10, 100);

	newsa(fixture, &out);
	assert_int_equal(sa_set_due_ns(fixture->set), (RUNNING_S + 88) * NS_PER_SECOND);
	time_passes(fixture, 87);
	assert_false(fixture->expiring[1]);
	time_passes(fixture, 1);
	assert_true(fixture->expiring[1]);
	assert_true(fixture->present[1]);
	time_passes(fixture, 2);
	expire(fixture, &out, true);
	assert_false(fixture->present[1]);
	assert_false(fixture->expiring[1]);
	assert_int_equal(fixture->expiries, 1);
	assert_int_equal(sa_set_due_ns(fixture->set), SA_NEVER);
}

static void test_expiry__rekey_in_time_is_none(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S, 100), next = living(out_new, NOW_S + 90, 100);

	newsa(fixture, &out);
	time_passes(fixture, 90);
	expire(fixture, &out, false);
	newsa(fixture, &next);
	/* The old one may run out beside it. */
	time_passes(fixture, 10);
	expire(fixture, &out, true);
	time_passes(fixture, 87);
	assert_int_equal(fixture->expiries, 0);
	time_passes(fixture, 1);
	assert_true(fixture->expiring[1]);
}

static void test_expiry__successor_that_is_late_ends_it(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S, 100), next = living(out_new, NOW_S + 99, 100);

	newsa(fixture, &out);
	time_passes(fixture, 99);
	assert_true(fixture->expiring[1]);
	newsa(fixture, &next);
	assert_false(fixture->expiring[1]);
	delsa(fixture, &next);
	assert_true(fixture->expiring[1]);
	assert_int_equal(fixture->downs, 0);
}

static void test_expiry__inbound_and_other_interfaces_are_no_successors(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S, 100),
		       other = {.source = BOX, .destination = "198.51.100.2", .spi = 0x200, .if_id = 2};

	newsa(fixture, &out);
	updsa(fixture, &in_old);
	newsa(fixture, &other);
	time_passes(fixture, 98);
	assert_true(fixture->expiring[1]);
	assert_false(fixture->expiring[2]);
}

static void test_expiry__without_limit_never_comes(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa endless = living(out_new, NOW_S, XFRM_INF), unused = out_third;

	newsa(fixture, &out_old);
	time_passes(fixture, 1000000);
	delsa(fixture, &out_old);
	newsa(fixture, &endless);
	assert_int_equal(sa_set_due_ns(fixture->set), SA_NEVER);
	delsa(fixture, &endless);
	unused.life_used_s = 10;
	newsa(fixture, &unused);
	time_passes(fixture, 1000000);
	assert_int_equal(fixture->expiries, 0);
}

static void test_expiry__counts_from_first_use_too(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S - 50, 1000);

	out.used_s = NOW_S;
	out.life_used_s = 20;
	newsa(fixture, &out);
	time_passes(fixture, 17);
	assert_false(fixture->expiring[1]);
	time_passes(fixture, 1);
	assert_true(fixture->expiring[1]);
}

static void test_expiry__does_not_follow_the_wall_clock_when_that_is_set(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S, 100), next = living(out_new, NOW_S, 100);

	newsa(fixture, &out);
	fixture->wall_s += 86400;
	time_passes(fixture, 50);
	assert_false(fixture->expiring[1]);
	/* Nor when a dump shows it again. */
	sa_set_begin(fixture->set);
	newsa(fixture, &out);
	sa_set_end(fixture->set);
	assert_false(fixture->expiring[1]);
	time_passes(fixture, 48);
	assert_true(fixture->expiring[1]);
	/* Of one that should be long gone it is not known how long it lives. */
	newsa(fixture, &next);
	assert_false(fixture->expiring[1]);
	assert_int_equal(sa_set_due_ns(fixture->set), SA_NEVER);
}

static void test_expiry__is_put_off_when_the_wall_clock_is_set_back(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S, 100), endless = living(out_new, NOW_S, 0);

	newsa(fixture, &out);
	time_passes(fixture, 99);
	assert_true(fixture->expiring[1]);
	fixture->wall_s -= 50;
	time_passes(fixture, 0);
	assert_false(fixture->expiring[1]);
	time_passes(fixture, 48);
	assert_false(fixture->expiring[1]);
	time_passes(fixture, 1);
	assert_true(fixture->expiring[1]);
	newsa(fixture, &endless);
	fixture->wall_s -= 50;
	time_passes(fixture, 100000);
	assert_false(fixture->expiring[1]);
}

static void test_expiry__is_found_at_once_in_a_first_dump(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S - 99, 100);

	sa_set_begin(fixture->set);
	newsa(fixture, &out);
	sa_set_end(fixture->set);
	assert_true(fixture->expiring[1]);
	assert_true(fixture->present[1]);
}

static void test_expiry__update_moves_it(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa out = living(out_old, NOW_S, 100);

	newsa(fixture, &out);
	out.life_s = 10;
	updsa(fixture, &out);
	time_passes(fixture, 8);
	assert_true(fixture->expiring[1]);
	out.life_s = 200;
	updsa(fixture, &out);
	assert_false(fixture->expiring[1]);
	out.if_id = 3;
	updsa(fixture, &out);
	time_passes(fixture, 190);
	assert_true(fixture->expiring[3]);
	assert_false(fixture->expiring[1]);
}

static void test_expiry__direction_that_turns_counts(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa in = living(in_old, NOW_S, 1000), out = living(out_old, NOW_S, 100);

	fixture->owns_nothing = true;
	updsa(fixture, &in);
	newsa(fixture, &out);
	time_passes(fixture, 99);
	assert_false(fixture->expiring[1]);
	fixture->owns_nothing = false;
	sa_set_recheck(fixture->set);
	assert_true(fixture->expiring[1]);
}

static void test_expiry__each_interface_has_its_own(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t if_id = IF_IDS - 1; if_id > 0; if_id--) {
		struct text_sa out = living(out_old, NOW_S, 10 * if_id);

		out.spi += if_id;
		out.if_id = if_id;
		newsa(fixture, &out);
	}
	for (uint32_t if_id = 1; if_id < IF_IDS; if_id++) {
		time_passes(fixture, if_id == 1 ? 7 : 9);
		assert_int_equal(fixture->expiries, if_id - 1);
		time_passes(fixture, 1);
		assert_true(fixture->expiring[if_id]);
		assert_int_equal(fixture->expiries, if_id);
	}
}

static void test_expiry__is_told_by_the_timer(void **state)
{
	struct fixture *fixture = *state;
	struct sas sas = {.set = fixture->set};
	struct text_sa out;
	sd_event *loop;

	assert_true(sd_event_new(&loop) >= 0);
	assert_int_equal(timer_open(&sas, loop), 0);
	read_clocks(&sas);
	out = living(out_old, clock_wall_ns() / NS_PER_SECOND, 3);
	newsa(fixture, &out);
	assert_false(fixture->expiring[1]);
	handle_message((const struct nlmsghdr *)fixture->buffer, &sas);
	assert_true(sd_event_run(loop, 5000000) > 0);
	assert_true(fixture->expiring[1]);
	assert_true(clock_wall_ns() < (out.added_s + out.life_s) * NS_PER_SECOND);
	sd_event_source_disable_unref(sas.expiry);
	sd_event_unref(loop);
}

static void test_parse__short_and_foreign_messages_are_refused(void **state)
{
	static const uint16_t types[] = {XFRM_MSG_NEWSA, XFRM_MSG_UPDSA, XFRM_MSG_DELSA, XFRM_MSG_EXPIRE};
	struct fixture *fixture = *state;
	struct sa_message news = {.event = SA_MIGRATED};
	struct nlmsghdr *header;
	struct xfrm_usersa_info *info;
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		header = begin(fixture, types[i]);
		mnl_nlmsg_put_extra_header(header, 16);
		assert_int_equal(sas_message_parse(header, &news), -EBADMSG);
	}
	header = begin(fixture, XFRM_MSG_FLUSHSA);
	assert_int_equal(sas_message_parse(header, &news), -EBADMSG);
	header = begin(fixture, XFRM_MSG_NEWSA);
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	fill_info(info, &out_old);
	info->family = AF_UNIX;
	assert_int_equal(sas_message_parse(header, &news), -EAFNOSUPPORT);
	assert_int_equal(news.event, SA_MIGRATED);
}

static void test_parse__short_attributes_are_passed_over(void **state)
{
	struct fixture *fixture = *state;
	struct nlmsghdr *header = begin(fixture, XFRM_MSG_NEWSA);
	struct sa_message news;

	fill_info(mnl_nlmsg_put_extra_header(header, sizeof(struct xfrm_usersa_info)), &out_old);
	mnl_attr_put_u8(header, XFRMA_IF_ID, 1);
	mnl_attr_put_u32(header, XFRMA_MARK, 1);
	mnl_attr_put(header, ATTRIBUTE_SA_DIR, 0, "");
	assert_int_equal(sas_message_parse(header, &news), 0);
	assert_int_equal(news.event, SA_GONE);
	assert_int_equal(news.sa.if_id, 0);
	assert_int_equal(news.sa.id.mark_value, 0);
	assert_int_equal(news.sa.direction, SA_BY_ADDRESS);
}

#define MODEL_SPIS 24

/* A table so simple that it is surely right: index is SPI, value is if_id, 0 is none. Odd SPIs are inbound. */
struct reference {
	uint32_t if_id[MODEL_SPIS];
	uint64_t expires_s[MODEL_SPIS];
};

static struct text_sa model_sa(const struct fixture *fixture, uint32_t spi, uint32_t if_id)
{
	struct text_sa sa = {
		.source = spi % 2 ? PEER : BOX, .destination = spi % 2 ? BOX : PEER, .spi = spi + 1, .if_id = if_id};

	return living(sa, fixture->wall_s, (uint64_t)rand() % 8);
}

static void model_put(struct reference *reference, uint32_t spi, const struct text_sa *sa)
{
	reference->if_id[spi] = sa->if_id;
	reference->expires_s[spi] = sa->life_s ? sa->added_s + sa->life_s : SA_NEVER;
}

static void check_against(struct fixture *fixture, const struct reference *reference)
{
	uint32_t if_id, spi;

	for (if_id = 1; if_id < IF_IDS; if_id++) {
		bool expected = false, lives = false;

		for (spi = 0; spi < MODEL_SPIS; spi += 2) {
			expected |= reference->if_id[spi] == if_id;
			lives |= reference->if_id[spi] == if_id && reference->expires_s[spi] > fixture->wall_s + 2;
		}
		assert_int_equal(fixture->expiring[if_id], expected && !lives);
		assert_int_equal(sa_set_present(fixture->set, if_id), expected);
		assert_int_equal(fixture->present[if_id], expected);
	}
}

static void random_dump(struct fixture *fixture, struct reference *reference)
{
	uint32_t spi;

	sa_set_begin(fixture->set);
	for (spi = 0; spi < MODEL_SPIS; spi++) {
		uint32_t if_id = rand() % 3 ? reference->if_id[spi] : (uint32_t)rand() % IF_IDS;
		struct text_sa sa = model_sa(fixture, spi, if_id);

		if (if_id && rand() % 4) {
			newsa(fixture, &sa);
			model_put(reference, spi, &sa);
		} else {
			reference->if_id[spi] = 0;
		}
	}
	sa_set_end(fixture->set);
}

static void random_step(struct fixture *fixture, struct reference *reference)
{
	uint32_t spi = rand() % MODEL_SPIS, if_id = rand() % IF_IDS;
	struct text_sa sa = model_sa(fixture, spi, if_id);

	time_passes(fixture, rand() % 8 == 0);
	switch (rand() % 64) {
	case 0:
		flush(fixture, IPPROTO_ESP);
		memset(reference->if_id, 0, sizeof(reference->if_id));
		break;
	case 1:
		random_dump(fixture, reference);
		break;
	case 2 ... 10:
		expire(fixture, &sa, false);
		break;
	case 11 ... 20:
		expire(fixture, &sa, true);
		reference->if_id[spi] = 0;
		break;
	case 21 ... 34:
		delsa(fixture, &sa);
		reference->if_id[spi] = 0;
		break;
	case 35 ... 49:
		updsa(fixture, &sa);
		if (if_id)
			model_put(reference, spi, &sa);
		break;
	default:
		newsa(fixture, &sa);
		model_put(reference, spi, &sa);
	}
}

static void test_sas__random_messages_agree_with_a_reference(void **state)
{
	struct fixture *fixture = *state;
	struct reference reference = {0};
	int i;

	srand(7);
	for (i = 0; i < 50000; i++) {
		random_step(fixture, &reference);
		check_against(fixture, &reference);
	}
	assert_true(fixture->ups > 1000);
	assert_true(fixture->expiries > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void test_window__is_the_smallest_of_inbound_sas(void **state)
{
	struct fixture *fixture = *state;
	struct text_sa in = {PEER, BOX, 0x100, .if_id = 1, .window = 32};

	assert_int_equal(sa_set_window(fixture->set, 1), SA_NO_WINDOW);
	newsa(fixture, &(struct text_sa){BOX, PEER, 0x200, .if_id = 1});
	assert_int_equal(sa_set_window(fixture->set, 1), SA_NO_WINDOW);
	updsa(fixture, &(struct text_sa){PEER, BOX, 0x101, .if_id = 1, .wide_window = 1024});
	assert_int_equal(sa_set_window(fixture->set, 1), 1024);
	updsa(fixture, &in);
	assert_int_equal(sa_set_window(fixture->set, 1), 32);
	assert_int_equal(sa_set_window(fixture->set, 2), SA_NO_WINDOW);
	in.window = 64;
	newsa(fixture, &in);
	assert_int_equal(sa_set_window(fixture->set, 1), 64);
	updsa(fixture, &(struct text_sa){PEER, BOX, 0x102, .if_id = 1});
	assert_int_equal(sa_set_window(fixture->set, 1), 0);
	delsa(fixture, &(struct text_sa){PEER, BOX, 0x102, .if_id = 1});
	delsa(fixture, &in);
	assert_int_equal(sa_set_window(fixture->set, 1), 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sas__first_outbound_one_makes_present),
		TEST(test_sas__rekey_as_strongswan_does_it),
		TEST(test_sas__both_ends_rekey_at_once),
		TEST(test_sas__hard_expiry_stands_for_deletion),
		TEST(test_sas__a_thousand_rekeys_bring_no_false_down),
		TEST(test_sas__larval_ones_do_not_count),
		TEST(test_sas__without_if_id_or_of_other_protocols_are_nothing),
		TEST(test_sas__updated_without_if_id_stay),
		TEST(test_sas__interfaces_do_not_mix),
		TEST(test_sas__same_spi_under_other_marks_is_another_sa),
		TEST(test_sas__update_may_move_to_another_interface),
		TEST(test_sas__ipv6_and_ah_count),
		TEST(test_sas__flush_takes_all),
		TEST(test_sas__direction_told_by_the_kernel_wins),
		TEST(test_recheck__address_that_comes_turns_direction),
		TEST(test_dump__removes_what_it_does_not_show),
		TEST(test_dump__is_disturbed_by_the_end_of_an_unknown_sa),
		TEST(test_expiry__last_sa_is_left_two_seconds_before),
		TEST(test_expiry__rekey_in_time_is_none),
		TEST(test_expiry__successor_that_is_late_ends_it),
		TEST(test_expiry__inbound_and_other_interfaces_are_no_successors),
		TEST(test_expiry__without_limit_never_comes),
		TEST(test_expiry__counts_from_first_use_too),
		TEST(test_expiry__does_not_follow_the_wall_clock_when_that_is_set),
		TEST(test_expiry__is_put_off_when_the_wall_clock_is_set_back),
		TEST(test_expiry__is_found_at_once_in_a_first_dump),
		TEST(test_expiry__update_moves_it),
		TEST(test_expiry__direction_that_turns_counts),
		TEST(test_expiry__each_interface_has_its_own),
		TEST(test_expiry__is_told_by_the_timer),
		TEST(test_parse__short_and_foreign_messages_are_refused),
		TEST(test_parse__short_attributes_are_passed_over),
		TEST(test_sas__random_messages_agree_with_a_reference),
		TEST(test_window__is_the_smallest_of_inbound_sas),
	};

	return cmocka_run_group_tests_name("sas", tests, NULL, NULL);
}
