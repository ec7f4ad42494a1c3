/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The peer of a session, for program tests: devices with tunnel_tc on them, commands to session_control, and the far
 *end of either device, where the test reads what the session says and answers it.
 *
 *	test <- "eth0-far" ==veth== "eth0" (tunnel ETHERNET), tunnel_tc at clsact ingress
 *	test <- descriptor == "tun0" (tunnel LAYER3), likewise
 */
#ifndef TESTS_PROG_SESSION_PEER_H
#define TESTS_PROG_SESSION_PEER_H

#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"

#include "../../bpf/bfd_auth.h"
#include "../../bpf/bfd_packet.h"
#include "../../maps/sessions.h"

#define PATIENCE_MS   5000
#define SILENCE_MS    60
#define LOCAL	      "169.254.0.1"
#define PEER	      "169.254.0.2"
#define LOCAL6	      "fd00::1"
#define PEER6	      "fd00::2"
#define DISCRIMINATOR 0x12345007
#define THEIRS	      0x99
#define SESSION	      7
#define INTERVAL_US   20000
#define MULTIPLIER    3
#define MS	      1000000ull

static int eth_fd, tun_fd;

/* The peer's end: of one tunnel, one family. */
struct peer {
	int fd;
	uint32_t tunnel;
	bool ipv6;
	const char *local, *peer; /* as the session sees it */
	uint32_t sequence;	  /* of authentication */
	uint16_t echo_sequence;
	uint64_t echo_sent_ns;
};

static inline struct peer over_eth(void)
{
	return (struct peer){.fd = eth_fd, .tunnel = ETHERNET, .local = LOCAL, .peer = PEER};
}

static inline struct peer over_tun(void)
{
	return (struct peer){.fd = tun_fd, .tunnel = LAYER3, .local = LOCAL, .peer = PEER};
}

static inline struct peer over_tun6(void)
{
	return (struct peer){.fd = tun_fd, .tunnel = LAYER3, .ipv6 = true, .local = LOCAL6, .peer = PEER6};
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* --- set-up ------------------------------------------------------------------------------------------------------- */

static inline int tun_open(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	strcpy(request.ifr_name, name);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

static inline void attach(const char *device)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS, .ifindex = (int)if_nametoindex(device));
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = 1,
		    .prog_fd = bpf_program__fd(rig.tc->progs.tunnel_tc));

	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &options), 0);
}

static inline int set_up(void **state)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	if (rig_set_up(state))
		return -1;
	/* All that moves here is sent by the tests. */
	shell("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
	shell("ip link add eth0 type veth peer name eth0-far");
	tun_fd = tun_open("tun0");
	shell("for i in eth0 eth0-far tun0; do ip link set $i arp off; ip link set $i up; done");
	address.sll_ifindex = (int)if_nametoindex("eth0-far");
	eth_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	assert_true(eth_fd >= 0);
	assert_int_equal(bind(eth_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	attach("eth0");
	attach("tun0");
	return 0;
}

static inline uint32_t device_of(const struct peer *peer)
{
	return if_nametoindex(peer->tunnel == ETHERNET ? "eth0" : "tun0");
}

static inline int command(uint32_t session, enum session_command what, bool ipv6, uint64_t *ret_wait_ns)
{
	uint8_t frame[SESSION_FRAME_BYTES] = {0};
	struct __sk_buff context = {.cb = {session, what}};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context, .ctx_size_out = sizeof(context), .repeat = 1);

	frame_put16(frame + 12, ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(rig.tc->progs.session_control), &options), 0);
	if (ret_wait_ns)
		*ret_wait_ns = context.cb[3] | (uint64_t)context.cb[4] << 32;
	return (int)context.cb[2];
}

/* Sends what is due; returns the time until the next packet. */
static inline uint64_t send_due(const struct peer *peer)
{
	uint64_t wait_ns = 0;

	assert_int_equal(command(SESSION, SESSION_SEND, peer->ipv6, &wait_ns), 0);
	return wait_ns;
}

static inline struct session_config config_of(const struct peer *peer, enum session_kind kind)
{
	struct session_config config = {
		.kind = kind,
		.unit_kind = SESSION_OF_TUNNEL,
		.multiplier = MULTIPLIER,
		.is_ipv6 = peer->ipv6,
		.unit = peer->tunnel,
		.ifindex = device_of(peer),
		.discriminator = DISCRIMINATOR,
		.interval_ns = INTERVAL_US * 1000ull,
		.hold_ns = 50 * MS,
		.hold_max_ns = 1000 * MS,
		.name = "t",
	};
	struct address local = case_address(peer->local), far = case_address(peer->peer);

	memcpy(config.local, &local, sizeof(config.local));
	memcpy(config.peer, &far, sizeof(config.peer));
	return config;
}

static inline void authenticate(struct session_config *config, enum session_auth type)
{
	config->auth_type = type;
	config->auth_key_id = 5;
	config->auth_key_bytes = 6;
	memcpy(config->auth_key, "secret", 6);
}

static inline void configure(const struct session_config *config)
{
	struct session_peer_key key = {.ifindex = config->ifindex};
	uint32_t number = SESSION;

	memcpy(key.peer, config->peer, sizeof(key.peer));
	rig_update(rig.tc->maps.session_configs, &number, config);
	rig_update(rig.tc->maps.session_peers, &key, &number);
}

static inline void start_with(const struct session_config *config)
{
	configure(config);
	assert_int_equal(command(SESSION, SESSION_START, config->is_ipv6, NULL), 0);
}

static inline void start(const struct peer *peer, enum session_kind kind)
{
	struct session_config config = config_of(peer, kind);

	start_with(&config);
}

static inline void drain(int fd)
{
	uint8_t waste[2048];

	while (read(fd, waste, sizeof(waste)) > 0)
		;
}

static inline int reset(void **state)
{
	rig_reset(state);
	rig.tunnels[LAYER3].egress.ifindex = if_nametoindex("tun0");
	rig.tunnels[ETHERNET].egress.ifindex = if_nametoindex("eth0");
	rig_device(if_nametoindex("tun0"), LAYER3);
	rig_device(if_nametoindex("eth0"), ETHERNET);
	rig_clear_percpu(rig.tc->maps.probe_rejects);
	drain(eth_fd);
	drain(tun_fd);
	return 0;
}

static inline int ended(void **state)
{
	struct session_config none = {0};
	uint32_t number = SESSION;

	(void)state;
	command(SESSION, SESSION_STOP, false, NULL);
	rig_update(rig.tc->maps.session_configs, &number, &none);
	return 0;
}

static inline struct session session(void)
{
	struct session value;
	uint32_t number = SESSION;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(rig.tc->maps.sessions), &number, &value), 0);
	return value;
}

static inline bool is_dead(const struct peer *peer)
{
	return __atomic_load_n(&rig.tunnel_health[peer->tunnel].probe_dead, __ATOMIC_ACQUIRE);
}

static inline uint64_t rejects_of(enum probe_reject reason)
{
	return rig_count(rig.tc->maps.probe_rejects, 0, reason);
}

static inline void pause_ms(unsigned ms)
{
	struct timespec time = {0, ms * 1000000l};

	nanosleep(&time, NULL);
}

/* --- the peer's words --------------------------------------------------------------------------------------------- */

/* One packet that arrived at the peer, from its IP header on. Returns its length; 0: none within the time. */
static inline size_t heard(const struct peer *peer, unsigned patience_ms, uint8_t ip[2048])
{
	struct pollfd wait = {.fd = peer->fd, .events = POLLIN};
	uint64_t end_ns = now_ns() + patience_ms * MS;

	for (;;) {
		int64_t left_ms = (int64_t)(end_ns - now_ns()) / (int64_t)MS;
		uint8_t received[2048];
		struct sockaddr_ll from = {0};
		socklen_t bytes = sizeof(from);
		ssize_t length;

		if (left_ms < 0 || poll(&wait, 1, (int)left_ms + 1) != 1)
			return 0;
		if (peer->fd == tun_fd) {
			length = read(tun_fd, ip, 2048);
			if (length > 0)
				return (size_t)length;
			continue;
		}
		length = recvfrom(eth_fd, received, sizeof(received), 0, (struct sockaddr *)&from, &bytes);
		if (length <= ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		assert_memory_equal(received, NEXT_HOP_MAC, ETH_ALEN);
		assert_memory_equal(received + ETH_ALEN, OWN_MAC, ETH_ALEN);
		memcpy(ip, received + ETH_HLEN, (size_t)length - ETH_HLEN);
		return (size_t)length - ETH_HLEN;
	}
}

/* Sum over the pseudo header, and what it must add up to. */
static inline unsigned transport_fault(const uint8_t *ip, size_t length)
{
	bool ipv6 = ip[0] >> 4 == 6;
	size_t header = ipv6 ? 40 : 20, count = length - header;
	uint8_t bytes[2048] = {0};
	size_t at = 0;

	if (ipv6 || ip[9] == IPPROTO_UDP) {
		memcpy(bytes, ip + (ipv6 ? 8 : 12), ipv6 ? 32 : 8);
		at = ipv6 ? 32 : 8;
		frame_put16(bytes + at, count);
		frame_put16(bytes + at + 2, ipv6 ? ip[6] : ip[9]);
		at += 4;
	}
	memcpy(bytes + at, ip + header, count);
	return frame_checksum(bytes, at + count);
}

/* The next BFD packet to the peer, its frame checked. False: none within the time. */
static inline bool heard_bfd(const struct peer *peer, unsigned patience_ms, struct bfd_packet *ret_packet,
			     uint8_t payload[52])
{
	size_t header = peer->ipv6 ? 40 : 20, length;
	uint8_t ip[2048];

	memset(payload, 0, 52);
	length = heard(peer, patience_ms, ip);
	if (!length)
		return false;
	assert_true(length == header + 8 + 24 || length == header + 8 + 52);
	assert_int_equal(ip[0] >> 4, peer->ipv6 ? 6 : 4);
	assert_int_equal(peer->ipv6 ? ip[7] : ip[8], 255);
	if (!peer->ipv6)
		assert_int_equal(frame_ipv4_fault(ip), 0);
	assert_int_equal(transport_fault(ip, length), 0);
	assert_int_equal(frame_get16(ip + header), 49152 + (DISCRIMINATOR & 0x3fff));
	assert_int_equal(frame_get16(ip + header + 2), 3784);
	memcpy(payload, ip + header + 8, length - header - 8);
	assert_int_equal(bfd_packet_parse(payload, (uint32_t)(length - header - 8), ret_packet), PROBE_ACCEPTED);
	return true;
}

static inline struct bfd_packet hear(const struct peer *peer)
{
	uint8_t payload[52] __attribute__((aligned(4)));
	struct bfd_packet packet;

	assert_true(heard_bfd(peer, PATIENCE_MS, &packet, payload));
	return packet;
}

static inline void assert_nothing_heard(const struct peer *peer)
{
	uint8_t payload[52] __attribute__((aligned(4)));
	struct bfd_packet packet;

	assert_false(heard_bfd(peer, SILENCE_MS, &packet, payload));
}

static inline void utter(const struct peer *peer, const struct frame *frame)
{
	size_t skipped = peer->fd == tun_fd ? ETH_HLEN : 0;

	assert_int_equal(write(peer->fd, frame->data + skipped, frame->length - skipped), frame->length - skipped);
}

static inline struct frame frame_of_payload(const struct peer *peer, unsigned port, uint8_t ttl, const uint8_t *payload,
					    size_t length)
{
	struct frame frame = frame_start(peer->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	uint8_t *udp, *ip;

	/* As the kernel rewrites nothing on the way, the answer's addresses are these two the other way round. */
	memcpy(frame.data, OWN_MAC, ETH_ALEN);
	memcpy(frame.data + ETH_ALEN, NEXT_HOP_MAC, ETH_ALEN);
	if (peer->ipv6)
		frame_ipv6(&frame, peer->peer, peer->local, IPPROTO_UDP);
	else
		frame_ipv4(&frame, peer->peer, peer->local, IPPROTO_UDP);
	udp = frame_ports(&frame, 8, 50000, port);
	frame_put16(udp + 4, 8 + length);
	memcpy(frame_add(&frame, length), payload, length);
	frame_end(&frame);
	frame_set_ttl(&frame, ttl);
	ip = frame.data + frame.ip[0];
	frame_put16(udp + 6, transport_fault(ip, frame.length - frame.ip[0]) ?: 0xffff);
	return frame;
}

static inline struct bfd_packet words(enum bfd_state state)
{
	return (struct bfd_packet){.state = state,
				   .multiplier = MULTIPLIER,
				   .my_discriminator = THEIRS,
				   .your_discriminator = DISCRIMINATOR,
				   .desired_tx_us = INTERVAL_US,
				   .required_rx_us = INTERVAL_US};
}

static inline void say(const struct peer *peer, const struct bfd_packet *packet)
{
	uint8_t payload[52];
	struct frame frame;

	bfd_packet_write(packet, payload);
	frame = frame_of_payload(peer, 3784, 255, payload, 24);
	utter(peer, &frame);
}

static inline void say_state(const struct peer *peer, enum bfd_state state)
{
	struct bfd_packet packet = words(state);

	say(peer, &packet);
}

/* Brings a started session up, all that it answers read. */
static inline void come_up(const struct peer *peer)
{
	struct bfd_packet packet = words(BFD_DOWN);

	packet.your_discriminator = 0;
	say(peer, &packet);
	assert_int_equal(hear(peer).state, BFD_INIT);
	say_state(peer, BFD_INIT);
	packet = hear(peer);
	assert_int_equal(packet.state, BFD_UP);
	assert_true(packet.poll);
	packet = words(BFD_UP);
	packet.final = 1;
	say(peer, &packet);
	say_state(peer, BFD_UP); /* what holds is what is said with neither P nor F */
	assert_false(is_dead(peer));
	drain(peer->fd);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static struct session_event last_event;

static inline int take_event(void *context, void *data, size_t bytes)
{
	assert_int_equal(bytes, sizeof(last_event));
	if (*(uint32_t *)context == ((struct session_event *)data)->news) {
		memcpy(&last_event, data, bytes);
		return 1;
	}
	return 0;
}

static inline bool was_told(enum session_news news)
{
	uint32_t wanted = news;
	struct ring_buffer *ring =
		ring_buffer__new(bpf_map__fd(rig.tc->maps.session_events), take_event, &wanted, NULL);
	int taken;

	assert_non_null(ring);
	last_event.news = SESSION_NEWS_COUNT;
	taken = ring_buffer__consume(ring);
	(void)taken;
	ring_buffer__free(ring);
	return last_event.news == news;
}

#endif
