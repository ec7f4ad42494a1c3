/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's side of the control protocol. See client.h.
 */
#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../maps/control.h"

#define PATH_BYTES 512

static void answer_set(struct client_answer *answer, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void answer_set(struct client_answer *answer, int exit_code, const char *format, ...)
{
	va_list arguments;

	free(answer->message);
	va_start(arguments, format);
	if (vasprintf(&answer->message, format, arguments) < 0)
		answer->message = strdup("");
	va_end(arguments);
	answer->exit_code = exit_code;
}

/* --- finding the daemon --- */

/* $RUNTIME_DIRECTORY may name several directories; the first is ours. */
static void socket_directory(char directory[PATH_BYTES])
{
	const char *given = getenv("RUNTIME_DIRECTORY");

	if (!given || !*given)
		given = CONTROL_DIRECTORY;
	snprintf(directory, PATH_BYTES, "%.*s", (int)strcspn(given, ":"), given);
}

/* Returns a connected socket or -errno. */
static int connect_to(const char *directory, const char *file_name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, file_name) >=
	    (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int connect_named(const char *directory, const char *gateway, struct client_answer *answer)
{
	char file_name[PATH_BYTES];
	int fd;

	snprintf(file_name, sizeof(file_name), "%s" CONTROL_SOCKET_SUFFIX, gateway);
	fd = strchr(gateway, '/') ? -EINVAL : connect_to(directory, file_name);
	if (fd < 0)
		answer_set(answer, EXIT_NO_DAEMON, "no daemon answers for gateway '%s': %s/%s: %s", gateway, directory,
			   file_name, strerror(-fd));
	return fd;
}

static int is_socket_name(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), suffix = strlen(CONTROL_SOCKET_SUFFIX);

	return length > suffix && !strcmp(entry->d_name + length - suffix, CONTROL_SOCKET_SUFFIX);
}

/* The only daemon that answers; what a dead one left does not count. */
static int connect_only(const char *directory, struct client_answer *answer)
{
	struct dirent **entry = NULL;
	int count = scandir(directory, &entry, is_socket_name, alphasort);
	char names[1024] = "";
	int found = -1, alive = 0;

	for (int i = 0; i < count; i++) {
		int fd = connect_to(directory, entry[i]->d_name);
		size_t length = strlen(names);

		if (fd >= 0) {
			alive++;
			snprintf(names + length, sizeof(names) - length, "%s%.*s", length ? ", " : "",
				 (int)(strlen(entry[i]->d_name) - strlen(CONTROL_SOCKET_SUFFIX)), entry[i]->d_name);
			if (found >= 0)
				close(found);
			found = fd;
		}
		free(entry[i]);
	}
	free(entry);
	if (alive == 1)
		return found;
	if (alive) {
		close(found);
		answer_set(answer, EXIT_USAGE, "several gateways run here, choose one by -g: %s", names);
	} else {
		answer_set(answer, EXIT_NO_DAEMON, "no daemon answers in %s", directory);
	}
	return -1;
}

static int client_connect(const struct client_request *request, struct client_answer *answer)
{
	struct timeval patience = {.tv_sec = request->unhurried ? 0 : CLIENT_PATIENCE_S};
	char directory[PATH_BYTES];
	int fd;

	socket_directory(directory);
	fd = request->gateway ? connect_named(directory, request->gateway, answer) : connect_only(directory, answer);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* --- asking --- */

/* Not having sent all of it shows in the answer, or in that there is none. */
static void send_request(int fd, const struct client_request *request)
{
	json_t *object = json_pack("{s:s, s:O}", "command", request->command, "arguments", request->arguments);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0, sent = 0;

	if (text)
		text[length++] = '\n'; /* in place of its zero: length says where it ends */
	while (sent < length) {
		ssize_t count = send(fd, text + sent, length - sent, MSG_NOSIGNAL);

		if (count < 0 && errno != EINTR)
			break;
		sent += count > 0 ? (size_t)count : 0;
	}
	free(text);
	json_decref(object);
}

/* Stores the answer if this line is one, hands it on if it is not. Returns 1 at the answer, 0, or -EBADMSG. */
static int take_line(const char *text, size_t length, client_line_fn *line, void *context, struct client_answer *answer)
{
	json_t *object = json_loadb(text, length, 0, NULL);
	json_t *code = json_object_get(object, "exit");
	const char *message = json_string_value(json_object_get(object, "message"));
	json_t *progress = json_object_get(object, "progress"), *event = json_object_get(object, "event");
	int outcome = 0;

	if (json_is_integer(code)) {
		answer_set(answer, (int)json_integer_value(code), "%s", message ? message : "");
		answer->result = json_incref(json_object_get(object, "result"));
		outcome = 1;
	} else if (!progress && !event) {
		outcome = -EBADMSG;
	} else if (line) {
		line(progress ? "progress" : "event", progress ? progress : event, context);
	}
	json_decref(object);
	return outcome;
}

struct input {
	char *byte;
	size_t length;
	size_t capacity;
};

/* Returns how many bytes came; 0 at the end; -errno. */
static ssize_t input_read(struct input *input, int fd)
{
	ssize_t count;

	if (input->length == input->capacity) {
		size_t capacity = input->capacity ? 2 * input->capacity : 65536;
		char *larger = capacity > 2 * (size_t)CONTROL_LINE_BYTES ? NULL : realloc(input->byte, capacity);

		if (!larger)
			return -ENOBUFS;
		input->byte = larger;
		input->capacity = capacity;
	}
	do
		count = recv(fd, input->byte + input->length, input->capacity - input->length, 0);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	input->length += (size_t)count;
	return count;
}

/* Every whole line of the input; the rest moves to its start. fresh: bytes that came last. */
static int take_lines(struct input *input, size_t fresh, client_line_fn *line, void *context,
		      struct client_answer *answer)
{
	size_t start = 0, looked_at = input->length - fresh;
	const char *newline;
	int outcome = 0;

	while (!outcome && (newline = memchr(input->byte + looked_at, '\n', input->length - looked_at))) {
		size_t end = (size_t)(newline - input->byte);

		outcome = take_line(input->byte + start, end - start, line, context, answer);
		start = looked_at = end + 1;
	}
	memmove(input->byte, input->byte + start, input->length - start);
	input->length -= start;
	return outcome;
}

static void read_answer(int fd, client_line_fn *line, void *context, struct client_answer *answer)
{
	struct input input = {0};
	ssize_t count = 0;
	int outcome = 0;

	while (!outcome && (count = input_read(&input, fd)) > 0)
		outcome = take_lines(&input, (size_t)count, line, context, answer);
	free(input.byte);
	if (outcome < 0)
		answer_set(answer, EXIT_FAILED, "the daemon speaks another protocol than this aa-steer");
	else if (count == -EAGAIN)
		answer_set(answer, EXIT_NO_DAEMON, "the daemon was silent for %d s", CLIENT_PATIENCE_S);
	else if (count < 0)
		answer_set(answer, EXIT_NO_DAEMON, "the daemon went away before it answered: %s",
			   strerror((int)-count));
	else if (!outcome)
		answer_set(answer, EXIT_NO_DAEMON, "the daemon went away before it answered");
}

void client_ask(const struct client_request *request, client_line_fn *line, void *context, struct client_answer *answer)
{
	int fd;

	*answer = (struct client_answer){0};
	fd = client_connect(request, answer);
	if (fd < 0)
		return;
	send_request(fd, request);
	read_answer(fd, line, context, answer);
	close(fd);
}

void client_answer_free(struct client_answer *answer)
{
	free(answer->message);
	json_decref(answer->result);
	*answer = (struct client_answer){0};
}
