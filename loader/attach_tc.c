/* SPDX-License-Identifier: GPL-2.0-only */
/* TCX links and clsact filters. See attach_tc.h. */
#include "attach_tc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach_owner.h"

#define TCX_INGRESS	46     /* enum bpf_attach_type BPF_TCX_INGRESS, newer than libbpf 1.1's headers */
#define LINK_TCX	11     /* enum bpf_link_type BPF_LINK_TYPE_TCX, likewise */
#define TCX_PROGRAMS	64     /* that an interface can have */
#define FILTER_PRIORITY 0xaa57 /* of all our filters; the handle tells programs and gateways apart */
#define FILTER_GATEWAYS 8      /* that share an interface */

static const char *const program_names[] = {[ATTACH_STEER_TC] = "steer_tc", [ATTACH_TUNNEL_TC] = "tunnel_tc"};

const char *attach_tc_kind_text(enum attach_tc_kind kind)
{
	return kind == ATTACH_TC_TCX ? "tcx" : kind == ATTACH_TC_CLSACT ? "clsact" : "off";
}

static void pin_name(char *name, size_t size, enum attach_tc_program program, const char *device)
{
	snprintf(name, size, "%s-%s", program_names[program], device);
}

/* The interface a TCX link is on; 0: its interface is gone. tcx.ifindex stands where the union's xdp.ifindex does. */
static int link_ifindex(int link_fd)
{
	struct bpf_link_info info = {0};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(link_fd, &info, &length) ? -errno : (int)info.xdp.ifindex;
}

static int tcx_programs(int ifindex, __u32 programs[TCX_PROGRAMS], __u32 *ret_count)
{
	/* What it is asked for as a descriptor is an interface to TCX. */
	*ret_count = TCX_PROGRAMS;
	if (!bpf_prog_query(ifindex, (enum bpf_attach_type)TCX_INGRESS, 0, NULL, programs, ret_count))
		return 0;
	*ret_count = 0;
	return -errno;
}

/*
 * The link by which this program is on the interface. Interfaces of other namespaces may have the same index, so it
 * must be known that the program is on ours. Returns a descriptor or -errno.
 */
static int tcx_link_of(int ifindex, __u32 program_id)
{
	__u32 id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = {0};
		__u32 length = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &length) && (int)info.type == LINK_TCX &&
		    info.prog_id == program_id && (int)info.xdp.ifindex == ifindex)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

/*
 * A link of ours that is not pinned where it should be: somebody moved the pin, or it is in a bpf filesystem that this
 * daemon does not see. Returns a descriptor or -ENOENT. but_program: not the one by which this program is attached.
 */
static int tcx_orphan(const struct pins *pins, enum attach_tc_program program, int ifindex, __u32 but_program)
{
	__u32 programs[TCX_PROGRAMS], count;
	int fd = -ENOENT;

	tcx_programs(ifindex, programs, &count);
	for (__u32 i = 0; i < count && fd < 0; i++)
		if (programs[i] != but_program && attach_is_ours(pins, programs[i], program_names[program]))
			fd = tcx_link_of(ifindex, programs[i]);
	return fd;
}

static void tcx_orphans_off(const struct pins *pins, enum attach_tc_program program, int program_fd, int ifindex)
{
	struct bpf_prog_info info = {0};
	__u32 length = sizeof(info), programs[TCX_PROGRAMS], count;
	int fd;

	if (tcx_programs(ifindex, programs, &count) || count < 2 || bpf_obj_get_info_by_fd(program_fd, &info, &length))
		return;
	while ((fd = tcx_orphan(pins, program, ifindex, info.id)) >= 0) {
		bool detached = !bpf_link_detach(fd);

		close(fd);
		if (!detached)
			return;
	}
}

static int tcx_attach(const struct pins *pins, enum attach_tc_program program, const char *name, int program_fd,
		      int ifindex)
{
	int link_fd = pins_get(pins->links, name), err = 0;
	bool pinned = link_fd >= 0 && link_ifindex(link_fd) == ifindex;

	if (link_fd >= 0 && !pinned)
		close(link_fd);
	if (!pinned)
		link_fd = tcx_orphan(pins, program, ifindex, 0);
	if (link_fd >= 0)
		err = bpf_link_update(link_fd, program_fd, NULL) ? -errno : 0;
	else
		link_fd = bpf_link_create(program_fd, ifindex, (enum bpf_attach_type)TCX_INGRESS, NULL);
	if (link_fd < 0)
		return -errno;
	if (!err && !pinned)
		err = pins_put(pins->links, name, link_fd);
	close(link_fd);
	if (!err)
		tcx_orphans_off(pins, program, program_fd, ifindex);
	return err;
}

/* The program of the filter of this handle, in *ret_program. -EINVAL: the interface has no clsact. */
static int clsact_program(const struct bpf_tc_hook *hook, __u32 handle, __u32 *ret_program)
{
	LIBBPF_OPTS(bpf_tc_opts, filter, .priority = FILTER_PRIORITY, .handle = handle);
	int err = bpf_tc_query(hook, &filter);

	*ret_program = filter.prog_id;
	return err;
}

/* The handle of this gateway's filter. 0: it has none; then *ret_unused is one to take, 0 where all are taken. */
static __u32 clsact_find(const struct pins *pins, enum attach_tc_program program, const struct bpf_tc_hook *hook,
			 __u32 *ret_unused)
{
	__u32 handle = program + 1, found;
	int err = 0;

	*ret_unused = 0;
	for (int i = 0; i < FILTER_GATEWAYS && err != -EINVAL; i++, handle += ATTACH_TC_PROGRAMS) {
		err = clsact_program(hook, handle, &found);
		if (!err && attach_is_ours(pins, found, program_names[program]))
			return handle;
		if (err && !*ret_unused)
			*ret_unused = handle;
	}
	return 0;
}

static int clsact_attach(const struct pins *pins, enum attach_tc_program program, int program_fd, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = program_fd, .priority = FILTER_PRIORITY, .flags = BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);
	__u32 unused = program + 1;

	if (err && err != -EEXIST)
		return err;
	filter.handle = (err ? clsact_find(pins, program, &hook, &unused) : 0) ?: unused;
	return filter.handle ? bpf_tc_attach(&hook, &filter) : -EBUSY;
}

static int clsact_detach(const struct pins *pins, enum attach_tc_program program, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .priority = FILTER_PRIORITY);
	__u32 unused;

	filter.handle = clsact_find(pins, program, &hook, &unused);
	return filter.handle ? bpf_tc_detach(&hook, &filter) : 0;
}

static bool is_others(const struct pins *pins, __u32 program_id, char ret_gateway[NAME_BYTES])
{
	return attach_owner(program_id, program_names[ATTACH_STEER_TC], ret_gateway) &&
	       strncmp(ret_gateway, pins->gateway, NAME_BYTES);
}

bool attach_tc_shared(const struct pins *pins, int ifindex, char ret_gateway[NAME_BYTES])
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	__u32 programs[TCX_PROGRAMS], count, handle = ATTACH_STEER_TC + 1, found;

	tcx_programs(ifindex, programs, &count);
	for (__u32 i = 0; i < count; i++)
		if (is_others(pins, programs[i], ret_gateway))
			return true;
	for (int i = 0, err = 0; i < FILTER_GATEWAYS && err != -EINVAL; i++, handle += ATTACH_TC_PROGRAMS) {
		err = clsact_program(&hook, handle, &found);
		if (!err && is_others(pins, found, ret_gateway))
			return true;
	}
	return false;
}

int attach_tc(const struct pins *pins, enum attach_tc_program program, int program_fd, int ifindex, const char *device,
	      enum attach_tc_kind *ret_kind)
{
	char name[PINS_PATH_BYTES];
	int err;

	pin_name(name, sizeof(name), program, device);
	err = tcx_attach(pins, program, name, program_fd, ifindex);
	if (!err) {
		*ret_kind = ATTACH_TC_TCX;
		return 0;
	}
	if (err != -EINVAL)
		return err;
	err = clsact_attach(pins, program, program_fd, ifindex);
	if (!err)
		*ret_kind = ATTACH_TC_CLSACT;
	return err;
}

void attach_tc_off(const struct pins *pins, enum attach_tc_program program, int ifindex, const char *device)
{
	char name[PINS_PATH_BYTES];
	int fd, on;

	pin_name(name, sizeof(name), program, device);
	fd = pins_get(pins->links, name);
	if (fd < 0) {
		clsact_detach(pins, program, ifindex);
		return;
	}
	on = link_ifindex(fd);
	/* A pin of this name on another interface is that one's. */
	if (on <= 0 || on == ifindex) {
		/* At once, so that the program can be attached under another name; a pin's end is noticed later. */
		bpf_link_detach(fd);
		pins_remove(pins->links, name);
	}
	close(fd);
}

struct sweep {
	const struct pins *pins;
	attach_tc_wanted_fn *wanted;
	void *context;
};

static bool is_wanted(const struct sweep *sweep, enum attach_tc_program program, int ifindex, const char *device)
{
	return sweep->wanted && sweep->wanted(program, ifindex, device, sweep->context);
}

static int link_sweep(const char *name, void *context)
{
	const struct sweep *sweep = context;

	for (enum attach_tc_program program = 0; program < ATTACH_TC_PROGRAMS; program++) {
		size_t length = strlen(program_names[program]);
		char device[IF_NAMESIZE] = "", expected[PINS_PATH_BYTES];
		int fd, ifindex;

		if (strncmp(name, program_names[program], length) || name[length] != '-')
			continue;
		fd = pins_get(sweep->pins->links, name);
		ifindex = fd >= 0 ? link_ifindex(fd) : 0;
		if (fd >= 0)
			close(fd);
		/* Pinned under the name that its interface bears now? */
		if (ifindex > 0 && if_indextoname((unsigned)ifindex, device)) {
			pin_name(expected, sizeof(expected), program, device);
			for (char *dot = strchr(expected, '.'); dot; dot = strchr(dot, '.'))
				*dot = ':';
			if (!strcmp(expected, name) && is_wanted(sweep, program, ifindex, device))
				return 0;
		}
		pins_remove(sweep->pins->links, name);
	}
	return 0;
}

static bool has_link(const struct pins *pins, enum attach_tc_program program, const char *device)
{
	char name[PINS_PATH_BYTES];
	int fd;

	pin_name(name, sizeof(name), program, device);
	fd = pins_get(pins->links, name);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A filter beside a link of the same program was put there by a build that knew no links. */
static void filters_sweep(const struct sweep *sweep)
{
	struct if_nameindex *interfaces = if_nameindex();

	for (struct if_nameindex *at = interfaces; at && at->if_index; at++)
		for (enum attach_tc_program program = 0; program < ATTACH_TC_PROGRAMS; program++)
			if (!is_wanted(sweep, program, (int)at->if_index, at->if_name) ||
			    has_link(sweep->pins, program, at->if_name))
				clsact_detach(sweep->pins, program, (int)at->if_index);
	if (interfaces)
		if_freenameindex(interfaces);
}

int attach_tc_sweep(const struct pins *pins, attach_tc_wanted_fn *wanted, void *context)
{
	struct sweep sweep = {.pins = pins, .wanted = wanted, .context = context};

	filters_sweep(&sweep);
	return pins_each(pins->links, link_sweep, &sweep);
}
