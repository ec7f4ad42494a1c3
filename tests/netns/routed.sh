# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The topology's connection, with the kernel's routes for its prefixes. Sourced after topology.sh.

config_write_routed() # [further key of the instance in0]
{
	config_write 100
	sed -i "s|remote: .*|remote: routes|; s|public: 203.0.113.10 }|public: 203.0.113.10${1:+, $1} }|" "$config"
}

prefixes_are() # number
{
	local is
	is=$(steer status -j | jq .connections[0].prefixes)
	echo "$is prefixes, not $1"
	[ "$is" = "$1" ]
}

partial_are() { status_is .connections[0].prefixes_partial "$1"; } # number

tunnel_of() # destination flow-number: its tunnel, or pass, or drop
{
	local source=10.1.0.2:$((1000 + $2)) destination=$1:7
	[[ $1 != *:* ]] || source="[2001:db8:a::2]:$((1000 + $2))" destination="[$1]:7"
	steer where udp "$source" "$destination" -j | jq -r ".tunnel // .verdict"
}

tunnels_of() { local flow; for flow in {0..7}; do tunnel_of "$1" "$flow"; done; } # destination: of eight flows

goes_by() # destination tunnel...: its flows take these, and no others
{
	local by
	by=$(tunnels_of "$1" | sort -u | xargs)
	echo "to $1 by: $by, not ${*:2}"
	[ "$by" = "${*:2}" ]
}

warns() { steer status | grep "warning: .*$1"; } # pattern

# 10,000 prefixes as the daemon hears them from one who installs them all at once
routes_large() # namespace add|replace|del what-follows-the-prefix
{
	local i prefix
	for ((i = 0; i < 10000; i++)); do
		prefix_at prefix $((i * 4))
		echo "route $2 $prefix/30 $3"
	done | ip -n "$1" -batch -
}

cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$daemon/stat"; } # that the daemon used so far
