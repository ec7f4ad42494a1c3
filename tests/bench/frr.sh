# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# FRR's daemons in a network namespace, with configuration, sockets, pid files and logs in a directory of their own: they
# touch nothing that the machine itself may run. Sourced after topology.sh, for its `become`.
#
#   mkdir DIRECTORY; write DIRECTORY/bfdd.conf, ...      what has no file gets an empty one
#   frr_start NAMESPACE DIRECTORY zebra bfdd             returns when each answers; zebra first
#   frr_vtysh DIRECTORY -c 'show bfd peers json'
#   frr_stop DIRECTORY                                   also what is half started, or never was
#
# FRR_UNDER is a command and its arguments that the daemons are started by: (chrt -f 50), say.
#
# What a daemon logs is in DIRECTORY/DAEMON.log. The daemons insist on a user of their own: the directory becomes that
# user's, and the one that it is in passable.

FRR_DAEMONS=${FRR_DAEMONS:-/usr/lib/frr}
FRR_UNDER=()

frr_start() # namespace directory daemon...
{
	local namespace=$1 directory=$2 name
	shift 2
	for name in "$@" vtysh; do
		[ -e "$directory/$name.conf" ] || : >"$directory/$name.conf"
	done
	chmod a+x "$(dirname "$directory")"
	chown -R frr:frr "$directory"
	for name; do
		frr_start_one "$namespace" "$directory" "$name" && continue
		echo "frr: $name does not start" >&2
		cat "$directory/$name.log" >&2
		return 1
	done
}

frr_start_one() # namespace directory daemon
{
	local pid options=(-f "$2/$3.conf" -i "$2/$3.pid" -z "$2/zserv.api" --vty_socket "$2" -P 0 --log stdout)
	[ "$3" != bfdd ] || options+=(--bfdctl "$2/bfdd.sock")
	become "$1" "${FRR_UNDER[@]}" "$FRR_DAEMONS/$3" "${options[@]}" >"$2/$3.log" 2>&1 </dev/null &
	pid=$!
	echo $pid >>"$2/pids"
	frr_await 20 frr_settled "$2" "$3" $pid && kill -0 $pid 2>/dev/null
}

frr_settled() # directory daemon pid: it answers, or has ended
{
	kill -0 "$3" 2>/dev/null || return 0
	[ "$2" != zebra ] || [ -S "$1/zserv.api" ] || return 1
	[ -S "$1/$2.vty" ] && frr_vtysh "$1" -d "$2" -c 'show version' >/dev/null 2>&1
}

frr_await() # seconds command...
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt "$end" ] || return 1
		read -rt 0.02 <> <(:) || :
	done
}

frr_vtysh() # directory vtysh-arguments...
{
	local directory=$1
	shift
	vtysh --vty_socket "$directory" --config_dir "$directory" "$@"
}

frr_bfd_up() # directory count: so many sessions are there, and all are up
{
	frr_vtysh "$1" -d bfdd -c 'show bfd peers json' 2>/dev/null |
		jq -e --argjson count "$2" 'length == $count and all(.status == "up")' >/dev/null
}

frr_stop() # directory
{
	local pid pids
	[ -e "$1/pids" ] || return 0
	mapfile -t pids <"$1/pids"
	rm -f "$1/pids"
	kill "${pids[@]}" 2>/dev/null
	for pid in "${pids[@]}"; do
		frr_await 5 frr_is_gone "$pid" || kill -9 "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
}

frr_is_gone() { ! kill -0 "$1" 2>/dev/null; }
