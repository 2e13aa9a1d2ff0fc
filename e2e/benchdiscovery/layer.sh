#!/usr/bin/env bash
# Puts a layer over this host's files, installs Debian's inventory programs into
# it, says so, and waits: who enters the namespaces of this process and its root
# sees the host with them. To be run in a mount namespace of its own.
#
#   layer.sh WORK SHARE    WORK: empty directory; SHARE: seen as /opt/assim
set -euo pipefail

work=$1 share=$2
mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
mkdir "$work"/{upper,work,host}
host=$work/host
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$host"
for dir in proc sys dev run; do mount --rbind "/$dir" "$host/$dir"; done
mkdir -p "$host/opt/assim"
mount --bind "$share" "$host/opt/assim"
printf '#!/bin/sh\nexit 101\n' >"$host/usr/sbin/policy-rc.d" # no daemon is started
chmod 755 "$host/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive
{
    chroot "$host" apt-get -qq update
    chroot "$host" apt-get -qq install -y --no-install-recommends facter fusioninventory-agent lynis
} >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
rm "$host/usr/sbin/policy-rc.d"
exec chroot "$host" sh -c 'echo "the programs are installed"; exec sleep infinity'
