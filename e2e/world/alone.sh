#!/bin/sh
# The first process of a test program that runs alone, see alone.go: its namespaces
# get what belongs to them.
#
#   alone.sh DIR PROGRAM...    DIR: for files that end with it
set -eu
dir=$1
shift
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir "$dir/dpkg"
mount -t tmpfs -o mode=755 dpkg "$dir/dpkg"
cp -a /var/lib/dpkg/. "$dir/dpkg"
mount --bind "$dir/dpkg" /var/lib/dpkg
ip link set lo up
# A link as a host has it; of documentation (RFC 5737).
ip link add eth0 type veth peer name port0
ip link set port0 up
ip link set eth0 up
ip addr add 192.0.2.10/24 dev eth0
ip route add default via 192.0.2.1
"$@"
