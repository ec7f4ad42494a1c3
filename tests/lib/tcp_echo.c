/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A TCP server that sends back what it gets, and a client that asks it line by line.
 *
 *   tcp_echo PORT                                     serves until it is killed
 *   tcp_echo -c ADDRESS PORT MILLISECONDS COUNT       sends COUNT lines, one every so many milliseconds, over one
 *                                                     connection, and prints each that comes back; exit code 1 when
 *                                                     one does not within five seconds
 */
#include <arpa/inet.h>
#include <err.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS	     512
#define PATIENCE_MS  5000
#define BUFFER_BYTES 65536

static int listener(const char *port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, CLIENTS))
		err(1, "port %s", port);
	return fd;
}

static void serve(const char *port)
{
	static struct pollfd fds[1 + CLIENTS];
	static char buffer[BUFFER_BYTES];
	nfds_t count = 1;

	fds[0] = (struct pollfd){.fd = listener(port), .events = POLLIN};
	while (poll(fds, count, -1) > 0) {
		for (nfds_t i = count - 1; i > 0; i--) {
			ssize_t bytes;

			if (!fds[i].revents)
				continue;
			bytes = read(fds[i].fd, buffer, sizeof(buffer));
			if (bytes > 0 && write(fds[i].fd, buffer, (size_t)bytes) == bytes)
				continue;
			close(fds[i].fd);
			fds[i] = fds[--count];
		}
		if (fds[0].revents && count <= CLIENTS) {
			int fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC);

			if (fd >= 0)
				fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
		}
	}
}

static int connected(const char *address, const char *port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *info;
	int fd;

	if (getaddrinfo(address, port, &hints, &info))
		errx(2, "%s %s: no address and port", address, port);
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, info->ai_addr, info->ai_addrlen))
		err(1, "%s", address);
	return fd;
}

static void ask(const char *address, const char *port, int interval_ms, int count)
{
	int fd = connected(address, port);
	char line[32], answer[32];

	for (int i = 0; i < count; i++) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		int length = snprintf(line, sizeof(line), "%d\n", i);

		if (write(fd, line, (size_t)length) != length)
			err(1, "%s", address);
		for (int have = 0; have < length;) {
			ssize_t bytes;

			if (poll(&poller, 1, PATIENCE_MS) != 1)
				errx(1, "line %d does not come back", i);
			bytes = read(fd, answer + have, (size_t)(length - have));
			if (bytes <= 0)
				errx(1, "the connection breaks at line %d", i);
			have += (int)bytes;
		}
		if (memcmp(line, answer, (size_t)length))
			errx(1, "line %d comes back as something else", i);
		fwrite(line, 1, (size_t)length, stdout);
		fflush(stdout);
		usleep((useconds_t)interval_ms * 1000);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2)
		serve(argv[1]);
	else if (argc == 6 && !strcmp(argv[1], "-c"))
		ask(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
	else
		errx(2, "usage: tcp_echo PORT | tcp_echo -c ADDRESS PORT MILLISECONDS COUNT");
	return 0;
}
