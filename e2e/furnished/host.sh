#!/usr/bin/env bash
# Makes a host of a root: what is written to it is lost when its first process
# ends. It is to be run in namespaces of its own, of mounts, processes, host name,
# IPC and network, and becomes their first process.
#
#   host.sh ROOT WORK SHARE DISK
#
# WORK is an empty directory; SHARE is seen as /opt/assim; DISK is named "loop0".
set -euo pipefail

root=$1 work=$2 share=$3 disk=$4
mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
mkdir "$work"/{upper,work,host}
host=$work/host
mount -t overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/work" overlay "$host"
mount -t proc proc "$host/proc"
mount -t sysfs sysfs "$host/sys"
mount -t tmpfs -o mode=755 tmpfs "$host/run"
mount -t tmpfs -o mode=755 tmpfs "$host/dev"
mkdir "$host"/dev/{pts,shm} "$host/opt/assim"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$host/dev/pts"
mount -t tmpfs tmpfs "$host/dev/shm"
ln -s pts/ptmx "$host/dev/ptmx"
ln -s /proc/self/fd "$host/dev/fd"
while read -r name major minor; do mknod -m 666 "$host/dev/$name" c "$major" "$minor"; done <<DEVICES
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
DEVICES
for number in /sys/dev/block/*; do
    node=$(basename "$(readlink -f "$number")")
    IFS=: read -r major minor <<<"$(basename "$number")"
    mknod -m 660 "$host/dev/$node" b "$major" "$minor"
done
mount --bind "$share" "$host/opt/assim"
mount -t tmpfs -o mode=755 cgroups "$host/sys/fs/cgroup"
hostname furnished
cd "$host"
mkdir old
pivot_root . old
umount -l /old
rmdir /old
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 /bin/bash /opt/assim/furnish.sh "$disk"
