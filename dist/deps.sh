#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs what building and testing need and the machine lacks: Debian 12 and 13, Ubuntu 24.04. Does nothing, and asks no
# registry, where all is there.
set -eu

packages="gcc make clang llvm clang-format pkg-config libbpf-dev libxdp-dev libxdp1 xdp-tools libelf-dev zlib1g-dev
	libyaml-dev libjansson-dev libmnl-dev libsystemd-dev libcmocka-dev libc6-dev iproute2 iputils-ping nftables
	tcpdump ethtool procps util-linux kmod zstd xz-utils cpio busybox-static qemu-system-x86 strongswan-swanctl
	charon-systemd libstrongswan-extra-plugins libcharon-extra-plugins mandoc jq
	frr bird2 iperf3 conntrack"

. /etc/os-release
case "$ID" in
# The virtual machines' kernels are Debian's, there too.
ubuntu) packages="$packages linux-tools-generic libclang-rt-dev debian-archive-keyring" ;;
*) packages="$packages bpftool libclang-rt-dev" ;;
esac

missing=""
for package in $packages; do
	case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps: these packages are missing, and only root can install them:$missing" >&2
	exit 1
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=""
trap 'rm -f "$log" $policy' EXIT
trap 'exit 1' INT TERM
apt() { apt-get -q -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }; }
apt update
# No daemon is wanted here, only programs: nothing that is installed may start.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
# shellcheck disable=SC2086
apt install -y --no-install-recommends $missing
