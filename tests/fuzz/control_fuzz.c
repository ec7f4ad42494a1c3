/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket's input, whole: bytes arrive on a connection in pieces, are parsed as a request, run a command and
 * are answered. Byte 0 of the input says how long a piece is, and whether the client may change things. Whatever comes
 * in, what goes out is nothing or one line of JSON with an exit code.
 */
#include "../../loader/control.c"
#include "../../loader/control_line.c"
#include "../../loader/control_request.c"
#include "../../loader/control_socket.c"

static void run_echo(struct control_request *request, json_t *arguments, void *context)
{
	(void)context;
	if (!json_is_object(arguments))
		abort();
	if (control_event(request, json_deep_copy(arguments)))
		abort();
	control_answer(request, EXIT_DONE, json_string_value(json_object_get(arguments, "name")),
		       json_incref(arguments));
}

static const struct control_command commands[] = {{"e", false, run_echo}, {"c", true, run_echo}, {NULL, false, NULL}};

static void check_answer(const char *text, size_t length)
{
	const char *last = text + length - 1;
	json_t *answer;

	if (!length)
		return;
	if (*last != '\n')
		abort();
	while (last > text && last[-1] != '\n')
		last--;
	answer = json_loadb(last, (size_t)(text + length - last), 0, NULL);
	if (!json_is_integer(json_object_get(answer, "exit")) || !json_is_string(json_object_get(answer, "message")) ||
	    !json_is_object(json_object_get(answer, "result")))
		abort();
	json_decref(answer);
}

static void turn(sd_event *loop)
{
	while (sd_event_run(loop, 0) > 0)
		continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct control control = {.commands = commands, .patience_us = 1000000};
	static char answer[8 * CONTROL_REQUEST_BYTES];
	size_t piece;
	ssize_t count;
	int fd[2];

	if (size < 2 || (!control.loop && sd_event_new(&control.loop) < 0) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
		return 0;
	if (control_request_open(&control, fd[1], data[0] & 1))
		abort();
	piece = 1 + ((size_t)(data[0] >> 1) << 5);
	for (size_t i = 1; i < size; i += piece) {
		if (send(fd[0], data + i, i + piece < size ? piece : size - i, MSG_NOSIGNAL) < 0)
			break;
		turn(control.loop);
	}
	shutdown(fd[0], SHUT_WR);
	turn(control.loop);
	count = recv(fd[0], answer, sizeof(answer), 0);
	check_answer(answer, count > 0 ? (size_t)count : 0);
	close(fd[0]);
	turn(control.loop);
	if (control.clients)
		abort();
	return 0;
}
