# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# IKEv2 by strongSwan for vmtest/topology.sh's tunnels, instead of static SAs: one charon in gw with a connection for each
# instance (its own public address), one in site. Each has configuration and control socket of its own below $IKE_DIR, so
# that neither touches what the machine itself may run.
#
#   ike_tunnels; ike_swanctl gw --rekey --child hq-0; ike_terminate 0; ike_initiate 0; ike_down

IKE_DIR=${IKE_DIR:-/run/aav-ike}
# What a caller wants besides: plugins, and lines for charon, for every connection, for those of the gateway and for every
# child of the gateway.
IKE_PLUGINS=${IKE_PLUGINS:-}
IKE_CHARON=${IKE_CHARON:-}
IKE_CONNECTION=${IKE_CONNECTION:-}
IKE_GATEWAY_CONNECTION=${IKE_GATEWAY_CONNECTION:-}
IKE_GATEWAY_CHILD=${IKE_GATEWAY_CHILD:-}
# AES-GCM for ESP is the kernel's. For IKE itself, what the distribution's smallest package has.
IKE_PROPOSALS=aes128-sha256-curve25519,aes128-sha256-ecp256,aes128-sha256-modp2048

ike_daemon_conf() # name
{
	cat >"$IKE_DIR/$1/strongswan.conf" <<-CONF
		swanctl {
			load = random
			socket = unix://$IKE_DIR/$1/vici
		}
		charon-systemd {
			load = random nonce openssl aes sha1 sha2 hmac kdf curve25519 gmp pem pkcs1 pubkey x509 vici kernel-netlink socket-default $IKE_PLUGINS
			install_routes = no
			install_virtual_ip = no
			retry_initiate_interval = 2
			$IKE_CHARON
			journal {
				default = -1
			}
			filelog {
				log {
					path = $IKE_DIR/$1/log
					default = 1
					flush_line = yes
					time_format = %T
				}
			}
			plugins {
				vici {
					socket = unix://$IKE_DIR/$1/vici
				}
			}
		}
	CONF
}

ike_connection() # name instance local remote local-id remote-id start-action
{
	cat <<-CONF
		hq-$2 {
			version = 2
			local_addrs = $3
			remote_addrs = $4
			proposals = $IKE_PROPOSALS
			if_id_in = $(($2 + 1))
			if_id_out = $(($2 + 1))
			rekey_time = 0
			keyingtries = 0
			$IKE_CONNECTION
			$([ "$1" != gw ] || echo "$IKE_GATEWAY_CONNECTION")
			local {
				auth = psk
				id = $5
			}
			remote {
				auth = psk
				id = $6
			}
			children {
				hq-$2 {
					local_ts = 0.0.0.0/0,::/0
					remote_ts = 0.0.0.0/0,::/0
					esp_proposals = aes128gcm16
					rekey_time = 0
					start_action = $7
					replay_window = $REPLAY_WINDOW
					$([ "$1" != gw ] || echo "$IKE_GATEWAY_CHILD")
				}
			}
		}
	CONF
}

ike_connections() # name
{
	local i
	echo "connections {"
	for i in 0 1; do
		if [ "$1" = gw ]; then
			ike_connection gw $i "$(public_of $i)" "$(peer_address)" "in$i" site start
		else
			ike_connection site $i "$(peer_address)" "$(public_of $i)" site "in$i" none
		fi
	done
	echo "}"
	echo "secrets { ike-all { secret = $IKE_SECRET } }"
}

ike_swanctl() # name arguments...
{
	local ns=$1
	shift
	STRONGSWAN_CONF=$IKE_DIR/$ns/strongswan.conf SWANCTL_DIR=$IKE_DIR/$ns swanctl "$@" --uri "unix://$IKE_DIR/$ns/vici"
}

ike_await() # seconds command...: until it succeeds
{
	local tries=$(($1 * 10))
	shift
	until "$@"; do
		[ $((tries--)) -gt 0 ] || return 1
		sleep 0.1
	done
}

ike_start() # name: with the swanctl.conf that is there, or that of topology.sh's tunnels
{
	local pid
	mkdir -p "$IKE_DIR/$1/conf.d"
	rm -f "$IKE_DIR/$1/vici" # of one before: it would seem to be there already
	ike_daemon_conf "$1"
	[ -e "$IKE_DIR/$1/swanctl.conf" ] || ike_connections "$1" >"$IKE_DIR/$1/swanctl.conf"
	STRONGSWAN_CONF=$IKE_DIR/$1/strongswan.conf nsenter --net="/run/netns/$TOPOLOGY-$1" -- \
		charon-systemd >"$IKE_DIR/$1/out" 2>&1 &
	pid=$!
	echo "$pid" >"$IKE_DIR/$1/pid"
	ike_await 30 test -S "$IKE_DIR/$1/vici" || { cat "$IKE_DIR/$1/out" >&2; return 1; }
	ike_swanctl "$1" --load-all --noprompt >>"$IKE_DIR/$1/out" 2>&1 || { cat "$IKE_DIR/$1/out" >&2; return 1; }
}

ike_installed() # name instance: has it an SA
{
	ike_swanctl "$1" --list-sas --ike "hq-$2" 2>/dev/null | grep -q INSTALLED
}

ike_sas() # name -> "source destination SPI" of every SA at that end
{
	ip_in "$1" xfrm state | awk '$1 == "src" { way = $2 " " $4 } $1 == "proto" { print way, $4 }'
}

# One SA to send by, none of those before, and the other end has it too: what a CHILD_SA's rekey leaves when all of its
# exchanges are over. Until then another one would be a race between this one's end and the next one's begin.
ike_rekeyed_since() # what ike_sas said of gw before
{
	local gw site i
	gw=$(ike_sas gw)
	site=$(ike_sas site)
	for i in 0 1; do
		ike_sends_by_one "$(public_of $i) $(peer_address) " "$gw" "$site" "$1" || return 1
		ike_sends_by_one "$(peer_address) $(public_of $i) " "$site" "$gw" "$1" || return 1
	done
}

ike_sends_by_one() # way sender's-SAs receiver's-SAs SAs-before
{
	local line found=()
	while read -r line; do [[ $line != "$1"* ]] || found+=("$line"); done <<<"$2"
	[ ${#found[@]} = 1 ] && [[ $'\n'$3$'\n' == *$'\n'"${found[0]}"$'\n'* ]] &&
		[[ $'\n'$4$'\n' != *$'\n'"${found[0]}"$'\n'* ]]
}

ike_established_since() # what ike_ids said before
{
	local now
	now=$(ike_ids)
	[ "$(grep -c ESTABLISHED <<<"$now")" = 4 ] && [ "$(grep -c . <<<"$now")" = 4 ] && ! grep -qxFf <(echo "$1") <<<"$now"
}

ike_ids() # -> every IKE_SA of either end, with its number and state
{
	local ns
	for ns in gw site; do ike_swanctl $ns --list-sas | sed -n "s/^\(hq-[01]: #[0-9]*, [A-Z]*\).*/$ns \1/p"; done
}

ike_rekey_children() # command...: runs it, returns when both CHILD_SAs are new ones at both ends
{
	local before
	before=$(ike_sas gw)
	"$@" && ike_await 30 ike_rekeyed_since "$before" && return
	printf 'before\n%s\ngw\n%s\nsite\n%s\n' "$before" "$(ike_sas gw)" "$(ike_sas site)"
	return 1
}

ike_rekey_parents() # command...: the same of the IKE_SAs
{
	local before
	before=$(ike_ids)
	"$@" && ike_await 30 ike_established_since "$before" && return
	printf 'before\n%s\nnow\n%s\n' "$before" "$(ike_ids)"
	return 1
}

ike_tunnels()
{
	local i
	IKE_SECRET=$(random_hex 16)
	ike_start site || return 1
	ike_start gw || return 1
	for i in 0 1; do
		ike_await 30 ike_installed gw $i && ike_await 10 ike_installed site $i ||
			{ echo "ike: hq-$i does not come up" >&2; tail -n 40 "$IKE_DIR/gw/log" >&2; return 1; }
	done
}

# As when the instance dies: its SAs are gone at once, whatever the peer still knows.
ike_terminate() { ike_swanctl gw --terminate --ike "hq-$1" --force >/dev/null; } # instance number
ike_initiate() { ike_swanctl gw --initiate --child "hq-$1" --timeout 20 >/dev/null; } # instance number

ike_stop() # name: as its service manager would, so that its peers are told
{
	local pid
	pid=$(cat "$IKE_DIR/$1/pid")
	kill "$pid" 2>/dev/null
	ike_await 20 ike_ended "$pid"
}

ike_ended() { ! kill -0 "$1" 2>/dev/null; } # pid

ike_down()
{
	local file
	for file in "$IKE_DIR"/*/pid; do
		[ ! -s "$file" ] || ike_stop "$(basename "$(dirname "$file")")"
	done
	rm -rf "$IKE_DIR"
}
