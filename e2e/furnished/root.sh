#!/usr/bin/env bash
# Makes a Debian root with the servers and tools that furnish.sh uses, once, in DIR.
#
#   e2e/furnished/root.sh DIR
set -euo pipefail

dir=$1
packages=(
    # what is found
    openssh-server nginx-light cron at chrony auditd sudo nftables iptables python3-pip ruby systemd dbus udev podman crun
    # who is asked
    acl attr e2fsprogs fdisk util-linux procps kmod iproute2 openssl libcap2-bin tzdata lsof
)
exec 9>"$dir.lock"
flock 9
[ ! -e "$dir" ] || exit 0
command -v mmdebstrap >/dev/null || { echo "mmdebstrap is needed: apt-get install mmdebstrap" >&2; exit 1; }
echo "making a Debian root under $dir (some minutes and 600 MB)" >&2
rm -rf --one-file-system "$dir.partial"
mmdebstrap --quiet --variant=apt --include="$(IFS=,; echo "${packages[*]}")" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$dir.partial" 9>&-
mv "$dir.partial" "$dir"
