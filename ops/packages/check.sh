#!/usr/bin/env bash
# Installs, upgrades, removes and purges each package on a copy of a Debian root, and
# unpacks the rpms beside it; prints what they weigh.
#
#   ops/packages/check.sh PACKAGES ROOT
#
# ROOT has systemd, which does not run: units are enabled and verified, not started.
# Needs root and rpm.
set -euo pipefail
packages=$(realpath "${1:?where the packages are}") base=$(realpath "${2:?a Debian root}")
work=$(mktemp -d)
root=$work/root
trap 'umount "$root/proc" "$root" 2>/dev/null || :; umount "$work" && rmdir "$work"' EXIT
# An overlay cannot lie on an overlay, which is what /tmp is in containers.
mount -t tmpfs -o size=1g assim-packages "$work"
mkdir "$work/above" "$work/scratch" "$root"
mount -t overlay -o "lowerdir=$base,upperdir=$work/above,workdir=$work/scratch" assim-packages "$root"
mount -t proc proc "$root/proc"

die() {
    echo "error: $*" >&2
    exit 1
}
in_root() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
# enabled UNIT: systemctl says so by its exit code; its word is not wanted.
enabled() { in_root systemctl is-enabled --quiet "$1"; }

arch=$(in_root dpkg --print-architecture)
for program in assim assim-probe assim-relay assim-saas; do
    deb=$(echo "$packages/${program}"_*_"$arch".deb)
    [ -e "$deb" ] || die "there is no deb of $program for $arch"
    cp "$deb" "$root/var/tmp/package.deb"
    find "$root" -xdev \( -path "$root/var" -o -path "$root/run" -o -path "$root/proc" \) -prune -o -print | sort >"$work/before"

    in_root dpkg -i /var/tmp/package.deb >"$work/said" 2>&1 || { cat "$work/said"; die "$deb cannot be installed"; }
    in_root "$program" --help >/dev/null || die "$program does not run where it was installed"
    if [ "$program" != assim ]; then
        grep -q "systemctl start $program" "$work/said" || die "$program does not say how to start it"
        enabled "$program.service" || die "$program.service is not enabled"
        in_root systemd-analyze verify --man=no "$program.service" >"$work/said" 2>&1 || { cat "$work/said"; die "$program.service is not valid"; }
        name=${program#assim-}
        echo kept >"$root/etc/assim/$name.env"
        [ "$program" = assim-saas ] || echo kept >"$root/etc/assim/$name.token"
        mkdir -p "$root/var/lib/private/$program"
    fi

    # What its owner disabled stays so in an upgrade.
    [ "$program" = assim ] || in_root systemctl disable --quiet "$program.service"
    in_root dpkg -i /var/tmp/package.deb >/dev/null || die "$program cannot be upgraded"
    if [ "$program" != assim ]; then
        ! enabled "$program.service" || die "upgrading $program enabled it again"
        in_root systemctl enable --quiet "$program.service"
    fi

    in_root dpkg -r "$program" >/dev/null || die "$program cannot be removed"
    [ ! -e "$root/usr/bin/$program" ] || die "removing $program leaves it"
    if [ "$program" != assim ]; then
        ! enabled "$program.service" 2>/dev/null || die "removing $program leaves it enabled"
        [ -d "$root/var/lib/private/$program" ] || die "removing $program removed its state"
    fi
    # One without scripts is gone already, of which dpkg warns.
    in_root dpkg -P "$program" >/dev/null 2>&1 || die "$program cannot be purged"
    [ ! -e "$root/var/lib/private/$program" ] || die "purging $program leaves its state"
    find "$root" -xdev \( -path "$root/var" -o -path "$root/run" -o -path "$root/proc" \) -prune -o -print | sort >"$work/after"
    left=$(comm -13 "$work/before" "$work/after")
    [ -z "$left" ] || die "$program leaves: $left"
    echo "$(stat -c %s "$deb") bytes  ${deb##*/}: installed, upgraded, removed, purged"
done

for rpm in "$packages"/*.rpm; do
    name=$(rpm -qp --nosignature --qf '%{NAME}' "$rpm")
    rpm -K --nosignature --quiet "$rpm" || die "${rpm##*/} is damaged"
    listed=$(rpm -qpl --nosignature "$rpm")
    grep -qx "/usr/bin/$name" <<<"$listed" || die "${rpm##*/} lacks /usr/bin/$name"
    if [ "$name" != assim ]; then
        grep -qx "/usr/lib/systemd/system/$name.service" <<<"$listed" || die "${rpm##*/} lacks its unit"
        rpm -qp --nosignature --scripts "$rpm" | grep -q "systemctl enable" || die "${rpm##*/} lacks its scripts"
    fi
    # Debian's rpm wants to be told that it may.
    to=(rpm --root "$work/rpm" --force-debian --nodeps --noscripts)
    "${to[@]}" -i --ignorearch --nosignature "$rpm" || die "${rpm##*/} cannot be installed"
    [ -x "$work/rpm/usr/bin/$name" ] || die "${rpm##*/} installed nothing"
    "${to[@]}" -e "$name" || die "${rpm##*/} cannot be removed"
    [ ! -e "$work/rpm/usr/bin/$name" ] || die "removing ${rpm##*/} leaves it"
    echo "$(stat -c %s "$rpm") bytes  ${rpm##*/}: listed, installed, removed"
done
