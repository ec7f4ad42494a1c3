# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What docs/topologies.md gives readers to copy, for the suites that run it: each of its code blocks that is a file, or a
# list of commands, has a name behind its language.
#
#   page_ip gw mesh/gw/devices; page_ike gw mesh/gw/swanctl.conf; page_steer mesh/gw/aa-steer.yaml
#
# What the emulated machine needs is changed on the way, and nothing else: timers of probes, and where a daemon's socket and files are.
# Needs vmtest/topology.sh, vmtest/ike.sh, vmtest/steering.sh, vmtest/peers.sh and vmtest/probes.sh.

PAGE=docs/topologies.md

page_block() # name: the block of that name, which has to be there
{
	local text
	text=$(awk -v name="$1" '/^```/ { inside = 0 } inside; /^```/ && $2 == name { inside = 1 }' "$PAGE")
	[ -n "$text" ] || { echo "$PAGE: no block $1" >&2; return 1; }
	echo "$text"
}

page_ip() { page_block "$2" | sed -nE 's/^ip //p' | ip_in "$1" -batch -; } # name block: commands to ip, in that box

page_ike() # name block
{
	mkdir -p "$IKE_DIR/$1"
	page_block "$2" >"$IKE_DIR/$1/swanctl.conf"
}

page_steer() # block: the configuration of steer_start
{
	mkdir -p "$STEER_DIR/run" "$STEER_DIR/state"
	page_block "$1" | sed -E \
		-e "s/interval: [0-9]+ms, multiplier: [0-9]+/interval: ${PROBE_INTERVAL_MS}ms, multiplier: $PROBE_MULTIPLIER, hold: 100ms, hold-max: 100ms/" \
		-e "s|: /etc/aa-steer/|: $STEER_DIR/|g" >"$STEER_DIR/aa-steer.yaml"
}

page_script() # block: beside that configuration, called like the block
{
	mkdir -p "$STEER_DIR"
	page_block "$1" | sed "s|birdc|birdc -s $work/bird-gw/bird.ctl|; s|/etc/bird/|$work/bird-gw/|" >"$STEER_DIR/${1##*/}" &&
		chmod +x "$STEER_DIR/${1##*/}"
}

page_bird_file() # name block: beside the configuration of BIRD in that box, called like the block
{
	mkdir -p "$work/bird-$1"
	page_block "$2" | sed -E -e "s/interval [0-9]+ ms; multiplier [0-9]+/interval $PROBE_INTERVAL_MS ms; multiplier $PROBE_MULTIPLIER/" \
		-e "s|/etc/bird/|$work/bird-$1/|" >"$work/bird-$1/${2##*/}"
}

page_bird() { page_bird_file "$1" "$2" && bird_daemon "$1"; } # name block, which is its bird.conf: starts BIRD in that box
