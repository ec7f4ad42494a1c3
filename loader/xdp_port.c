/* SPDX-License-Identifier: GPL-2.0-only */
/* Asks the kernel what XDP features a device has. See xdp_port.h. */
#include "xdp_port.h"

#include <linux/genetlink.h>
#include <stdint.h>

#include "nl.h"

/* <linux/netdev.h>, which is younger than what this is built on. */
#define NETDEV_FAMILY	      "netdev"
#define NETDEV_DEV_GET	      1
#define NETDEV_ATTR_IFINDEX   1
#define NETDEV_ATTR_FEATURES  3
#define NETDEV_FEATURE_XMIT   4u /* ndo_xdp_xmit */
#define XDP_PORT_BUFFER_BYTES 256

static int family_attribute(const struct nlattr *attribute, void *data)
{
	if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID && nl_attr_fits(attribute, sizeof(uint16_t)))
		*(uint16_t *)data = mnl_attr_get_u16(attribute);
	return MNL_CB_OK;
}

static void family_message(const struct nlmsghdr *message, void *context)
{
	nl_attrs(message, sizeof(struct genlmsghdr), family_attribute, context);
}

static int features_attribute(const struct nlattr *attribute, void *data)
{
	if (mnl_attr_get_type(attribute) == NETDEV_ATTR_FEATURES && nl_attr_fits(attribute, sizeof(uint64_t)))
		*(uint64_t *)data = mnl_attr_get_u64(attribute);
	return MNL_CB_OK;
}

static void features_message(const struct nlmsghdr *message, void *context)
{
	nl_attrs(message, sizeof(struct genlmsghdr), features_attribute, context);
}

static struct nlmsghdr *request(void *buffer, uint16_t type, uint8_t command)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *generic;

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST;
	generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
	generic->cmd = command;
	generic->version = 1;
	return header;
}

bool xdp_port_takes_frames(int ifindex)
{
	uint8_t buffer[XDP_PORT_BUFFER_BYTES] __attribute__((aligned(8)));
	uint64_t features = NETDEV_FEATURE_XMIT;
	struct mnl_socket *socket;
	struct nlmsghdr *header;
	uint16_t family = 0;

	if (nl_open(NETLINK_GENERIC, &socket))
		return true;
	header = request(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	if (!nl_transact(socket, header, family_message, &family) && family) {
		header = request(buffer, family, NETDEV_DEV_GET);
		mnl_attr_put_u32(header, NETDEV_ATTR_IFINDEX, (uint32_t)ifindex);
		nl_transact(socket, header, features_message, &features);
	}
	mnl_socket_close(socket);
	return features & NETDEV_FEATURE_XMIT;
}
