# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Phases of a traffic run in which tunnels fail, come back or are taken out, and what the traffic has to show of each. A suite
# names a phase, does what it does, and says what that was; the figures are judged together, when the traffic has ended.
#
#   phase cut; wan_cut 0; event_await ...; fails "$PROBE_DETECTION_MS" hq-0
#   phase drain; steer drain hq-1; leaves hq-1
#   traffic_stop; figures "${checks[@]}"; figures_told NAME
#
# both_agree and checks_both_ways add what holds where traffic goes both ways. $TUNNELS are all tunnels' names, $RATE and
# $FLOWS the traffic's. Needs vmtest/traffic.sh, vmtest/probes.sh and vmtest/tap.sh.

# The emulated machine stands still for up to so long, and what nobody sent meanwhile, nobody could see: the sender's own gaps
# count on top.
STALL_MS=500

checks=()   # for `figures`
failures=() # phase, the phase before, detection time in ms, and the tunnels that fail
planned=()  # phases
current=

phase() # name: traffic runs on a little before, so that each flow is seen where it is
{
	sleep 0.3
	note "$1 at $SECONDS s"
	last=$current current=$1
	traffic_mark "$1"
}

# The flows of these tunnels move, no other does; the silence is the time to find the failure, and the loss what was sent in it:
# a tenth more for uneven sending, and a packet of every fourth flow for what was on its way.
fails() # detection-ms tunnel...
{
	local detection=$1 now=".phases[\"$current\"]" before=".phases[\"$last\"]" t gap share=() gaps=()
	shift
	failures+=("$current $last $detection $*")
	for t in $TUNNELS; do
		if [[ " $* " != *" $t "* ]]; then
			checks+=("$current: no flow of $t moves" "$now.moved_from[\"$t\"] == 0")
			continue
		fi
		checks+=("$current: the flows of $t move" "$now | .moved_from[\"$t\"] > 0 and .flows[\"$t\"] == 0")
		gaps+=("$now.moved_gap_ms[\"$t\"]")
		share+=("$before.flows[\"$t\"] / $FLOWS")
	done
	gap="([$(IFS=,; echo "${gaps[*]}")] | max)"
	checks+=("$current: the gap is the time of detection" "$gap < $((detection + STALL_MS)) + $now.sent_gap_ms_max"
		"$current: no more is lost than was sent in it"
		"$now.lost_packets <= $RATE * ($(IFS=+; echo "${share[*]}")) * $gap / 1000 * 1.1 + $FLOWS / 4")
}

# What comes back gets flows, and no flow moves any other way.
returns() # tunnel...
{
	local t ways=''
	for t; do
		ways+="${ways:+|}>$t"
		checks+=("$current: $t carries again" ".phases[\"$current\"].flows[\"$t\"] > 0")
	done
	checks+=("$current: flows move to what is back, no other way" ".phases[\"$current\"].moves | keys | all(test(\"($ways)\$\"))"
		"$current: no packet is lost" ".phases[\"$current\"].lost_packets == 0")
}

# Planned: the flows of these tunnels move, none other does, nothing is lost.
leaves() # [tunnel...]
{
	local t
	planned+=("$current")
	for t in $TUNNELS; do
		if [[ " $* " = *" $t "* ]]; then
			checks+=("$current: the flows of $t move" ".phases[\"$current\"].moved_from[\"$t\"] > 0")
		else
			checks+=("$current: no flow of $t moves" ".phases[\"$current\"].moved_from[\"$t\"] == 0")
		fi
	done
	checks+=("$current: no packet is lost" ".phases[\"$current\"].lost_packets == 0")
}

# Where the traffic goes both ways: the directions of each flow are in one tunnel when the phase ends, and changed to it within
# one detection time of each other. A flow's change is seen by the next packet that it sends.
both_agree()
{
	checks+=("$current: both directions of every flow are in one tunnel"
		".phases[\"$current\"].both | .flows == $FLOWS and .same_tunnel == .flows"
		"$current: they change within one detection time"
		"([., .back | .phases[\"$current\"].sent_gap_ms_max] | max) as \$sent |
		.phases[\"$current\"].both.apart_ms_max < $PROBE_DETECTION_MS + \$sent")
}

# The other direction owes what the first one does.
checks_both_ways()
{
	local i both=("${checks[@]}")
	for ((i = 0; i < ${#checks[@]}; i += 2)); do
		[[ ${checks[i + 1]} = *.both* ]] || both+=("back, ${checks[i]}" ".back | ${checks[i + 1]}")
	done
	checks=("${both[@]}")
}

brings_back() { planned+=("$current"); returns "$@"; } # tunnel...: planned

events_await() # seconds what tunnel...
{
	local seconds=$1 what=$2 t
	shift 2
	for t; do event_await "$seconds" "$what" "$t" || return 1; done
}

in_jq() { printf '"%s",' "$@" | sed 's/,$//'; } # tunnel... -> what jq takes as indices

figures_told() # name: as comments, and in $OUT/NAME.json
{
	local failure phase before detection names others filter=''
	for failure in "${failures[@]}"; do
		read -r phase before detection names <<<"$failure"
		others=$(for t in $TUNNELS; do [[ " $names " = *" $t "* ]] || echo "$t"; done)
		# shellcheck disable=SC2086
		filter+="${filter:+,} {failure: \"$phase\", detection_ms: $detection,
			gap_ms: [.phases[\"$phase\"].moved_gap_ms[$(in_jq $names)]] | max,
			lost_packets: .phases[\"$phase\"].lost_packets,
			share: ([.phases[\"$before\"].flows[$(in_jq $names)]] | add / $FLOWS),
			flows_moved: [.phases[\"$phase\"].moved_from[$(in_jq $names)]] | add,
			survivors_moved: [.phases[\"$phase\"].moved_from[$(in_jq $others)]] | add}
			+ (.phases[\"$phase\"] | if has(\"both\") then {both} else {} end)"
	done
	jq --arg kernel "$(uname -r)" --arg version "$(<VERSION)" --argjson clear "$(traffic_clear_text)" --arg planned "${planned[*]}" \
		"(\$planned / \" \") as \$planned |
		def told: {rate_pps: (.rate_pps | round), flows, spread: .phases.steady.spread, failures: [$filter],
			planned: {phases: \$planned, lost_packets: ([.phases[\$planned[]].lost_packets] | add)}};
		{kernel: \$kernel, version: \$version} + told + {clear_text_packets: \$clear} +
		if .back then {back: (.back | told)} else {} end" "$traffic_dir/report.json" >"$OUT/$1.json"
	jq -c '(., .back // empty) | .failures[], .planned' "$OUT/$1.json" | sed 's/^/# /'
}
