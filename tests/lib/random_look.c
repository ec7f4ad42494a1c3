/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks at a gateway from all sides at once: what status says, what `where` says of each flow of traffic_send, what the
 * pinned maps hold, what events told. One JSON object on standard output, for random_judge.
 *
 *   random_look SOCKET PINS FLOWS SOURCE,DESTINATION... -- TUNNEL=ADMIN[+failed]...
 *
 * It first waits until status and maps agree with what is expected: ADMIN is `in`, `draining` (which may be over by
 * itself) or `out`; failed, for any other cause, or not; tunnels that are not named must not exist. One that is in and
 * has not failed is active or standing by, others are not. `agreed` is false where that did not come true. A daemon
 * that does not answer yet is waited for. Run by tests/netns/random.test in the gateway's namespace.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <jansson.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../maps/health.h"
#include "../../maps/tunnels.h"
#include "traffic.h"

#define PATIENCE_NS	  10000000000ull
#define POLL_NS		  5000000l
#define FIRST_SOURCE_PORT 20000
#define PORT		  9000
#define EVENTS		  400

struct expected {
	char **tunnels; /* NAME=ADMIN[+failed] */
	int count;
};

/* The answer's result, owned; NULL: nobody answers, or it did not work out. */
static json_t *ask(const char *path, const char *command, json_t *arguments)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	json_t *request = json_pack("{s:s, s:o}", "command", command, "arguments", arguments), *answer, *result;
	char *text = json_dumps(request, JSON_COMPACT);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "r+");

	if (!stream)
		err(1, "socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) || dprintf(fd, "%s\n", text) < 0)
		answer = NULL;
	else
		answer = json_loadf(stream, JSON_DISABLE_EOF_CHECK, NULL);
	result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	json_decref(request);
	free(text);
	fclose(stream);
	return result;
}

static bool is_usable(const json_t *tunnel)
{
	const char *state = json_string_value(json_object_get(tunnel, "state"));

	return state && (!strcmp(state, "active") || !strcmp(state, "standby"));
}

static const json_t *tunnel_find(const json_t *status, const char *name, size_t length)
{
	json_t *connection, *tunnel;
	size_t c, t;

	json_array_foreach (json_object_get(status, "connections"), c, connection)
		json_array_foreach (json_object_get(connection, "tunnels"), t, tunnel) {
			const char *found = json_string_value(json_object_get(tunnel, "name"));

			if (strlen(found) == length && !memcmp(found, name, length))
				return tunnel;
		}
	return NULL;
}

static int tunnels_count(const json_t *status)
{
	json_t *connection;
	int count = 0;
	size_t c;

	json_array_foreach (json_object_get(status, "connections"), c, connection)
		count += (int)json_array_size(json_object_get(connection, "tunnels"));
	return count;
}

/* state: ADMIN[+failed] */
static bool tunnel_agrees(const json_t *tunnel, const json_t *health, const char *state)
{
	bool in = !strncmp(state, "in", 2), failed = strstr(state, "+failed");

	if (!tunnel || !health || is_usable(tunnel) != (in && !failed) ||
	    json_is_true(json_object_get(health, "failed")) != failed)
		return false;
	if (!strncmp(state, "out", 3))
		return json_is_true(json_object_get(health, "out"));
	return json_is_true(json_object_get(health, "in")) == in;
}

static bool agrees(const json_t *status, const json_t *health, const struct expected *expected)
{
	for (int i = 0; i < expected->count; i++) {
		const char *name = expected->tunnels[i];
		size_t length = strcspn(name, "=");

		if (!tunnel_agrees(tunnel_find(status, name, length), json_object_getn(health, name, length),
				   name + length + 1))
			return false;
	}
	return tunnels_count(status) == expected->count;
}

static int map_open(const char *pins, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pins, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* What its word and its instance's say together. */
static json_t *health_of(const struct health *tunnel, const struct health *instance)
{
	bool in = !tunnel->admin_out && !instance->admin_out, failed = false;

#define X(field, word, writer) failed |= strcmp(#field, "admin_out") && (tunnel->field || instance->field);
	HEALTH_CAUSES(X)
#undef X
	return json_pack("{s:b, s:b, s:b, s:b}", "usable", in && !failed, "in", in, "out",
			 tunnel->admin_out == ADMIN_OUT || instance->admin_out == ADMIN_OUT, "failed", failed);
}

/* By name of tunnel: as the packet path reads it. */
static json_t *health_all(const char *pins)
{
	int tunnels = map_open(pins, "tunnels"), tunnel_health = map_open(pins, "tunnel_health");
	int instance_health = map_open(pins, "instance_health");
	json_t *all = json_object();
	struct health own, instances;
	struct tunnel tunnel;

	for (__u32 i = 0; !bpf_map_lookup_elem(tunnels, &i, &tunnel); i++)
		if (tunnel.name[0] && !bpf_map_lookup_elem(tunnel_health, &i, &own) &&
		    !bpf_map_lookup_elem(instance_health, &tunnel.instance, &instances))
			json_object_set_new(all, tunnel.name, health_of(&own, &instances));
	close(tunnels);
	close(tunnel_health);
	close(instance_health);
	return all;
}

/* The last status and health, agreed or not. */
static json_t *settle(const char *path, const char *pins, const struct expected *expected, json_t **ret_health,
		      bool *ret_agreed)
{
	uint64_t end_ns = traffic_now_ns() + PATIENCE_NS;
	const struct timespec pause = {.tv_nsec = POLL_NS};

	for (;;) {
		json_t *status = ask(path, "status", json_object()), *health = status ? health_all(pins) : NULL;

		*ret_agreed = status && agrees(status, health, expected);
		*ret_health = health;
		if (*ret_agreed || traffic_now_ns() >= end_ns)
			return status;
		json_decref(status);
		json_decref(health);
		nanosleep(&pause, NULL);
	}
}

static json_t *endpoint(const char *address, size_t length, int port)
{
	return json_pack("{s:s%, s:i}", "address", address, length, "port", port);
}

/* By flow: the tunnel that it takes, or what else becomes of it. */
static json_t *where_all(const char *path, int flows, char **pairs, int pair_count)
{
	json_t *all = json_array();

	for (int flow = 0; flow < flows; flow++) {
		const char *pair = pairs[flow % pair_count], *comma = strchr(pair, ',');
		json_t *answer = ask(path, "where",
				     json_pack("{s:s, s:o, s:o}", "protocol", "udp", "source",
					       endpoint(pair, (size_t)(comma - pair), FIRST_SOURCE_PORT + flow),
					       "destination", endpoint(comma + 1, strlen(comma + 1), PORT)));
		json_t *tunnel = json_object_get(answer, "tunnel");

		json_array_append(all, json_is_string(tunnel) ? tunnel : json_object_get(answer, "verdict"));
		json_decref(answer);
	}
	return all;
}

static json_int_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	struct expected expected = {0};
	json_t *look, *status, *health, *events;
	int pairs = 0;
	bool agreed;

	while (4 + pairs < argc && strcmp(argv[4 + pairs], "--"))
		pairs++;
	if (4 + pairs >= argc || !pairs)
		errx(2, "usage: random_look SOCKET PINS FLOWS SOURCE,DESTINATION... -- TUNNEL=ADMIN[+failed]...");
	expected.tunnels = argv + 5 + pairs;
	expected.count = argc - 5 - pairs;
	status = settle(argv[1], argv[2], &expected, &health, &agreed);
	if (!status)
		errx(1, "%s: nobody answers", argv[1]);
	look = json_pack("{s:b, s:I, s:I, s:o}", "agreed", agreed, "settled_ns", (json_int_t)traffic_now_ns(),
			 "settled_ms", wall_ms(), "status", status);
	json_object_set_new(look, "where", where_all(argv[1], atoi(argv[3]), argv + 4, pairs));
	json_object_set_new(look, "health", health);
	events = ask(argv[1], "events", json_pack("{s:i}", "last", EVENTS));
	json_object_set(look, "events", json_object_get(events, "events"));
	json_decref(events);
	json_dumpf(look, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(look);
	return 0;
}
