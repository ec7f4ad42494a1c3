/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Aligned columns for people. See table.h.
 */
#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GAP 2 /* places between columns */

struct cell {
	char *text;
	enum table_colour colour;
};

struct table {
	const struct table_column *column;
	size_t columns;
	struct cell *cell; /* row by row */
	size_t cells;
	size_t capacity;
	bool failed;
};

struct table *table_new(const struct table_column *column)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->column = column;
	while (column[table->columns].heading && table->columns < TABLE_COLUMNS)
		table->columns++;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cells; i++)
		free(table->cell[i].text);
	free(table->cell);
	free(table);
}

static bool make_room(struct table *table)
{
	size_t capacity = table->capacity ? 2 * table->capacity : 64;
	struct cell *larger;

	if (table->cells < table->capacity)
		return true;
	larger = realloc(table->cell, capacity * sizeof(*larger));
	if (!larger)
		return false;
	table->cell = larger;
	table->capacity = capacity;
	return true;
}

void table_cell(struct table *table, enum table_colour colour, const char *text)
{
	char *copy = strdup(text);

	if (!table || !copy || table->failed || !make_room(table)) {
		if (table)
			table->failed = true;
		free(copy);
		return;
	}
	table->cell[table->cells++] = (struct cell){.text = copy, .colour = colour};
}

void table_cellf(struct table *table, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length >= 0) {
		table_cell(table, TABLE_PLAIN, text);
		free(text);
	} else if (table) {
		table->failed = true;
	}
}

/* Places on the screen: bytes that do not continue a UTF-8 character. */
static size_t places(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static void measure(const struct table *table, size_t width[TABLE_COLUMNS])
{
	for (size_t c = 0; c < table->columns; c++)
		width[c] = places(table->column[c].heading);
	for (size_t i = 0; i < table->cells; i++) {
		size_t wide = places(table->cell[i].text);

		if (wide > width[i % table->columns])
			width[i % table->columns] = wide;
	}
}

static void print_text(FILE *file, const char *text, enum table_colour colour)
{
	static const char *const code[] = {"", "\033[32m", "\033[33m", "\033[31m"};

	fprintf(file, "%s%s%s", code[colour], text, colour == TABLE_PLAIN ? "" : "\033[0m");
}

/* Spaces are owed until a text follows, so that no line ends with one. */
static void print_row(const struct table *table, FILE *file, const size_t *width, const struct cell *cell,
		      bool coloured)
{
	size_t owed = 0;

	for (size_t c = 0; c < table->columns; c++) {
		size_t padding = width[c] - places(cell[c].text);
		bool right = table->column[c].right;

		if (*cell[c].text) {
			fprintf(file, "%*s", (int)(owed + (right ? padding : 0)), "");
			print_text(file, cell[c].text, coloured ? cell[c].colour : TABLE_PLAIN);
			owed = (right ? 0 : padding) + GAP;
		} else {
			owed += padding + GAP;
		}
	}
	fputc('\n', file);
}

int table_print(const struct table *table, FILE *file, bool coloured)
{
	struct cell heading[TABLE_COLUMNS] = {0};
	size_t width[TABLE_COLUMNS];

	if (!table || table->failed)
		return -ENOMEM;
	measure(table, width);
	for (size_t c = 0; c < table->columns; c++)
		heading[c].text = (char *)table->column[c].heading;
	print_row(table, file, width, heading, false);
	for (size_t i = 0; i + table->columns <= table->cells; i += table->columns)
		print_row(table, file, width, &table->cell[i], coloured);
	return 0;
}

bool table_colour_wanted(FILE *file)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return !(no_colour && *no_colour) && !(terminal && !strcmp(terminal, "dumb")) && isatty(fileno(file));
}
