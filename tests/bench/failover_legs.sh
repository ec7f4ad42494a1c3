# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154
#
# The competitors of tests/bench/failover, each set up as its users would; rounds.sh says what functions a leg has.
# Sourced after topology.sh, wire.sh, frr.sh and rounds.sh. What the legs have in common stands first.

gateway_frr=$work/frr-gateway
site_frr=$work/frr-site

tunnel_numbers() { seq 0 $((TUNNELS - 1)); }

bfd_profile() # milliseconds
{
	cat <<-END
		debug bfd peer
		bfd
		 profile failover
		  detect-multiplier 3
		  receive-interval $1
		  transmit-interval $1
	END
}

bfd_peers() # local-end remote-end, as in their addresses: sessions that no routing protocol asks for
{
	local i
	for i in $(tunnel_numbers); do
		echo " peer 10.77.$i.$2 local-address 10.77.$i.$1"
		echo "  profile failover"
	done
}

# One session for each tunnel carries both families: a failure is one event.
bgp() # local-end remote-end prefix prefix6
{
	local i
	echo "router bgp 6500$1"
	echo " bgp router-id 10.77.0.$1"
	echo " no bgp ebgp-requires-policy"
	echo " no bgp network import-check"
	for i in $(tunnel_numbers); do
		echo " neighbor 10.77.$i.$2 remote-as 6500$2"
		echo " neighbor 10.77.$i.$2 timers connect 1"
		echo " neighbor 10.77.$i.$2 bfd profile failover"
	done
	echo " address-family ipv4 unicast"
	echo "  maximum-paths $TUNNELS"
	echo "  network $3"
	echo " address-family ipv6 unicast"
	echo "  maximum-paths $TUNNELS"
	echo "  network $4"
	for i in $(tunnel_numbers); do echo "  neighbor 10.77.$i.$2 activate"; done
}

frr_bgp_up() # interval of BFD in milliseconds
{
	mkdir -p "$gateway_frr" "$site_frr"
	bfd_profile "$1" | tee "$gateway_frr/bfdd.conf" >"$site_frr/bfdd.conf"
	bgp 1 2 10.1.0.0/24 2001:db8:a::/64 >"$gateway_frr/bgpd.conf"
	bgp 2 1 192.168.0.0/16 2001:db8:1::/48 >"$site_frr/bgpd.conf"
	frr_start "$site" "$site_frr" zebra bfdd bgpd && frr_start "$gateway" "$gateway_frr" zebra bfdd bgpd
}

frr_bgp_whole()
{
	local family
	for family in 4 6; do
		ip -n "$gateway" -$family -j route show proto bgp |
			jq -e --argjson count "$TUNNELS" '.[0].nexthops | length == $count' || return
	done >/dev/null
	frr_bfd_up "$gateway_frr" "$TUNNELS" && frr_bfd_up "$site_frr" "$TUNNELS"
}

frr_down()
{
	frr_stop "$gateway_frr"
	frr_stop "$site_frr"
}

# --- aa-steer ---------------------------------------------------------------------------------------------------------

aa_steer_title="aa-steer, BFD 10 ms x 3"
aa_steer_setting="TC or XDP data plane, BFD of 10 ms x 3 on each tunnel against FRR's bfdd"

# A tunnel that fails every few seconds, as ours does, would be kept out for twice as long each time.
HOLD="hold: 500ms, hold-max: 500ms"

aa_steer_config()
{
	local i
	echo "gateway: { name: test$id, inside: [lan0] }"
	echo "instances:"
	for i in $(tunnel_numbers); do echo "  - { name: in$i, public: 203.0.113.1$i }"; done
	cat <<-END
		connections:
		  - name: hq
		    remote: [192.168.0.0/16, "2001:db8:1::/48"]
		    tunnels:
	END
	for i in $(tunnel_numbers); do
		echo "      - { name: hq-$i, instance: in$i, device: t$i, via: 10.77.$i.2," \
			"probe: { kind: bfd, local: 10.77.$i.1, peer: 10.77.$i.2, interval: 10ms, multiplier: 3, $HOLD } }"
	done
}

aa_steer_up()
{
	mkdir -p "$site_frr"
	{ bfd_profile 10; bfd_peers 2 1; } >"$site_frr/bfdd.conf"
	frr_start "$site" "$site_frr" zebra bfdd || return
	aa_steer_config >"$config"
	daemon_start || { tail -n 20 "$work/daemon.log" >&2; return 1; }
}

aa_steer_whole()
{
	status_is '[.connections[].tunnels[] | select(.state == "active")] | length' "$TUNNELS" &&
		frr_bfd_up "$site_frr" "$TUNNELS"
}

aa_steer_even() { aa_steer_whole; }

aa_steer_down()
{
	[ -z "$daemon" ] || daemon_stop TERM
	frr_down
}

# --- FRR: BGP over each tunnel, BFD below it, the kernel's multipath routes -------------------------------------------------

frr_fast_title="FRR, BFD 10 ms x 3"
frr_fast_setting="BGP with BFD of 10 ms x 3, the least that it accepts; kernel multipath, hash of ports"
frr_fast_up() { frr_bgp_up 10; }
frr_fast_whole() { frr_bgp_whole; }
frr_fast_even() { frr_bgp_whole; }
frr_fast_down() { frr_down; }

frr_default_title="FRR, BFD 300 ms x 3"
frr_default_setting="BGP with BFD of 300 ms x 3, its default; kernel multipath, hash of ports"
frr_default_up() { frr_bgp_up 300; }
frr_default_whole() { frr_bgp_whole; }
frr_default_even() { frr_bgp_whole; }
frr_default_down() { frr_down; }

# --- resilient nexthop groups of the kernel, members taken out and put back as FRR's bfdd says -------------------------------

resilient_title="resilient group, BFD 10 ms x 3"
resilient_setting="kernel nexthop group, type resilient, 128 buckets, idle_timer 1 s; FRR's bfdd, 10 ms x 3, and a script that follows it"
resilient_follower=""

resilient_members() # tunnel-number...: commands to ip that make them the groups' members; 1000 and 2000: IPv4, IPv6; zebra counts from 1
{
	local i group4="" group6=""
	for i; do
		echo "nexthop replace id 100$i via 10.77.$i.2 dev t$i"
		echo "nexthop replace id 200$i via 2001:db8:$((77 + i))::2 dev t$i"
		group4+=${group4:+/}100$i
		group6+=${group6:+/}200$i
	done
	echo "nexthop replace id 1100 group $group4 type resilient buckets 128 idle_timer 1"
	echo "nexthop replace id 2100 group $group6 type resilient buckets 128 idle_timer 1"
}

# One ip for all commands, so that no program has to start when a tunnel dies. The last member stays: with it the kernel would
# delete the group, and the route.
resilient_follow() # tunnel-number...: those that are members
{
	local line i members=" $* "
	while read -r line; do
		[[ $line =~ state-change:.*peer:10\.77\.([0-9])\.2\ .*\]\ ([a-z]+)\ -\>\ (up|down) ]] || continue
		i=${BASH_REMATCH[1]}
		case ${BASH_REMATCH[3]} in
		down)
			[[ $members == *" $i "* && $members != " $i " ]] || continue
			printf 'nexthop del id %s\n' "100$i" "200$i"
			members=${members/ $i / }
			;;
		up)
			[[ $members == *" $i "* ]] || members+="$i "
			# shellcheck disable=SC2086
			resilient_members $members
			;;
		esac
	done
}

resilient_up()
{
	mkdir -p "$gateway_frr" "$site_frr"
	{ bfd_profile 10; bfd_peers 1 2; } >"$gateway_frr/bfdd.conf"
	{ bfd_profile 10; bfd_peers 2 1; } >"$site_frr/bfdd.conf"
	frr_start "$site" "$site_frr" zebra bfdd && frr_start "$gateway" "$gateway_frr" zebra bfdd || return
	eventually 20 frr_bfd_up "$gateway_frr" "$TUNNELS" || return
	# shellcheck disable=SC2046
	{
		resilient_members $(tunnel_numbers)
		echo "route add 192.168.0.0/16 nhid 1100"
		echo "route add 2001:db8:1::/48 nhid 2100"
	} | ip -n "$gateway" -batch - || return
	# shellcheck disable=SC2046
	resilient_follow $(tunnel_numbers) < <(exec tail -n 0 -f "$gateway_frr/bfdd.log") > >(exec ip -n "$gateway" -force -batch -) &
	resilient_follower=$!
}

resilient_whole()
{
	local group
	for group in 1100 2100; do
		ip -n "$gateway" -j nexthop show id "$group" |
			jq -e --argjson count "$TUNNELS" '.[0].group | length == $count' >/dev/null || return
	done
	frr_bfd_up "$gateway_frr" "$TUNNELS"
}

# Buckets go back to a member when no flow has used them for idle_timer.
resilient_even()
{
	local nexthop
	resilient_whole || return
	for nexthop in 1000 2000; do
		[ "$(ip -n "$gateway" nexthop bucket show nhid $nexthop | wc -l)" = $((128 / TUNNELS)) ] || return
	done
}

resilient_down()
{
	[ -z "$resilient_follower" ] || kill "$resilient_follower"
	frr_down
}
