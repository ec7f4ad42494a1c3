/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network namespace per test, devices in it, and an event loop that is run until something has come true.
 *
 * Included by the tests of what the daemon does by netlink, after cmocka.h. Needs root, and iproute2 for set-up.
 */
#ifndef TESTS_PROG_NETNS_H
#define TESTS_PROG_NETNS_H

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#define NETNS_PATIENCE_US (10 * 1000 * 1000)

static inline uint64_t netns_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The test goes on in a namespace of its own, with lo up. */
static inline void netns_enter(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(system("ip link set lo up"), 0);
}

/* A second namespace, which lives as long as the process whose id this returns: until netns_end_far(). */
static inline pid_t netns_far(void)
{
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static inline void netns_end_far(pid_t far)
{
	if (far <= 0)
		return;
	kill(far, SIGKILL);
	waitpid(far, NULL, 0);
}

__attribute__((format(printf, 1, 2))) static inline int netns_run(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	return system(command);
}

/* Runs a command whose success the test rests on. */
#define netns_do(...) assert_int_equal(netns_run(__VA_ARGS__), 0)

/* What a command prints, cut to the buffer. */
static inline const char *netns_output(const char *command, char *buffer, size_t buffer_bytes)
{
	FILE *pipe = popen(command, "r");
	size_t length;

	assert_non_null(pipe);
	length = fread(buffer, 1, buffer_bytes - 1, pipe);
	buffer[length] = '\0';
	pclose(pipe);
	return buffer;
}

static inline size_t netns_count_lines(const char *command)
{
	FILE *pipe = popen(command, "r");
	size_t lines = 0;
	int c;

	assert_non_null(pipe);
	while ((c = getc(pipe)) != EOF)
		lines += c == '\n';
	pclose(pipe);
	return lines;
}

/* A tun device, up, with carrier for as long as the descriptor is open. */
static inline int netns_tun(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	netns_do("ip link set %s up", name);
	return fd;
}

/* Leaves the process's netlink sockets no room for more than a message or two, so that they overrun. */
static inline void netns_shrink_netlink(void)
{
	int fd, domain, bytes = 1;
	socklen_t length;

	for (fd = 3; fd < 256; fd++) {
		length = sizeof(domain);
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	}
}

typedef bool netns_condition_fn(void *context);

/* Runs the loop until the condition holds; returns whether it came to hold. */
static inline bool netns_await(sd_event *loop, netns_condition_fn *holds, void *context)
{
	uint64_t deadline_us = netns_now_us() + NETNS_PATIENCE_US;

	while (!holds(context)) {
		if (netns_now_us() >= deadline_us)
			return false;
		sd_event_run(loop, 100 * 1000);
	}
	return true;
}

/* Runs the loop until nothing is left to do now. */
static inline void netns_settle(sd_event *loop)
{
	while (sd_event_run(loop, 0) > 0)
		;
}

#endif
