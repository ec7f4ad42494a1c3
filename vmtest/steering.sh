# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# aa-steerd in the topology's gateway box, or in the box $STEER_BOX. Needs vmtest/topology.sh and the built programs.
#
#   steer_start; steer_await '.instances[0].state == "active"'; steer drain in0; steer_stop
#
# Its sockets and state are below $STEER_DIR, so that a gateway of the machine itself is not touched.

STEER_DIR=${STEER_DIR:-/run/$TOPOLOGY-steer}
STEERD=${STEERD:-build/aa-steerd}
STEER_GATEWAY=${STEER_GATEWAY:-vpngw1}
STEER_BOX=${STEER_BOX:-gw}

steer_config() # [weight of hq-0] [weight of hq-1] [affix for the gateway part]
{
	mkdir -p "$STEER_DIR/run" "$STEER_DIR/state"
	cat >"$STEER_DIR/aa-steer.yaml" <<-CONF
		gateway:
		  name: $STEER_GATEWAY
		  mode: active-active
		  inside: [lan0]
		  outside: [wan0]
		  path: ${3:-fast}
		  hash-seed: 0x5eed
		instances:
		  - name: in0
		    public: $(public_of 0)
		  - name: in1
		    public: $(public_of 1)
		connections:
		  - name: hq
		    remote: [192.168.0.0/16, "2001:db8:1::/48"]
		    tunnels:
		      - { name: hq-0, instance: in0, device: ipsec0, weight: ${1:-100} }
		      - { name: hq-1, instance: in1, device: ipsec1, weight: ${2:-100} }
	CONF
}

steer() # arguments of aa-steer
{
	RUNTIME_DIRECTORY=$STEER_DIR/run build/aa-steer -g "$STEER_GATEWAY" "$@"
}

steer_start() { steer_launch && steer_answers; } # returns when the daemon answers

steer_launch()
{
	[ -e "$STEER_DIR/aa-steer.yaml" ] || steer_config
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	RUNTIME_DIRECTORY=$STEER_DIR/run STATE_DIRECTORY=$STEER_DIR/state NOTIFY_SOCKET= \
		nsenter --net="/run/netns/$TOPOLOGY-$STEER_BOX" -- "$STEERD" -c "$STEER_DIR/aa-steer.yaml" >>"$STEER_DIR/log" 2>&1 &
	steer_pid=$!
}

steer_answers()
{
	local tries=300
	until steer status -j >/dev/null 2>&1; do
		if ! kill -0 "$steer_pid" 2>/dev/null || [ $((tries--)) = 0 ]; then
			echo "aa-steerd does not start:" >&2
			cat "$STEER_DIR/log" >&2
			return 1
		fi
		sleep 0.1
	done
}

steer_is() { steer status -j 2>/dev/null | jq -e "$1" >/dev/null; } # jq-condition

steer_await() # jq-condition [seconds]: until status says so
{
	local end=$((SECONDS + ${2:-20}))
	until steer_is "$1"; do
		[ "$SECONDS" -lt "$end" ] || { echo "status never said $1" >&2; steer status -j >&2; return 1; }
		sleep 0.1
	done
}

steer_instance() { echo ".instances[] | select(.name == \"$1\") | .state == \"$2\""; } # name state -> jq-condition

steer_down() # unloads and forgets
{
	steer unload >/dev/null 2>&1
	[ -z "${steer_pid:-}" ] || { kill "$steer_pid"; wait "$steer_pid"; } 2>/dev/null
	steer_pid=
	rm -rf "$STEER_DIR" "/sys/fs/bpf/aa-steer/$STEER_GATEWAY"
}
