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

#include "clock.h"

struct admin {
	char *path;
	json_t *out; /* object: name -> {"draining": true, "until_ms": deadline}, both missing where they say nothing */
	struct admin_order order;
};

static void fresh_path(const char *path, char fresh[PATH_MAX])
{
	snprintf(fresh, PATH_MAX, "%s.new", path);
}

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

/* Of those that are out, who is draining, and until when. Whoever is not out is in, whatever stands here. */
static int draining_read(const json_t *file, json_t *out)
{
	json_t *draining = json_object_get(file, "draining"), *drain, *entry, *until;
	const char *name;

	if (draining && !json_is_object(draining))
		return -EINVAL;
	json_object_foreach (draining, name, drain) {
		until = json_object_get(drain, "until_ms");
		if (!json_is_object(drain) || (until && (!json_is_integer(until) || json_integer_value(until) <= 0)))
			return -EINVAL;
		entry = json_object_get(out, name);
		if (entry)
			json_object_set_new(entry, "draining", json_true());
		if (entry && until)
			json_object_set(entry, "until_ms", until);
	}
	return 0;
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
			json_object_set_new(admin->out, json_string_value(name), json_object());
	}
	err = err ?: draining_read(file, admin->out) ?: order_read(file, &admin->order);
	json_decref(file);
	return err;
}

/* What a daemon was writing when it died. */
static void half_written_remove(const char *path)
{
	char fresh[PATH_MAX];

	fresh_path(path, fresh);
	unlink(fresh);
}

int admin_open(const char *path, struct admin **ret_admin)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int err = -ENOMEM;

	if (!admin)
		return -ENOMEM;
	admin->path = strdup(path);
	admin->out = json_object();
	if (admin->path && admin->out) {
		half_written_remove(admin->path);
		err = file_read(admin);
	}
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

static enum admin_out entry_out(const json_t *entry)
{
	return !entry ? 0 : json_object_get(entry, "draining") ? ADMIN_DRAINING : ADMIN_OUT;
}

static uint64_t entry_deadline_ns(const json_t *entry)
{
	return (uint64_t)json_integer_value(json_object_get(entry, "until_ms")) * NS_PER_MS;
}

enum admin_out admin_is_out(const struct admin *admin, const char *name)
{
	return entry_out(json_object_get(admin->out, name));
}

uint64_t admin_deadline_ns(const struct admin *admin, const char *name)
{
	return entry_deadline_ns(json_object_get(admin->out, name));
}

const char *admin_next_deadline(const struct admin *admin, uint64_t *ret_deadline_ns)
{
	const char *name, *next = NULL;
	json_t *entry;

	json_object_foreach (admin->out, name, entry) {
		uint64_t deadline_ns = entry_deadline_ns(entry);

		if (!deadline_ns || (next && deadline_ns >= *ret_deadline_ns))
			continue;
		next = name;
		*ret_deadline_ns = deadline_ns;
	}
	return next;
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
	json_t *file = json_pack("{s:[]}", "out"), *draining = json_object(), *entry;
	char fresh[PATH_MAX], *text;
	const char *name;
	int err = -ENOMEM;

	json_object_foreach (admin->out, name, entry) {
		json_array_append_new(json_object_get(file, "out"), json_string(name));
		if (entry_out(entry) == ADMIN_DRAINING)
			json_object_set_new(draining, name,
					    json_pack("{s:O*}", "until_ms", json_object_get(entry, "until_ms")));
	}
	if (json_object_size(draining))
		json_object_set(file, "draining", draining);
	json_decref(draining);
	order_write(file, &admin->order);
	text = json_dumps(file, JSON_INDENT(1));
	fresh_path(admin->path, fresh);
	if (text)
		err = text_write(fresh, text);
	if (!err)
		err = rename(fresh, admin->path) ? -errno : directory_sync(admin->path);
	free(text);
	json_decref(file);
	return err;
}

/* Takes over entry; NULL: it is in. */
static void entry_put(struct admin *admin, const char *name, json_t *entry)
{
	if (entry)
		json_object_set_new(admin->out, name, entry);
	else
		json_object_del(admin->out, name);
}

static json_t *entry_new(enum admin_out out, uint64_t deadline_ns)
{
	json_t *entry = out ? json_object() : NULL;

	if (out == ADMIN_DRAINING)
		json_object_set_new(entry, "draining", json_true());
	if (out == ADMIN_DRAINING && deadline_ns)
		json_object_set_new(entry, "until_ms",
				    json_integer((json_int_t)((deadline_ns + NS_PER_MS - 1) / NS_PER_MS)));
	return entry;
}

int admin_set_out(struct admin *admin, const char *name, enum admin_out out, uint64_t deadline_ns)
{
	json_t *before = json_incref(json_object_get(admin->out, name)), *entry = entry_new(out, deadline_ns);
	int err = 0;

	if (before == entry || json_equal(before, entry)) {
		json_decref(before);
		json_decref(entry);
		return 0;
	}
	entry_put(admin, name, entry);
	err = file_write(admin);
	if (err)
		entry_put(admin, name, before);
	else
		json_decref(before);
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
