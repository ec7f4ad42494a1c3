# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Streams of bulk TCP through the topology, from client to host, by iperf3: four of either family, for as long as a suite
# likes.
#
#   iperf_start DIRECTORY; iperf_runs; iperf_stop; jq .bytes_min DIRECTORY/iperf.json; iperf_down
#
# Needs vmtest/topology.sh and vmtest/tap.sh. As traffic_send does, the senders have one processor and the receivers the other.
# What arrives in each interval is for the receivers to say, too: what a sender writes may wait in its socket.

IPERF_PORT=5200 # a server's, plus its family's number; its streams', at the client, plus ten times that, and those that follow
IPERF_INTERVAL_S=2
IPERF_ADDRESS=([4]=192.168.1.2 [6]=2001:db8:1:1::2)
iperf_senders=()
iperf_receivers=()

iperf_listens() { [ "$(in_ns host ss -Htln "sport >= :$IPERF_PORT and sport <= :$((IPERF_PORT + 9))" | wc -l)" = 2 ]; }

# A block is a write. iperf3's own would be five seconds' worth at this rate, and its own timer a thousand wakeups a second.
iperf_start() # directory
{
	local family
	iperf_dir=$1
	mkdir -p "$iperf_dir"
	for family in 4 6; do
		nsenter --net="/run/netns/$TOPOLOGY-host" -- taskset -c 1 iperf3 -s -1 -J -i $IPERF_INTERVAL_S -p $((IPERF_PORT + family)) \
			>"$iperf_dir/received-$family.json" &
		iperf_receivers+=($!)
	done
	await 30 iperf_listens || return
	for family in 4 6; do
		nsenter --net="/run/netns/$TOPOLOGY-client" -- taskset -c 0 iperf3 -c "${IPERF_ADDRESS[family]}" -J -i $IPERF_INTERVAL_S -t 0 \
			-p $((IPERF_PORT + family)) -P 4 --cport $((IPERF_PORT + 10 * family)) -b 100k -l 1K --pacing-timer 20000 \
			>"$iperf_dir/sent-$family.json" &
		iperf_senders+=($!)
	done
}

iperf_runs() # nothing has ended by itself
{
	local pid
	for pid in "${iperf_senders[@]}" "${iperf_receivers[@]}"; do kill -0 "$pid" || return; done
}

# Ends it, and writes iperf.json: what each end says at the end, seconds, bytes and retransmits of all, and the fewest bytes of
# a stream in an interval, at either end; the last one is not whole.
iperf_stop()
{
	kill -TERM "${iperf_senders[@]}"
	wait "${iperf_senders[@]}" "${iperf_receivers[@]}"
	iperf_senders=()
	iperf_receivers=()
	jq -n --slurpfile received <(cat "$iperf_dir"/received-*.json) --slurpfile sent <(cat "$iperf_dir"/sent-*.json) \
		--arg kernel "$(uname -r)" '{
			kernel: $kernel,
			ends: ($sent + $received | map(.error)),
			streams: [$received[].start.connected | length] | add,
			seconds: [$received[] | [.intervals[].sum.seconds] | add] | min,
			received_bytes: [$received[].intervals[].sum.bytes] | add,
			retransmits: [$sent[].intervals[].sum.retransmits] | add,
			bytes_min: [($sent + $received)[].intervals[:-1][].streams[].bytes] | min
		}' >"$iperf_dir/iperf.json"
}

iperf_down() { kill -9 "${iperf_senders[@]}" "${iperf_receivers[@]}"; } 2>/dev/null
