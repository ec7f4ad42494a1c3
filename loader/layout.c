/* SPDX-License-Identifier: GPL-2.0-only */
/* BTF types compared and copied by name. See layout.h. */
#include "layout.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define MAX_DEPTH 16 /* of types within types: no value of ours has pointers, so none contains itself */

int layout_of_map(int map_fd, struct layout *ret_layout)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info);
	struct btf *btf;

	if (bpf_obj_get_info_by_fd(map_fd, &info, &length))
		return -errno;
	if (!info.btf_id)
		return -ENODATA;
	btf = btf__load_from_kernel_by_id(info.btf_id);
	if (!btf)
		return -errno;
	*ret_layout =
		(struct layout){.btf = btf, .own = btf, .key = info.btf_key_type_id, .value = info.btf_value_type_id};
	return 0;
}

void layout_free(struct layout *layout)
{
	btf__free(layout->own);
	*layout = (struct layout){0};
}

/* The type under typedefs and qualifiers. */
static const struct btf_type *type_of(const struct btf *btf, uint32_t *type)
{
	const struct btf_type *found = btf__type_by_id(btf, *type);

	while (found && (btf_is_mod(found) || btf_is_typedef(found))) {
		*type = found->type;
		found = btf__type_by_id(btf, *type);
	}
	return found;
}

static bool type_same(const struct btf *a_btf, uint32_t a_type, const struct btf *b_btf, uint32_t b_type, int depth);

/* Opaque structs of the kernel's: how its headers spell them out is the compiler's machine's matter. */
static bool is_kernels(const char *name)
{
	return !strcmp(name, "bpf_timer") || !strcmp(name, "bpf_spin_lock");
}

static bool members_same(const struct btf *a_btf, const struct btf_type *a, const struct btf *b_btf,
			 const struct btf_type *b, int depth)
{
	const struct btf_member *a_member = btf_members(a), *b_member = btf_members(b);
	const char *a_name = btf__name_by_offset(a_btf, a->name_off);

	if (a->size == b->size && is_kernels(a_name) && !strcmp(a_name, btf__name_by_offset(b_btf, b->name_off)))
		return true;
	if (a->size != b->size || btf_vlen(a) != btf_vlen(b))
		return false;
	for (unsigned i = 0; i < btf_vlen(a); i++)
		if (a_member[i].offset != b_member[i].offset ||
		    strcmp(btf__name_by_offset(a_btf, a_member[i].name_off),
			   btf__name_by_offset(b_btf, b_member[i].name_off)) ||
		    !type_same(a_btf, a_member[i].type, b_btf, b_member[i].type, depth))
			return false;
	return true;
}

static bool type_same(const struct btf *a_btf, uint32_t a_type, const struct btf *b_btf, uint32_t b_type, int depth)
{
	const struct btf_type *a = type_of(a_btf, &a_type), *b = type_of(b_btf, &b_type);

	if (!a_type || !b_type)
		return a_type == b_type;
	if (!a || !b || depth >= MAX_DEPTH || btf_kind(a) != btf_kind(b))
		return false;
	if (btf_is_array(a))
		return btf_array(a)->nelems == btf_array(b)->nelems &&
		       type_same(a_btf, btf_array(a)->type, b_btf, btf_array(b)->type, depth + 1);
	if (btf_is_composite(a))
		return members_same(a_btf, a, b_btf, b, depth + 1);
	return (btf_is_int(a) || btf_is_any_enum(a)) && a->size == b->size;
}

bool layout_same(const struct layout *a, const struct layout *b)
{
	return type_same(a->btf, a->key, b->btf, b->key, 0) && type_same(a->btf, a->value, b->btf, b->value, 0);
}

static const struct btf_member *member_find(const struct btf *btf, const struct btf_type *type, const char *name)
{
	for (unsigned i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), name))
			return &btf_members(type)[i];
	return NULL;
}

int layout_field(const struct btf *btf, uint32_t type, const char *field, uint32_t *ret_offset_bytes,
		 uint32_t *ret_size_bytes)
{
	const struct btf_type *found = type_of(btf, &type);
	const struct btf_member *member = found && btf_is_composite(found) ? member_find(btf, found, field) : NULL;
	long long size = member ? btf__resolve_size(btf, member->type) : -1;

	if (size < 0)
		return -ENOENT;
	*ret_offset_bytes = member->offset / 8;
	*ret_size_bytes = (uint32_t)size;
	return 0;
}

size_t layout_copy(const struct btf *from_btf, uint32_t from_type, const void *from, const struct btf *to_btf,
		   uint32_t to_type, void *to)
{
	const struct btf_type *source = type_of(from_btf, &from_type), *target = type_of(to_btf, &to_type);
	size_t copied = 0;

	if (!source || !target)
		return 0;
	if (!btf_is_composite(source) || !btf_is_composite(target)) {
		if (!type_same(from_btf, from_type, to_btf, to_type, 0))
			return 0;
		memcpy(to, from, (size_t)btf__resolve_size(to_btf, to_type));
		return 1;
	}
	for (unsigned i = 0; i < btf_vlen(target); i++) {
		const struct btf_member *member = &btf_members(target)[i];
		const struct btf_member *same =
			member_find(from_btf, source, btf__name_by_offset(to_btf, member->name_off));

		if (!same || !type_same(from_btf, same->type, to_btf, member->type, 0))
			continue;
		memcpy((char *)to + member->offset / 8, (const char *)from + same->offset / 8,
		       (size_t)btf__resolve_size(to_btf, member->type));
		copied++;
	}
	return copied;
}
