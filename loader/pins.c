/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths in the bpf filesystem. See pins.h. */
#include "pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FRESH " new" /* while it is being put there; no interface has a blank in its name */

static int directory_make(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

/* The bpf filesystem takes no dots in names. Neither interfaces nor gateways have colons in theirs. */
static int path_join(char *path, const char *directory, const char *name, const char *suffix)
{
	int length = snprintf(path, PINS_PATH_BYTES, "%s/%s%s", directory, name, suffix);

	if (length >= PINS_PATH_BYTES)
		return -ENAMETOOLONG;
	for (char *dot = strchr(path, '.'); dot; dot = strchr(dot, '.'))
		*dot = ':';
	return 0;
}

static int pins_paths(const char *gateway, char *root, struct pins *pins)
{
	snprintf(pins->gateway, sizeof(pins->gateway), "%s", gateway);
	return path_join(root, PINS_ROOT, gateway, "") ?: path_join(pins->maps, root, "maps", "") ?:
	       path_join(pins->links, root, "links", "");
}

int pins_open(const char *gateway, struct pins *ret_pins)
{
	char root[PINS_PATH_BYTES];
	struct pins pins;
	struct statfs fs;
	int err;

	if (statfs("/sys/fs/bpf", &fs) || fs.f_type != BPF_FS_MAGIC)
		return -ENOTSUP;
	err = pins_paths(gateway, root, &pins);
	if (!err)
		err = directory_make(PINS_ROOT) ?: directory_make(root) ?: directory_make(pins.maps) ?:
		      directory_make(pins.links);
	if (!err)
		*ret_pins = pins;
	return err;
}

int pins_find(const char *gateway, struct pins *ret_pins)
{
	char root[PINS_PATH_BYTES];
	struct pins pins;
	int err = strchr(gateway, '/') ? -ENOENT : pins_paths(gateway, root, &pins);

	if (!err && access(pins.maps, F_OK))
		err = -errno;
	if (!err)
		*ret_pins = pins;
	return err;
}

int pins_get(const char *directory, const char *name)
{
	char path[PINS_PATH_BYTES];
	int err = path_join(path, directory, name, "");
	int fd;

	if (err)
		return err;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* The bpf filesystem renames over what is there. */
int pins_put(const char *directory, const char *name, int fd)
{
	char path[PINS_PATH_BYTES], fresh[PINS_PATH_BYTES];
	int err = path_join(path, directory, name, "") ?: path_join(fresh, directory, name, FRESH);

	if (err)
		return err;
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	if (rename(fresh, path)) {
		err = -errno;
		unlink(fresh);
	}
	return err;
}

int pins_remove(const char *directory, const char *name)
{
	char path[PINS_PATH_BYTES];

	return path_join(path, directory, name, "") ?: (unlink(path) ? -errno : 0);
}

int pins_each(const char *directory, int (*each)(const char *name, void *context), void *context)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!result && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			result = each(entry->d_name, context);
	closedir(dir);
	return result;
}

static int directory_remove(const char *path)
{
	return rmdir(path) && errno != ENOENT ? -errno : 0;
}

static int pin_unlink(const char *name, void *directory)
{
	return pins_remove(directory, name);
}

int pins_clear(const char *gateway)
{
	char root[PINS_PATH_BYTES];
	struct pins pins;
	int err = pins_paths(gateway, root, &pins);

	if (!err)
		err = pins_each(pins.links, pin_unlink, pins.links);
	if (!err)
		err = pins_each(pins.maps, pin_unlink, pins.maps);
	return err ?: directory_remove(pins.links) ?: directory_remove(pins.maps) ?: directory_remove(root);
}
