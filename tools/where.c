/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aa-steer where: which tunnel a flow takes and why. The daemon puts the question to the loaded program.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/*
 * "10.0.0.1", "10.0.0.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53". More than one colon outside of
 * brackets is an IPv6 address without port. Whether the address is one is the daemon's to say.
 * Returns {"address": ..., "port": ...} without the port where there is none; NULL where the text is none of this.
 */
static json_t *read_endpoint(char *text)
{
	char *address = text, *port = strchr(text, ':'), *bracket = strchr(text, ']'), *end;
	json_t *endpoint;
	unsigned long number;

	if (*text == '[' && bracket) {
		address = text + 1;
		*bracket = '\0';
		port = bracket[1] ? bracket + 1 : NULL;
		if (port && *port != ':')
			return NULL;
	} else if (port && strchr(port + 1, ':')) {
		port = NULL;
	}
	if (port)
		*port++ = '\0';
	endpoint = json_pack("{s:s}", "address", address);
	if (!endpoint || !port)
		return endpoint;
	number = strtoul(port, &end, 10);
	if (!isdigit((unsigned char)*port) || *end || number > 65535) {
		json_decref(endpoint);
		return NULL;
	}
	json_object_set_new(endpoint, "port", json_integer((json_int_t)number));
	return endpoint;
}

static void print_where(const json_t *result, const struct tool_call *call)
{
	const char *verdict = tool_string(result, "verdict"), *connection = tool_string(result, "connection");
	const json_t *skipped = json_object_get(result, "skipped"), *other;
	size_t i;

	(void)call;
	if (strcmp(verdict, "tunnel")) {
		printf("%s: %s\n", verdict, tool_string(result, "reason"));
		if (*connection)
			printf("connection %s\n", connection);
		return;
	}
	printf("tunnel %s, instance %s, device %s, connection %s\n", tool_string(result, "tunnel"),
	       tool_string(result, "instance"), tool_string(result, "device"), connection);
	printf("because: %s\n", tool_string(result, "reason"));
	json_array_foreach (skipped, i, other)
		printf("skipped: %s, %s\n", tool_string(other, "tunnel"), tool_string(other, "reason"));
}

int where_main(struct tool_call *call)
{
	json_t *end[2] = {0};
	int ended = tool_words(call, 3, 3);

	if (ended)
		return tool_ended(ended);
	for (int i = 0; i < 2; i++) {
		char *word = call->argv[optind + 1 + i], *copy = strdup(word);

		end[i] = copy ? read_endpoint(copy) : NULL;
		free(copy);
		if (!end[i]) {
			json_decref(end[0]);
			return tool_fail(call, EXIT_USAGE, "'%s' is not ADDRESS, ADDRESS:PORT or [IPV6]:PORT", word);
		}
	}
	return tool_ask(call, &(struct tool_request){
				      .command = "where",
				      .arguments = json_pack("{s:s, s:o, s:o}", "protocol", call->argv[optind],
							     "source", end[0], "destination", end[1]),
				      .print = print_where,
			      });
}
