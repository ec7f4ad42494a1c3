# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Routing daemons as peers: FRR (zebra and bfdd; others by name) and BIRD, in any namespace, with every file of theirs
# under $work. Sourced after topology.sh. One of both a namespace speaks BFD: they bind the same ports.
#
#   frr_start $site                                         bird_start $site
#   frr_peer $site 10.77.0.1 10.77.0.2 s0 10 3              bird_peer $site 10.77.0.1 10.77.0.2 s0 10 3
#   eventually 5 frr_is $site 10.77.0.1 up                  eventually 5 bird_is $site 10.77.0.1 Up
#
# Both speak BFD at real-time priority, above aa-steerd's sender: a peer that gets no CPU for longer than its detection
# time takes its sessions down by itself, and proves nothing.
#
# What was configured is in the daemon's own file, too: one that was killed and starts again has its sessions.

PEER_PRIORITY=60
declare -A peer_pids # namespace/daemon -> process

peers_down()
{
	local key
	for key in "${!peer_pids[@]}"; do
		kill -9 "${peer_pids[$key]}" 2>/dev/null
		wait "${peer_pids[$key]}" 2>/dev/null
	done
	topology_down
}
trap peers_down EXIT

peer_kill() # namespace daemon signal
{
	local pid=${peer_pids[$1/$2]}
	kill "-$3" "$pid"
	case $3 in
	STOP | CONT) return ;;
	esac
	wait "$pid" 2>/dev/null
	unset "peer_pids[$1/$2]"
}

# --- FRR --------------------------------------------------------------------------------------------------------------

frr_directory() { echo "$work/frr-$1"; }

frr() # namespace command...: lines of vtysh
{
	local namespace=$1 line words=()
	shift
	for line in "$@"; do words+=(-c "$line"); done
	at "$namespace" vtysh --vty_socket "$work/frr-$namespace" --config_dir "$work/frr-$namespace" "${words[@]}"
}

frr_answers() { frr "$1" "show version" >/dev/null 2>&1 && [ -S "$work/frr-$1/$2.vty" ]; } # namespace daemon

# The group that may use vtysh has to be the process's own, where root is no member of it.
frr_daemon() # namespace daemon [argument...]: starts one
{
	local namespace=$1 daemon=$2 directory=$work/frr-$1
	shift 2
	rm -f "$directory/$daemon.vty"
	become "$namespace" chrt --fifo $PEER_PRIORITY "/usr/lib/frr/$daemon" --user root --group frrvty --vty_port 0 --vty_socket "$directory" \
		--config_file "$directory/$daemon.conf" --pid_file "$directory/$daemon.pid" --socket "$directory/zserv.api" \
		--log "file:$directory/$daemon.log" "$@" >>"$directory/$daemon.out" 2>&1 &
	peer_pids[$namespace/$daemon]=$!
	eventually 10 frr_answers "$namespace" "$daemon"
}

frr_bfdd() { frr_daemon "$1" bfdd --bfdctl "$work/frr-$1/bfdd.sock"; } # namespace

frr_start() # namespace [further daemon...]
{
	local namespace=$1 daemon directory=$work/frr-$1
	shift
	mkdir -p "$directory"
	echo "no service integrated-vtysh-config" >"$directory/vtysh.conf"
	for daemon in zebra bfdd "$@"; do : >"$directory/$daemon.conf"; done
	frr_daemon "$namespace" zebra && frr_bfdd "$namespace" || return 1
	for daemon in "$@"; do frr_daemon "$namespace" "$daemon" || return 1; done
}

frr_configure() # namespace line...
{
	local namespace=$1
	shift
	frr "$namespace" "configure terminal" "$@" end "write memory" >>"$work/frr-$namespace/vtysh.out"
}

declare -A frr_names # namespace/peer -> its line in the configuration

frr_set() # namespace peer line...: shutdown, no shutdown, passive-mode, receive-interval MS, transmit-interval MS, ...
{
	local namespace=$1 name=${frr_names[$1/$2]}
	shift 2
	frr_configure "$namespace" bfd "$name" "$@"
}

frr_peer() # namespace peer local interface-or-multihop interval-ms multiplier [line...]
{
	local namespace=$1 peer=$2 local=$3 where="interface $4" interval=$5 multiplier=$6
	[ "$4" != multihop ] || where=multihop
	shift 6
	frr_names[$namespace/$peer]="peer $peer local-address $local $where"
	[ "$where" != multihop ] || frr_names[$namespace/$peer]="peer $peer multihop local-address $local"
	frr_set "$namespace" "$peer" "receive-interval $interval" "transmit-interval $interval" \
		"detect-multiplier $multiplier" "no shutdown" "$@"
}

frr_forget() # namespace peer: the session ends without a word
{
	frr_configure "$1" bfd "no ${frr_names[$1/$2]}"
}

frr_show() # namespace peer jq-expression: .status .diagnostic ."remote-diagnostic" ."detect-multiplier" ...
{
	frr "$1" "show bfd peers json" 2>/dev/null | jq -r --arg peer "$2" ".[] | select(.peer == \$peer) | $3"
}

frr_count() # namespace peer name: session-up session-down control-packet-input control-packet-output
{
	frr "$1" "show bfd peers counters json" 2>/dev/null |
		jq -r --arg peer "$2" --arg name "$3" '.[] | select(.peer == $peer) | .[$name]'
}

frr_is() { [ "$(frr_show "$1" "$2" .status)" = "$3" ]; } # namespace peer up|init|down|shutdown

# --- BIRD -------------------------------------------------------------------------------------------------------------

bird() # namespace command...: one of birdc
{
	local namespace=$1
	shift
	at "$namespace" birdc -s "$work/bird-$namespace/bird.ctl" "$@"
}

bird_answers() { bird "$1" show status >/dev/null 2>&1; }

bird_daemon() # namespace: starts it
{
	local directory=$work/bird-$1
	rm -f "$directory/bird.ctl"
	become "$1" chrt --fifo $PEER_PRIORITY bird -f -c "$directory/bird.conf" -s "$directory/bird.ctl" -P "$directory/bird.pid" \
		>>"$directory/bird.out" 2>&1 &
	peer_pids[$1/bird]=$!
	eventually 10 bird_answers "$1"
}

bird_start() # namespace
{
	mkdir -p "$work/bird-$1"
	bird_write "$1"
	bird_daemon "$1"
}

bird_write() # namespace: the whole configuration, from its parts
{
	local directory=$work/bird-$1
	{
		echo "log \"$directory/bird.log\" all; router id 192.0.2.1; protocol device { }"
		echo "protocol bfd bfd1 {"
		cat "$directory"/*.interface "$directory"/*.neighbor 2>/dev/null
		echo "}"
	} >"$directory/bird.conf"
}

bird_configure() # namespace
{
	bird_write "$1"
	bird "$1" configure >"$work/bird-$1/birdc.out" && grep -q '^Reconfigur' "$work/bird-$1/birdc.out"
}

# The interface goes first: in one reconfiguration with it, a new neighbor would still get the interface's old settings.
bird_peer() # namespace peer local interface-or-multihop interval-ms multiplier [option...]: passive, authentication, password
{
	local namespace=$1 peer=$2 local=$3 interface="interface \"$4\"" neighbor="dev \"$4\" local $3" directory=$work/bird-$1
	if [ "$4" = multihop ]; then
		interface=multihop neighbor="local $local multihop yes"
	fi
	echo "$interface { interval $5 ms; multiplier $6; ${*:7} };" >"$directory/$4.interface"
	bird_configure "$namespace" || return 1
	echo "neighbor $peer $neighbor;" >"$directory/$peer.neighbor"
	bird_configure "$namespace"
}

bird_show() # namespace peer field: 3 state, 5 interval, 6 timeout, in s
{
	bird "$1" show bfd sessions | awk -v peer="$2" -v field="$3" '$1 == peer { print $field }'
}

bird_is() { [ "$(bird_show "$1" "$2" 3)" = "$3" ]; } # namespace peer Up|Init|Down|AdminDown

bird_disable() { bird "$1" disable bfd1 >/dev/null; }
bird_enable() { bird "$1" enable bfd1 >/dev/null; }
