/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors of BPF programs that a library left open: libxdp 1.3.1 does, of each program that it looks at (mended in
 * its pull request 345), and each would keep a generation of programs and maps alive for as long as the daemon lives.
 *
 *   program_fds_note(&before); ... libxdp ...; program_fds_close_others(&before);
 *
 * Nothing that is opened in between is to stay open. Context: the event loop, which alone opens programs.
 */
#ifndef LOADER_PROGRAM_FDS_H
#define LOADER_PROGRAM_FDS_H

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_FDS_MAX 64

struct program_fds {
	int fd[PROGRAM_FDS_MAX];
	size_t count;
	bool known; /* false: they cannot be told, or are too many; then nothing is closed */
};

void program_fds_note(struct program_fds *ret_fds);
void program_fds_close_others(const struct program_fds *before);

#endif
