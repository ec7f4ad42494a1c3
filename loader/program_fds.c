/* SPDX-License-Identifier: GPL-2.0-only */
/* See program_fds.h. */
#include "program_fds.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM_LINK "anon_inode:bpf-prog"

static bool is_program(DIR *directory, const char *name)
{
	char target[sizeof(PROGRAM_LINK) + 1];
	ssize_t length = readlinkat(dirfd(directory), name, target, sizeof(target));

	return length == (ssize_t)strlen(PROGRAM_LINK) && !memcmp(target, PROGRAM_LINK, (size_t)length);
}

void program_fds_note(struct program_fds *ret_fds)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	*ret_fds = (struct program_fds){.known = directory != NULL};
	while (directory && (entry = readdir(directory))) {
		if (!is_program(directory, entry->d_name))
			continue;
		if (ret_fds->count == PROGRAM_FDS_MAX)
			ret_fds->known = false;
		else
			ret_fds->fd[ret_fds->count++] = atoi(entry->d_name);
	}
	if (directory)
		closedir(directory);
}

static bool is_noted(const struct program_fds *fds, int fd)
{
	for (size_t i = 0; i < fds->count; i++)
		if (fds->fd[i] == fd)
			return true;
	return false;
}

void program_fds_close_others(const struct program_fds *before)
{
	struct program_fds now;

	if (!before->known)
		return;
	program_fds_note(&now);
	for (size_t i = 0; i < now.count; i++)
		if (!is_noted(before, now.fd[i]))
			close(now.fd[i]);
}
