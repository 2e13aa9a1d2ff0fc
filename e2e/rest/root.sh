#!/usr/bin/env bash
# Makes the Debian root in which a host is watched at rest: Debian 12 with systemd,
# sshd and cron, and one package that is there to be installed.
#
#   e2e/rest/root.sh DIR
#
# Needs root, mmdebstrap and the Debian mirror; about two minutes and 300 MB.
set -euo pipefail
dir=${1:?where to make it}
[ -e "$dir/var/tmp/hello.deb" ] && exit 0
umask 022
rm -rf --one-file-system "$dir" "$dir.partial"
mkdir -p "$(dirname "$dir")"
# shellcheck disable=SC2016 # $1 is for the hook's own shell
mmdebstrap --variant=apt --include=systemd,systemd-sysv,dbus,openssh-server,cron,procps,iproute2,ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='cd "$1/var/tmp" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download hello && mv hello_*.deb hello.deb' \
    bookworm "$dir.partial" >&2
mv "$dir.partial" "$dir"
