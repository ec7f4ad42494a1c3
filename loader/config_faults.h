/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of a file's faults, as it grows. Printing and freeing it is in config.h. */
#ifndef LOADER_CONFIG_FAULTS_H
#define LOADER_CONFIG_FAULTS_H

#include "config.h"

/* More than these are not told one by one, which one fault more then says: the file is not what it is taken for. */
#define CONFIG_FAULTS_MAX 1000

void config_faults_add(struct config_faults *faults, unsigned line, unsigned column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Into the file's order. */
void config_faults_sort(struct config_faults *faults);

#endif
