/* SPDX-License-Identifier: GPL-2.0-only */
/* libxdp: attach, replace, detach. See attach_xdp.h. */
#include "attach_xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "attach_owner.h"
#include "program_fds.h"
#include "steer_xdp.skel.h"

#define PROGRAM	     "steer_xdp"
#define MAX_VERSIONS 8 /* of ours found on one NIC; more than two only after crashes in the middle of a reload */

const char *attach_xdp_kind_text(enum attach_xdp_kind kind)
{
	return kind == ATTACH_XDP_NATIVE ? "native" : kind == ATTACH_XDP_GENERIC ? "generic" : "off";
}

static int libxdp_say(enum libxdp_print_level level, const char *format, va_list arguments)
{
	/* Failures come back as errors; the words are for whoever looks into one. */
	(void)level;
	return getenv("AA_STEER_DEBUG_BPF") ? vfprintf(stderr, format, arguments) : 0;
}

/* What is on the NIC now. */
struct present {
	struct program_fds fds;	   /* open before it was looked for */
	struct xdp_multiprog *all; /* NULL: nothing */
	bool alone;		   /* one program without a dispatcher */
	__u32 ours[MAX_VERSIONS];
	size_t ours_count;
};

static void present_add(struct present *present, const struct pins *pins, const struct xdp_program *program)
{
	__u32 id = program ? xdp_program__id(program) : 0;

	if (id && present->ours_count < MAX_VERSIONS && attach_is_ours(pins, id, PROGRAM))
		present->ours[present->ours_count++] = id;
}

static struct present present_find(const struct pins *pins, int ifindex)
{
	struct present present = {0};

	program_fds_note(&present.fds);
	present.all = xdp_multiprog__get_from_ifindex(ifindex);
	if (libxdp_get_error(present.all)) {
		present.all = NULL;
		return present;
	}
	present.alone = xdp_multiprog__is_legacy(present.all);
	if (present.alone)
		present_add(&present, pins, xdp_multiprog__main_prog(present.all));
	else
		for (struct xdp_program *at = xdp_multiprog__next_prog(NULL, present.all); at;
		     at = xdp_multiprog__next_prog(at, present.all))
			present_add(&present, pins, at);
	return present;
}

static enum xdp_attach_mode present_mode(const struct present *present)
{
	return present->all ? xdp_multiprog__attach_mode(present->all) : XDP_MODE_UNSPEC;
}

static void present_free(struct present *present)
{
	if (present->all)
		xdp_multiprog__close(present->all);
	program_fds_close_others(&present->fds);
}

static int versions_detach(const struct present *present, int ifindex)
{
	enum xdp_attach_mode mode = present_mode(present);
	int err = 0;

	for (size_t i = 0; i < present->ours_count; i++) {
		struct xdp_program *program = xdp_program__from_id(present->ours[i]);
		int failed = (int)libxdp_get_error(program);

		if (!failed) {
			failed = xdp_program__detach(program, ifindex, mode, 0);
			xdp_program__close(program);
		}
		err = err ?: failed;
	}
	return err;
}

static int maps_share(const struct datapath *datapath, struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, object) {
		struct bpf_map *theirs = bpf_object__find_map_by_name(datapath->object, bpf_map__name(map));
		int err = 0;

		if (!bpf_map__is_internal(map) && theirs)
			err = bpf_map__reuse_fd(map, bpf_map__fd(theirs));
		if (err)
			return err;
	}
	return 0;
}

static struct steer_xdp *program_open(const struct datapath *datapath, uint32_t inside_nic)
{
	struct steer_xdp *skeleton = steer_xdp__open();

	if (!skeleton)
		return NULL;
	skeleton->rodata->hash_seed = datapath->hash_seed;
	skeleton->rodata->path_stack = datapath->path_stack;
	skeleton->rodata->flows_kept = datapath->flows_kept;
	skeleton->rodata->flow_interval_ns = datapath->flow_interval_ns;
	skeleton->rodata->flow_burst_ns = datapath->flow_burst_ns;
	skeleton->rodata->flow_mark_mask = datapath->flow_mark_mask;
	skeleton->rodata->inside_nic = inside_nic;
	if (maps_share(datapath, skeleton->obj)) {
		steer_xdp__destroy(skeleton);
		return NULL;
	}
	return skeleton;
}

/* One program without dispatcher, and it is ours: exchanged in one step. */
static int replace_alone(struct steer_xdp *skeleton, const struct present *present, int ifindex)
{
	int old_fd = bpf_prog_get_fd_by_id(present->ours[0]);
	LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = old_fd);
	__u32 mode = present_mode(present) == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	int err = old_fd < 0 ? -errno : steer_xdp__load(skeleton);

	if (!err)
		err = bpf_xdp_attach(ifindex, bpf_program__fd(skeleton->progs.steer_xdp), mode | XDP_FLAGS_REPLACE,
				     &options);
	if (old_fd >= 0)
		close(old_fd);
	return err;
}

static int attach_in_mode(const struct datapath *datapath, int ifindex, uint32_t inside_nic, enum xdp_attach_mode mode)
{
	struct steer_xdp *skeleton = program_open(datapath, inside_nic);
	struct xdp_program *program;
	int err;

	if (!skeleton)
		return -ENOMEM;
	DECLARE_LIBXDP_OPTS(xdp_program_opts, options, .obj = skeleton->obj, .prog_name = PROGRAM);
	program = xdp_program__create(&options);
	err = (int)libxdp_get_error(program);
	if (!err) {
		err = xdp_program__attach(program, ifindex, mode, 0);
		xdp_program__close(program);
	}
	steer_xdp__destroy(skeleton);
	return err;
}

/*
 * Generic XDP sees a packet after the NIC took its VLAN tag off, and sends it on with the tag that it cannot see. A
 * native driver that runs XDP leaves tags in the frame.
 */
static bool hides_tags(int ifindex)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq request = {.ifr_data = (char *)&flags};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool hides = false;

	if (fd < 0)
		return false;
	if (if_indextoname((unsigned)ifindex, request.ifr_name) && !ioctl(fd, SIOCETHTOOL, &request))
		hides = flags.data & ETH_FLAG_RXVLAN;
	close(fd);
	return hides;
}

static int attach_generic(const struct datapath *datapath, int ifindex, uint32_t inside_nic)
{
	return hides_tags(ifindex) ? -EOPNOTSUPP : attach_in_mode(datapath, ifindex, inside_nic, XDP_MODE_SKB);
}

static int attach_beside(const struct datapath *datapath, int ifindex, uint32_t inside_nic,
			 const struct present *present, enum attach_xdp_kind *ret_kind)
{
	enum xdp_attach_mode mode = present_mode(present);
	int err = mode == XDP_MODE_SKB ? -EOPNOTSUPP : attach_in_mode(datapath, ifindex, inside_nic, XDP_MODE_NATIVE);

	*ret_kind = ATTACH_XDP_NATIVE;
	if (err && mode != XDP_MODE_NATIVE) {
		err = attach_generic(datapath, ifindex, inside_nic);
		*ret_kind = ATTACH_XDP_GENERIC;
	}
	return err ?: versions_detach(present, ifindex);
}

int attach_xdp(const struct datapath *datapath, int ifindex, uint32_t inside_nic, enum attach_xdp_kind *ret_kind)
{
	enum attach_xdp_kind kind = ATTACH_XDP_NATIVE;
	struct present present;
	int err;

	libxdp_set_print(libxdp_say);
	present = present_find(&datapath->pins, ifindex);
	if (present.alone && present.ours_count) {
		struct steer_xdp *skeleton = program_open(datapath, inside_nic);

		kind = present_mode(&present) == XDP_MODE_SKB ? ATTACH_XDP_GENERIC : ATTACH_XDP_NATIVE;
		err = skeleton ? replace_alone(skeleton, &present, ifindex) : -ENOMEM;
		steer_xdp__destroy(skeleton);
	} else if (present.alone) {
		err = -EBUSY;
	} else {
		err = attach_beside(datapath, ifindex, inside_nic, &present, &kind);
	}
	present_free(&present);
	if (!err)
		*ret_kind = kind;
	return err;
}

int attach_xdp_off(const struct pins *pins, int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, found);
	struct present present;
	int err;

	/* As a rule there is nothing, on any of many interfaces. */
	if (!bpf_xdp_query(ifindex, 0, &found) && found.attach_mode == XDP_ATTACHED_NONE)
		return 0;
	libxdp_set_print(libxdp_say);
	present = present_find(pins, ifindex);
	if (present.alone && present.ours_count)
		err = bpf_xdp_detach(ifindex,
				     present_mode(&present) == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE,
				     NULL);
	else
		err = versions_detach(&present, ifindex);
	present_free(&present);
	return err;
}
