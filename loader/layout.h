/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Layouts of values, as BTF tells them: what one build knows of maps that another build left pinned.
 *
 * Two layouts are the same when every field has the same name, place and size in both. What differs is carried over
 * field by field, by name. So a field whose meaning changes must change its name (maps/README.md). Pure, but for
 * layout_of_map(). Called by datapath_state.c.
 */
#ifndef LOADER_LAYOUT_H
#define LOADER_LAYOUT_H

#include <bpf/btf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a map's keys and values. */
struct layout {
	const struct btf *btf;
	uint32_t key, value; /* BTF types; 0: the map has none (a ring buffer), or says nothing */
	struct btf *own;     /* btf, if it is this layout's to free */
};

/* Of a map that exists: reads its BTF from the kernel. Returns 0 or -errno; -ENODATA: it has no BTF. */
int layout_of_map(int map_fd, struct layout *ret_layout);
void layout_free(struct layout *layout);

bool layout_same(const struct layout *a, const struct layout *b);

/* Where the struct has this field. Returns 0 or -ENOENT. */
int layout_field(const struct btf *btf, uint32_t type, const char *field, uint32_t *ret_offset_bytes,
		 uint32_t *ret_size_bytes);

/*
 * Copies, of two structs, every field that both have and that is laid out alike; all else of `to` stays as it is.
 * Returns how many fields it copied. Types that are no structs: copied as one field if they are the same.
 */
size_t layout_copy(const struct btf *from_btf, uint32_t from_type, const void *from, const struct btf *to_btf,
		   uint32_t to_type, void *to);

#endif
