// SPDX-License-Identifier: GPL-2.0-only
/*
 * `prefix_chunks` before `prefixes`: the program goes by it, asks `prefixes` where it says so, and both together are
 * the longest prefix, of random ones that come and go.
 */
#include "prog.h"

#include "../../loader/prefix_flat.h"

#define PREFIXES 200
#define CHANGES	 400
#define LOOKS	 10

struct reference {
	uint32_t address, connection;
	unsigned length;
	bool there;
};

static struct reference reference[PREFIXES];
static struct prefix_flat *flat;

static int reset(void **state)
{
	memset(rig.prefix_chunks, 0, sizeof(*rig.prefix_chunks) * PREFIX_CHUNKS);
	return rig_reset(state);
}

static uint32_t mask_of(unsigned length)
{
	return length ? ~0u << (32 - length) : 0;
}

static void text_of(uint32_t address, char text[INET_ADDRSTRLEN])
{
	address = htonl(address);
	assert_non_null(inet_ntop(AF_INET, &address, text, INET_ADDRSTRLEN));
}

/* NO_CONNECTION: none, or one that is the kernel's. */
static uint32_t connection_of(uint32_t address)
{
	char text[INET_ADDRSTRLEN];
	struct frame frame;

	text_of(address, text);
	frame = frame_of_udp(CLIENT, 1, text, 1);
	return ask(&frame).answer.connection;
}

static uint32_t longest(uint32_t address)
{
	const struct reference *best = NULL;

	for (const struct reference *r = reference; r < reference + PREFIXES; r++)
		if (r->there && !((address ^ r->address) & mask_of(r->length)) && (!best || r->length > best->length))
			best = r;
	return best ? best->connection : NO_CONNECTION;
}

static void change(struct reference *r)
{
	struct config_address prefix = {.byte = {[10] = 0xff, [11] = 0xff}, .length = (uint8_t)(96 + r->length)};
	uint32_t address = htonl(r->address);
	struct prefix_key key = {.prefix_length_bits = prefix.length};
	struct prefix value;

	memcpy(prefix.byte + 12, &address, 4);
	memcpy(key.address, prefix.byte, sizeof(key.address));
	r->there = !r->there || random() % 4 == 0;
	r->connection = random() % 4 ? HQ : random() % 2 ? WIDE : NO_CONNECTION;
	value.connection = r->connection;
	if (r->there) {
		rig_update(rig.tc->maps.prefixes, &key, &value);
		prefix_flat_set(flat, &prefix, r->connection);
	} else {
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(rig.tc->maps.prefixes), &key), 0);
		prefix_flat_remove(flat, &prefix);
	}
	rig.gateway->prefix_changes++;
}

static void reference_draw(void)
{
	for (size_t i = 0; i < PREFIXES; i++) {
		struct reference *r = &reference[i];
		bool again;

		do { /* not the rig's own prefixes */
			r->length = 9 + (unsigned)random() % 24;
			r->address = (0x14000000 | ((uint32_t)random() & 0x03c10783)) & mask_of(r->length);
			again = false;
			for (const struct reference *other = reference; other < r; other++)
				again |= other->length == r->length && other->address == r->address;
		} while (again);
	}
}

static void test_prefix_flat__with_prefixes_it_is_the_longest_prefix(void **state)
{
	(void)state;
	flat = prefix_flat_new(rig.prefix_chunks, PREFIX_CHUNKS);
	assert_non_null(flat);
	reference_draw();
	for (unsigned i = 0; i < CHANGES; i++) {
		struct reference *r = &reference[random() % PREFIXES];

		change(r);
		for (unsigned j = 0; j < LOOKS; j++) {
			uint32_t address = r->address | ((uint32_t)random() & ~mask_of(r->length));

			assert_int_equal(connection_of(address), longest(address));
		}
	}
	prefix_flat_free(flat);
}

/* What `prefixes` says of it is not even looked at. */
static void test_prefix_flat__decides_alone(void **state)
{
	uint32_t server = ntohl(inet_addr(SERVER));
	struct frame frame = frame_to(REMOTE);

	(void)state;
	assert_int_equal(connection_of(server), HQ);
	rig.prefix_chunks[server >> 24].answer[server >> 16 & 0xff] = 1 + WIDE;
	assert_int_equal(connection_of(server), WIDE);
	rig.prefix_chunks[server >> 24].answer[server >> 16 & 0xff] = PREFIX_CHUNK + 256;
	assert_int_equal(connection_of(server), HQ); /* that chunk asks */
	rig.prefix_chunks[256].answer[server >> 8 & 0xff] = NO_PREFIX;
	assert_int_equal(ask(&frame).answer.detail, PASS_no_connection);
	assert_int_equal(run_xdp(&frame).verdict, XDP_PASS);
	rig.prefix_chunks[256].answer[server >> 8 & 0xff] = 1 + HQ;
	assert_int_equal(run_xdp(&frame).verdict, XDP_REDIRECT);
	rig.prefix_chunks[server >> 24].answer[server >> 16 & 0xff] = PREFIX_CHUNK + PREFIX_CHUNK_LIMIT - 1;
	assert_int_equal(connection_of(server), HQ); /* there is none of that number */
}

/* ::ffff:a.b.c.d in an IPv6 packet is an IPv6 address. */
static void test_prefix_flat__is_for_ipv4(void **state)
{
	struct frame frame = frame_of_udp(CLIENT6, 1, "::ffff:" SERVER, 1);
	uint32_t server = ntohl(inet_addr(SERVER));

	(void)state;
	rig.prefix_chunks[server >> 24].answer[server >> 16 & 0xff] = 1 + WIDE;
	assert_int_equal(ask(&frame).answer.connection, NO_CONNECTION);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_prefix_flat__##name, reset)
	static const struct CMUnitTest tests[] = {
		TEST(decides_alone),
		TEST(is_for_ipv4),
		TEST(with_prefixes_it_is_the_longest_prefix),
	};
#undef TEST

	return cmocka_run_group_tests_name("prefix_flat", tests, rig_set_up, rig_tear_down);
}
