/* SPDX-License-Identifier: GPL-2.0-only */
/* Events: in memory, in a file, to a listener. See journal.h. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "model.h"

#define JOURNAL_DIGITS 12 /* of figures: what journal_ms() rounded comes out as it went in */

struct journal {
	json_t *events[JOURNAL_EVENTS]; /* a ring: event number n is at n % JOURNAL_EVENTS */
	size_t count;			/* of all events that came by */
	char *path;
	FILE *file; /* NULL: cannot be written */
	long length_bytes;
	journal_listener_fn *listener;
	void *context;
};

const char *journal_time_text(uint64_t wall_ns, char buffer[JOURNAL_TIME_TEXT])
{
	time_t seconds = (time_t)(wall_ns / NS_PER_SECOND);
	struct tm utc;
	size_t length;

	gmtime_r(&seconds, &utc);
	length = strftime(buffer, JOURNAL_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(buffer + length, JOURNAL_TIME_TEXT - length, ".%03uZ",
		 (unsigned)(wall_ns % NS_PER_SECOND / NS_PER_MS));
	return buffer;
}

static void events_keep(struct journal *journal, json_t *event)
{
	json_t **place = &journal->events[journal->count++ % JOURNAL_EVENTS];

	json_decref(*place);
	*place = json_incref(event);
}

static void file_open(struct journal *journal)
{
	struct stat status;
	int fd = open(journal->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	journal->file = fd >= 0 ? fdopen(fd, "a") : NULL;
	if (!journal->file && fd >= 0)
		close(fd);
	journal->length_bytes = journal->file && !fstat(fd, &status) ? (long)status.st_size : 0;
}

static void older_path(const struct journal *journal, char older[PATH_MAX])
{
	snprintf(older, PATH_MAX, "%s.1", journal->path);
}

static void file_turn_over(struct journal *journal)
{
	char older[PATH_MAX];

	fclose(journal->file);
	older_path(journal, older);
	rename(journal->path, older);
	file_open(journal);
}

/* A daemon that was killed may have left half a line: what is no event is passed over. */
static void events_keep_line(struct journal *journal, const char *line)
{
	json_t *event = json_loads(line, 0, NULL);

	if (json_is_object(event))
		events_keep(journal, event);
	json_decref(event);
}

/* Of the last lines, which are all that is kept: a full file has ten times as many. */
static void file_read(struct journal *journal, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, lines = 0, number = 0;
	char *line = NULL;

	if (!file)
		return;
	while (getline(&line, &size, file) > 0)
		lines++;
	rewind(file);
	while (getline(&line, &size, file) > 0)
		if (number++ + JOURNAL_EVENTS >= lines)
			events_keep_line(journal, line);
	free(line);
	fclose(file);
}

/* Half a line at the end would swallow the next event. */
static void file_end_line(struct journal *journal)
{
	FILE *file = fopen(journal->path, "re");

	if (file && !fseek(file, -1, SEEK_END) && fgetc(file) != '\n' && journal->file)
		fputc('\n', journal->file);
	if (file)
		fclose(file);
}

int journal_open(const char *path, struct journal **ret_journal)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	char older[PATH_MAX];

	if (!journal)
		return -ENOMEM;
	journal->path = strdup(path);
	if (!journal->path) {
		journal_close(journal);
		return -ENOMEM;
	}
	older_path(journal, older);
	file_read(journal, older);
	file_read(journal, journal->path);
	file_open(journal);
	if (journal->length_bytes)
		file_end_line(journal);
	*ret_journal = journal;
	return 0;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	for (size_t i = 0; i < JOURNAL_EVENTS; i++)
		json_decref(journal->events[i]);
	if (journal->file)
		fclose(journal->file);
	free(journal->path);
	free(journal);
}

void journal_add(struct journal *journal, json_t *event)
{
	char time[JOURNAL_TIME_TEXT], *line;

	json_object_set_new(event, "time", json_string(journal_time_text(clock_wall_ns(), time)));
	events_keep(journal, event);
	if (!journal->file)
		file_open(journal); /* what was in the way may have gone */
	line = journal->file ? json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(JOURNAL_DIGITS)) : NULL;
	if (line) {
		int written = fprintf(journal->file, "%s\n", line);

		fflush(journal->file);
		journal->length_bytes += written > 0 ? written : 0;
		if (journal->length_bytes > JOURNAL_FILE_BYTES)
			file_turn_over(journal);
		free(line);
	}
	if (journal->listener)
		journal->listener(event, journal->context);
	json_decref(event);
}

json_t *journal_ms(uint64_t ns)
{
	return json_real((double)(ns / 1000) / 1000.0);
}

void journal_add_failure(json_t *event, const struct unit_failure *failure, bool is_tunnel)
{
	if (!failure->known)
		return;
	if (!failure->by_peer && failure->silence_ns)
		json_object_set_new(event, "detection_ms", journal_ms(failure->silence_ns));
	if (is_tunnel)
		json_object_set_new(event, "packets_into_dead", json_integer((json_int_t)failure->lost_packets));
}

json_t *journal_last(const struct journal *journal, size_t count)
{
	size_t kept = journal->count < JOURNAL_EVENTS ? journal->count : JOURNAL_EVENTS;
	json_t *last = json_array();

	for (size_t i = journal->count - (count < kept ? count : kept); i < journal->count; i++)
		json_array_append(last, journal->events[i % JOURNAL_EVENTS]);
	return last;
}

void journal_listen(struct journal *journal, journal_listener_fn *listener, void *context)
{
	journal->listener = listener;
	journal->context = context;
}
