/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Aligned columns for people. Columns are as wide as their widest cell; the last one is never padded. Headings and
 * cells are UTF-8, one place a character.
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS 16

enum table_colour { TABLE_PLAIN, TABLE_GREEN, TABLE_YELLOW, TABLE_RED };

struct table_column {
	const char *heading;
	bool right; /* numbers */
};

struct table;

/* column ends with a heading of NULL, has at most TABLE_COLUMNS and outlives the table. NULL without memory. */
struct table *table_new(const struct table_column *column);
void table_free(struct table *table);

/* Adds the next cell, row by row. Text is copied. After a failure, table_print() fails. A NULL table is let pass. */
void table_cell(struct table *table, enum table_colour colour, const char *text);
void table_cellf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints headings and rows. Returns 0 or -ENOMEM: a cell was lost, nothing is printed. */
int table_print(const struct table *table, FILE *file, bool coloured);

/* A terminal that may be coloured: https://no-color.org is honoured. */
bool table_colour_wanted(FILE *file);

#endif
