# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sessions under load, which nothing cuts, so that whoever calls one dead is wrong. Sourced after ahead.sh,
# topology.sh and frr.sh.
#
#   gateway t0..t3 ==== s0..s3 site        aa-steer at both ends
#   na      t0..t3 ==== s0..s3 nb          bfdd of FRR at both ends, nice 0
#   fa      t0..t3 ==== s0..s3 fb          the same at SCHED_FIFO 50
#
# All have 10 ms x 3 on each tunnel, at the same time, under the same load. Whatever is watched runs in a session of its
# own, as a service would (where the scheduler groups tasks by session, that is what shields it from others).
#
#   soak_up [frr]                       topology, FRR
#   soak_ready                          both daemons begin anew, and every session is up
#   soak_phase NAME SECONDS >JSON       figures: counts are the phase's, maxima those since soak_ready
#
# The load keeps its own time: nobody has to run to end it.

SOAK_TUNNELS=4
SOAK_BFD="kind: bfd, interval: 10ms, multiplier: 3"
SOAK_UNDER=() # a command and its arguments that daemons are started by
soak_pids=$work/pids
soak_guard=""
soak_frr=()
soak_ends=()

ordinary() { exec setsid nice -n "$AHEAD" "$@"; } # a command, in a process of its own

# Even if this script is killed, what has a session of its own ends: seconds after it, and gone with it are the namespaces.
soak_guard_up()
{
	: >"$soak_pids"
	# shellcheck disable=SC2016
	setsid bash -c 'tail --pid="$1" -s 0.5 -f /dev/null; cat "$2"/pids "$2"/*/pids 2>/dev/null | xargs -r kill -9; rm -rf "$2"' \
		guard $$ "$work" >/dev/null 2>&1 </dev/null &
	soak_guard=$!
	disown
}

soak_up() # [frr]
{
	local i
	soak_guard_up
	topology_up
	for ((i = 2; i < SOAK_TUNNELS; i++)); do soak_tunnel "$gateway" "$site" $i; done
	# The far end, too, wants a NIC to steer from.
	ip -n "$site" link add lan0 type veth peer name lan1
	ip -n "$site" link set lan0 up
	ip -n "$site" link set lan1 up
	[ "${1:-}" != frr ] || { soak_frr_up n && soak_frr_up f chrt -f 50; }
}

soak_tunnel() # namespace namespace number
{
	veth "$1" t$3 10.77.$3.1/24 2001:db8:$((77 + $3))::1/64 "$2" s$3 10.77.$3.2/24 2001:db8:$((77 + $3))::2/64
}

soak_down()
{
	local end
	for end in "${soak_ends[@]}"; do kill -9 "$end" && wait "$end"; done 2>/dev/null
	for end in "${soak_frr[@]}"; do frr_stop "$end"; done
	[ -z "$soak_guard" ] || kill -9 -"$soak_guard" 2>/dev/null
	topology_down
}
trap soak_down EXIT
trap 'exit 1' INT TERM HUP

# --- FRR --------------------------------------------------------------------------------------------------------------

soak_frr_config() # local-end remote-end
{
	local i
	printf '%s\n' bfd " profile soak" "  detect-multiplier 3" "  receive-interval 10" "  transmit-interval 10"
	for ((i = 0; i < SOAK_TUNNELS; i++)); do
		printf '%s\n' " peer 10.77.$i.$2 local-address 10.77.$i.$1" "  profile soak"
	done
}

soak_frr_up() # letter [command...]: what bfdd is started by
{
	local letter=$1 namespace i end
	shift
	for namespace in "$letter"{a,b}$id; do
		ip netns add "$namespace"
		namespaces+=("$namespace")
		ip -n "$namespace" link set lo up
		mkdir "$work/$namespace"
		soak_frr+=("$work/$namespace")
	done
	for ((i = 0; i < SOAK_TUNNELS; i++)); do soak_tunnel "${letter}a$id" "${letter}b$id" $i; done
	soak_frr_config 1 2 >"$work/${letter}a$id/bfdd.conf"
	soak_frr_config 2 1 >"$work/${letter}b$id/bfdd.conf"
	for end in a b; do
		FRR_UNDER=(setsid nice -n "$AHEAD")
		frr_start "$letter$end$id" "$work/$letter$end$id" zebra || return
		FRR_UNDER=(setsid nice -n "$AHEAD" "$@")
		frr_start "$letter$end$id" "$work/$letter$end$id" bfdd || return
	done
	soak_frr_await "$letter"
}

soak_frr_await() # letter: all sessions are up
{
	frr_await 10 frr_bfd_up "$work/${1}a$id" $SOAK_TUNNELS && frr_await 10 frr_bfd_up "$work/${1}b$id" $SOAK_TUNNELS
}

soak_frr_downs() # letter: so far, at both ends
{
	local end
	for end in a b; do
		frr_vtysh "$work/$1$end$id" -d bfdd -c 'show bfd peers counters json'
	done | jq -s '[.[][]."session-down"] | add'
}

# --- aa-steer ---------------------------------------------------------------------------------------------------------

soak_config() # gateway-name device-letter local-end remote-end prefix
{
	local i
	echo "gateway: { name: $1, inside: [lan0] }"
	echo "instances:"
	for ((i = 0; i < SOAK_TUNNELS; i++)); do echo "  - { name: in$i, public: 203.0.113.1$i }"; done
	echo "connections:"
	echo "  - name: hq"
	echo "    remote: [$5]"
	echo "    tunnels:"
	for ((i = 0; i < SOAK_TUNNELS; i++)); do
		echo "      - { name: hq-$i, instance: in$i, device: $2$i, via: 10.77.$i.$4," \
			"probe: { $SOAK_BFD, local: 10.77.$i.$3, peer: 10.77.$i.$4 } }"
	done
}

soak_end_start() # namespace gateway-name
{
	mkdir -p "$work/$2"
	STATE_DIRECTORY=$work/$2 ordinary "${SOAK_UNDER[@]}" nsenter --net="/var/run/netns/$1" "$root/build/aa-steerd" -c "$work/$2.yaml" \
		>>"$work/$2.log" 2>&1 </dev/null &
	soak_ends+=($!)
	echo $! >>"$soak_pids"
}

soak_steer() # gateway-name command...
{
	local name=$1
	shift
	"$root/build/aa-steer" -g "$name" "$@"
}

soak_all_live() # gateway-name
{
	soak_steer "$1" status -j 2>/dev/null | jq -e --argjson count $SOAK_TUNNELS \
		'[.connections[].tunnels[] | select(.state == "active" and .probe.verdict == "live")] | length == $count' >/dev/null 2>&1
}

soak_ready()
{
	local letter
	[ ${#soak_ends[@]} = 0 ] || soak_ends_stop
	rm -rf "$work"/{one,two}
	soak_config one t 1 2 192.168.0.0/16 >"$work/one.yaml"
	soak_config two s 2 1 10.1.0.0/24 >"$work/two.yaml"
	soak_ends=()
	soak_end_start "$gateway" one
	soak_end_start "$site" two
	if ! eventually 30 soak_all_live one || ! eventually 30 soak_all_live two; then
		soak_said one two
		return 1
	fi
	# What flaps all the time on a busy machine is not all up at any one.
	[ ${#soak_frr[@]} = 0 ] || for letter in n f; do soak_frr_await $letter || echo "soak: FRR does not come up whole" >&2; done
}

soak_ends_stop()
{
	local end
	soak_steer one unload >/dev/null
	soak_steer two unload >/dev/null
	for end in "${soak_ends[@]}"; do wait "$end"; done
	soak_ends=()
}

soak_end_figures() # gateway-name
{
	{ soak_steer "$1" events -j; soak_steer "$1" status -j; } | jq -s '
		def count(what): .[0].events | map(select(.what == what)) | length;
		([.[1].connections[].tunnels[].probe]) as $probes | {
			tunnel_downs: count("tunnel-down"), probe_downs: count("probe-down"),
			events: [.[0].events[] | select(.what == "probe-down" or .what == "tunnel-down") | {time, what, message, detection_ms}],
			gap_max_ms: ([$probes[].gap_max_ms] | max),
			sender_late_max_ms: .[1].gateway.probe_sender.late_max_ms,
			realtime: .[1].gateway.probe_sender.realtime,
			sent: ([$probes[].sent] | add), replied: ([$probes[].replied] | add) }'
}

# --- a phase ----------------------------------------------------------------------------------------------------------

cpu_ticks() { awk '/^cpu / { print $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9, $9 }' /proc/stat; } # all, stolen by the host

# All that this kernel can: standing still takes Linux 6.4.
soak_phases=(idle hogs churn timers)
! "$root/build/tests/lib/stall_make" 1 1 1 0 >/dev/null 2>&1 || soak_phases+=(stalls)

soak_load() # name seconds
{
	local load
	if [ "$1" = idle ]; then
		pause "$2"
		return
	fi
	# Up to the detection time and a little beyond: all that a box which stood still can know is that it did.
	if [ "$1" = stalls ]; then
		"$root/build/tests/lib/stall_make" 18 36 60 "$2" >/dev/null &
	else
		"$root/build/tests/lib/load_storm" "$1" "$2" >/dev/null &
	fi
	load=$!
	echo $load >>"$soak_pids"
	wait $load
}

soak_phase() # name seconds: its figures, a JSON object to standard output
{
	local name=$1 seconds=$2 before after watch begin ended downs_n=0 downs_f=0
	if [ ${#soak_frr[@]} -gt 0 ]; then
		downs_n=$(soak_frr_downs n) downs_f=$(soak_frr_downs f)
	fi
	{ soak_end_figures one; soak_end_figures two; } >"$work/figures-before"
	"$root/build/tests/lib/stall_watch" -l 1 >"$work/stalls" &
	watch=$!
	echo $watch >>"$soak_pids"
	begin=$("$root/build/tests/lib/now")
	before=$(cpu_ticks)
	soak_load "$name" "$seconds" || return
	after=$(cpu_ticks)
	ended=$("$root/build/tests/lib/now")
	kill $watch
	wait $watch
	if [ ${#soak_frr[@]} -gt 0 ]; then
		downs_n=$(($(soak_frr_downs n) - downs_n)) downs_f=$(($(soak_frr_downs f) - downs_f))
	else
		downs_n=null downs_f=null
	fi
	jq -nc --arg phase "$name" --argjson asked "$seconds" --argjson ns $((ended - begin)) --arg ticks "$before $after" \
		--arg load "$(cut -d' ' -f1 /proc/loadavg)" --argjson normal "$downs_n" --argjson fifo "$downs_f" \
		--rawfile stalls "$work/stalls" --slurpfile past "$work/figures-before" --slurpfile ends <(soak_end_figures one; soak_end_figures two) '
		def grown(of): ([$ends[] | of] | add) - ([$past[] | of] | add);
		($ticks | split(" ") | map(tonumber)) as [$all0, $stolen0, $all1, $stolen1] | {
			phase: $phase, seconds: $asked, took_s: ($ns / 1e9), load_average: ($load | tonumber),
			stolen_percent: (if $all1 > $all0 then 100 * ($stolen1 - $stolen0) / ($all1 - $all0) else 0 end),
			stall_max_ms: ([$stalls | scan("\\d+ (\\d+)") | .[0] | tonumber / 1e6] | max // 0),
			aa_steer: {
				failovers: grown(.tunnel_downs), probe_downs: grown(.probe_downs),
				gap_max_ms: ([$ends[].gap_max_ms] | max), sender_late_max_ms: ([$ends[].sender_late_max_ms] | max),
				realtime: ([$ends[].realtime] | all), sent: grown(.sent), replied: grown(.replied),
				events: [range(2) as $n | $ends[$n].events[($past[$n].events | length):][]] },
			frr: {session_downs: $normal}, frr_fifo: {session_downs: $fifo} }'
}

soak_said() # gateway-name...
{
	local name
	for name; do tail -n 20 "$work/$name.log" | sed "s/^/$name: /"; done >&2
}
