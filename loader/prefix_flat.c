/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IPv4 prefixes as a table of two levels. See prefix_flat.h.
 *
 * A place is a network of 16 bits, or of 24 in a chunk. It knows the longest prefix of no more bits than its own that
 * holds it, which is what it answers, and how many longer ones lie within: then it asks. A prefix that comes takes the
 * places that it holds from shorter ones; when it goes, they are the next shorter one's, which is the same for all.
 */
#include "prefix_flat.h"

#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../maps/limits.h"

#define ROOTS	    65536
#define FIRST_CHUNK 256 /* before it: the roots' */

struct place {
	uint32_t connection; /* of the prefix that decides */
	uint16_t length;     /* 1 + its bits; 0: none does */
	uint16_t within;     /* longer prefixes than the place has bits; one place of 24 bits has no more than 510 */
};

struct known {
	uint32_t address;
	uint32_t connection;
	uint8_t length;
};

struct prefix_flat {
	struct prefix_chunk *chunks;
	uint32_t count;
	uint32_t given; /* chunks that are in use */
	bool gave_up;	/* no memory: every answer is to ask */
	void *known;	/* tsearch(3)'s tree of struct known */
	struct place root[ROOTS];
	uint32_t root_within[ROOTS]; /* as place.within: there may be more of them */
	uint32_t root_chunk[ROOTS];  /* 0: it has none */
	struct place *place[];	     /* by chunk, from FIRST_CHUNK on: 256 each */
};

static int known_compare(const void *a, const void *b)
{
	const struct known *one = a, *other = b;

	if (one->address != other->address)
		return one->address < other->address ? -1 : 1;
	return (int)one->length - (int)other->length;
}

static uint32_t mask_of(unsigned length)
{
	return length ? ~0u << (32 - length) : 0;
}

/* false: no IPv4 prefix. */
static bool ipv4_of(const struct config_address *prefix, struct known *ret_known)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *byte = prefix->byte + 12;

	if (prefix->length < IPV4_MAPPED_BITS || memcmp(prefix->byte, mapped, sizeof(mapped)) != 0)
		return false;
	*ret_known = (struct known){.length = (uint8_t)(prefix->length - IPV4_MAPPED_BITS)};
	ret_known->address = ((uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3]) &
			     mask_of(ret_known->length);
	return true;
}

static uint32_t answer_of(const struct place *place)
{
	if (!place->length)
		return NO_PREFIX;
	return place->connection < NO_PREFIX ? place->connection + 1 : place->connection;
}

static void answer_store(__u32 *answer, uint32_t value)
{
	__atomic_store_n(answer, value, __ATOMIC_RELEASE);
}

static void root_publish(struct prefix_flat *flat, uint32_t root)
{
	uint32_t chunk = flat->root_chunk[root], answer = answer_of(&flat->root[root]);

	if (chunk)
		answer = PREFIX_CHUNK + chunk;
	else if (flat->root_within[root])
		answer = PREFIX_ASK;
	answer_store(&flat->chunks[root >> 8].answer[root & 0xff], answer);
}

static void place_publish(struct prefix_flat *flat, uint32_t chunk, uint32_t byte)
{
	const struct place *place = &flat->place[chunk][byte];

	answer_store(&flat->chunks[chunk].answer[byte], place->within ? PREFIX_ASK : answer_of(place));
}

/* Without chunks, or memory, to spare, the root asks for as long as something is within it. */
static void chunk_give(struct prefix_flat *flat, uint32_t root)
{
	uint32_t chunk = flat->given;
	struct place *places;

	if (flat->root_chunk[root] || flat->root_within[root] || chunk == flat->count)
		return;
	places = malloc(256 * sizeof(*places));
	if (!places)
		return;
	flat->place[chunk] = places;
	for (uint32_t byte = 0; byte < 256; byte++) {
		places[byte] = flat->root[root];
		place_publish(flat, chunk, byte);
	}
	flat->given++;
	flat->root_chunk[root] = chunk;
}

/* from: lengths, as in struct place, of which a place has to be to become what to says. */
static bool place_take(struct place *place, uint16_t from_least, uint16_t from_most, const struct place *to)
{
	if (place->length < from_least || place->length > from_most)
		return false;
	place->length = to->length;
	place->connection = to->connection;
	return true;
}

static void chunk_take(struct prefix_flat *flat, uint32_t chunk, uint32_t first, uint32_t count, uint16_t from_least,
		       uint16_t from_most, const struct place *to)
{
	for (uint32_t byte = first; byte < first + count; byte++)
		if (place_take(&flat->place[chunk][byte], from_least, from_most, to))
			place_publish(flat, chunk, byte);
}

/* All places that the prefix holds, which has no more than 24 bits. */
static void places_take(struct prefix_flat *flat, const struct known *prefix, uint16_t from_least, uint16_t from_most,
			const struct place *to)
{
	uint32_t root = prefix->address >> 16, roots = prefix->length < 16 ? 1u << (16 - prefix->length) : 1;

	if (prefix->length > 16) {
		if (flat->root_chunk[root])
			chunk_take(flat, flat->root_chunk[root], prefix->address >> 8 & 0xff,
				   1u << (24 - prefix->length), from_least, from_most, to);
		return;
	}
	for (uint32_t end = root + roots; root < end; root++) {
		if (place_take(&flat->root[root], from_least, from_most, to))
			root_publish(flat, root);
		if (flat->root_chunk[root])
			chunk_take(flat, flat->root_chunk[root], 0, 256, from_least, from_most, to);
	}
}

/* One more, or one less, that is longer than a place which holds it. */
static void within_count(struct prefix_flat *flat, const struct known *prefix, int change)
{
	uint32_t root = prefix->address >> 16, chunk = flat->root_chunk[root], byte = prefix->address >> 8 & 0xff;

	if (prefix->length <= 16)
		return;
	flat->root_within[root] += (uint32_t)change;
	root_publish(flat, root);
	if (prefix->length <= 24 || !chunk)
		return;
	flat->place[chunk][byte].within = (uint16_t)(flat->place[chunk][byte].within + change);
	place_publish(flat, chunk, byte);
}

static void give_up(struct prefix_flat *flat)
{
	flat->gave_up = true;
	for (uint32_t root = 0; root < ROOTS; root++)
		answer_store(&flat->chunks[root >> 8].answer[root & 0xff], PREFIX_ASK);
}

/* NULL without memory. */
static struct known *known_add(struct prefix_flat *flat, const struct known *prefix)
{
	struct known *node = malloc(sizeof(*node)), **there;

	if (!node)
		return NULL;
	*node = *prefix;
	there = tsearch(node, &flat->known, known_compare);
	if (!there) {
		free(node);
		return NULL;
	}
	if (prefix->length > 16)
		chunk_give(flat, prefix->address >> 16);
	within_count(flat, prefix, 1);
	return node;
}

void prefix_flat_set(struct prefix_flat *flat, const struct config_address *prefix, uint32_t connection)
{
	struct known sought, *known, **there;
	struct place to;

	if (flat->gave_up || !ipv4_of(prefix, &sought))
		return;
	there = tfind(&sought, &flat->known, known_compare);
	known = there ? *there : known_add(flat, &sought);
	if (!known) {
		give_up(flat);
		return;
	}
	known->connection = connection;
	to = (struct place){.connection = connection, .length = (uint16_t)(sought.length + 1)};
	if (sought.length <= 24)
		places_take(flat, &sought, 0, to.length, &to);
}

/* The next shorter prefix that holds it. */
static struct place holder_of(const struct prefix_flat *flat, const struct known *prefix)
{
	for (unsigned length = prefix->length; length-- > 0;) {
		struct known sought = {.address = prefix->address & mask_of(length), .length = (uint8_t)length};
		struct known **there = tfind(&sought, &flat->known, known_compare);

		if (there)
			return (struct place){.connection = (*there)->connection, .length = (uint16_t)(length + 1)};
	}
	return (struct place){0};
}

void prefix_flat_remove(struct prefix_flat *flat, const struct config_address *prefix)
{
	struct known sought, *node, **there;
	struct place to;

	if (flat->gave_up || !ipv4_of(prefix, &sought))
		return;
	there = tfind(&sought, &flat->known, known_compare);
	if (!there)
		return;
	node = *there;
	tdelete(&sought, &flat->known, known_compare);
	free(node);
	to = holder_of(flat, &sought);
	if (sought.length <= 24)
		places_take(flat, &sought, sought.length + 1, sought.length + 1, &to);
	within_count(flat, &sought, -1);
}

struct prefix_flat *prefix_flat_new(struct prefix_chunk *chunks, uint32_t count)
{
	struct prefix_flat *flat = calloc(1, sizeof(*flat) + count * sizeof(*flat->place));

	if (!flat)
		return NULL;
	flat->chunks = chunks;
	flat->count = count;
	flat->given = FIRST_CHUNK;
	for (uint32_t root = 0; root < ROOTS; root++)
		root_publish(flat, root);
	return flat;
}

void prefix_flat_free(struct prefix_flat *flat)
{
	if (!flat)
		return;
	tdestroy(flat->known, free);
	for (uint32_t chunk = FIRST_CHUNK; chunk < flat->given; chunk++)
		free(flat->place[chunk]);
	free(flat);
}
