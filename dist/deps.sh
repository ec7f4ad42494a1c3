#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs what building and testing need and the machine lacks: Debian 12 and 13, Ubuntu 24.04. Does nothing, and asks no
# registry, where all is there.
set -eu

packages="gcc make clang llvm clang-format pkg-config libbpf-dev libxdp-dev libxdp1 xdp-tools libelf-dev zlib1g-dev
	libyaml-dev libjansson-dev libmnl-dev libsystemd-dev libcmocka-dev libc6-dev iproute2 iputils-ping nftables
	tcpdump ethtool procps util-linux kmod zstd xz-utils cpio busybox-static qemu-system-x86 strongswan-swanctl
	charon-systemd libstrongswan-extra-plugins libcharon-extra-plugins mandoc jq python3-minimal"

. /etc/os-release
case "$ID" in
ubuntu) packages="$packages linux-tools-generic libclang-rt-dev" ;;
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
apt-get update -q >build-deps.log 2>&1 || { cat build-deps.log >&2; exit 1; }
# No daemon is wanted here, only programs: nothing that is installed may start.
printf '#!/bin/sh\nexit 101\n' >/tmp/aa-steer-policy-rc.d
chmod 755 /tmp/aa-steer-policy-rc.d
[ -e /usr/sbin/policy-rc.d ] || { cp /tmp/aa-steer-policy-rc.d /usr/sbin/policy-rc.d; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $missing >build-deps.log 2>&1 || { cat build-deps.log >&2; exit 1; }
rm -f build-deps.log /tmp/aa-steer-policy-rc.d
