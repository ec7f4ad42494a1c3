# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Probed tunnels of topology.sh's gateway: their configuration, what the daemon says of them, and what the kernel knows
# (maps/sessions.h), whether the daemon runs or not. Sourced after topology.sh.

pins=/sys/fs/bpf/aa-steer/test$id/maps

config_probe() # tunnel-or-remote-instance [probe]: it gets this one, or none
{
	sed -i -E -e "/name: $1,/ s/, probe: \{[^}]*\}//" -e "/name: $1,/ s/ \}\$/${2:+, probe: { $2 \}} }/" "$config"
}

reload() { steer reload >"$work/reload" 2>&1 || { cat "$work/reload"; return 1; }; }

# --- what the daemon says ---------------------------------------------------------------------------------------------

of() # tunnel-or-instance jq-expression
{
	steer status -j | jq -r --arg name "$1" "[.instances[], .connections[].tunnels[]][] | select(.name == \$name) | $2"
}

of_is() { local is; is=$(of "$1" "$2"); echo "$1 $2 is $is, not $3"; [ "$is" = "$3" ]; }
live() { of_is "$1" .live true; }
dead() { of_is "$1" .live false; }

said() # name pattern: an event's message
{
	steer events -j | jq -e --arg name "$1" --arg pattern "$2" \
		'any(.events[]; .name == $name and (.message | test($pattern)))' >/dev/null
}

# From the beginning of its last hold to its end, in ms.
held_ms()
{
	steer events -j | jq --arg name "$1" 'def ms: (.time[:19] + "Z" | fromdate * 1000) + (.time[20:23] | tonumber);
		[.events[] | select(.name == $name)] |
		(map(select(.what == "probe-up")) | last | ms) - (map(select(.what == "probe-holding")) | last | ms)'
}

# --- what the kernel knows --------------------------------------------------------------------------------------------

value_of() # map index
{
	bpftool -j map lookup pinned "$pins/$1" key $(($2 & 255)) $(($2 >> 8)) 0 0 | jq '.formatted.value // .value'
}

declare -A session_indexes

find_session() # name: its index, remembered until forget_sessions
{
	local i
	[ -z "${session_indexes[$1]:-}" ] || return 0
	for ((i = 0; i < 16; i++)); do
		[ "$(value_of session_configs $i | jq -r 'if .kind == 0 then "" else .name end')" = "$1" ] || continue
		session_indexes[$1]=$i
		return 0
	done
	echo "$1 has no session"
	return 1
}

forget_sessions() { session_indexes=(); }

session() # name jq-expression: of struct session
{
	find_session "$1" && value_of sessions "${session_indexes[$1]}" | jq -r "$2"
}

session_config() { find_session "$1" && value_of session_configs "${session_indexes[$1]}" | jq -r "$2"; }

session_is() { local is; is=$(session "$1" "$2"); echo "$1 $2 is $is, not $3"; [ "$is" = "$3" ]; }
session_live() { session_is "$1" .liveness.live 1; }
session_dead() { session_is "$1" .liveness.live 0; }
bfd_up() { session_is "$1" .bfd.state 3; } # enum bfd_state
bfd_settled() { session_is "$1" '.bfd | .state == 3 and .polling == 0' true; }

failures() { session "$1" '"\(.liveness.flaps) \(.liveness.dead_since_ns)"'; } # name: changes with each

rejected() # reason: packets so far
{
	bpftool -j map lookup pinned "$pins/probe_rejects" key 0 0 0 0 |
		jq --arg reason "$1" '[.formatted.values[].value[$reason]] | add'
}

rejects() # all of them, one line
{
	bpftool -j map lookup pinned "$pins/probe_rejects" key 0 0 0 0 |
		jq -Sc '[.formatted.values[].value | to_entries[] | select(.value > 0)] | group_by(.key) | map({(.[0].key): (map(.value) | add)}) | add // {}'
}
