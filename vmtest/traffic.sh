# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Measured traffic through the topology: from client to host, watched at the peer's tunnels and on the wan segment.
#
#   traffic_start DIRECTORY RATE FLOWS; traffic_mark NAME ...; traffic_stop; traffic_figure '.phases.cut.lost_packets'
#
# Where the tunnels end is $TRAFFIC_TUNNELS, what the router's interfaces are $TRAFFIC_WAN: where they are not topology.sh's
# own, the caller says. Needs vmtest/topology.sh and build/tests/lib/traffic_*. The sender has one processor, those who
# listen the other: the path from the sender to the last queue then runs on one processor, in order.
#
# traffic_back_start, once that runs, has the host send the other direction of the same flows, seen where $TRAFFIC_BACK_TUNNELS
# end. What became of it is in the report's .back, and of both together in each phase's .both.

TOOLS=${TOOLS:-build/tests/lib}
TRAFFIC_SETTLE_S=${TRAFFIC_SETTLE_S:-1}
TRAFFIC_TUNNELS="site:s-ipsec0=hq-0 site:s-ipsec1=hq-1" # NAMESPACE:INTERFACE=TUNNEL
TRAFFIC_WAN="gw0 site0"
TRAFFIC_BACK_TUNNELS="gw:ipsec0=hq-0 gw:ipsec1=hq-1" # the same tunnels in the same order
TRAFFIC_RECEIVE="" # more options of traffic_receive

background() # pid-variable name command...: in that namespace, returns when the program says "ready"
{
	local variable=$1 ns=$2 line fd
	shift 2
	local pipe
	pipe=$(mktemp -u)
	mkfifo "$pipe"
	nsenter --net="/run/netns/$TOPOLOGY-$ns" -- "$@" >"$pipe" 2>>"$traffic_dir/tools.log" &
	printf -v "$variable" %s $!
	exec {fd}<"$pipe"
	read -r -t 30 line <&"$fd" || { echo "traffic: $1 does not start" >&2; cat "$traffic_dir/tools.log" >&2; return 1; }
	exec {fd}<&-
	rm "$pipe"
}

traffic_pairs() # -> address pairs for traffic_send, both families in turn
{
	local i
	for i in 10 11 12 13 14 15 16 17; do
		echo "10.1.0.$i,192.168.1.$i" "2001:db8:a::$i,2001:db8:1:1::$i"
	done
}

traffic_start() # directory rate flows
{
	back_send_pid=
	traffic_dir=$1
	rm -rf "$traffic_dir"
	mkdir -p "$traffic_dir"
	: >"$traffic_dir/marks"
	# shellcheck disable=SC2086
	background clear_pid wan taskset -c 1 "$TOOLS/traffic_clear" -o "$traffic_dir/clear.json" $TRAFFIC_WAN
	# shellcheck disable=SC2046
	background watch_pid wan taskset -c 1 "$TOOLS/traffic_watch" -o "$traffic_dir/tunnels.log" \
		$(printf "$TOPOLOGY-%s\n" $TRAFFIC_TUNNELS)
	# shellcheck disable=SC2086
	background receive_pid host taskset -c 1 "$TOOLS/traffic_receive" -o "$traffic_dir/received.log" \
		$TRAFFIC_RECEIVE
	traffic_mark start
	# shellcheck disable=SC2046
	background send_pid client taskset -c 0 "$TOOLS/traffic_send" -o "$traffic_dir/sent.log" -r "$2" -n "$3" \
		-s 32 $(traffic_pairs)
}

traffic_back_start() # rate flows
{
	# shellcheck disable=SC2046
	background back_watch_pid wan taskset -c 1 "$TOOLS/traffic_watch" -R -o "$traffic_dir/back-tunnels.log" \
		$(printf "$TOPOLOGY-%s\n" $TRAFFIC_BACK_TUNNELS)
	# The ports are those of the client's own sender, so what arrives is seen at its NIC.
	background back_receive_pid client taskset -c 1 "$TOOLS/traffic_watch" -R -o "$traffic_dir/back-received.log" eth0=client
	# shellcheck disable=SC2046
	background back_send_pid host taskset -c 0 "$TOOLS/traffic_send" -R -o "$traffic_dir/back-sent.log" -r "$1" -n "$2" \
		-s 32 $(traffic_pairs | sed -E 's/(\S+),(\S+) (\S+),(\S+)/\2,\1 \4,\3/')
}

# /proc/uptime is not CLOCK_MONOTONIC's resolution, and its origin may differ; the tools' own clock does it.
traffic_mark() { echo "$1 $("$TOOLS/now")" >>"$traffic_dir/marks"; }

traffic_wait() # pid: of a program that was told to end
{
	kill -TERM "$1"
	wait "$1"
}

traffic_stop() # writes report.json
{
	local failed=0 back=
	traffic_mark end
	traffic_wait "$send_pid" || failed=1
	traffic_wait "$receive_pid" || failed=1
	traffic_wait "$watch_pid" || failed=1
	traffic_wait "$clear_pid" || failed=1
	if [ -n "$back_send_pid" ]; then
		traffic_back_stop || failed=1
		back=$traffic_dir/back-tunnels.log
	fi
	# shellcheck disable=SC2086
	"$TOOLS/traffic_report" "$traffic_dir"/{sent,received,tunnels}.log "$traffic_dir/marks" $back >"$traffic_dir/there.json" ||
		failed=1
	if [ -n "$back" ]; then
		jq --slurpfile back "$traffic_dir/back.json" '. + {back: $back[0]}' "$traffic_dir/there.json" >"$traffic_dir/report.json"
	else
		mv "$traffic_dir/there.json" "$traffic_dir/report.json"
	fi || failed=1
	return $failed
}

traffic_back_stop() # writes back.json
{
	local failed=0
	traffic_wait "$back_send_pid" || failed=1
	traffic_wait "$back_receive_pid" || failed=1
	traffic_wait "$back_watch_pid" || failed=1
	"$TOOLS/traffic_report" "$traffic_dir"/back-{sent,received,tunnels}.log "$traffic_dir/marks" >"$traffic_dir/back.json" ||
		failed=1
	return $failed
}

traffic_figure() { jq -r "$1" "$traffic_dir/report.json"; } # jq-filter
traffic_clear_text() { jq -r .clear_text_packets "$traffic_dir/clear.json"; }

# Proves that the watch on the wan segment sees clear text: one packet is sent there on purpose, and must be counted.
traffic_clear_selftest() # directory
{
	local selftest_pid
	traffic_dir=$1
	mkdir -p "$traffic_dir"
	# shellcheck disable=SC2086
	background selftest_pid wan "$TOOLS/traffic_clear" -o "$traffic_dir/selftest.json" $TRAFFIC_WAN
	in_ns gw ping -q -c 1 -W 2 203.0.113.1 >/dev/null
	traffic_wait "$selftest_pid"
	[ "$(jq .clear_text_packets "$traffic_dir/selftest.json")" = 2 ]
}
