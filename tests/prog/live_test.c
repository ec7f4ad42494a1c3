// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer_tc attached to a device, packets sent and received: what a test run cannot show. VLAN tags that the kernel has
 *taken into the skb, headers outside of linear memory, the redirect itself.
 *
 *	socket on nic-far ==veth== nic (steer_tc at clsact ingress) --+-- tunnel 0: "tun0", layer 3, read by its
 *descriptor
 *	                                                              +-- tunnel 1: "eth0" ==veth== socket on "eth0-far"
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "prog.h"

#define PATIENCE_MS    5000
#define LARGE_MTU      9000
#define RECEIVED_BYTES 16384

static int far_fd, back_fd, tun_fd, eth_fd;

static int packet_socket(const char *device, int ethertype)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ethertype), .sll_ifindex = (int)if_nametoindex(device)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int tun_open(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(request.ifr_name, name);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

static int set_up(void **state)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = 1);
	int on = 1;

	if (rig_set_up(state))
		return -1;
	/* No autoconfiguration: all that moves here is sent by the tests. */
	shell("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
	shell("ip link add nic address 02:00:00:00:00:01 mtu 9000 type veth peer name nic-far mtu 9000");
	shell("ip link add eth0 mtu 9000 type veth peer name eth0-far mtu 9000");
	tun_fd = tun_open("tun0");
	shell("ip link set tun0 mtu 9000; for i in nic nic-far eth0 eth0-far tun0; do ip link set $i up; done");
	shell("ip addr add 10.0.0.1/24 dev nic");
	far_fd = packet_socket("nic-far", 0);
	eth_fd = packet_socket("eth0-far", ETH_P_ALL);
	back_fd = packet_socket("nic-far", ETH_P_ALL);
	assert_int_equal(setsockopt(back_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(far_fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);

	hook.ifindex = (int)if_nametoindex("nic");
	options.prog_fd = bpf_program__fd(rig.tc->progs.steer_tc);
	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &options), 0);
	return 0;
}

static int reset(void **state)
{
	rig_reset(state);
	rig.tunnels[LAYER3].egress.ifindex = if_nametoindex("tun0");
	rig.tunnels[ETHERNET].egress.ifindex = if_nametoindex("eth0");
	rig.tunnels[LAYER3].egress.mtu_bytes = rig.tunnels[ETHERNET].egress.mtu_bytes = LARGE_MTU;
	return 0;
}

/* Sent by this header, with the packet behind it. */
static void send_with(struct virtio_net_hdr header, const void *frame, size_t length)
{
	struct iovec parts[] = {{&header, sizeof(header)}, {(void *)frame, length}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	assert_int_equal(sendmsg(far_fd, &message, 0), sizeof(header) + length);
}

/* linear_bytes: how much of a frame of more than a page goes into the skb's linear part. */
static void send_bytes(const void *frame, size_t length, unsigned linear_bytes)
{
	send_with((struct virtio_net_hdr){.hdr_len = linear_bytes}, frame, length);
}

static void send_frame(const struct frame *frame)
{
	send_bytes(frame->data, frame->length, 0);
}

static void await(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	if (poll(&wait, 1, PATIENCE_MS) != 1)
		fail_msg("nothing arrived in %d ms", PATIENCE_MS);
}

/* Reads one packet out of the layer 3 tunnel, which has to be the frame's, one hop older. */
static void assert_tunnelled(const void *frame_ip, size_t ip_bytes)
{
	uint8_t received[RECEIVED_BYTES];
	const uint8_t *sent = frame_ip;
	ssize_t length;

	await(tun_fd);
	length = read(tun_fd, received, sizeof(received));
	assert_int_equal(length, ip_bytes);
	if (received[0] >> 4 == 4)
		assert_int_equal(frame_ipv4_fault(received), 0);
	assert_int_equal(received[received[0] >> 4 == 4 ? 8 : 7], 63);
	assert_memory_equal(received + 12, sent + 12, ip_bytes - 12);
}

/* The same at the far end of the Ethernet tunnel: and no VLAN tag, in the frame or beside it. */
static void assert_framed(const void *frame_ip, size_t ip_bytes, uint16_t ethertype)
{
	uint8_t received[RECEIVED_BYTES], control[256];
	struct iovec part = {received, sizeof(received)};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	const struct cmsghdr *beside;

	await(eth_fd);
	assert_int_equal(recvmsg(eth_fd, &message, 0), ETH_HLEN + ip_bytes);
	beside = CMSG_FIRSTHDR(&message);
	assert_true(beside && beside->cmsg_type == PACKET_AUXDATA);
	assert_false(((const struct tpacket_auxdata *)CMSG_DATA(beside))->tp_status & TP_STATUS_VLAN_VALID);
	assert_memory_equal(received, NEXT_HOP_MAC, ETH_ALEN);
	assert_memory_equal(received + ETH_ALEN, OWN_MAC, ETH_ALEN);
	assert_int_equal(frame_get16(received + 12), ethertype);
	assert_memory_equal(received + ETH_HLEN + 12, (const uint8_t *)frame_ip + 12, ip_bytes - 12);
}

static void assert_arrives(const struct frame *frame, unsigned member)
{
	const uint8_t *ip = frame->data + frame->ip[0];
	size_t ip_bytes = frame->length - frame->ip[0];

	send_frame(frame);
	if (member == LAYER3)
		assert_tunnelled(ip, ip_bytes);
	else
		assert_framed(ip, ip_bytes, ip[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
}

static void test_live__packets_arrive_one_hop_older(void **state)
{
	(void)state;
	for (unsigned member = LAYER3; member <= ETHERNET; member++) {
		struct frame frame = frame_to(member), frame6 = frame6_to(member);

		assert_arrives(&frame, member);
		assert_arrives(&frame6, member);
		assert_int_equal(tx_packets(member), 2);
	}
	assert_int_equal(counted_packets(), 4);
}

/* Of one packet, with these ethertypes of tags before it. */
static struct frame with_tags(const struct frame *frame, const uint16_t *ethertypes, unsigned tags)
{
	struct frame result = frame_start(tags ? ethertypes[0] : ETH_P_IP);
	size_t rest = frame->length - ETH_HLEN;

	for (unsigned i = 0; i < tags; i++)
		frame_tag(&result, 100 + i, i + 1 < tags ? ethertypes[i + 1] : frame_get16(frame->data + 12));
	result.ip[result.ips++] = result.length;
	memcpy(frame_add(&result, rest), frame->data + ETH_HLEN, rest);
	return result;
}

static void test_live__vlan_tags_come_off_wherever_they_are(void **state)
{
	static const uint16_t stacks[][2] = {
		{ETH_P_8021Q, 0}, {ETH_P_8021AD, 0}, {ETH_P_8021Q, ETH_P_8021Q}, {ETH_P_8021AD, ETH_P_8021Q}};

	(void)state;
	for (unsigned i = 0; i < sizeof(stacks) / sizeof(*stacks); i++) {
		for (unsigned member = LAYER3; member <= ETHERNET; member++) {
			struct frame plain = frame_to(member), plain6 = frame6_to(member);
			struct frame frame = with_tags(&plain, stacks[i], stacks[i][1] ? 2 : 1);
			struct frame frame6 = with_tags(&plain6, stacks[i], stacks[i][1] ? 2 : 1);

			assert_arrives(&frame, member);
			assert_arrives(&frame6, member);
		}
	}
}

static void test_live__padding_stays_outside(void **state)
{
	struct frame frame = frame_to(LAYER3);
	size_t ip_bytes = 28;

	(void)state;
	frame.length = ETH_HLEN + ip_bytes;
	frame_end(&frame);
	frame_payload(&frame, 18);
	send_frame(&frame);
	assert_tunnelled(frame.data + ETH_HLEN, ip_bytes);
}

static void test_live__headers_outside_of_linear_memory_are_found(void **state)
{
	static uint8_t data[8000];
	struct frame frame = frame_to(LAYER3);
	size_t length = frame.length, ip_bytes = sizeof(data) - ETH_HLEN;
	uint8_t *ip = data + ETH_HLEN;

	(void)state;
	memcpy(data, frame.data, length);
	frame_put16(ip + 2, ip_bytes);
	frame_ipv4_seal(ip);
	/* The Ethernet header alone is linear; then half an IP header, all of it, and ports. */
	for (unsigned linear = ETH_HLEN; linear <= ETH_HLEN + 28; linear += 7) {
		send_bytes(data, sizeof(data), linear);
		assert_tunnelled(ip, ip_bytes);
	}
	assert_int_equal(tx_packets(LAYER3), 5);
	assert_int_equal(tx_bytes(LAYER3), 5 * ip_bytes);
}

static void test_live__what_is_passed_reaches_the_kernel(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(2000)};
	struct frame frame = frame_of_udp(NEIGHBOR, 1000, "10.0.0.1", 2000);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t received[100];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	send_frame(&frame);
	await(fd);
	assert_int_equal(recv(fd, received, sizeof(received), 0), FRAME_UDP_PAYLOAD_BYTES);
	assert_int_equal(passes_of(PASS_own_network), 1);
	close(fd);
}

static void too_big_beyond(uint32_t mtu_bytes)
{
	struct inside_nic nic = {.ifindex = if_nametoindex("nic"), .ipv4 = inet_addr("10.0.0.1")};
	uint32_t number = INSIDE_NIC;

	memcpy(nic.mac, GATEWAY_MAC, ETH_ALEN);
	rig_update(rig.tc->maps.inside_nics, &number, &nic);
	rig.connections[HQ].mtu_bytes = mtu_bytes;
}

/* What comes back to the sender: an answer of 576 bytes that is sound, and quotes this header. vlan -1: no tag. */
static void assert_answered(const uint8_t *quoted_ip, int vlan)
{
	uint8_t received[RECEIVED_BYTES], control[256], *ip = received + ETH_HLEN;
	struct iovec part = {received, sizeof(received)};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	const struct tpacket_auxdata *beside;

	await(back_fd);
	assert_int_equal(recvmsg(back_fd, &message, 0), ETH_HLEN + 576);
	assert_non_null(CMSG_FIRSTHDR(&message));
	beside = (const void *)CMSG_DATA(CMSG_FIRSTHDR(&message));
	assert_int_equal(!!(beside->tp_status & TP_STATUS_VLAN_VALID), vlan >= 0);
	if (vlan >= 0)
		assert_int_equal(beside->tp_vlan_tci, vlan);
	assert_memory_equal(received, CLIENT_MAC, ETH_ALEN);
	assert_memory_equal(received + ETH_ALEN, GATEWAY_MAC, ETH_ALEN);
	assert_int_equal(frame_get16(received + 12), ETH_P_IP);
	assert_int_equal(frame_ipv4_fault(ip), 0);
	assert_int_equal(frame_checksum(ip + 20, 556), 0);
	assert_int_equal(ip[20], 3);
	assert_int_equal(ip[21], 4);
	assert_memory_equal(ip + 28, quoted_ip, 20);
	assert_int_equal(drops_of(DROP_too_big_answered), 1);
	assert_int_equal(counted_packets(), 1);
}

static void test_live__answer_to_a_tagged_packet_is_tagged(void **state)
{
	static const uint16_t stack[] = {ETH_P_8021Q};
	struct frame plain = frame_to(LAYER3), frame;

	(void)state;
	frame_payload(&plain, 1200);
	frame_put16(plain.data + ETH_HLEN + 6, 0x4000);
	frame_end(&plain);
	frame = with_tags(&plain, stack, 1);
	too_big_beyond(1000);
	send_frame(&plain);
	assert_answered(plain.data + ETH_HLEN, -1);
	reset_counters();
	send_frame(&frame);
	assert_answered(plain.data + ETH_HLEN, 100);
}

/*
 * TCP, 6,000 bytes in segments of 1,400, some of it outside of linear memory, its checksum left to whoever sends: which
 * the kernel then is, in the quote of the answer, for the NIC will not.
 */
static void test_live__answer_to_a_gso_packet_has_its_checksum(void **state)
{
	static uint8_t data[6000];
	struct frame frame = frame_start(ETH_P_IP);
	uint8_t *ip = data + ETH_HLEN;

	(void)state;
	shell("ethtool -K nic tx off gso off >/dev/null");
	frame_ipv4(&frame, CLIENT, SERVER, IPPROTO_TCP);
	frame_tcp(&frame, 1000, 443);
	memcpy(data, frame.data, frame.length);
	for (size_t i = frame.length; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	frame_put16(ip + 2, sizeof(data) - ETH_HLEN);
	frame_put16(ip + 6, 0x4000);
	frame_ipv4_seal(ip);
	frame_put16(ip + 20 + 16, 0x1234);
	too_big_beyond(1400);
	send_with((struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					  .gso_size = 1400,
					  .hdr_len = ETH_HLEN + 40,
					  .csum_start = ETH_HLEN + 20,
					  .csum_offset = 16},
		  data, sizeof(data));
	assert_answered(ip, -1);
}

static void test_live__runts_are_passed(void **state)
{
	struct frame frame = frame_to(LAYER3), marker = frame_to(LAYER3);

	(void)state;
	for (frame.length = ETH_HLEN; frame.length < ETH_HLEN + 20; frame.length++)
		send_frame(&frame);
	/* Once this one is through, all before it are. */
	assert_arrives(&marker, LAYER3);
	assert_int_equal(tx_packets(LAYER3), 1);
	assert_int_equal(passes_of(PASS_malformed) + passes_of(PASS_not_ip), counted_packets() - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_live__##name, reset)
	static const struct CMUnitTest tests[] = {
		TEST(packets_arrive_one_hop_older),
		TEST(vlan_tags_come_off_wherever_they_are),
		TEST(padding_stays_outside),
		TEST(headers_outside_of_linear_memory_are_found),
		TEST(what_is_passed_reaches_the_kernel),
		TEST(answer_to_a_tagged_packet_is_tagged),
		TEST(answer_to_a_gso_packet_has_its_checksum),
		TEST(runts_are_passed),
	};
#undef TEST

	return cmocka_run_group_tests_name("live", tests, set_up, rig_tear_down);
}
