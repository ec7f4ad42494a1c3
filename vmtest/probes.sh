# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Probed tunnels of the topology's gateway: their configuration, what the daemon tells of them while it happens, and the
# silent cut that probes are there for. Needs vmtest/topology.sh, vmtest/steering.sh and vmtest/peers.sh.
#
#   probes_config hq-0 "$(probe_bfd 0)"; events_follow; events_mark; wan_cut 0; event_await 5 probe-down hq-0; wan_mend 0

# What an emulated machine on a busy host holds: it stands still for 500 ms now and then, peers and all.
PROBE_INTERVAL_MS=${AA_PROBE_INTERVAL_MS:-200}
PROBE_MULTIPLIER=5
PROBE_DETECTION_MS=$((PROBE_INTERVAL_MS * PROBE_MULTIPLIER))

probes_config() # tunnel probe: replaces what that tunnel has; no probe takes it away
{
	sed -i -E -e "/name: $1,/ s/, probe: \{[^}]*\}//" -e "/name: $1,/ s/ \}\$/${2:+, probe: { $2 \}} }/" "$STEER_DIR/aa-steer.yaml"
}

# A short hold: what holds are for is shown without IPsec.
probe_bfd() # instance-number [further keys]
{
	echo "kind: bfd, local: 169.254.$1.1, peer: 169.254.$1.2, interval: ${PROBE_INTERVAL_MS}ms, multiplier: $PROBE_MULTIPLIER," \
		"hold: 100ms, hold-max: 100ms${2:+, $2}"
}

probe_icmp() # peer
{
	echo "kind: icmp, peer: \"$1\", interval: ${PROBE_INTERVAL_MS}ms, multiplier: $PROBE_MULTIPLIER, hold: 100ms, hold-max: 100ms"
}

probes_are() # jq-condition: holds for the probe of every tunnel
{
	steer_is "[.connections[].tunnels[].probe | $1] | all"
}

probes_await() # seconds jq-condition
{
	eventually "$1" probes_are "$2" || { steer status -j | jq -c '.connections[].tunnels[] | [.name, .state, .reason, .probe]'; return 1; }
}

# --- a tunnel whose packets vanish, while its SAs and its links stay --------------------------------------------------

wan_rules() # verb address...
{
	local verb=$1 address
	shift
	for address; do printf "rule $verb %s blackhole\n" "to $address" "from $address"; done | ip_in wan -batch -
}
wan_cut() { wan_rules add "$(public_of "$1")"; } # instance number
wan_mend() { wan_rules del "$(public_of "$1")"; } # instance number

# --- what the daemon tells --------------------------------------------------------------------------------------------

# One program for all: its start would take longer than much of what is awaited.
# It begins with one event of before, which shows that it runs.
events_follow()
{
	events=$OUT/events
	steer -j events -n 1 -f >"$events" &
	eventually 20 test -s "$events" && events_mark
}

events_mark() # from here on
{
	local lines
	mapfile -t lines <"$events"
	events_before=${#lines[@]}
}

event_find() # what name: since the mark; the last one is left in `event`
{
	local lines line
	event=
	mapfile -t -s "$events_before" lines <"$events"
	for line in "${lines[@]}"; do [[ $line != *"\"what\":\"$1\",\"name\":\"$2\""* ]] || event=$line; done
	[ -n "$event" ]
}

event_await() # seconds what name
{
	eventually "$1" event_find "$2" "$3" || { echo "no $2 of $3 among"; tail -n +$((events_before + 1)) "$events"; return 1; }
}

events_lack() # pattern: since the mark
{
	! tail -n +$((events_before + 1)) "$events" | grep -E "\"what\":\"($1)\""
}

# Whatever a probe that fails would bring.
no_failure() { events_lack 'probe-down|(tunnel|instance|connection)-down|connection-(at-risk|panic)|failover'; }
