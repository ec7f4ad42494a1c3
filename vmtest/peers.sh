# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Who answers probes in the topology's site: FRR's bfdd at tunnel 0, BIRD at tunnel 1, by tests/netns/peers.sh. Both are in
# one namespace here: FRR takes the port of BFD for every address, BIRD for its own address and device only, and the kernel
# knows which of them is meant.
#
#   peers_frr 200 5; peers_bird 200 5 "authentication ..."; peer_kill site bfdd KILL; frr_bfdd site; peers_down
#
# Needs vmtest/topology.sh. Everything that they write is below $work. peers_down takes the topology down, too.

work=${PEERS_DIR:-/run/aav-peers}

at() { in_ns "$@"; }

become() # name command...: as in_ns, for what runs on
{
	local ns=$1
	shift
	exec nsenter --net="/run/netns/$TOPOLOGY-$ns" -- "$@"
}

# eventually SECONDS COMMAND...: true as soon as the command is. What is slow on the host is slower here.
eventually()
{
	local end=$((SECONDS + 3 * $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.05 <> <(:) || :
	done
}

. tests/netns/peers.sh
trap - EXIT

# Without vtysh, which learns every command of every daemon whenever it starts: five seconds, here.
frr() # namespace command...
{
	local directory=$work/frr-$1 daemon=bfdd
	[ -S "$directory/bfdd.vty" ] || daemon=zebra
	shift
	perl -MIO::Socket::UNIX -e '
		my ($path, @commands) = @ARGV;
		my $vty = IO::Socket::UNIX->new($path) or die "$path: $!\n";
		for ("enable", @commands) {
			syswrite $vty, "$_\0";
			my $answer = "";
			until ($answer =~ s/\0\0\0(.)\z//s) { sysread $vty, $answer, 65536, length $answer or die "no answer\n" }
			my $status = ord $1;
			print $answer;
			exit $status if $status;
		}' "$directory/$daemon.vty" "$@"
}

FRR_PEER=169.254.0.1 # we, to FRR

peers_frr() # interval-ms multiplier
{
	mkdir -p "$work"
	frr_start site && frr_peer site $FRR_PEER 169.254.0.2 s-ipsec0 "$1" "$2"
}

peers_bird() # interval-ms multiplier [option...]
{
	mkdir -p "$work/bird-site"
	echo "strict bind yes; accept ipv4 direct;" >"$work/bird-site/0.interface"
	bird_start site && bird_peer site 169.254.1.1 169.254.1.2 s-ipsec1 "$@"
}
