/* SPDX-License-Identifier: GPL-2.0-only */
/* Single values of the configuration. See config_values.h. */
#include "config_values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t ipv4_mapped[12] = {[10] = 0xff, [11] = 0xff};

const char *config_value_address(const char *text, struct config_address *ret_address)
{
	struct config_address address = {.length = 128};

	if (inet_pton(AF_INET, text, address.byte + 12) == 1) {
		memcpy(address.byte, ipv4_mapped, sizeof(ipv4_mapped));
		address.is_ipv4 = true;
	} else if (inet_pton(AF_INET6, text, address.byte) != 1) {
		return strchr(text, '/') ? "is a network, and an address is wanted" : "is not an IPv4 or IPv6 address";
	} else if (!memcmp(address.byte, ipv4_mapped, sizeof(ipv4_mapped))) {
		return "is an IPv4-mapped address; write it as IPv4";
	}
	*ret_address = address;
	return NULL;
}

const char *config_value_host(const char *text, struct config_address *ret_address)
{
	static const uint8_t none[16], broadcast[4] = {255, 255, 255, 255};
	struct config_address address;
	const char *complaint = config_value_address(text, &address);
	const uint8_t *first;

	if (complaint)
		return complaint;
	first = address.byte + (address.is_ipv4 ? 12 : 0);
	if (!memcmp(first, none, address.is_ipv4 ? 4 : 16) || (address.is_ipv4 && !memcmp(first, broadcast, 4)))
		return "is no box's address";
	if (address.is_ipv4 ? (*first & 0xf0) == 0xe0 : *first == 0xff)
		return "is a multicast address";
	*ret_address = address;
	return NULL;
}

static void host_bits_clear(struct config_address *network)
{
	for (unsigned bit = network->length; bit < 128; bit++)
		network->byte[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

const char *config_value_network(const char *text, struct config_address *ret_network,
				 char buffer[CONFIG_COMPLAINT_BYTES])
{
	char address[INET6_ADDRSTRLEN + 1], right[CONFIG_ADDRESS_TEXT];
	const char *slash = strchr(text, '/'), *complaint;
	struct config_address network, given;
	char *end;
	long length;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return "is not a network; write address/length";
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = 0;
	complaint = config_value_address(address, &network);
	if (complaint)
		return complaint;
	length = isdigit((unsigned char)slash[1]) ? strtol(slash + 1, &end, 10) : -1;
	if (length < 0 || *end || length > (network.is_ipv4 ? 32 : 128))
		return network.is_ipv4 ? "has no prefix length of 0..32" : "has no prefix length of 0..128";
	network.length = (uint8_t)(network.is_ipv4 ? 96 + length : length);
	given = network;
	host_bits_clear(&network);
	if (memcmp(given.byte, network.byte, sizeof(network.byte))) {
		snprintf(buffer, CONFIG_COMPLAINT_BYTES, "has host bits set; the network is %s",
			 config_address_text(&network, right));
		return buffer;
	}
	*ret_network = network;
	return NULL;
}

const char *config_value_name(const char *text, char ret_name[NAME_BYTES])
{
	size_t length = strlen(text);

	if (!length || length >= NAME_BYTES)
		return "is not 1 to 31 characters long";
	if (*text == '.' || *text == '-')
		return "begins with a dot or a dash";
	for (const char *at = text; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
			return "has characters other than letters, digits, dot, dash and underscore";
	memcpy(ret_name, text, length + 1);
	return NULL;
}

const char *config_value_device(const char *text, char ret_device[IFNAMSIZ])
{
	size_t length = strlen(text);

	if (!length || length >= IFNAMSIZ)
		return "is not 1 to 15 characters long, as names of interfaces are";
	if (!strcmp(text, ".") || !strcmp(text, ".."))
		return "cannot be the name of an interface";
	for (const char *at = text; *at; at++)
		if (*at == '/' || *at == ':' || *at < '!' || *at > '~')
			return "has characters that names of interfaces cannot have";
	memcpy(ret_device, text, length + 1);
	return NULL;
}

const char *config_value_number(const char *text, uint64_t *ret_number)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, hex ? 16 : 10);
	if (!isxdigit((unsigned char)text[hex ? 2 : 0]) || *end)
		return "is not a number";
	if (errno == ERANGE)
		return "does not fit into 64 bits";
	*ret_number = number;
	return NULL;
}

const char *config_value_duration(const char *text, uint64_t *ret_duration_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}};
	char *unit;
	unsigned long long number;

	if (!isdigit((unsigned char)*text))
		return "is not a duration; write a whole number and its unit, as 50ms";
	errno = 0;
	number = strtoull(text, &unit, 10);
	if (!*unit)
		return "has no unit; use us, ms, s or m";
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(unit, units[i].name))
			continue;
		if (errno == ERANGE || number > UINT64_MAX / units[i].ns)
			return "is longer than can be counted";
		*ret_duration_ns = number * units[i].ns;
		return NULL;
	}
	return isalpha((unsigned char)*unit) ? "has a unit that is not known; use us, ms, s or m"
					     : "is not a duration; write a whole number and its unit, as 50ms";
}

const char *config_value_bool(const char *text, bool *ret_bool)
{
	static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(text, yes[i]) && strcmp(text, no[i]))
			continue;
		*ret_bool = !strcmp(text, yes[i]);
		return NULL;
	}
	return "is neither true nor false";
}

const char *config_address_text(const struct config_address *address, char buffer[CONFIG_ADDRESS_TEXT])
{
	unsigned single = 128, length = address->length;

	inet_ntop(address->is_ipv4 ? AF_INET : AF_INET6, address->byte + (address->is_ipv4 ? 12 : 0), buffer,
		  CONFIG_ADDRESS_TEXT);
	if (length != single)
		snprintf(buffer + strlen(buffer), CONFIG_ADDRESS_TEXT - strlen(buffer), "/%u",
			 address->is_ipv4 ? length - 96 : length);
	return buffer;
}
