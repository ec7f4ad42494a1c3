# SPDX-License-Identifier: GPL-2.0-only
#
# Tunnels that can be cut in silence: packets vanish both ways, at one instant, while every link stays up.
#
#   gateway t0 ---- a0 [bridge s0] b0 ---- s0 site        in a namespace that neither end sees
#
# A bridge that is down forwards nothing, whatever it is that the ends run at their own devices; its ports, and so the
# carrier of t0 and s0, do not notice. Sourced after topology.sh, before topology_up:
#
#   wire_cut s0; wire_mend s0        by the name of the site's end

wire=w$id
namespaces+=("$wire")

# In place of topology.sh's: what leads from the gateway to the site goes by way of a bridge.
cable() # namespace device peer-namespace peer-device
{
	if [ "$1" != "$gateway" ] || [ "$3" != "$site" ]; then
		ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
		return
	fi
	at "$wire" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	ip -n "$wire" link add "$4" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
	wire_port "$4" "a-$4" "$1" "$2"
	wire_port "$4" "b-$4" "$3" "$4"
	ip -n "$wire" link set "$4" up
}

wire_port() # bridge port namespace device
{
	ip -n "$wire" link add "$2" type veth peer name "$4" netns "$3"
	ip -n "$wire" link set "$2" master "$1" up
	# What XDP redirects into the device is delivered, and what leaves it is as on a wire: see topology.sh.
	at "$wire" ethtool -K "$2" gro on tx off >/dev/null
}

wire_cut() { ip -n "$wire" link set "$1" down; }
wire_mend() { ip -n "$wire" link set "$1" up; }
