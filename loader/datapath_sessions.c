/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of sessions, and commands to them. See datapath.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "datapath.h"
#include "session_ask.h"
#include "steer_tc.skel.h"

#define TIMER_TRIES  32
#define REFILL_PIPES 16

/*
 * Has the kernel allocate and free small objects on this CPU. A timer is allocated where nothing may sleep or spin
 * (kmalloc_nolock, since Linux 6.18), from what this CPU has ready: nothing, at times, and only others may get more.
 */
static void slabs_refill(void)
{
	int pipes[REFILL_PIPES][2];
	int opened = 0;

	while (opened < REFILL_PIPES && !pipe2(pipes[opened], O_CLOEXEC))
		opened++;
	while (opened--) {
		close(pipes[opened][0]);
		close(pipes[opened][1]);
	}
}

int datapath_session_command(const struct datapath *datapath, uint32_t session, enum session_command command,
			     uint64_t *ret_due_ns)
{
	bool is_ipv6 = datapath->session_configs[session].is_ipv6;
	int err = session_ask(datapath->session_control_fd, session, is_ipv6, command, ret_due_ns);

	for (int i = 0; err == -ENOMEM && i < TIMER_TRIES; i++) {
		slabs_refill();
		err = session_ask(datapath->session_control_fd, session, is_ipv6, command, ret_due_ns);
	}
	return err;
}

int datapath_session(const struct datapath *datapath, uint32_t session, struct session *ret_session)
{
	return bpf_map_lookup_elem(bpf_map__fd(datapath->skeleton->maps.sessions), &session, ret_session) ? -errno : 0;
}

int datapath_set_session_peer(struct datapath *datapath, const struct session_peer_key *key, uint32_t session)
{
	return bpf_map_update_elem(bpf_map__fd(datapath->skeleton->maps.session_peers), key, &session, BPF_ANY) ? -errno
														: 0;
}

int datapath_remove_session_peer(struct datapath *datapath, const struct session_peer_key *key, uint32_t session)
{
	int fd = bpf_map__fd(datapath->skeleton->maps.session_peers);
	uint32_t holder;

	if (bpf_map_lookup_elem(fd, key, &holder) || holder != session)
		return 0;
	return bpf_map_delete_elem(fd, key) && errno != ENOENT ? -errno : 0;
}

int datapath_session_events_fd(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->skeleton->maps.session_events);
}
