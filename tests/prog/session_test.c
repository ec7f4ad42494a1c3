// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions on devices: what session_control sends, what a peer says into tunnel_tc, what becomes of the tunnel's health
 *when it falls silent. The test is the peer.
 *
 *	test <- "eth0-far" ==veth== "eth0" (tunnel ETHERNET), tunnel_tc at clsact ingress
 *	test <- descriptor == "tun0" (tunnel LAYER3), likewise
 */
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

static struct peer over_eth(void)
{
	return (struct peer){.fd = eth_fd, .tunnel = ETHERNET, .local = LOCAL, .peer = PEER};
}

static struct peer over_tun(void)
{
	return (struct peer){.fd = tun_fd, .tunnel = LAYER3, .local = LOCAL, .peer = PEER};
}

static struct peer over_tun6(void)
{
	return (struct peer){.fd = tun_fd, .tunnel = LAYER3, .ipv6 = true, .local = LOCAL6, .peer = PEER6};
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* --- set-up ------------------------------------------------------------------------------------------------------- */

static int tun_open(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	strcpy(request.ifr_name, name);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

static void attach(const char *device)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS, .ifindex = (int)if_nametoindex(device));
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = 1,
		    .prog_fd = bpf_program__fd(rig.tc->progs.tunnel_tc));

	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &options), 0);
}

static int set_up(void **state)
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

static uint32_t device_of(const struct peer *peer)
{
	return if_nametoindex(peer->tunnel == ETHERNET ? "eth0" : "tun0");
}

static int command(uint32_t session, enum session_command what, bool ipv6, uint64_t *ret_wait_ns)
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
static uint64_t send_due(const struct peer *peer)
{
	uint64_t wait_ns = 0;

	assert_int_equal(command(SESSION, SESSION_SEND, peer->ipv6, &wait_ns), 0);
	return wait_ns;
}

static struct session_config config_of(const struct peer *peer, enum session_kind kind)
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

static void authenticate(struct session_config *config, enum session_auth type)
{
	config->auth_type = type;
	config->auth_key_id = 5;
	config->auth_key_bytes = 6;
	memcpy(config->auth_key, "secret", 6);
}

static void configure(const struct session_config *config)
{
	struct session_peer_key key = {.ifindex = config->ifindex};
	uint32_t number = SESSION;

	memcpy(key.peer, config->peer, sizeof(key.peer));
	rig_update(rig.tc->maps.session_configs, &number, config);
	rig_update(rig.tc->maps.session_peers, &key, &number);
}

static void start_with(const struct session_config *config)
{
	configure(config);
	assert_int_equal(command(SESSION, SESSION_START, config->is_ipv6, NULL), 0);
}

static void start(const struct peer *peer, enum session_kind kind)
{
	struct session_config config = config_of(peer, kind);

	start_with(&config);
}

static void drain(int fd)
{
	uint8_t waste[2048];

	while (read(fd, waste, sizeof(waste)) > 0)
		;
}

static int reset(void **state)
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

static int ended(void **state)
{
	struct session_config none = {0};
	uint32_t number = SESSION;

	(void)state;
	command(SESSION, SESSION_STOP, false, NULL);
	rig_update(rig.tc->maps.session_configs, &number, &none);
	return 0;
}

static struct session session(void)
{
	struct session value;
	uint32_t number = SESSION;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(rig.tc->maps.sessions), &number, &value), 0);
	return value;
}

static bool is_dead(const struct peer *peer)
{
	return __atomic_load_n(&rig.tunnel_health[peer->tunnel].probe_dead, __ATOMIC_ACQUIRE);
}

static uint64_t rejects_of(enum probe_reject reason)
{
	return rig_count(rig.tc->maps.probe_rejects, 0, reason);
}

static void pause_ms(unsigned ms)
{
	struct timespec time = {0, ms * 1000000l};

	nanosleep(&time, NULL);
}

/* --- the peer's words --------------------------------------------------------------------------------------------- */

/* One packet that arrived at the peer, from its IP header on. Returns its length; 0: none within the time. */
static size_t heard(const struct peer *peer, unsigned patience_ms, uint8_t ip[2048])
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
static unsigned transport_fault(const uint8_t *ip, size_t length)
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
static bool heard_bfd(const struct peer *peer, unsigned patience_ms, struct bfd_packet *ret_packet, uint8_t payload[52])
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

static struct bfd_packet hear(const struct peer *peer)
{
	uint8_t payload[52] __attribute__((aligned(4)));
	struct bfd_packet packet;

	assert_true(heard_bfd(peer, PATIENCE_MS, &packet, payload));
	return packet;
}

static void assert_nothing_heard(const struct peer *peer)
{
	uint8_t payload[52] __attribute__((aligned(4)));
	struct bfd_packet packet;

	assert_false(heard_bfd(peer, SILENCE_MS, &packet, payload));
}

static void utter(const struct peer *peer, const struct frame *frame)
{
	size_t skipped = peer->fd == tun_fd ? ETH_HLEN : 0;

	assert_int_equal(write(peer->fd, frame->data + skipped, frame->length - skipped), frame->length - skipped);
}

static struct frame frame_of_payload(const struct peer *peer, unsigned port, uint8_t ttl, const uint8_t *payload,
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

static struct bfd_packet words(enum bfd_state state)
{
	return (struct bfd_packet){.state = state,
				   .multiplier = MULTIPLIER,
				   .my_discriminator = THEIRS,
				   .your_discriminator = DISCRIMINATOR,
				   .desired_tx_us = INTERVAL_US,
				   .required_rx_us = INTERVAL_US};
}

static void say(const struct peer *peer, const struct bfd_packet *packet)
{
	uint8_t payload[52];
	struct frame frame;

	bfd_packet_write(packet, payload);
	frame = frame_of_payload(peer, 3784, 255, payload, 24);
	utter(peer, &frame);
}

static void say_state(const struct peer *peer, enum bfd_state state)
{
	struct bfd_packet packet = words(state);

	say(peer, &packet);
}

/* Brings a started session up, all that it answers read. */
static void come_up(const struct peer *peer)
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

static int take_event(void *context, void *data, size_t bytes)
{
	assert_int_equal(bytes, sizeof(last_event));
	if (*(uint32_t *)context == ((struct session_event *)data)->news) {
		memcpy(&last_event, data, bytes);
		return 1;
	}
	return 0;
}

static bool was_told(enum session_news news)
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

static void echo_for(struct peer *peer, unsigned ms, bool answers);

/* --- BFD ---------------------------------------------------------------------------------------------------------- */

static void check_handshake(const struct peer *peer)
{
	struct bfd_packet packet;

	start(peer, SESSION_BFD);
	assert_true(is_dead(peer));
	assert_true(send_due(peer) >= 750 * MS);
	packet = hear(peer);
	assert_int_equal(packet.state, BFD_DOWN);
	assert_int_equal(packet.desired_tx_us, 1000000);
	assert_int_equal(packet.required_rx_us, INTERVAL_US);
	assert_int_equal(packet.my_discriminator, DISCRIMINATOR);
	assert_int_equal(packet.your_discriminator, 0);
	assert_int_equal(packet.multiplier, MULTIPLIER);
	send_due(peer); /* not due */
	assert_nothing_heard(peer);
	come_up(peer);
	assert_int_equal(session().bfd.state, BFD_UP);
	assert_true(was_told(SESSION_NEWS_live));
}

static void test_session__comes_up_over_ethernet(void **state)
{
	struct peer peer = over_eth();

	(void)state;
	check_handshake(&peer);
}

static void test_session__comes_up_without_ethernet(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	check_handshake(&peer);
}

static void test_session__comes_up_over_ipv6(void **state)
{
	struct peer peer = over_tun6();

	(void)state;
	check_handshake(&peer);
}

static void test_session__sends_at_its_pace_once_up(void **state)
{
	struct peer peer = over_tun();
	uint64_t wait_ns;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	for (int i = 0; i < 5; i++) {
		say_state(&peer, BFD_UP);
		wait_ns = send_due(&peer);
		assert_true(wait_ns <= INTERVAL_US * 1000ull);
		while (send_due(&peer) <= wait_ns && session().send_at_ns > now_ns())
			say_state(&peer, BFD_UP);
	}
	assert_int_equal(session().bfd.state, BFD_UP);
}

static void test_session__silence_fails_the_tunnel_in_detection_time(void **state)
{
	struct peer peer = over_eth();
	uint64_t last_ns, dead_ns, detection_ns = MULTIPLIER * INTERVAL_US * 1000ull;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	say_state(&peer, BFD_UP);
	last_ns = session().answered_ns;
	while (!is_dead(&peer) && now_ns() < last_ns + 1000 * MS)
		;
	dead_ns = now_ns();
	assert_true(is_dead(&peer));
	assert_true(dead_ns - last_ns >= detection_ns);
	/* Its precision is a matter for a quiet machine: tests/bench. */
	print_message("# detected %.2f ms after %.2f\n", (double)(dead_ns - last_ns) / 1e6, (double)detection_ns / 1e6);
	assert_true(was_told(SESSION_NEWS_silent));
	assert_int_equal(last_event.session, SESSION);
	assert_int_equal(last_event.discriminator, DISCRIMINATOR);
	assert_true(last_event.silence_ns >= detection_ns);
	assert_int_equal(session().bfd.state, BFD_DOWN);
	assert_int_equal(session().bfd.diagnostic, BFD_DETECTION_EXPIRED);
}

static void test_session__packets_into_a_dead_tunnel_are_counted(void **state)
{
	struct peer peer = over_eth();
	struct frame frame = frame_to(ETHERNET);

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	run_tc(&frame);
	say_state(&peer, BFD_UP);
	for (int i = 0; i < 3; i++)
		run_tc(&frame);
	while (!is_dead(&peer))
		pause_ms(1);
	assert_true(was_told(SESSION_NEWS_silent));
	assert_int_equal(last_event.lost_packets, 3);
}

static void test_session__failed_tunnel_returns_after_its_hold(void **state)
{
	struct peer peer = over_tun();
	struct bfd_packet packet = words(BFD_DOWN);
	uint64_t up_ns;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	while (!is_dead(&peer))
		pause_ms(1);
	packet.your_discriminator = 0;
	say(&peer, &packet);
	say_state(&peer, BFD_INIT);
	assert_int_equal(session().bfd.state, BFD_UP);
	assert_true(is_dead(&peer));
	assert_true(was_told(SESSION_NEWS_holding));
	up_ns = session().liveness.live_at_ns - 50 * MS;
	while (is_dead(&peer) && now_ns() < up_ns + 1000 * MS) {
		say_state(&peer, BFD_UP);
		pause_ms(1);
	}
	assert_false(is_dead(&peer));
	assert_true(now_ns() - up_ns >= 50 * MS);
}

static void test_session__peer_that_says_down_fails_the_tunnel_at_once(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	say_state(&peer, BFD_DOWN);
	assert_true(is_dead(&peer));
	assert_true(was_told(SESSION_NEWS_peer_down));
}

static void test_session__peer_that_leaves_is_no_failure(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	say_state(&peer, BFD_ADMIN_DOWN);
	assert_int_equal(session().bfd.state, BFD_DOWN);
	assert_false(is_dead(&peer));
	assert_true(was_told(SESSION_NEWS_peer_leaves));
	pause_ms(2 * MULTIPLIER * INTERVAL_US / 1000);
	assert_false(is_dead(&peer));
}

static void test_session__poll_is_answered_at_once(void **state)
{
	struct peer peer = over_eth();
	struct bfd_packet packet = words(BFD_UP);

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	packet.poll = 1;
	say(&peer, &packet);
	packet = hear(&peer);
	assert_true(packet.final);
	assert_false(packet.poll);
}

/* A daemon that stands still: the peer's packets are answered at our pace, and no faster. */
static void test_session__late_daemon_is_stood_in_for(void **state)
{
	struct peer peer = over_tun();
	uint64_t end_ns, before;
	unsigned said = 0, answers = 0;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	before = session().replied_packets;
	for (end_ns = now_ns() + 400 * MS; now_ns() < end_ns; said++) {
		say_state(&peer, BFD_UP);
		pause_ms(2);
	}
	answers = (unsigned)(session().replied_packets - before);
	assert_false(is_dead(&peer));
	assert_in_range(answers, 2, 400 / (INTERVAL_US / 1000) + 1);
	assert_true(answers < said);
	assert_int_equal(hear(&peer).state, BFD_UP);
}

static void test_session__checksum_that_is_not_there_stays_away(void **state)
{
	struct peer peer = over_eth();
	struct bfd_packet packet = words(BFD_UP);
	uint8_t payload[52], ip[2048];
	struct frame frame;

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	packet.poll = 1;
	bfd_packet_write(&packet, payload);
	frame = frame_of_payload(&peer, 3784, 255, payload, 24);
	frame_put16(frame.data + ETH_HLEN + 20 + 6, 0);
	utter(&peer, &frame);
	assert_int_equal(heard(&peer, PATIENCE_MS, ip), 20 + 8 + 24);
	assert_int_equal(frame_get16(ip + 20 + 6), 0);
}

static void test_session__new_interval_is_polled_for(void **state)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_BFD);
	struct bfd_packet packet;

	(void)state;
	start_with(&config);
	come_up(&peer);
	config.interval_ns = 2 * INTERVAL_US * 1000ull;
	configure(&config);
	assert_int_equal(command(SESSION, SESSION_RETIME, false, NULL), 0);
	send_due(&peer);
	packet = hear(&peer);
	assert_true(packet.poll);
	assert_int_equal(packet.desired_tx_us, 2 * INTERVAL_US);
	assert_int_equal(session().bfd.tx_us, INTERVAL_US);
	packet = words(BFD_UP);
	packet.final = 1;
	say(&peer, &packet);
	assert_int_equal(session().bfd.tx_us, 2 * INTERVAL_US);
}

static void test_session__leaving_is_said_and_then_nothing_counts(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	assert_int_equal(command(SESSION, SESSION_LEAVE, false, NULL), 0);
	send_due(&peer);
	assert_int_equal(hear(&peer).state, BFD_ADMIN_DOWN);
	say_state(&peer, BFD_UP);
	assert_int_equal(rejects_of(PROBE_REJECT_left), 1);
	assert_int_equal(command(SESSION, SESSION_STOP, false, NULL), 0);
	pause_ms(2 * MULTIPLIER * INTERVAL_US / 1000);
	assert_false(is_dead(&peer));
}

/* What another generation's, or a dead daemon's, timer was to do goes on. */
static void test_session__adopted_timer_still_fails_the_tunnel(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	assert_int_equal(command(SESSION, SESSION_ADOPT, false, NULL), 0);
	for (int i = 0; i < 1000 && !is_dead(&peer); i++)
		pause_ms(1);
	assert_true(is_dead(&peer));
}

static void test_session__other_peers_are_the_kernels(void **state)
{
	struct peer peer = over_tun(), stranger = peer;

	(void)state;
	start(&peer, SESSION_BFD);
	stranger.peer = "169.254.0.9";
	say_state(&stranger, BFD_UP);
	assert_int_equal(rejects_of(PROBE_REJECT_no_session), 1);
	stranger = peer;
	stranger.local = "169.254.0.8";
	say_state(&stranger, BFD_UP);
	assert_int_equal(rejects_of(PROBE_REJECT_no_session), 2);
	assert_nothing_heard(&peer);
}

static void test_session__probes_are_not_counted_as_traffic(void **state)
{
	struct peer peer = over_tun();
	size_t rx = offsetof(struct counters, rx_packets) / 8;
	struct frame frame = frame_of_udp(SERVER, 1, CLIENT, 2);

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	assert_int_equal(rig_count(rig.tc->maps.counters, LAYER3, rx), 0);
	utter(&peer, &frame);
	assert_int_equal(rig_count(rig.tc->maps.counters, LAYER3, rx), 1);
}

/* A probe that is added to a tunnel in use moves no flow, until the peer has answered and then does not. */
static void test_session__unit_in_use_is_judged_from_its_first_answer_on(void **state)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_BFD);

	(void)state;
	configure(&config);
	assert_int_equal(command(SESSION, SESSION_JOIN, false, NULL), 0);
	assert_false(is_dead(&peer));
	pause_ms(2 * MULTIPLIER * INTERVAL_US / 1000);
	assert_false(is_dead(&peer));
	come_up(&peer);
	for (int i = 0; i < 1000 && !is_dead(&peer); i++)
		pause_ms(1);
	assert_true(is_dead(&peer));
}

static void test_session__unit_in_use_whose_peer_never_answers_is_left_alone(void **state)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_ICMP);

	(void)state;
	configure(&config);
	assert_int_equal(command(SESSION, SESSION_JOIN, false, NULL), 0);
	echo_for(&peer, 3 * MULTIPLIER * INTERVAL_US / 1000, false);
	assert_false(is_dead(&peer));
	echo_for(&peer, 2 * MULTIPLIER * INTERVAL_US / 1000, true);
	assert_false(was_told(SESSION_NEWS_holding));
	echo_for(&peer, 3 * MULTIPLIER * INTERVAL_US / 1000, false);
	assert_true(is_dead(&peer));
}

/* --- authentication ----------------------------------------------------------------------------------------------- */

static void say_signed(struct peer *peer, struct bfd_packet packet, const struct session_config *config)
{
	uint8_t payload[52] __attribute__((aligned(4)));
	struct frame frame;

	packet.auth_present = 1;
	packet.auth_type = config->auth_type;
	packet.auth_key_id = config->auth_key_id;
	packet.auth_sequence = peer->sequence;
	bfd_packet_write(&packet, payload);
	bfd_auth_sign(payload, config->auth_key);
	frame = frame_of_payload(peer, 3784, 255, payload, 52);
	utter(peer, &frame);
}

static void check_authentication(enum session_auth type)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_BFD), wrong;
	uint8_t payload[52] __attribute__((aligned(4)));
	struct bfd_packet packet = words(BFD_DOWN);
	uint32_t first;

	authenticate(&config, type);
	start_with(&config);
	peer.sequence = 100;
	packet.your_discriminator = 0;
	say_signed(&peer, packet, &config);
	assert_true(heard_bfd(&peer, PATIENCE_MS, &packet, payload));
	assert_int_equal(packet.state, BFD_INIT);
	assert_int_equal(packet.auth_type, type);
	assert_int_equal(packet.auth_key_id, 5);
	assert_true(bfd_auth_holds(payload, config.auth_key));
	first = packet.auth_sequence;

	wrong = config;
	wrong.auth_key[0] ^= 1;
	peer.sequence++;
	say_signed(&peer, words(BFD_INIT), &wrong);
	assert_int_equal(rejects_of(PROBE_REJECT_auth_digest), 1);
	say_signed(&peer, words(BFD_INIT), &config);
	assert_true(heard_bfd(&peer, PATIENCE_MS, &packet, payload));
	assert_int_equal(packet.state, BFD_UP);
	assert_int_equal(packet.auth_sequence, first + 1);
	assert_true(bfd_auth_holds(payload, config.auth_key));

	say_signed(&peer, words(BFD_UP), &config); /* the same number again */
	assert_int_equal(rejects_of(PROBE_REJECT_auth_sequence), type == SESSION_AUTH_METICULOUS_SHA1);
	peer.sequence -= 2;
	say_signed(&peer, words(BFD_UP), &config);
	assert_int_equal(rejects_of(PROBE_REJECT_auth_sequence), 1 + (type == SESSION_AUTH_METICULOUS_SHA1));
	say_state(&peer, BFD_UP);
	assert_int_equal(rejects_of(PROBE_REJECT_auth_missing), 1);
	wrong = config;
	wrong.auth_key_id++;
	say_signed(&peer, words(BFD_UP), &wrong);
	assert_int_equal(rejects_of(PROBE_REJECT_auth_type), 1);
}

static void test_session__keyed_sha1(void **state)
{
	(void)state;
	check_authentication(SESSION_AUTH_SHA1);
}

static void test_session__meticulous_keyed_sha1(void **state)
{
	(void)state;
	check_authentication(SESSION_AUTH_METICULOUS_SHA1);
}

/* --- reception ---------------------------------------------------------------------------------------------------- */

static void assert_rejected(const struct peer *peer, const uint8_t *payload, size_t length, unsigned port, uint8_t ttl,
			    enum probe_reject reason)
{
	struct frame frame = frame_of_payload(peer, port, ttl, payload, length);
	uint64_t before = rejects_of(reason), answered = session().answered_packets;

	utter(peer, &frame);
	if (rejects_of(reason) != before + 1)
		fail_msg("not rejected for reason %d", reason);
	assert_int_equal(session().answered_packets, answered);
}

static void test_session__malformed_packets_change_nothing(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
		enum probe_reject reason;
	} faults[] = {
		{0, 0x40, PROBE_REJECT_version},
		{3, 23, PROBE_REJECT_length},
		{3, 25, PROBE_REJECT_truncated},
		{2, 0, PROBE_REJECT_multiplier},
		{1, 0xc1, PROBE_REJECT_multipoint},
		{7, 0, PROBE_REJECT_my_discriminator},
		{11, 0x55, PROBE_REJECT_your_discriminator},
		{1, 0xf0, PROBE_REJECT_poll_final},
	};
	struct bfd_packet packet = words(BFD_UP);
	struct peer peer = over_tun();
	uint8_t good[52], payload[52];

	(void)state;
	start(&peer, SESSION_BFD);
	come_up(&peer);
	bfd_packet_write(&packet, good);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		memcpy(payload, good, sizeof(payload));
		payload[faults[i].at] = faults[i].value;
		assert_rejected(&peer, payload, 24, 3784, 255, faults[i].reason);
	}
	memcpy(payload, good, sizeof(payload));
	memset(payload + 8, 0, 4); /* our discriminator, in a packet that says Up */
	assert_rejected(&peer, payload, 24, 3784, 255, PROBE_REJECT_your_discriminator);
	assert_rejected(&peer, good, 23, 3784, 255, PROBE_REJECT_truncated);
	assert_rejected(&peer, good, 24, 3784, 254, PROBE_REJECT_ttl);
	assert_rejected(&peer, good, 24, 4784, 255, PROBE_REJECT_port);
	packet.auth_present = 1;
	packet.auth_type = SESSION_AUTH_SHA1;
	bfd_packet_write(&packet, payload);
	assert_rejected(&peer, payload, 52, 3784, 255, PROBE_REJECT_auth_unexpected);
	assert_int_equal(session().bfd.state, BFD_UP);
}

static void test_session__multihop_takes_its_own_port_and_any_ttl(void **state)
{
	struct peer peer = over_tun();
	struct session_config config = config_of(&peer, SESSION_BFD);
	struct bfd_packet packet = words(BFD_DOWN);
	uint8_t payload[52], ip[2048];
	struct frame frame;

	(void)state;
	config.is_multihop = 1;
	start_with(&config);
	packet.your_discriminator = 0;
	bfd_packet_write(&packet, payload);
	assert_rejected(&peer, payload, 24, 3784, 255, PROBE_REJECT_port);
	frame = frame_of_payload(&peer, 4784, 60, payload, 24);
	utter(&peer, &frame);
	assert_int_equal(session().bfd.state, BFD_INIT);
	assert_int_equal(heard(&peer, PATIENCE_MS, ip), 20 + 8 + 24);
	assert_int_equal(frame_get16(ip + 22), 4784);
	assert_int_equal(ip[8], 255);
}

/* --- ICMP --------------------------------------------------------------------------------------------------------- */

/* The next echo request; what it asked is in the peer, for answer_echo(). */
static bool heard_echo(struct peer *peer)
{
	size_t header = peer->ipv6 ? 40 : 20, length;
	uint8_t ip[2048];

	length = heard(peer, SILENCE_MS, ip);
	if (!length)
		return false;
	assert_int_equal(length, header + 8 + 16);
	assert_int_equal(ip[header], peer->ipv6 ? 128 : 8);
	assert_int_equal(transport_fault(ip, length), 0);
	assert_int_equal(frame_get16(ip + header + 4), DISCRIMINATOR & 0xffff);
	peer->echo_sequence = (uint16_t)frame_get16(ip + header + 6);
	memcpy(&peer->echo_sent_ns, ip + header + 8, 8);
	return true;
}

static void answer_echo(const struct peer *peer)
{
	struct frame frame = frame_start(peer->ipv6 ? ETH_P_IPV6 : ETH_P_IP);

	if (peer->ipv6)
		frame_ipv6(&frame, peer->peer, peer->local, IPPROTO_ICMPV6);
	else
		frame_ipv4(&frame, peer->peer, peer->local, IPPROTO_ICMP);
	frame_icmp(&frame, peer->ipv6 ? 129 : 0, DISCRIMINATOR & 0xffff);
	frame_put16(frame.data + frame.length - 2, peer->echo_sequence);
	memcpy(frame_add(&frame, 16), &peer->echo_sent_ns, 8);
	frame_end(&frame);
	utter(peer, &frame);
}

/* Sends requests as they are due, for so long; answers them, or does not. */
static void echo_for(struct peer *peer, unsigned ms, bool answers)
{
	uint64_t end_ns = now_ns() + ms * MS;

	while (now_ns() < end_ns) {
		uint64_t sent = session().sent_packets;

		send_due(peer);
		if (session().sent_packets != sent && heard_echo(peer) && answers)
			answer_echo(peer);
		pause_ms(1);
	}
}

static void check_echo(struct peer *peer)
{
	struct session now;

	start(peer, SESSION_ICMP);
	assert_true(is_dead(peer));
	echo_for(peer, 2 * MULTIPLIER * INTERVAL_US / 1000, true);
	assert_false(is_dead(peer));
	now = session();
	assert_in_range(now.rtt_ns, 1, 1000 * MS);
	assert_true(now.answered_packets >= MULTIPLIER);
	echo_for(peer, 3 * MULTIPLIER * INTERVAL_US / 1000, false);
	assert_true(is_dead(peer));
	assert_true(was_told(SESSION_NEWS_silent));
}

static void test_session__echo_lives_and_dies(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	check_echo(&peer);
}

static void test_session__echo_over_ipv6_and_ethernet(void **state)
{
	struct peer peer = over_eth();

	(void)state;
	peer.ipv6 = true;
	peer.local = LOCAL6;
	peer.peer = PEER6;
	check_echo(&peer);
}

static void test_session__echo_is_blind_while_nothing_is_sent(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_ICMP);
	echo_for(&peer, 2 * MULTIPLIER * INTERVAL_US / 1000, true);
	assert_false(is_dead(&peer));
	pause_ms(4 * MULTIPLIER * INTERVAL_US / 1000);
	assert_false(is_dead(&peer));
	send_due(&peer);
	assert_true(was_told(SESSION_NEWS_blind));
	assert_true(session().blind_ns >= 4 * MULTIPLIER * INTERVAL_US * 1000ull);
	assert_true(heard_echo(&peer));
	answer_echo(&peer);
	assert_false(is_dead(&peer));
	assert_true(session().gap_max_ns < 4 * MULTIPLIER * INTERVAL_US * 1000ull);
}

static void test_session__reply_to_nothing_asked_is_refused(void **state)
{
	struct peer peer = over_tun();

	(void)state;
	start(&peer, SESSION_ICMP);
	send_due(&peer);
	assert_true(heard_echo(&peer));
	answer_echo(&peer);
	answer_echo(&peer);
	assert_int_equal(rejects_of(PROBE_REJECT_echo), 1);
	assert_int_equal(session().answered_packets, 1);
}

static void test_session__commands_to_nobody_are_refused(void **state)
{
	(void)state;
	assert_int_equal(command(SESSION + 1, SESSION_SEND, false, NULL), -ENOENT);
	assert_int_equal(command(MAX_SESSIONS, SESSION_START, false, NULL), -ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_session__##name, reset, ended)
	static const struct CMUnitTest tests[] = {
		TEST(comes_up_over_ethernet),
		TEST(comes_up_without_ethernet),
		TEST(comes_up_over_ipv6),
		TEST(sends_at_its_pace_once_up),
		TEST(silence_fails_the_tunnel_in_detection_time),
		TEST(packets_into_a_dead_tunnel_are_counted),
		TEST(failed_tunnel_returns_after_its_hold),
		TEST(peer_that_says_down_fails_the_tunnel_at_once),
		TEST(peer_that_leaves_is_no_failure),
		TEST(poll_is_answered_at_once),
		TEST(late_daemon_is_stood_in_for),
		TEST(checksum_that_is_not_there_stays_away),
		TEST(new_interval_is_polled_for),
		TEST(leaving_is_said_and_then_nothing_counts),
		TEST(adopted_timer_still_fails_the_tunnel),
		TEST(other_peers_are_the_kernels),
		TEST(probes_are_not_counted_as_traffic),
		TEST(unit_in_use_is_judged_from_its_first_answer_on),
		TEST(unit_in_use_whose_peer_never_answers_is_left_alone),
		TEST(keyed_sha1),
		TEST(meticulous_keyed_sha1),
		TEST(malformed_packets_change_nothing),
		TEST(multihop_takes_its_own_port_and_any_ttl),
		TEST(echo_lives_and_dies),
		TEST(echo_over_ipv6_and_ethernet),
		TEST(echo_is_blind_while_nothing_is_sent),
		TEST(reply_to_nothing_asked_is_refused),
		TEST(commands_to_nobody_are_refused),
	};
#undef TEST

	return cmocka_run_group_tests_name("session", tests, set_up, rig_tear_down);
}
