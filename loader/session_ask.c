/* SPDX-License-Identifier: GPL-2.0-only */
/* BPF_PROG_TEST_RUN of session_control. See session_ask.h. */
#include "session_ask.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>

/* From and to MAC 0: the program fills in what it sends. */
int session_ask(int program_fd, uint32_t session, bool is_ipv6, enum session_command command, uint64_t *ret_due_ns)
{
	unsigned char frame[SESSION_FRAME_BYTES] = {
		[2 * ETH_ALEN] = (is_ipv6 ? ETH_P_IPV6 : ETH_P_IP) >> 8,
		[2 * ETH_ALEN + 1] = (is_ipv6 ? ETH_P_IPV6 : ETH_P_IP) & 0xff,
	};
	struct __sk_buff context = {.cb = {session, command}};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context, .ctx_size_out = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(program_fd, &options))
		return -errno;
	if (ret_due_ns)
		*ret_due_ns = (uint64_t)context.cb[4] << 32 | context.cb[3];
	return (int)context.cb[2];
}
