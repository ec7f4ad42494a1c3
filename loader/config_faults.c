/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults of a configuration file. See config.h and config_faults.h. */
#include "config_faults.h"

#include <stdarg.h>
#include <stdlib.h>

/* Bytes of the UTF-8 character at text; 0 where it is none, or not whole. The file itself is valid UTF-8. */
static size_t character_bytes(const char *text)
{
	unsigned char first = (unsigned char)*text;
	size_t bytes = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < bytes; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
	return bytes;
}

/* One line each, whatever a quoted piece of the file contained; in UTF-8, wherever that piece was cut off. */
static void text_tidy(char *text)
{
	while (*text) {
		size_t bytes = character_bytes(text);

		if (!bytes || (unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
		text += bytes ? bytes : 1;
	}
}

void config_faults_add(struct config_faults *faults, unsigned line, unsigned column, const char *format, ...)
{
	struct config_fault *grown;
	va_list arguments;
	char *text = NULL;
	int length;

	if (faults->count > CONFIG_FAULTS_MAX)
		return;
	if (faults->count == CONFIG_FAULTS_MAX) { /* the last word, in place of this one */
		line = column = 0;
		format = "has more faults than are told here";
	}
	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	grown = length < 0 ? NULL : realloc(faults->fault, (faults->count + 1) * sizeof(*grown));
	if (!grown) {
		if (length >= 0)
			free(text);
		return;
	}
	text_tidy(text);
	faults->fault = grown;
	faults->fault[faults->count++] = (struct config_fault){.line = line, .column = column, .text = text};
}

static int fault_compare(const void *a, const void *b)
{
	const struct config_fault *left = a, *right = b;

	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->column < right->column ? -1 : left->column > right->column;
}

void config_faults_sort(struct config_faults *faults)
{
	if (faults->count)
		qsort(faults->fault, faults->count, sizeof(*faults->fault), fault_compare);
}

void config_faults_free(struct config_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		free(faults->fault[i].text);
	free(faults->fault);
	*faults = (struct config_faults){0};
}

void config_fault_print(FILE *file, const char *path, const struct config_fault *fault)
{
	if (fault->line)
		fprintf(file, "%s:%u:%u: %s\n", path, fault->line, fault->column, fault->text);
	else
		fprintf(file, "%s: %s\n", path, fault->text);
}
