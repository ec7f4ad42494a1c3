# SPDX-License-Identifier: GPL-2.0-only
#
# A gateway on this kernel, with veth pairs in the place of IPsec tunnels, for what needs no encryption to be shown.
#
#   client                    gateway                                    site
#   c0 10.1.0.2/24 ---------- lan0 10.1.0.1/24
#      2001:db8:a::2/64            2001:db8:a::1/64
#                             t0 10.77.0.1/24 (instance in0) ---------- s0 10.77.0.2/24    lo 192.168.0.1, 2001:db8:1::1
#                             t1 10.77.1.1/24 (instance in1) ---------- s1 10.77.1.2/24
#
# Sourced by *.test. Names carry the process id, so that tests can run side by side. Everything is gone at exit.

# In mounts of its own, no test sees what else is pinned on this machine, and what one that was killed leaves ends with it.
if [ -z "${AA_STEER_MOUNTS:-}" ]; then
	AA_STEER_MOUNTS=private exec unshare --mount "$0" "$@"
fi
mkdir -p /run/netns
mount -t bpf bpf /sys/fs/bpf && mount -t tmpfs tmpfs /run/netns || exit 1

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
id=$$
client=c$id gateway=g$id site=s$id
namespaces=("$client" "$gateway" "$site")
work=$(mktemp -d /tmp/aa-steer-netns-XXXXXX)
export STATE_DIRECTORY=$work/state RUNTIME_DIRECTORY=$work/run
mkdir -p "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"
config=$work/gateway.yaml
daemon=""
tests=0

at() # namespace command...: not by `ip netns exec`, which hides the bpf filesystem
{
	local namespace=$1
	shift
	nsenter --net="/var/run/netns/$namespace" "$@"
}

# as `at`, for what runs on: become namespace command... & pid=$!
become()
{
	local namespace=$1
	shift
	exec nsenter --net="/var/run/netns/$namespace" "$@"
}

steer() { at "$gateway" "$root/build/aa-steer" "$@"; }

say() { printf '# %s\n' "$*"; }

# check NAME COMMAND...: one TAP line
check()
{
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$work/output" 2>&1; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		echo "# $*"
		sed 's/^/# /' "$work/output" | tail -n 20
		[ -f "$work/daemon.log" ] && tail -n 20 "$work/daemon.log" | sed 's/^/# daemon: /'
	fi
}

# eventually SECONDS COMMAND...: true as soon as the command is
eventually()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.02 <> <(:) || :
	done
}

cable() # namespace device peer-namespace peer-device: wire.sh has another
{
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
}

veth() # namespace device address4 address6 peer-namespace peer-device peer-address4 peer-address6
{
	cable "$1" "$2" "$5" "$6"
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$1" addr add "$4" dev "$2" nodad
	ip -n "$5" addr add "$7" dev "$6"
	ip -n "$5" addr add "$8" dev "$6" nodad
	ip -n "$1" link set "$2" up
	ip -n "$5" link set "$6" up
	# A frame that XDP redirects into a veth is delivered only where its far end runs NAPI.
	at "$5" ethtool -K "$6" gro on >/dev/null
	at "$1" ethtool -K "$2" gro on >/dev/null
	# No wire carries a checksum that is still to be computed; XDP would lose the note that it is.
	at "$5" ethtool -K "$6" tx off >/dev/null
}

topology_up()
{
	local namespace
	# A neighbour is asked for from the link-local address, which the search for duplicates withholds for seconds.
	for namespace in "${namespaces[@]}"; do
		ip netns add "$namespace"
		ip -n "$namespace" link set lo up
		at "$namespace" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
			net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
			net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
	done
	veth "$gateway" lan0 10.1.0.1/24 2001:db8:a::1/64 "$client" c0 10.1.0.2/24 2001:db8:a::2/64
	veth "$gateway" t0 10.77.0.1/24 2001:db8:77::1/64 "$site" s0 10.77.0.2/24 2001:db8:77::2/64
	veth "$gateway" t1 10.77.1.1/24 2001:db8:78::1/64 "$site" s1 10.77.1.2/24 2001:db8:78::2/64
	ip -n "$client" route add default via 10.1.0.1
	ip -n "$client" -6 route add default via 2001:db8:a::1
	ip -n "$site" addr add 192.168.0.1/32 dev lo
	ip -n "$site" addr add 2001:db8:1::1/128 dev lo
	ip -n "$site" route add 10.1.0.0/24 via 10.77.0.1
	ip -n "$site" -6 route add 2001:db8:a::/64 via 2001:db8:77::1
}

topology_down()
{
	local namespace
	[ -n "$daemon" ] && kill -9 "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null
	for namespace in "${namespaces[@]}"; do
		ip netns del "$namespace" 2>/dev/null
	done
	rm -rf "$work"
}
trap topology_down EXIT

config_write() # weight-of-t0 [further lines of the gateway section]
{
	cat >"$config" <<-END
	gateway:
	  name: test$id
	  inside: [lan0]
	  hash-seed: 0x5eed
	  ${2:-mode: active-active}
	instances:
	  - { name: in0, public: 203.0.113.10 }
	  - { name: in1, public: 203.0.113.11 }
	connections:
	  - name: hq
	    remote: [192.168.0.0/16, "2001:db8:1::/48"]
	    tunnels:
	      - { name: hq-0, instance: in0, device: t0, via: 10.77.0.2, weight: $1 }
	      - { name: hq-1, instance: in1, device: t1, via: 10.77.1.2 }
	END
}

config_write_remote() # inside NIC: in1 is another box, behind t1
{
	config_write 100
	sed -i "s|inside: .*|inside: [$1]|; s|public: 203.0.113.11 }|public: 203.0.113.11, via: 10.77.1.2, dev: t1 }|; s|hq-1, instance: in1.*}|hq-1, instance: in1 }|" "$config"
}

prefix_at() # variable number 0..65535; without a process for each
{
	printf -v "$1" 172.%d.%d.%d $((16 + ($2 >> 16))) $(($2 >> 8 & 255)) $(($2 & 255))
}

config_write_large() # where-in0-is [connections]: 10,000 of them, five prefixes each
{
	local c i prefix=() local_device=""
	[ -n "$1" ] || local_device=", device: d"
	{
		echo "gateway: {name: test$id, inside: [lan0]}"
		echo "instances: [{name: in0, public: 203.0.113.10${1:+, $1}}, {name: in1, public: 203.0.113.11, via: 10.77.1.2, dev: t1}]"
		echo "connections:"
		for ((c = 0; c < ${2:-10000}; c++)); do
			for ((i = 0; i < 5; i++)); do prefix_at "prefix[i]" $((c * 5 + i)); done
			echo "- {name: c$c, remote: [${prefix[0]}/32, ${prefix[1]}/32, ${prefix[2]}/32, ${prefix[3]}/32, ${prefix[4]}/32]," \
				"tunnels: [{name: a$c, instance: in0${local_device:+$local_device$c}}, {name: b$c, instance: in1}]}"
		done
	} >"$config"
}

daemon_start()
{
	become "$gateway" "${AA_STEERD:-$root/build/aa-steerd}" -c "$config" >>"$work/daemon.log" 2>&1 &
	daemon=$!
	eventually 20 answers
}

answers() { kill -0 "$daemon" 2>/dev/null && steer -g "$(gateway_name)" status >/dev/null 2>&1; }
gateway_name() { sed -n '/name: / { s/.*name: *\([^ ,}]*\).*/\1/p; q }' "$config"; } # which comes first in a configuration

daemon_stop() # signal
{
	kill "-$1" "$daemon"
	wait "$daemon" 2>/dev/null
	daemon=""
}

status_is() # jq-expression expected
{
	[ "$(steer status -j | jq -r "$1")" = "$2" ]
}

state_of() # instance-or-tunnel
{
	steer status -j | jq -r --arg name "$1" '[.instances[], .connections[].tunnels[]] | .[] | select(.name == $name) | .state'
}

state_is() { [ "$(state_of "$1")" = "$2" ]; }

received() # site-device: packets that came in there
{
	cat_counter "$site" "$1" rx_packets
}

cat_counter() { ip -n "$1" -j -s link show "$2" | jq ".[0].stats64.rx.packets"; }

# Nothing else can be shown where the daemon does not run.
must_start()
{
	daemon_start && return
	echo "not ok 1 - the daemon starts"
	tail -n 40 "$work/daemon.log" | sed 's/^/# /'
	exit 1
}

finish()
{
	echo "1..$tests"
}

# --- measured traffic: client to site, watched at the site's ends of the tunnels ---------------------------------------

tools=$root/build/tests/lib
traffic=""
watched=(s0=hq-0 s1=hq-1)

background() # pid-variable namespace command...: returns when the program says that it is ready
{
	local variable=$1 namespace=$2 line fd pipe=$work/ready
	shift 2
	mkfifo "$pipe"
	become "$namespace" "$@" >"$pipe" 2>>"$work/tools.log" &
	printf -v "$variable" %s $!
	exec {fd}<"$pipe"
	read -rt 30 line <&"$fd" || { cat "$work/tools.log" >&2; return 1; }
	exec {fd}<&-
	rm "$pipe"
}

mark() { echo "$1 $("$tools/now")" >>"$traffic/marks"; }

traffic_start() # packets-per-second flows [address pairs]
{
	local rate=$1 flows=$2
	shift 2
	[ $# -gt 0 ] || set -- 10.1.0.2,192.168.0.1 2001:db8:a::2,2001:db8:1::1
	traffic=$(mktemp -d "$work/traffic-XXXX")
	background watch_pid "$site" "$tools/traffic_watch" -o "$traffic/tunnels" "${watched[@]}"
	background receive_pid "$site" "$tools/traffic_receive" -o "$traffic/received"
	mark start
	background send_pid "$client" "$tools/traffic_send" -o "$traffic/sent" -r "$rate" -n "$flows" "$@"
}

traffic_stop()
{
	local pid failed=0
	mark end
	for pid in $send_pid $receive_pid $watch_pid; do
		kill -TERM "$pid"
		wait "$pid" || failed=1
	done
	"$tools/traffic_report" "$traffic"/{sent,received,tunnels,marks} >"$traffic/report.json" && [ $failed = 0 ]
}

lacks() # pattern command...: it works, and says nothing of the kind
{
	local pattern=$1 said
	shift
	said=$("$@") || return 1
	! grep "$pattern" <<<"$said"
}

has_xdp() { ip -n "$gateway" link show "$1" | grep -q xdp; }
has_no_xdp() { lacks xdp ip -n "$gateway" link show "$1"; }

figure() { jq -r "$1" "$traffic/report.json"; }
figure_is() { local is; is=$(figure "$1"); echo "$1 is $is, expected $2"; [ "$is" = "$2" ]; }

pause() { read -rt "$1" <> <(:) || :; } # seconds, for traffic to flow
