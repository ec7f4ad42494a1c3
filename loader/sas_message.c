/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XFRM messages. See sas_message.h.
 */
#include "sas_message.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <string.h>

#include "addresses_message.h"
#include "nl.h"

#define IPSEC_PROTO_ANY	 255 /* as setkey(8) flushes: the kernel's name for AH, ESP and IPComp together */
#define ATTRIBUTE_SA_DIR 33  /* XFRMA_SA_DIR, Linux 6.10; newer than some headers */
#define DIRECTION_IN	 1
#define DIRECTION_OUT	 2

struct sa_parse {
	struct sa sa;
	bool has_algorithm;
};

static int parse_sa_attribute(const struct nlattr *attribute, void *data)
{
	struct sa_parse *parse = data;
	struct xfrm_replay_state_esn replay;
	struct xfrm_mark mark;

	switch (mnl_attr_get_type(attribute)) {
	case XFRMA_ALG_AUTH:
	case XFRMA_ALG_AUTH_TRUNC:
	case XFRMA_ALG_CRYPT:
	case XFRMA_ALG_AEAD:
		parse->has_algorithm = true;
		break;
	case XFRMA_IF_ID:
		if (nl_attr_fits(attribute, sizeof(uint32_t)))
			parse->sa.if_id = mnl_attr_get_u32(attribute);
		break;
	case XFRMA_MARK:
		if (!nl_attr_fits(attribute, sizeof(mark)))
			break;
		memcpy(&mark, mnl_attr_get_payload(attribute), sizeof(mark));
		parse->sa.id.mark_value = mark.v;
		parse->sa.id.mark_mask = mark.m;
		break;
	case XFRMA_REPLAY_ESN_VAL: /* windows that the header's one byte is too small for stand here */
		if (!nl_attr_fits(attribute, sizeof(replay)))
			break;
		memcpy(&replay, mnl_attr_get_payload(attribute), sizeof(replay));
		parse->sa.window_packets = replay.replay_window;
		break;
	case ATTRIBUTE_SA_DIR:
		if (!nl_attr_fits(attribute, sizeof(uint8_t)))
			break;
		if (mnl_attr_get_u8(attribute) == DIRECTION_IN)
			parse->sa.direction = SA_INBOUND;
		if (mnl_attr_get_u8(attribute) == DIRECTION_OUT)
			parse->sa.direction = SA_OUTBOUND;
		break;
	}
	return MNL_CB_OK;
}

/* Reads the identity and the attributes, which stand behind header_bytes of the message's own header. */
static int parse_sa(const struct nlmsghdr *message, size_t header_bytes, const struct xfrm_id *id, uint16_t family,
		    struct sa_parse *ret_parse)
{
	struct sa_parse parse = {0};
	int result = nl_attrs(message, header_bytes, parse_sa_attribute, &parse);

	if (result == 0)
		result = addresses_message_address(family, &id->daddr, &parse.sa.id.destination);
	if (result < 0)
		return result;
	parse.sa.id.spi = id->spi;
	parse.sa.id.protocol = id->proto;
	*ret_parse = parse;
	return 0;
}

/* XFRM's headers hold 64-bit fields, and messages stand at multiples of four bytes. They hold no keys: attributes do.
 */
static bool copy_header(const struct nlmsghdr *message, void *header, size_t bytes)
{
	if (mnl_nlmsg_get_payload_len(message) < bytes)
		return false;
	memcpy(header, mnl_nlmsg_get_payload(message), bytes);
	return true;
}

static bool is_ipsec(uint8_t protocol)
{
	return protocol == IPPROTO_ESP || protocol == IPPROTO_AH;
}

/* since: 0 where the event that the limit counts from has not been. */
static uint64_t limit_end(uint64_t since, uint64_t seconds)
{
	uint64_t end;

	return !since || !seconds || __builtin_add_overflow(since, seconds, &end) ? SA_NEVER : end;
}

/* That an SA was used for the first time is told to nobody, so a limit from then on is known after a dump only. */
static uint64_t hard_expiry(const struct xfrm_usersa_info *info)
{
	uint64_t of_age = limit_end(info->curlft.add_time, info->lft.hard_add_expires_seconds);
	uint64_t of_use = limit_end(info->curlft.use_time, info->lft.hard_use_expires_seconds);

	return of_age < of_use ? of_age : of_use;
}

static int parse_state(const struct nlmsghdr *message, struct sa_message *ret_message)
{
	struct xfrm_usersa_info info;
	struct sa_parse parse;
	bool larval;
	int result;

	if (!copy_header(message, &info, sizeof(info)))
		return -EBADMSG;
	result = parse_sa(message, sizeof(info), &info.id, info.family, &parse);
	if (result < 0)
		return result;
	larval = info.id.spi == 0 || !parse.has_algorithm;
	ret_message->event = is_ipsec(info.id.proto) && parse.sa.if_id && !larval ? SA_PUT : SA_GONE;
	/* The kernel keeps the if_id of an SA that is updated without one, and repeats the request, not the SA. */
	if (message->nlmsg_type == XFRM_MSG_UPDSA && !parse.sa.if_id && !larval)
		ret_message->event = SA_UPDATED;
	parse.sa.expires_s = hard_expiry(&info);
	if (info.replay_window > parse.sa.window_packets)
		parse.sa.window_packets = info.replay_window;
	ret_message->sa = parse.sa;
	return 0;
}

static int parse_deletion(const struct nlmsghdr *message, struct sa_message *ret_message)
{
	const struct xfrm_usersa_id *deleted = mnl_nlmsg_get_payload(message);
	struct xfrm_id id;
	struct sa_parse parse;
	int result;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*deleted))
		return -EBADMSG;
	id = (struct xfrm_id){.daddr = deleted->daddr, .spi = deleted->spi, .proto = deleted->proto};
	result = parse_sa(message, sizeof(*deleted), &id, deleted->family, &parse);
	if (result < 0)
		return result;
	ret_message->event = SA_GONE;
	ret_message->sa = parse.sa;
	return 0;
}

static int parse_expiry(const struct nlmsghdr *message, struct sa_message *ret_message)
{
	struct xfrm_user_expire expiry;
	struct sa_parse parse;
	int result;

	if (!copy_header(message, &expiry, sizeof(expiry)))
		return -EBADMSG;
	result = parse_sa(message, sizeof(expiry), &expiry.state.id, expiry.state.family, &parse);
	if (result < 0)
		return result;
	/* The soft limit only asks IKE for a new SA; after the hard one the SA is gone, and no DELSA says so. */
	ret_message->event = expiry.hard ? SA_GONE : SA_NOTHING;
	ret_message->sa = parse.sa;
	return 0;
}

static int parse_flush(const struct nlmsghdr *message, struct sa_message *ret_message)
{
	const struct xfrm_usersa_flush *flush = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*flush))
		return -EBADMSG;
	ret_message->event = SA_FLUSHED;
	ret_message->sa.id.protocol = flush->proto == IPSEC_PROTO_ANY ? 0 : flush->proto;
	return 0;
}

int sas_message_parse(const struct nlmsghdr *message, struct sa_message *ret_message)
{
	struct sa_message result = {.event = SA_NOTHING};
	int error = 0;

	switch (message->nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		error = parse_state(message, &result);
		break;
	case XFRM_MSG_DELSA:
		error = parse_deletion(message, &result);
		break;
	case XFRM_MSG_EXPIRE:
		error = parse_expiry(message, &result);
		break;
	case XFRM_MSG_FLUSHSA:
		error = parse_flush(message, &result);
		break;
	case XFRM_MSG_MIGRATE:
		result.event = SA_MIGRATED;
		break;
	}
	if (error < 0)
		return error;
	*ret_message = result;
	return 0;
}
