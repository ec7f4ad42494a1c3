/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs at tc ingress: TCX links where the kernel has them (6.6), a filter on clsact below.
 *
 * A TCX link is pinned as links/<program>-<device>; a filter is known by its priority and handle. Both outlive the
 * daemon, and both are replaced by one atomic exchange of the program, so that no packet finds the hook empty. A link
 * of this gateway's that is pinned nowhere, or elsewhere, is known by its program's maps (attach_owner.h), whatever
 * build it is of, and taken over rather than doubled. Context: the event loop.
 */
#ifndef LOADER_ATTACH_TC_H
#define LOADER_ATTACH_TC_H

#include <stdbool.h>

#include "pins.h"

enum attach_tc_kind { ATTACH_TC_OFF, ATTACH_TC_TCX, ATTACH_TC_CLSACT };
enum attach_tc_program { ATTACH_STEER_TC, ATTACH_TUNNEL_TC, ATTACH_TC_PROGRAMS };

/* Is another gateway's steer_tc on this interface? Which? */
bool attach_tc_shared(const struct pins *pins, int ifindex, char ret_gateway[NAME_BYTES]);

/* Attaches program_fd, or puts it in the place of an earlier version, and any other version off. Returns 0 or -errno.
 */
int attach_tc(const struct pins *pins, enum attach_tc_program program, int program_fd, int ifindex, const char *device,
	      enum attach_tc_kind *ret_kind);

/*
 * Takes a program off one device, which bears this name, or bore it when the program was attached. If the device is
 * gone, only the pin is left.
 */
void attach_tc_off(const struct pins *pins, enum attach_tc_program program, int ifindex, const char *device);

/* Takes off what is not wanted: devices that left the configuration, were renamed or are gone. wanted NULL: everything.
 */
typedef bool attach_tc_wanted_fn(enum attach_tc_program program, int ifindex, const char *device, void *context);
int attach_tc_sweep(const struct pins *pins, attach_tc_wanted_fn *wanted, void *context);

const char *attach_tc_kind_text(enum attach_tc_kind kind);

#endif
