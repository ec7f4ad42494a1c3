/* SPDX-License-Identifier: GPL-2.0-only */
/* Single values of the configuration: text in, value out. Pure. Each returns NULL, or what is wrong with the text. */
#ifndef LOADER_CONFIG_VALUES_H
#define LOADER_CONFIG_VALUES_H

#include "config.h"

#define CONFIG_COMPLAINT_BYTES 160

/* A single address. */
const char *config_value_address(const char *text, struct config_address *ret_address);
/* The same, and one that a box can have: not 0.0.0.0, ::, a multicast or the broadcast address. */
const char *config_value_host(const char *text, struct config_address *ret_address);
/* A network. Host bits that are set are a complaint, which is written to buffer and names the network meant. */
const char *config_value_network(const char *text, struct config_address *ret_network,
				 char buffer[CONFIG_COMPLAINT_BYTES]);
const char *config_value_name(const char *text, char ret_name[NAME_BYTES]);
const char *config_value_device(const char *text, char ret_device[IFNAMSIZ]);
/* Decimal, or hexadecimal after 0x. */
const char *config_value_number(const char *text, uint64_t *ret_number);
/* A whole number of us, ms, s or m. */
const char *config_value_duration(const char *text, uint64_t *ret_duration_ns);
const char *config_value_bool(const char *text, bool *ret_bool);

#endif
