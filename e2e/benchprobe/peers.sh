#!/usr/bin/env bash
# Unpacks Debian's node_exporter and zabbix-agent2 under DIR, with the library that
# few machines have. Nothing is installed and no service is started.
#
#   e2e/benchprobe/peers.sh DIR
set -euo pipefail

dir=$1
if [ -x "$dir/root/usr/sbin/zabbix_agent2" ]; then exit 0; fi
mkdir -p "$dir/root"
cd "$dir"
apt-get download -qq prometheus-node-exporter zabbix-agent2 libmodbus5
for package in ./*.deb; do dpkg -x "$package" root; done
