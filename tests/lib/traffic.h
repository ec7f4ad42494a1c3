/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the traffic_* programs share: the probe packet, and the log of packets that each of them leaves.
 *
 * traffic_send numbers and stamps packets of many flows; traffic_watch notes which tunnel each one came through;
 * traffic_receive notes when it arrived; traffic_report and random_judge join the three logs. All run in one kernel, so
 * CLOCK_MONOTONIC is one clock. A log is kept in memory and written when the program ends: a disk, or a shared folder
 * of a virtual machine, must not slow the measured path down. Functions end the program on failure.
 */
#ifndef TESTS_TRAFFIC_H
#define TESTS_TRAFFIC_H

#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define TRAFFIC_MAGIC	    0x61617374u /* in the packet, native order: one machine reads and writes it */
#define TRAFFIC_MAX_FLOWS   4096
#define TRAFFIC_MAX_TUNNELS 16
#define TRAFFIC_MAX_RECORDS (1 << 24) /* untouched pages cost nothing */
#define TRAFFIC_LOG_MAGIC   "traffic1"

struct traffic_packet {
	uint32_t magic;
	uint32_t flow;
	uint32_t sequence; /* of the flow, from 0 */
	uint32_t reserved;
	uint64_t sent_ns; /* CLOCK_MONOTONIC */
};

struct traffic_record {
	uint64_t time_ns;
	uint32_t sequence;
	uint16_t flow;
	uint8_t tunnel; /* traffic_watch: index into the log's names */
	uint8_t reserved;
};

struct traffic_head {
	char magic[8];
	uint32_t tunnels;
	uint32_t missed_packets; /* the program itself could not take them: its figures prove nothing then */
	char names[TRAFFIC_MAX_TUNNELS][32];
};

struct traffic_log {
	struct traffic_head head;
	struct traffic_record *records;
	uint32_t count;
};

static volatile sig_atomic_t traffic_ended;

static inline void traffic_on_signal(int number)
{
	(void)number;
	traffic_ended = 1;
}

/* SIGTERM and SIGINT end the program in order; a system call that waits returns with EINTR. */
static inline void traffic_handle_signals(void)
{
	struct sigaction action = {.sa_handler = traffic_on_signal};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static inline uint64_t traffic_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Whoever started the program waits for this line: sockets are open from here on. */
static inline void traffic_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static inline void traffic_log_open(struct traffic_log *log)
{
	memset(log, 0, sizeof(*log));
	memcpy(log->head.magic, TRAFFIC_LOG_MAGIC, sizeof(log->head.magic));
	log->records = mmap(NULL, TRAFFIC_MAX_RECORDS * sizeof(*log->records), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (log->records == MAP_FAILED)
		err(1, "mmap");
}

static inline void traffic_log_add(struct traffic_log *log, uint64_t time_ns, const struct traffic_packet *packet,
				   uint8_t tunnel)
{
	if (log->count == TRAFFIC_MAX_RECORDS) {
		log->head.missed_packets++;
		return;
	}
	log->records[log->count++] = (struct traffic_record){
		.time_ns = time_ns,
		.sequence = packet->sequence,
		.flow = packet->flow,
		.tunnel = tunnel,
	};
}

static inline void traffic_log_write(const struct traffic_log *log, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		err(1, "%s", path);
	if (fwrite(&log->head, sizeof(log->head), 1, file) != 1 ||
	    fwrite(log->records, sizeof(*log->records), log->count, file) != log->count || fclose(file))
		err(1, "%s", path);
}

static inline void traffic_log_read(struct traffic_log *log, const char *path)
{
	FILE *file = fopen(path, "r");

	traffic_log_open(log);
	if (!file)
		err(1, "%s", path);
	if (fread(&log->head, sizeof(log->head), 1, file) != 1 ||
	    memcmp(log->head.magic, TRAFFIC_LOG_MAGIC, sizeof(log->head.magic)))
		errx(1, "%s: no traffic log", path);
	log->count = (uint32_t)fread(log->records, sizeof(*log->records), TRAFFIC_MAX_RECORDS, file);
	fclose(file);
}

/* A tester's queue must never be what loses a packet; root may pass by rmem_max. */
static inline void traffic_receive_buffer(int fd)
{
	int bytes = 64 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		err(1, "SO_RCVBUFFORCE");
}

#endif
