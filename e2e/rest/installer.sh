#!/usr/bin/env bash
# Makes of the Debian root $1 one as a newcomer has it, $2: with curl and sudo.
#
#   e2e/rest/installer.sh ROOT DIR
#
# Needs root and the Debian mirror; some seconds.
set -euo pipefail
base=${1:?a Debian root, see root.sh} dir=${2:?where to make it}
[ -e "$dir" ] && exit 0
rm -rf --one-file-system "$dir.partial"
cp -a --reflink=auto "$base" "$dir.partial"
in_root() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$dir.partial" "$@"; }
cp -L /etc/resolv.conf "$dir.partial/etc/resolv.conf"
# What this machine reaches the mirror by.
for file in /etc/apt/apt.conf.d/*proxy*; do
    if [ -e "$file" ]; then cp "$file" "$dir.partial/etc/apt/apt.conf.d/"; fi
done
in_root apt-get -qq update
in_root apt-get -qq install -y --no-install-recommends curl sudo >/dev/null 2>&1
mv "$dir.partial" "$dir"
