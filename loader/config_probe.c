/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads `probe`. See config_probe.h. */
#include "config_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_check.h"
#include "config_values.h"

#define MS_NS 1000000ull
#define S_NS  (1000 * MS_NS)

#define DEFAULT_MULTIPLIER  3
#define DEFAULT_HOLD_NS	    (1 * S_NS)
#define DEFAULT_HOLD_MAX_NS (60 * S_NS)

#define INTERVAL_LEAST_NS (3 * MS_NS)
#define MULTIPLIER_MOST	  255
#define HOLD_MOST_NS	  (3600 * S_NS)
#define HOLDS		  "holds are 0s..60m"

/* What depends on the kind. For a probe whose kind is not known, the widest of both. */
struct kind {
	uint64_t interval_ns; /* default */
	uint64_t interval_most_ns;
	const char *intervals;
	unsigned multiplier_least;
	const char *multipliers;
};

static const struct kind kinds[] = {
	[SESSION_NONE] = {50 * MS_NS, 60 * S_NS, "intervals are 3ms..60s", 1, "multipliers are 1..255"},
	[SESSION_BFD] = {50 * MS_NS, 10 * S_NS, "intervals of bfd are 3ms..10s", 1, "multipliers of bfd are 1..255"},
	[SESSION_ICMP] = {100 * MS_NS, 60 * S_NS, "intervals of icmp are 3ms..60s", 2,
			  "multipliers of icmp are 2..255"},
};

static const char *const kind_words[] = {"bfd", "icmp"}; /* from SESSION_BFD on */

struct reading {
	struct config_probe *probe;
	enum session_kind kind; /* known before any key is read, for ranges depend on it */
	/* The key stands in the file, whatever its value is worth. */
	bool has_kind, has_peer, has_hold_max, has_auth, has_key_id, has_key, has_key_file;
};

static void probe_kind(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;
	int index = -1;

	reading->has_kind = true;
	config_reader_word(reader, node, kind_words, CONFIG_READER_COUNT(kind_words), &index);
	if (index >= 0)
		reading->probe->kind = (enum session_kind)(SESSION_BFD + index);
}

static void probe_local(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_probe *probe = ((struct reading *)target)->probe;

	CONFIG_READER_VALUE(reader, node, config_value_host, &probe->local);
	probe->has_local = probe->local.length;
}

static void probe_peer(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;

	reading->has_peer = true;
	CONFIG_READER_VALUE(reader, node, config_value_host, &reading->probe->peer);
}

static void number_read(struct config_reader *reader, const yaml_node_t *node, unsigned least, unsigned most,
			const char *range, uint8_t *value)
{
	uint64_t number = UINT64_MAX;
	const char *text = config_reader_scalar(reader, node), *complaint;

	if (!text)
		return;
	complaint = config_value_number(text, &number);
	if (complaint)
		config_reader_fault(reader, node, "'%.80s' %s", text, complaint);
	else if (number < least || number > most)
		config_reader_fault(reader, node, "%llu is out of range; %s", (unsigned long long)number, range);
	else
		*value = (uint8_t)number;
}

static void probe_interval(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;
	const struct kind *kind = &kinds[reading->kind];

	config_reader_duration(reader, node, INTERVAL_LEAST_NS, kind->interval_most_ns, kind->intervals,
			       &reading->probe->interval_ns);
}

static void probe_multiplier(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;
	const struct kind *kind = &kinds[reading->kind];

	number_read(reader, node, kind->multiplier_least, MULTIPLIER_MOST, kind->multipliers,
		    &reading->probe->multiplier);
}

static void probe_hold(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	config_reader_duration(reader, node, 0, HOLD_MOST_NS, HOLDS, &((struct reading *)target)->probe->hold_ns);
}

static void probe_hold_max(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;

	reading->has_hold_max = true;
	config_reader_duration(reader, node, 0, HOLD_MOST_NS, HOLDS, &reading->probe->hold_max_ns);
}

/* ICMP echo has none of these. */
static bool bfd_only(struct config_reader *reader, const yaml_node_t *node, const struct reading *reading)
{
	if (reading->kind == SESSION_ICMP)
		config_reader_fault(reader, node, "is for kind: bfd; leave it out");
	return reading->kind != SESSION_ICMP;
}

static void probe_multihop(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;

	if (bfd_only(reader, node, reading))
		CONFIG_READER_VALUE(reader, node, config_value_bool, &reading->probe->multihop);
}

static void probe_auth(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	static const char *const words[] = {"keyed-sha1", "meticulous-keyed-sha1"};
	static const enum session_auth auths[] = {SESSION_AUTH_SHA1, SESSION_AUTH_METICULOUS_SHA1};
	struct reading *reading = target;
	int index = -1;

	if (!bfd_only(reader, node, reading))
		return;
	reading->has_auth = true;
	config_reader_word(reader, node, words, CONFIG_READER_COUNT(words), &index);
	if (index >= 0)
		reading->probe->auth = auths[index];
}

static void probe_key_id(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;

	if (!bfd_only(reader, node, reading))
		return;
	reading->has_key_id = true;
	number_read(reader, node, 0, UINT8_MAX, "key-ids are 0..255", &reading->probe->key_id);
}

/* Never says what the key is: faults are logged. */
static void probe_key(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;
	const char *text;
	size_t length;

	if (!bfd_only(reader, node, reading))
		return;
	reading->has_key = true;
	text = config_reader_scalar(reader, node);
	if (!text)
		return;
	length = strlen(text);
	if (!length || length > SESSION_KEY_BYTES) {
		config_reader_fault(reader, node, "has %zu bytes; keys are 1..%d bytes long", length,
				    SESSION_KEY_BYTES);
		return;
	}
	memcpy(reading->probe->key, text, length);
	reading->probe->key_bytes = (uint8_t)length;
}

/* What a key file holds, into buffer: the bytes read, up to its size, or -errno. Waits for nothing. */
static ssize_t file_bytes(const char *path, mode_t *ret_mode, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	ssize_t length = -1;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode))
		length = read(fd, buffer, size);
	else
		errno = EINVAL;
	if (length < 0)
		err = -errno;
	else
		*ret_mode = status.st_mode;
	close(fd);
	return err ? err : length;
}

static void key_file_read(struct config_reader *reader, const yaml_node_t *node, const char *path,
			  struct config_probe *probe)
{
	char buffer[SESSION_KEY_BYTES + 2]; /* a newline, and one to see that there is more */
	mode_t mode = 0;
	ssize_t length = file_bytes(path, &mode, buffer, sizeof(buffer));

	if (length < 0) {
		config_reader_fault(reader, node,
				    "'%.80s' cannot be read: %s; it is to be a file that holds the key, readable by "
				    "its owner alone (chmod 600)",
				    path, strerror((int)-length));
		goto out;
	}
	if (mode & (S_IROTH | S_IWOTH)) {
		config_reader_fault(reader, node, "'%.80s' is open to every user; chmod 600 it, and change the key",
				    path);
		goto out;
	}
	if (length && length < (ssize_t)sizeof(buffer) && buffer[length - 1] == '\n')
		length--;
	if (!length || length > SESSION_KEY_BYTES) {
		config_reader_fault(reader, node, "'%.80s' holds %s; keys are 1..%d bytes long", path,
				    length ? "more than a key" : "no key", SESSION_KEY_BYTES);
		goto out;
	}
	memcpy(probe->key, buffer, (size_t)length);
	probe->key_bytes = (uint8_t)length;
out:
	explicit_bzero(buffer, sizeof(buffer));
}

static void probe_key_file(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct reading *reading = target;
	const char *path;

	if (!bfd_only(reader, node, reading))
		return;
	reading->has_key_file = true;
	path = config_reader_scalar(reader, node);
	if (!path)
		return;
	if (*path != '/')
		config_reader_fault(reader, node, "'%.80s' is not an absolute path; begin it with /", path);
	else if (reader->reads_key_files)
		key_file_read(reader, node, path, reading->probe);
}

static void auth_check(struct config_reader *reader, const yaml_node_t *node, const struct reading *reading)
{
	const char *key = reading->has_key	  ? "key"
			  : reading->has_key_file ? "key-file"
			  : reading->has_key_id	  ? "key-id"
						  : NULL;

	if (key && !reading->has_auth)
		config_reader_fault(reader, node,
				    "'%s' without 'auth'; add auth: keyed-sha1 or auth: meticulous-keyed-sha1", key);
	if (reading->has_auth && !reading->has_key_id)
		config_reader_fault(reader, node,
				    "'auth' without 'key-id'; give the number that the peer has the "
				    "key under");
	if (reading->has_auth && !reading->has_key && !reading->has_key_file)
		config_reader_fault(reader, node, "'auth' without 'key' or 'key-file'; give one of them");
	if (reading->has_key && reading->has_key_file)
		config_reader_fault(reader, node, "'key' and 'key-file' both; leave one of them out");
}

static void hold_check(struct config_reader *reader, const yaml_node_t *node, const struct reading *reading)
{
	struct config_probe *probe = reading->probe;

	if (probe->hold_max_ns >= probe->hold_ns)
		return;
	if (reading->has_hold_max)
		config_reader_fault(reader, node,
				    "'hold-max' is shorter than 'hold' (1s unless given); make it as long at least");
	else
		probe->hold_max_ns = probe->hold_ns;
}

static enum session_kind kind_ahead(struct config_reader *reader, const yaml_node_t *node)
{
	const char *word = config_reader_peek(reader, node, "kind");

	for (size_t i = 0; word && i < CONFIG_READER_COUNT(kind_words); i++)
		if (!strcmp(word, kind_words[i]))
			return (enum session_kind)(SESSION_BFD + i);
	return SESSION_NONE;
}

/* A mapping without a kind has its fault already, and may be meant as anything. */
static void probe_read(struct config_reader *reader, const yaml_node_t *node, struct config_probe_site *site)
{
	static const struct config_field fields[] = {
		{"kind", true, probe_kind},
		{"local", false, probe_local},
		{"peer", false, probe_peer},
		{"interval", false, probe_interval},
		{"multiplier", false, probe_multiplier},
		{"hold", false, probe_hold},
		{"hold-max", false, probe_hold_max},
		{"multihop", false, probe_multihop},
		{"auth", false, probe_auth},
		{"key-id", false, probe_key_id},
		{"key", false, probe_key},
		{"key-file", false, probe_key_file},
	};
	struct config_probe *probe = site->probe;
	struct reading reading = {.probe = probe, .kind = kind_ahead(reader, node)};

	probe->line = (unsigned)node->start_mark.line + 1;
	probe->interval_ns = kinds[reading.kind].interval_ns;
	probe->multiplier = DEFAULT_MULTIPLIER;
	probe->hold_ns = DEFAULT_HOLD_NS;
	probe->hold_max_ns = DEFAULT_HOLD_MAX_NS;
	config_reader_mapping(reader, node, fields, CONFIG_READER_COUNT(fields), &reading);
	auth_check(reader, node, &reading);
	hold_check(reader, node, &reading);
	site->has_peer = reading.has_peer;
	if (reading.has_kind)
		config_check_probe(reader, node, site);
}

void config_probe_of_instance(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_instance *instance = target;
	struct config_probe_site site = {.probe = &instance->probe, .instance = instance};

	probe_read(reader, node, &site);
}

void config_probe_of_tunnel(struct config_reader *reader, const yaml_node_t *node, void *target)
{
	struct config_tunnel *tunnel = target;
	struct config_probe_site site = {.probe = &tunnel->probe, .tunnel = tunnel};

	probe_read(reader, node, &site);
}
