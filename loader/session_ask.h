/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One question to the program session_control (maps/sessions.h): a system call, no memory but the stack's.
 *
 * Context: any thread; the sender's at real-time priority, the event loop for all else.
 */
#ifndef LOADER_SESSION_ASK_H
#define LOADER_SESSION_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "../maps/sessions.h"

/*
 * Returns 0 or -errno, the program's or the system call's. ret_due_ns may be NULL; of SESSION_SEND: time until the next
 * packet is due, 0 where the session sends nothing; also where this packet could not be sent.
 */
int session_ask(int program_fd, uint32_t session, bool is_ipv6, enum session_command command, uint64_t *ret_due_ns);

#endif
