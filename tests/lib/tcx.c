/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCX programs at ingress of an interface, which bpftool of Debian 12 does not know.
 *
 *   tcx list INTERFACE                        their names, in order
 *   tcx attach PROGRAM-PIN INTERFACE LINK-PIN  one more, by a link that is pinned: as a daemon would that knows nothing
 *                                              of what is attached there already
 */
#include <bpf/bpf.h>
#include <err.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define TCX_INGRESS  46 /* enum bpf_attach_type BPF_TCX_INGRESS */
#define MAX_PROGRAMS 64

static void list(int ifindex)
{
	__u32 ids[MAX_PROGRAMS], count = MAX_PROGRAMS;

	if (bpf_prog_query(ifindex, (enum bpf_attach_type)TCX_INGRESS, 0, NULL, ids, &count))
		err(1, "query");
	for (__u32 i = 0; i < count; i++) {
		struct bpf_prog_info info = {0};
		__u32 length = sizeof(info);
		int program = bpf_prog_get_fd_by_id(ids[i]);

		if (program < 0 || bpf_obj_get_info_by_fd(program, &info, &length))
			err(1, "program %u", ids[i]);
		puts(info.name);
	}
}

static void attach(const char *program_pin, int ifindex, const char *link_pin)
{
	int program = bpf_obj_get(program_pin), link;

	if (program < 0)
		err(1, "%s", program_pin);
	link = bpf_link_create(program, ifindex, (enum bpf_attach_type)TCX_INGRESS, NULL);
	if (link < 0 || bpf_obj_pin(link, link_pin))
		err(1, "%s", link_pin);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "list"))
		list((int)if_nametoindex(argv[2]));
	else if (argc == 5 && !strcmp(argv[1], "attach"))
		attach(argv[2], (int)if_nametoindex(argv[3]), argv[4]);
	else
		errx(2, "usage: tcx list INTERFACE | tcx attach PROGRAM-PIN INTERFACE LINK-PIN");
	return 0;
}
