/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of a profile: rendezvous ranks first, then the few corrections that make shares exact. See rows.h.
 *
 * Pure ranks give each member its share only on average; with 65,536 rows and 64 members that is off by several per
 * cent. So places are dealt out by quota: every row takes the member that it ranks first, then members with too many
 * rows give up those that cost least (where the next choice ranks nearly as high) to members with too few. The same is
 * done for second places, among the rows of each first. Rows that no quota touched keep the pure order.
 */
#include "rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/rank.h"

#define QUOTA_LEVELS 2 /* places that are dealt out by quota: the first, and the second where the first fails */

struct builder {
	const struct member_rank *members;
	size_t count;
	struct row *rows;
};

/* A row that its member could give up, and to whom. */
struct offer {
	uint64_t cost; /* how much lower the other one scores */
	uint32_t row;
	uint8_t to;
};

size_t rows_needed(const struct member_rank *members, size_t count)
{
	size_t rows = MIN_ROWS;
	uint32_t total = 0, least = MAX_WEIGHT;

	/* As if there were no tiers: a change of the mode leaves every flow on its row. */
	for (size_t i = 0; i < count; i++) {
		total += members[i].weight;
		if (members[i].weight < least)
			least = members[i].weight;
	}
	/*
	 * Half a row of rounding is within 1 % of the least share once that share is 50 rows. And what one of many
	 * members leaves behind is spread finely over the others once that is some 16 rows for each of them.
	 */
	while (rows < MAX_ROWS && (rows * least < 50ull * total || rows < 16 * count * count))
		rows *= 2;
	return rows;
}

static bool is_taken(const struct row *row, size_t places, uint8_t ordinal)
{
	for (size_t i = 0; i < places; i++)
		if (row->candidate[i] == ordinal)
			return true;
	return false;
}

/* The best member for this place of a row by tier and rank, members in `banned` left aside; NO_CANDIDATE if there is
 * none. */
static uint8_t best_for(const struct builder *builder, uint32_t row, size_t place, uint64_t banned, uint64_t *ret_score)
{
	uint8_t best = NO_CANDIDATE;
	uint64_t best_score = 0;

	for (size_t i = 0; i < builder->count; i++) {
		uint64_t score;

		if (banned >> i & 1 || is_taken(&builder->rows[row], place, (uint8_t)i))
			continue;
		if (best != NO_CANDIDATE && builder->members[i].tier > builder->members[best].tier)
			continue;
		score = rank_score(row, (uint32_t)i, builder->members[i].weight);
		if (best == NO_CANDIDATE || builder->members[i].tier < builder->members[best].tier ||
		    score > best_score) {
			best = (uint8_t)i;
			best_score = score;
		}
	}
	*ret_score = best_score;
	return best;
}

/* Rows due to each member of the tier, by largest remainder. Members that are out of it are due none. */
static void quotas(const struct builder *builder, uint64_t eligible, size_t rows, uint32_t *ret_quota)
{
	uint64_t total = 0, remainder[MAX_MEMBERS] = {0};
	size_t dealt = 0;

	for (size_t i = 0; i < builder->count; i++)
		total += eligible >> i & 1 ? builder->members[i].weight : 0;
	for (size_t i = 0; i < builder->count; i++) {
		uint64_t share = eligible >> i & 1 ? (uint64_t)rows * builder->members[i].weight : 0;

		ret_quota[i] = (uint32_t)(share / total);
		remainder[i] = share % total;
		dealt += ret_quota[i];
	}
	for (; dealt < rows; dealt++) {
		size_t most = 0;

		for (size_t i = 1; i < builder->count; i++)
			if (remainder[i] > remainder[most])
				most = i;
		ret_quota[most]++;
		remainder[most] = 0;
	}
}

static int offer_compare(const void *a, const void *b)
{
	const struct offer *left = a, *right = b;

	if (left->cost != right->cost)
		return left->cost < right->cost ? -1 : 1;
	return left->row < right->row ? -1 : left->row > right->row;
}

/* What each surplus row would cost to give to the member with room that it ranks highest. */
static size_t offers_collect(const struct builder *builder, const uint32_t *rows, size_t row_count, size_t place,
			     const uint32_t *held, const uint32_t *quota, uint64_t eligible, struct offer *offers)
{
	uint64_t full = ~eligible;
	size_t count = 0;

	for (size_t i = 0; i < builder->count; i++)
		if (held[i] >= quota[i])
			full |= 1ull << i;
	for (size_t r = 0; r < row_count; r++) {
		uint8_t holder = builder->rows[rows[r]].candidate[place];
		uint64_t score, own;
		uint8_t to;

		if (held[holder] <= quota[holder])
			continue;
		to = best_for(builder, rows[r], place, full, &score);
		if (to == NO_CANDIDATE)
			continue;
		own = rank_score(rows[r], holder, builder->members[holder].weight);
		offers[count++] = (struct offer){.cost = own - score, .row = rows[r], .to = to};
	}
	qsort(offers, count, sizeof(*offers), offer_compare);
	return count;
}

/* Each pass gives rows away until an offer's receiver is full; the last pass finds nobody with too many. */
static void quotas_meet(const struct builder *builder, const uint32_t *rows, size_t row_count, size_t place,
			uint64_t eligible, struct offer *offers)
{
	uint32_t quota[MAX_MEMBERS], held[MAX_MEMBERS] = {0};
	size_t count;

	quotas(builder, eligible, row_count, quota);
	for (size_t r = 0; r < row_count; r++)
		held[builder->rows[rows[r]].candidate[place]]++;
	while ((count = offers_collect(builder, rows, row_count, place, held, quota, eligible, offers)))
		for (size_t o = 0; o < count; o++) {
			uint8_t *holder = &builder->rows[offers[o].row].candidate[place];

			if (held[*holder] <= quota[*holder] || held[offers[o].to] >= quota[offers[o].to])
				continue;
			held[*holder]--;
			held[offers[o].to]++;
			*holder = offers[o].to;
		}
}

/* Members of the best tier that is left when `taken` are gone. */
static uint64_t tier_left(const struct builder *builder, uint64_t taken)
{
	uint64_t eligible = 0;
	unsigned tier = UINT8_MAX + 1;

	for (size_t i = 0; i < builder->count; i++) {
		if (taken >> i & 1 || builder->members[i].tier > tier)
			continue;
		if (builder->members[i].tier < tier)
			eligible = 0;
		tier = builder->members[i].tier;
		eligible |= 1ull << i;
	}
	return eligible;
}

/* Fills one place of rows that agree on all places before it, whose members are `taken`. */
static void place_fill(const struct builder *builder, const uint32_t *rows, size_t row_count, size_t place,
		       uint64_t taken, struct offer *offers)
{
	uint64_t eligible = tier_left(builder, taken), score;

	for (size_t r = 0; r < row_count; r++)
		builder->rows[rows[r]].candidate[place] = best_for(builder, rows[r], place, ~eligible, &score);
	if (eligible)
		quotas_meet(builder, rows, row_count, place, eligible, offers);
}

/*
 * First places: those that there would be without tiers; then rows whose first is not of the best tier are dealt out
 * among that tier. So a change of the mode moves no flow whose tunnel is of the best tier.
 */
static void firsts_fill(const struct builder *builder, uint32_t *group, size_t row_count, struct offer *offers)
{
	uint64_t best = tier_left(builder, 0);
	struct member_rank alike[MAX_MEMBERS];
	struct builder whole = {.members = alike, .count = builder->count, .rows = builder->rows};
	size_t size = 0;

	for (size_t i = 0; i < builder->count; i++)
		alike[i] = (struct member_rank){.weight = builder->members[i].weight};
	for (size_t r = 0; r < row_count; r++)
		group[r] = (uint32_t)r;
	place_fill(&whole, group, row_count, 0, 0, offers);
	for (size_t r = 0; r < row_count; r++)
		if (!(best >> builder->rows[r].candidate[0] & 1))
			group[size++] = (uint32_t)r;
	if (size)
		place_fill(builder, group, size, 0, 0, offers);
}

/* Places behind those dealt out by quota, in the order of rank: one scoring of all members serves them all. */
static void rest_fill(const struct builder *builder, uint32_t row)
{
	struct row *at = &builder->rows[row];
	uint64_t scores[MAX_MEMBERS], left = 0;

	for (size_t i = 0; i < builder->count; i++) {
		if (is_taken(at, QUOTA_LEVELS, (uint8_t)i))
			continue;
		scores[i] = rank_score(row, (uint32_t)i, builder->members[i].weight);
		left |= 1ull << i;
	}
	for (size_t place = QUOTA_LEVELS; place < ROW_CANDIDATES && left; place++) {
		size_t best = MAX_MEMBERS;

		for (size_t i = 0; i < builder->count; i++)
			if (left >> i & 1 &&
			    (best == MAX_MEMBERS || builder->members[i].tier < builder->members[best].tier ||
			     (builder->members[i].tier == builder->members[best].tier && scores[i] > scores[best])))
				best = i;
		at->candidate[place] = (uint8_t)best;
		left &= ~(1ull << best);
	}
}

int rows_build(const struct member_rank *members, size_t count, struct row *rows, size_t row_count)
{
	struct builder builder = {.members = members, .count = count, .rows = rows};
	struct offer *offers;
	uint32_t *group;

	if (!count || count > MAX_MEMBERS || row_count < MIN_ROWS || row_count > MAX_ROWS ||
	    row_count & (row_count - 1))
		return -EINVAL;
	offers = malloc(row_count * sizeof(*offers));
	group = malloc(row_count * sizeof(*group));
	if (!offers || !group) {
		free(offers);
		free(group);
		return -ENOMEM;
	}
	memset(rows, NO_CANDIDATE, row_count * sizeof(*rows));
	firsts_fill(&builder, group, row_count, offers);
	for (size_t first = 0; first < count && count > 1; first++) {
		size_t size = 0;

		for (size_t r = 0; r < row_count; r++)
			if (rows[r].candidate[0] == first)
				group[size++] = (uint32_t)r;
		place_fill(&builder, group, size, 1, 1ull << first, offers);
	}
	for (size_t r = 0; r < row_count; r++)
		rest_fill(&builder, (uint32_t)r);
	free(offers);
	free(group);
	return 0;
}
