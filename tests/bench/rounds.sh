# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The rounds of tests/bench/failover_leg: traffic, a silent cut, a heal; the same for every leg. Sourced after topology.sh,
# wire.sh and the legs.
#
#   client ---- gateway t0..t3 ==== wires ==== s0..s3 site        s0's wire is cut
#
# Four tunnels, so that three are healthy and it shows whether their flows are left alone. A leg is four functions:
#
#   LEG_up       starts it                                LEG_down     ends it, also where it is half started
#   LEG_whole    every tunnel is in use                   LEG_even     and gets its share: where the next round begins
#
# and LEG_title, LEG_setting, lines of text.

TUNNELS=4
RATE_PPS=20000
FLOWS=64
CUT_LIMIT_S=60

rounds_topology()
{
	local i
	topology_up
	for ((i = 2; i < TUNNELS; i++)); do
		veth "$gateway" t$i 10.77.$i.1/24 2001:db8:$((77 + i))::1/64 "$site" s$i 10.77.$i.2/24 2001:db8:$((77 + i))::2/64
		watched+=("s$i=hq-$i")
	done
	at "$gateway" sysctl -qw net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1
}

cut_tunnel_packets() # what the gateway has sent into the wire, cut or not
{
	ip -n "$wire" -j -s link show a-s0 | jq '.[0].stats64.rx.packets'
}

# Probes go on, flows don't: less than a tenth of a tunnel's share in a tenth of a second.
cut_tunnel_is_left()
{
	local before
	before=$(cut_tunnel_packets)
	pause 0.1
	[ $(($(cut_tunnel_packets) - before)) -lt $((RATE_PPS / TUNNELS / 100)) ]
}

# What is timed by the cut must not always find probes and timers at the same point of their period.
pause_about_a_second()
{
	local ms
	printf -v ms %03d $((SRANDOM % 1000))
	pause "1.$ms"
}

failed() { echo "failover: $1" >&2; return 1; } # what did not come

round() # leg: its figures, one JSON object to standard output
{
	eventually 60 "$1_even" || failed "$1 does not use every tunnel" || return
	traffic_start $RATE_PPS $FLOWS || return
	mark steady
	pause_about_a_second
	mark cut
	wire_cut s0
	eventually $CUT_LIMIT_S cut_tunnel_is_left || failed "$1 still sends into the cut tunnel" || return
	pause 1
	mark healed
	wire_mend s0
	eventually 60 "$1_whole" || failed "$1 does not come back" || return
	pause 1
	traffic_stop || failed "the traffic was not measured" || return
	round_figures "$traffic/report.json" || return
	rm -rf "$traffic"
}

# gap_ms: of the cut tunnel's flows, from the last packet that came by it to the first that came by another, the longest.
# quiet_gap_ms: the longest silence of any flow before the cut, which is what the machine adds by itself.
round_figures() # traffic-report
{
	jq -ce 'if .missed_packets > 0 or .strangers > 0 then error("the testers missed packets") else . end |
		.rate_pps as $rate | .phases | {
			gap_ms: .cut.moved_gap_ms["hq-0"],
			lost_packets: .cut.lost_packets,
			cut_flows: .steady.flows["hq-0"],
			moved_flows: (.cut.moved_from | add),
			healthy_flows_moved: (.cut.moved_from | del(.["hq-0"]) | add),
			heal_lost_packets: .healed.lost_packets,
			heal_moved_flows: (.healed.moved_from | add),
			quiet_gap_ms: .steady.gap_ms_max,
			quiet_lost_packets: .steady.lost_packets,
			rate_pps: $rate }' "$1"
}

leg_result() # leg title setting file-of-rounds: one JSON object
{
	jq -s --arg leg "$1" --arg title "$2" --arg setting "$3" --argjson tunnels "$TUNNELS" --argjson flows "$FLOWS" \
		'{leg: $leg, title: $title, setting: $setting, tunnels: $tunnels, flows: $flows, rounds: .}' "$4"
}

round_said() # leg number file-of-rounds: what became of the last one
{
	tail -n 1 "$3" | jq -r --arg leg "$1" --arg n "$2" '"\($leg) \($n): silent for \(.gap_ms) ms, \(.lost_packets) lost"' >&2
}
