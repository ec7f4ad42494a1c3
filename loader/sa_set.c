/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which xfrm interfaces have outbound SAs. See sa_set.h.
 *
 * Counts change first, callbacks follow in settle(): a change of several SAs at once is told as its outcome.
 */
#include "sa_set.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_STEP_NS (500 * (int64_t)NS_PER_MS) /* less is but the time between reading two clocks */

/* An interface as far as SAs name it. Lives while it has an SA of either direction. */
struct interface {
	uint32_t if_id; /* first: the tree compares by it */
	uint32_t sa_count;
	uint32_t outbound_count;
	uint64_t expires_ns; /* running clock: of the outbound SA with most life left; 0 without any */
	struct kept_sa *sas; /* all of them */
	bool present;	     /* as last told */
	bool expiring;	     /* as last told */
	struct interface *next;
};

struct kept_sa {
	struct sa sa; /* first: the tree compares by its id */
	struct interface *interface;
	struct kept_sa *sibling, **sibling_place; /* in interface->sas */
	uint64_t expires_ns;			  /* running clock */
	bool outbound;
	uint64_t generation;
	struct kept_sa *next;
};

struct sa_set {
	sa_set_is_own_fn *is_own;
	sa_set_changed_fn *changed;
	sa_set_expiring_fn *expiring;
	void *context;
	void *sas;	  /* tsearch tree of struct kept_sa */
	void *interfaces; /* tsearch tree of struct interface */
	uint64_t generation;
	uint64_t wall_ns, running_ns; /* now */
	uint64_t due_ns;	      /* running clock: no interface expires before that was not told */
	struct kept_sa *walked;	      /* while a walk collects */
	struct interface *walked_interfaces;
};

static int compare_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_sa(const void *left, const void *right)
{
	const struct sa_id *a = left, *b = right;
	int order = compare_u32(a->spi, b->spi);

	if (order == 0)
		order = memcmp(a->destination.byte, b->destination.byte, sizeof(a->destination.byte));
	if (order == 0)
		order = compare_u32(a->protocol, b->protocol);
	if (order == 0)
		order = compare_u32(a->mark_value, b->mark_value);
	return order ? order : compare_u32(a->mark_mask, b->mark_mask);
}

static int compare_interface(const void *left, const void *right)
{
	const struct interface *a = left, *b = right;

	return compare_u32(a->if_id, b->if_id);
}

static struct kept_sa *find_sa(const struct sa_set *set, const struct sa_id *id)
{
	void *node = tfind(id, &set->sas, compare_sa);

	return node ? *(struct kept_sa **)node : NULL;
}

static struct interface *find_interface(const struct sa_set *set, uint32_t if_id)
{
	struct interface key = {.if_id = if_id};
	void *node = tfind(&key, &set->interfaces, compare_interface);

	return node ? *(struct interface **)node : NULL;
}

static struct interface *take_interface(struct sa_set *set, uint32_t if_id)
{
	struct interface *interface = find_interface(set, if_id);

	if (!interface) {
		interface = calloc(1, sizeof(*interface));
		if (!interface)
			return NULL;
		interface->if_id = if_id;
		if (!tsearch(interface, &set->interfaces, compare_interface)) {
			free(interface);
			return NULL;
		}
	}
	interface->sa_count++;
	return interface;
}

static uint64_t leave_ns(const struct interface *interface)
{
	if (interface->expires_ns == SA_NEVER)
		return SA_NEVER;
	return interface->expires_ns > SA_LEAVE_NS ? interface->expires_ns - SA_LEAVE_NS : 0;
}

/* Tells what changed, and lets go of an interface without SAs. Gone comes before no longer expiring, so that there is
 * a cause to leave it at any time. */
static void settle(struct sa_set *set, struct interface *interface)
{
	bool present = interface->outbound_count > 0;
	bool expiring = present && leave_ns(interface) <= set->running_ns;
	bool changed = present != interface->present;
	bool expiring_changed = expiring != interface->expiring;
	uint32_t if_id = interface->if_id;

	interface->present = present;
	interface->expiring = expiring;
	if (present && !expiring && leave_ns(interface) < set->due_ns)
		set->due_ns = leave_ns(interface);
	if (interface->sa_count == 0) {
		tdelete(interface, &set->interfaces, compare_interface);
		free(interface);
	}
	if (changed)
		set->changed(if_id, present, set->context);
	if (expiring_changed)
		set->expiring(if_id, expiring, set->context);
}

static bool judge(const struct sa_set *set, const struct sa *sa)
{
	if (sa->direction != SA_BY_ADDRESS)
		return sa->direction == SA_OUTBOUND;
	return !set->is_own(&sa->id.destination, set->context);
}

static void find_expiry(struct interface *interface)
{
	interface->expires_ns = 0;
	for (const struct kept_sa *kept = interface->sas; kept; kept = kept->sibling)
		if (kept->outbound && kept->expires_ns > interface->expires_ns)
			interface->expires_ns = kept->expires_ns;
}

static void set_outbound(struct kept_sa *kept, bool outbound)
{
	struct interface *interface = kept->interface;

	if (outbound == kept->outbound)
		return;
	kept->outbound = outbound;
	if (outbound) {
		interface->outbound_count++;
		if (kept->expires_ns > interface->expires_ns)
			interface->expires_ns = kept->expires_ns;
	} else {
		interface->outbound_count--;
		if (kept->expires_ns == interface->expires_ns)
			find_expiry(interface);
	}
}

/* From the wall clock to the one that runs. */
static uint64_t expiry_of(const struct sa_set *set, uint64_t expires_s)
{
	uint64_t expires_ns, ns;

	if (__builtin_mul_overflow(expires_s, NS_PER_SECOND, &expires_ns))
		return SA_NEVER;
	if (expires_ns < set->wall_ns) {
		ns = set->wall_ns - expires_ns;
		/* Long past its limit and still there: the wall clock was set since, and what is left is not known. */
		if (ns > SA_LEAVE_NS)
			return SA_NEVER;
		return set->running_ns > ns ? set->running_ns - ns : 0;
	}
	return __builtin_add_overflow(set->running_ns, expires_ns - set->wall_ns, &ns) ? SA_NEVER : ns;
}

/* What is told again in the same words, in a dump, is not reckoned anew: the wall clock may have been set. */
static void set_expiry(const struct sa_set *set, struct kept_sa *kept, uint64_t expires_s)
{
	if (kept->sa.expires_s == expires_s)
		return;
	kept->sa.expires_s = expires_s;
	kept->expires_ns = expiry_of(set, expires_s);
	if (kept->outbound)
		find_expiry(kept->interface);
}

static void join(struct kept_sa *kept, struct interface *interface)
{
	kept->interface = interface;
	kept->sibling = interface->sas;
	kept->sibling_place = &interface->sas;
	if (kept->sibling)
		kept->sibling->sibling_place = &kept->sibling;
	interface->sas = kept;
}

static void leave(struct kept_sa *kept)
{
	*kept->sibling_place = kept->sibling;
	if (kept->sibling)
		kept->sibling->sibling_place = kept->sibling_place;
	kept->interface->sa_count--;
}

static bool add_sa(struct sa_set *set, const struct sa *sa)
{
	struct kept_sa *kept = calloc(1, sizeof(*kept));
	struct interface *interface;

	if (!kept)
		return false;
	kept->sa = *sa;
	kept->generation = set->generation;
	kept->expires_ns = expiry_of(set, sa->expires_s);
	interface = take_interface(set, sa->if_id);
	if (!interface) {
		free(kept);
		return false;
	}
	if (!tsearch(kept, &set->sas, compare_sa)) {
		interface->sa_count--;
		settle(set, interface);
		free(kept);
		return false;
	}
	join(kept, interface);
	set_outbound(kept, judge(set, sa));
	settle(set, interface);
	return true;
}

static bool move_sa(struct sa_set *set, struct kept_sa *kept, uint32_t if_id)
{
	struct interface *from = kept->interface, *to = take_interface(set, if_id);
	bool outbound = kept->outbound;

	if (!to)
		return false;
	set_outbound(kept, false);
	leave(kept);
	join(kept, to);
	kept->sa.if_id = if_id;
	set_outbound(kept, outbound);
	settle(set, to);
	settle(set, from);
	return true;
}

bool sa_set_put(struct sa_set *set, const struct sa *sa)
{
	struct kept_sa *kept = find_sa(set, &sa->id);
	bool changed;

	if (!kept)
		return add_sa(set, sa);
	kept->generation = set->generation;
	kept->sa.direction = sa->direction;
	kept->sa.window_packets = sa->window_packets;
	changed = kept->outbound != judge(set, sa);
	set_outbound(kept, judge(set, sa));
	set_expiry(set, kept, sa->expires_s);
	if (kept->sa.if_id != sa->if_id)
		return move_sa(set, kept, sa->if_id);
	settle(set, kept->interface);
	return changed;
}

static void remove_sa(struct sa_set *set, struct kept_sa *kept)
{
	struct interface *interface = kept->interface;

	set_outbound(kept, false);
	leave(kept);
	tdelete(kept, &set->sas, compare_sa);
	free(kept);
	settle(set, interface);
}

bool sa_set_holds(const struct sa_set *set, const struct sa_id *id)
{
	return find_sa(set, id) != NULL;
}

bool sa_set_remove(struct sa_set *set, const struct sa_id *id)
{
	struct kept_sa *kept = find_sa(set, id);

	if (kept)
		remove_sa(set, kept);
	return kept != NULL;
}

static void collect_sa(const void *node, VISIT visit, void *closure)
{
	struct kept_sa *kept = *(struct kept_sa *const *)node;
	struct sa_set *set = closure;

	if (visit != postorder && visit != leaf)
		return;
	kept->next = set->walked;
	set->walked = kept;
}

static struct kept_sa *collect_sas(struct sa_set *set)
{
	set->walked = NULL;
	twalk_r(set->sas, collect_sa, set);
	return set->walked;
}

void sa_set_flush(struct sa_set *set, uint8_t protocol)
{
	struct kept_sa *kept, *next;

	for (kept = collect_sas(set); kept; kept = next) {
		next = kept->next;
		if (protocol == 0 || kept->sa.id.protocol == protocol)
			remove_sa(set, kept);
	}
}

void sa_set_begin(struct sa_set *set)
{
	set->generation++;
}

void sa_set_end(struct sa_set *set)
{
	struct kept_sa *kept, *next;

	for (kept = collect_sas(set); kept; kept = next) {
		next = kept->next;
		if (kept->generation != set->generation)
			remove_sa(set, kept);
	}
}

static void collect_interface(const void *node, VISIT visit, void *closure)
{
	struct interface *interface = *(struct interface *const *)node;
	struct sa_set *set = closure;

	if (visit != postorder && visit != leaf)
		return;
	interface->next = set->walked_interfaces;
	set->walked_interfaces = interface;
}

static void settle_all(struct sa_set *set)
{
	struct interface *interface, *next;

	set->walked_interfaces = NULL;
	twalk_r(set->interfaces, collect_interface, set);
	for (interface = set->walked_interfaces; interface; interface = next) {
		next = interface->next;
		settle(set, interface);
	}
}

void sa_set_recheck(struct sa_set *set)
{
	struct kept_sa *kept;

	for (kept = collect_sas(set); kept; kept = kept->next)
		set_outbound(kept, judge(set, &kept->sa));
	settle_all(set);
}

static void put_off(struct sa_set *set, uint64_t step_ns)
{
	struct kept_sa *kept;

	for (kept = collect_sas(set); kept; kept = kept->next)
		if (__builtin_add_overflow(kept->expires_ns, step_ns, &kept->expires_ns))
			kept->expires_ns = SA_NEVER;
	for (kept = set->walked; kept; kept = kept->next)
		find_expiry(kept->interface);
	if (set->walked)
		set->due_ns = set->running_ns; /* to look at all of them again */
}

/* The kernel keeps SAs from dying early of a wall clock that is set forward, but lets them live on when it is set back.
 */
void sa_set_clock(struct sa_set *set, uint64_t wall_ns, uint64_t running_ns)
{
	int64_t step_ns = (int64_t)((set->wall_ns - set->running_ns) - (wall_ns - running_ns));

	set->wall_ns = wall_ns;
	set->running_ns = running_ns;
	if (step_ns >= CLOCK_STEP_NS)
		put_off(set, (uint64_t)step_ns);
}

/* May be too early, where an SA went or got a successor since, and never too late. */
uint64_t sa_set_due_ns(const struct sa_set *set)
{
	return set->due_ns;
}

void sa_set_expire(struct sa_set *set)
{
	set->due_ns = SA_NEVER;
	settle_all(set);
}

bool sa_set_present(const struct sa_set *set, uint32_t if_id)
{
	const struct interface *interface = find_interface(set, if_id);

	return interface && interface->present;
}

bool sa_set_expiring(const struct sa_set *set, uint32_t if_id)
{
	const struct interface *interface = find_interface(set, if_id);

	return interface && interface->expiring;
}

uint32_t sa_set_window(const struct sa_set *set, uint32_t if_id)
{
	const struct interface *interface = find_interface(set, if_id);
	uint32_t window_packets = SA_NO_WINDOW;

	for (const struct kept_sa *kept = interface ? interface->sas : NULL; kept; kept = kept->sibling)
		if (!kept->outbound && kept->sa.window_packets < window_packets)
			window_packets = kept->sa.window_packets;
	return window_packets;
}

int sa_set_new(sa_set_is_own_fn *is_own, sa_set_changed_fn *changed, sa_set_expiring_fn *expiring, void *context,
	       struct sa_set **ret_set)
{
	struct sa_set *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	set->is_own = is_own;
	set->changed = changed;
	set->expiring = expiring;
	set->due_ns = SA_NEVER;
	set->context = context;
	*ret_set = set;
	return 0;
}

void sa_set_free(struct sa_set *set)
{
	if (!set)
		return;
	tdestroy(set->sas, free);
	tdestroy(set->interfaces, free);
	free(set);
}
