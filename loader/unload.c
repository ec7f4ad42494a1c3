/* SPDX-License-Identifier: GPL-2.0-only */
/* See unload.h. Loads nothing and watches nothing; holds the gateway's control socket, so that no daemon begins
 * meanwhile. */
#include "unload.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "attach_tc.h"
#include "attach_xdp.h"
#include "control.h"
#include "datapath.h"
#include "paths.h"
#include "pins.h"
#include "routes.h"

struct found {
	char gateway[NAME_BYTES]; /* of the last one */
	char all[512];
	size_t count;
};

/* Colons stand for dots there. */
static int gateway_found(const char *name, void *context)
{
	struct found *found = context;
	size_t length = strlen(found->all);

	snprintf(found->gateway, sizeof(found->gateway), "%s", name);
	for (char *colon = found->gateway; *colon; colon++)
		if (*colon == ':')
			*colon = '.';
	snprintf(found->all + length, sizeof(found->all) - length, "%s%s", found->count++ ? ", " : "", found->gateway);
	return 0;
}

static int gateway_find(char gateway[NAME_BYTES], char *error, size_t error_size)
{
	struct found found = {0};

	pins_each(PINS_ROOT, gateway_found, &found);
	if (found.count > 1) {
		snprintf(error, error_size, "several gateways left something, name one: %s", found.all);
		return -EINVAL;
	}
	if (!found.count) {
		snprintf(error, error_size, "nothing is left to take off");
		return -ENOENT;
	}
	memcpy(gateway, found.gateway, NAME_BYTES);
	return 0;
}

static int xdp_off(const struct pins *pins)
{
	struct if_nameindex *interfaces = if_nameindex();
	int err = 0;

	for (struct if_nameindex *at = interfaces; at && at->if_index; at++)
		err = attach_xdp_off(pins, (int)at->if_index) ?: err;
	if (interfaces)
		if_freenameindex(interfaces);
	return err;
}

static int routes_off(sd_event *loop)
{
	struct routes *routes = NULL;
	int err = routes_open(loop, &routes);

	if (!err)
		err = routes_flush(routes);
	routes_close(routes);
	/* Another gateway's daemon holds them: they are its own. */
	return err == -EADDRINUSE ? 0 : err;
}

static int everything_off(sd_event *loop, const char *gateway)
{
	struct pins pins;
	int err = pins_open(gateway, &pins);

	if (err)
		return err;
	err = xdp_off(&pins);
	err = attach_tc_sweep(&pins, NULL, NULL) ?: err;
	if (datapath_kept_routes(gateway))
		err = routes_off(loop) ?: err;
	return pins_clear(gateway) ?: err;
}

static int gateway_unload(sd_event *loop, const char *gateway, char *error, size_t error_size)
{
	static const struct control_command none[] = {{NULL, false, NULL}};
	struct control *control = NULL;
	char path[PATHS_BYTES];
	int err = paths_control(gateway, path) ?: control_open(loop, path, none, NULL, &control);

	if (err == -EADDRINUSE)
		snprintf(error, error_size, "%s: a daemon serves this gateway; aa-steer unload asks it", path);
	else if (err)
		snprintf(error, error_size, "%s: %s", path, strerror(-err));
	if (err)
		return err;
	err = everything_off(loop, gateway);
	if (err)
		snprintf(error, error_size, "not everything could be taken off: %s", strerror(-err));
	control_close(control);
	return err;
}

int unload_left(const char *gateway, char *error, size_t error_size)
{
	char only[NAME_BYTES];
	sd_event *loop = NULL;
	struct pins pins;
	int err = gateway ? pins_find(gateway, &pins) : gateway_find(only, error, error_size);

	if (err) {
		if (gateway)
			snprintf(error, error_size, "gateway '%s' left nothing to take off", gateway);
		return err;
	}
	err = sd_event_new(&loop);
	if (err < 0) {
		snprintf(error, error_size, "no event loop: %s", strerror(-err));
		return err;
	}
	err = gateway_unload(loop, gateway ?: only, error, error_size);
	sd_event_unref(loop);
	return err;
}
