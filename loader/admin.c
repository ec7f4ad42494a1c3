/* SPDX-License-Identifier: GPL-2.0-only */
/* Administrative state on disk. See admin.h. */
#include "admin.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct admin {
	char *path;
	json_t *out; /* object: name -> true */
	struct admin_order order;
};

static int name_read(const json_t *json, char name[NAME_BYTES])
{
	const char *text = json_string_value(json);

	if (!text || strlen(text) >= NAME_BYTES)
		return -EINVAL;
	strcpy(name, text);
	return 0;
}

static int mode_read(json_t *json, struct admin_order *order)
{
	const char *mode, *over;
	json_t *first = NULL;

	if (json_unpack(json, "{s:s, s:s, s?o}", "mode", &mode, "over", &over, "first", &first) ||
	    config_mode_of(mode, &order->mode) || config_mode_of(over, &order->over))
		return -EINVAL;
	order->by_hand = true;
	return first ? name_read(first, order->first) : 0;
}

/* Members that are missing are what an older version did not know, or what there is nothing to say of. */
static int order_read(const json_t *file, struct admin_order *order)
{
	json_t *mode = json_object_get(file, "mode"), *behind = json_object_get(file, "behind"), *name;
	int err = mode ? mode_read(mode, order) : 0;
	size_t i;

	if (behind && (!json_is_array(behind) || json_array_size(behind) > MAX_INSTANCES))
		return -EINVAL;
	json_array_foreach (behind, i, name)
		err = err ?: name_read(name, order->behind[order->behind_count++]);
	return err;
}

static int file_read(struct admin *admin)
{
	json_t *file, *name;
	json_error_t error;
	size_t i;
	int err = 0;

	if (access(admin->path, F_OK))
		return errno == ENOENT ? 0 : -errno;
	file = json_load_file(admin->path, 0, &error);
	if (!json_is_array(json_object_get(file, "out")))
		err = -EINVAL;
	json_array_foreach (json_object_get(file, "out"), i, name) {
		if (!json_is_string(name))
			err = -EINVAL;
		else
			json_object_set_new(admin->out, json_string_value(name), json_true());
	}
	err = err ?: order_read(file, &admin->order);
	json_decref(file);
	return err;
}

int admin_open(const char *path, struct admin **ret_admin)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int err = -ENOMEM;

	if (!admin)
		return -ENOMEM;
	admin->path = strdup(path);
	admin->out = json_object();
	if (admin->path && admin->out)
		err = file_read(admin);
	if (err) {
		admin_close(admin);
		return err;
	}
	*ret_admin = admin;
	return 0;
}

void admin_close(struct admin *admin)
{
	if (!admin)
		return;
	free(admin->path);
	json_decref(admin->out);
	free(admin);
}

bool admin_is_out(const struct admin *admin, const char *name)
{
	return json_object_get(admin->out, name);
}

static int text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	size_t length = strlen(text);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, length) != (ssize_t)length || fsync(fd))
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

/* The rename is on disk only once the directory is. */
static int directory_sync(const char *path)
{
	char directory[PATH_MAX], *slash;
	int fd, err;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (!slash)
		return 0;
	*slash = 0;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

static void order_write(json_t *file, const struct admin_order *order)
{
	json_t *behind = json_array();

	if (order->by_hand)
		json_object_set_new(file, "mode",
				    json_pack("{s:s, s:s, s:s*}", "mode", config_mode_text(order->mode), "over",
					      config_mode_text(order->over), "first",
					      order->first[0] ? order->first : NULL));
	for (size_t i = 0; i < order->behind_count; i++)
		json_array_append_new(behind, json_string(order->behind[i]));
	if (order->behind_count)
		json_object_set(file, "behind", behind);
	json_decref(behind);
}

static int file_write(const struct admin *admin)
{
	json_t *file = json_pack("{s:[]}", "out"), *ignored;
	char fresh[PATH_MAX], *text;
	const char *name;
	int err = -ENOMEM;

	json_object_foreach (admin->out, name, ignored)
		json_array_append_new(json_object_get(file, "out"), json_string(name));
	order_write(file, &admin->order);
	text = json_dumps(file, JSON_INDENT(1));
	snprintf(fresh, sizeof(fresh), "%s.new", admin->path);
	if (text)
		err = text_write(fresh, text);
	if (!err)
		err = rename(fresh, admin->path) ? -errno : directory_sync(admin->path);
	free(text);
	json_decref(file);
	return err;
}

int admin_set_out(struct admin *admin, const char *name, bool out)
{
	int err;

	if (admin_is_out(admin, name) == out)
		return 0;
	if (out)
		json_object_set_new(admin->out, name, json_true());
	else
		json_object_del(admin->out, name);
	err = file_write(admin);
	if (!err)
		return 0;
	if (out)
		json_object_del(admin->out, name);
	else
		json_object_set_new(admin->out, name, json_true());
	return err;
}

const struct admin_order *admin_order(const struct admin *admin)
{
	return &admin->order;
}

int admin_set_order(struct admin *admin, const struct admin_order *order)
{
	struct admin_order before = admin->order;
	int err;

	admin->order = *order;
	err = file_write(admin);
	if (err)
		admin->order = before;
	return err;
}
