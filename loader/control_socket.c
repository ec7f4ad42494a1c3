/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The place of a control socket in the file system. See control_socket.h.
 */
#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG	    64
#define SOCKET_MODE 0666 /* connecting is for everybody; changes ask for credentials */

static int make_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return 0;
	if ((size_t)(slash - path) >= sizeof(directory))
		return -ENAMETOOLONG;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	return mkdir(directory, 0755) && errno != EEXIST ? -errno : 0;
}

static int lock(const char *path, int *ret_fd)
{
	char lock_path[PATH_MAX];
	int fd, err;

	if (snprintf(lock_path, sizeof(lock_path), "%s.lock", path) >= (int)sizeof(lock_path))
		return -ENAMETOOLONG;
	fd = open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* Under the lock: whatever socket stands at path belongs to nobody. */
static int check_replaceable(const char *path)
{
	struct stat status;

	if (lstat(path, &status))
		return errno == ENOENT ? 0 : -errno;
	return S_ISSOCK(status.st_mode) ? 0 : -EEXIST;
}

/* Bound and listening under another name first, then renamed: nobody finds a socket that does not answer. */
static int listen_at(const char *path, int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *temporary = address.sun_path;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path) >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (unlink(temporary) && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	if (chmod(temporary, SOCKET_MODE) || listen(fd, BACKLOG) || rename(temporary, path)) {
		int err = -errno;

		unlink(temporary);
		return err;
	}
	return 0;
}

int control_socket_open(const char *path, int *ret_fd, int *ret_lock_fd)
{
	int lock_fd = -1, fd = -1;
	int err = make_directory(path);

	if (!err)
		err = lock(path, &lock_fd);
	if (!err)
		err = check_replaceable(path);
	if (!err) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		err = fd < 0 ? -errno : listen_at(path, fd);
	}
	if (err) {
		if (fd >= 0)
			close(fd);
		if (lock_fd >= 0)
			close(lock_fd);
		return err;
	}
	*ret_fd = fd;
	*ret_lock_fd = lock_fd;
	return 0;
}
