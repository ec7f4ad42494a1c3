/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steer_xdp on a NIC, through libxdp, beside other XDP programs: native where the driver can, else generic, else not at
 * all, and steer_tc then does its work.
 *
 * libxdp has no call to replace a program in its dispatcher: the new one is added before the old one is taken out, and
 * both run in between, which does no harm. Where the kernel cannot run the dispatcher, libxdp attaches one program by
 * itself, and that one is replaced atomically. Attached programs outlive the daemon. Context: the event loop.
 */
#ifndef LOADER_ATTACH_XDP_H
#define LOADER_ATTACH_XDP_H

#include "datapath.h"

enum attach_xdp_kind { ATTACH_XDP_OFF, ATTACH_XDP_NATIVE, ATTACH_XDP_GENERIC };

/*
 * Attaches steer_xdp with this generation's maps, or puts it in the place of an earlier version. inside_nic: the NIC's
 * place in `inside_nics`. Returns 0 or -errno, -EBUSY where a program that is not libxdp's sits on the NIC.
 */
int attach_xdp(const struct datapath *datapath, int ifindex, uint32_t inside_nic, enum attach_xdp_kind *ret_kind);

/* Takes this gateway's steer_xdp off the NIC, whatever its version; others stay. Returns 0 (also where there is none)
 * or -errno. */
int attach_xdp_off(const struct pins *pins, int ifindex);

const char *attach_xdp_kind_text(enum attach_xdp_kind kind);

#endif
