# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The network that demo and suites run in: network namespaces of one kernel, with real IPsec between two of them.
#
#  client ─── lan0 [gw] wan0 ─────── gw0 [wan] site0 ─────── wan0 [site] lan0 ─── host
#  10.1.0.2        ipsec0 (in0, 203.0.113.10) ═══ ESP ═══ s-ipsec0 198.51.100.2   192.168.1.2
#  2001:db8:a::2   ipsec1 (in1, 203.0.113.11) ═══ ESP ═══ s-ipsec1                2001:db8:1:1::2
#
# gw is the gateway box: two instances, each a public address with one tunnel (an xfrm interface, if_id 1 and 2) to the
# one peer device, site. wan is a router, where clear text would be seen. Sourced by bash programs; needs root. Functions
# say what they need in their first line. Every namespace is called $TOPOLOGY-<name>; topology_down takes all away.

TOPOLOGY=${TOPOLOGY:-aav}
NAMES="client gw wan site host"
OUTER=${OUTER:-4} # address family that ESP travels by
REPLAY_WINDOW=${REPLAY_WINDOW:-1024} # packets; an emulated machine reorders more than 32
CIPHER='rfc4106(gcm(aes))'

in_ns() # name command...: with this mount namespace, so that /sys/fs/bpf stays
{
	local ns=$1
	shift
	nsenter --net="/run/netns/$TOPOLOGY-$ns" -- "$@"
}

ip_in() # name ip-arguments...
{
	local ns=$1
	shift
	ip -n "$TOPOLOGY-$ns" "$@"
}

public_of() # instance number -> address
{
	if [ "$OUTER" = 6 ]; then echo "2001:db8:f::1$1"; else echo "203.0.113.1$1"; fi
}

peer_address() { if [ "$OUTER" = 6 ]; then echo 2001:db8:e::2; else echo 198.51.100.2; fi; }

topology_namespace() # name
{
	ip netns add "$TOPOLOGY-$1"
	ip_in "$1" link set lo up
	in_ns "$1" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
		net.ipv6.conf.default.router_solicitations=0 net.ipv4.fib_multipath_hash_policy=1 \
		net.ipv6.fib_multipath_hash_policy=1 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.default.send_redirects=0
}

topology_link() # name device name device: a cable
{
	ip link add "$2" netns "$TOPOLOGY-$1" type veth peer name "$4" netns "$TOPOLOGY-$3"
	ip_in "$1" link set "$2" up
	ip_in "$3" link set "$4" up
}

# A program's start is dear in an emulated machine: commands to ip go many at a time.
topology_addresses() # device address... -> commands
{
	local device=$1 address
	shift
	for address; do
		case $address in
		*:*) echo "address add $address dev $device nodad" ;;
		*) echo "address add $address dev $device" ;;
		esac
	done
}

topology_address() # name device address...
{
	local ns=$1
	shift
	topology_addresses "$@" | ip_in "$ns" -batch -
}

# Flows come from several hosts and go to several: eight addresses of each family at either end.
topology_hosts()
{
	local i client=() host=()
	for i in 2 10 11 12 13 14 15 16 17; do
		client+=("10.1.0.$i/24" "2001:db8:a::$i/64")
		host+=("192.168.1.$i/24" "2001:db8:1:1::$i/64")
	done
	topology_address client eth0 "${client[@]}"
	topology_address host eth0 "${host[@]}"
	ip_in client -batch - <<-IP
		route add default via 10.1.0.1
		route add default via 2001:db8:a::1
	IP
	ip_in host -batch - <<-IP
		route add default via 192.168.1.1
		route add default via 2001:db8:1:1::1
	IP
}

# Without tunnels.
topology_network()
{
	local name
	topology_down
	for name in $NAMES; do topology_namespace "$name"; done
	topology_link client eth0 gw lan0
	topology_link gw wan0 wan gw0
	topology_link wan site0 site wan0
	topology_link site lan0 host eth0
	topology_address gw lan0 10.1.0.1/24 2001:db8:a::1/64
	topology_address gw wan0 203.0.113.10/24 203.0.113.11/24 2001:db8:f::10/64 2001:db8:f::11/64
	topology_address wan gw0 203.0.113.1/24 2001:db8:f::1/64
	topology_address wan site0 198.51.100.1/24 2001:db8:e::1/64
	topology_address site wan0 198.51.100.2/24 2001:db8:e::2/64
	topology_address site lan0 192.168.1.1/24 2001:db8:1:1::1/64
	topology_hosts
	ip_in gw -batch - <<-IP
		route add 198.51.100.0/24 via 203.0.113.1
		route add 2001:db8:e::/64 via 2001:db8:f::1
	IP
	ip_in site -batch - <<-IP
		route add 203.0.113.0/24 via 198.51.100.1
		route add 2001:db8:f::/64 via 2001:db8:e::1
	IP
	topology_processor site
}

topology_up()
{
	topology_network
	topology_tunnels
}

# The path's second half, from the peer's wan on, is another processor's: one queue, so packets stay in order.
topology_processor() # name
{
	ip netns exec "$TOPOLOGY-$1" sh -c 'echo 2 >/sys/class/net/wan0/queues/rx-0/rps_cpus' 2>/dev/null || true
}

# xfrm interfaces exist with or without SAs. Both ends' have addresses, for whoever wants to probe through them.
topology_tunnels()
{
	local i
	for i in 0 1; do
		{
			echo "link add ipsec$i type xfrm dev wan0 if_id $((i + 1))"
			echo "link set ipsec$i mtu 1400 up"
			topology_addresses "ipsec$i" "169.254.$i.1/30" "2001:db8:77:$i::1/64"
		} | ip_in gw -batch -
		{
			echo "link add s-ipsec$i type xfrm dev wan0 if_id $((i + 1))"
			echo "link set s-ipsec$i mtu 1400 up"
			topology_addresses "s-ipsec$i" "169.254.$i.2/30" "2001:db8:77:$i::2/64"
		} | ip_in site -batch -
	done
	# The site answers by either tunnel.
	ip_in site -batch - <<-IP
		nexthop add id 10 dev s-ipsec0
		nexthop add id 11 dev s-ipsec1
		nexthop add id 1 group 10/11
		route add 10.1.0.0/24 nhid 1
	IP
	for i in 0 1; do ip_in site -6 nexthop add id $((20 + i)) dev "s-ipsec$i"; done
	ip_in site -batch - <<-IP
		nexthop add id 2 group 20/21
		route add 2001:db8:a::/64 nhid 2
	IP
}

topology_down()
{
	local name pids
	for name in $NAMES; do
		[ -e "/run/netns/$TOPOLOGY-$name" ] || continue
		pids=$(ip netns pids "$TOPOLOGY-$name" 2>/dev/null)
		# shellcheck disable=SC2086
		[ -z "$pids" ] || kill -9 $pids 2>/dev/null
		ip netns delete "$TOPOLOGY-$name"
	done
}

# --- static SAs -------------------------------------------------------------------------------------------------------

random_hex() # bytes
{
	local hex=
	while [ ${#hex} -lt $(($1 * 2)) ]; do printf -v hex '%s%08x' "$hex" "$SRANDOM"; done
	echo "${hex:0:$(($1 * 2))}"
}

sa_policies() # name if_id local remote
{
	local any
	for any in 0.0.0.0/0 ::/0; do
		ip_in "$1" xfrm policy add src $any dst $any dir out if_id "$2" \
			tmpl src "$3" dst "$4" proto esp reqid "$2" mode tunnel
		ip_in "$1" xfrm policy add src $any dst $any dir in if_id "$2" \
			tmpl src "$4" dst "$3" proto esp reqid "$2" mode tunnel
		ip_in "$1" xfrm policy add src $any dst $any dir fwd if_id "$2" \
			tmpl src "$4" dst "$3" proto esp reqid "$2" mode tunnel
	done
}

# One direction's SA at both ends, the receiving end first, as IKE does it: what is sent finds it there.
sa_pair() # source destination if_id receiving-end sending-end
{
	local spi=0x1$(random_hex 3) key=0x$(random_hex 20) ns
	for ns in "$4" "$5"; do
		ip_in $ns xfrm state add src "$1" dst "$2" proto esp spi "$spi" mode tunnel flag af-unspec esn if_id "$3" \
			reqid "$3" replay-window $REPLAY_WINDOW aead "$CIPHER" "$key" 128
	done
}

static_up() # instance number: SAs of its tunnel, with fresh keys
{
	sa_pair "$(public_of "$1")" "$(peer_address)" $(($1 + 1)) site gw
	sa_pair "$(peer_address)" "$(public_of "$1")" $(($1 + 1)) gw site
}

static_tunnels()
{
	local i
	for i in 0 1; do
		sa_policies gw $((i + 1)) "$(public_of $i)" "$(peer_address)"
		sa_policies site $((i + 1)) "$(peer_address)" "$(public_of $i)"
		static_up $i
	done
}

sa_delete() # name instance-number: every SA of that instance's tunnel, at that end
{
	local public src dst spi
	public=$(public_of "$2")
	ip_in "$1" xfrm state | awk '$1 == "src" { s = $2; d = $4 } $1 == "proto" { print s, d, $4 }' |
		while read -r src dst spi; do
			[ "$src" != "$public" ] && [ "$dst" != "$public" ] ||
				ip_in "$1" xfrm state delete src "$src" dst "$dst" proto esp spi "$spi"
		done
}
