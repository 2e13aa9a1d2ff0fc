#!/usr/bin/env bash
# Makes a deb and an rpm of each program, for amd64 and arm64.
#
#   ops/packages/build.sh PROGRAMS OUT VERSION NFPM...
#
# PROGRAMS holds <program>-linux-<arch>; NFPM... is the command that runs nfpm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
programs=$1 out=$2 version=${3#v} nfpm=("${@:4}")

# A version begins with a digit and holds no '-' (deb-version(7), and rpm's own
# rule). Where there is no tag, time puts builds in order.
case $version in
[0-9]*.*) ;;
*) version=0~git$(git log -1 --format=%cd --date=format:%Y%m%d%H%M%S).$version ;;
esac
version=${version//-/+}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
rm -f "$out"/*.deb "$out"/*.rpm

declare -A summary=(
    [assim]="Assimilation's command line: hosts, changes, queries"
    [assim-probe]="Assimilation probe: discovers this host and tells its site's relay"
    [assim-relay]="Assimilation relay: serves a site's probes"
    [assim-saas]="Assimilation service: dashboard, API, and what relays report to"
)
declare -A waits_for=([assim-probe]=/etc/assim/probe.token [assim-relay]=/etc/assim/relay.token [assim-saas]=/etc/assim/saas.env)

for program in assim assim-probe assim-relay assim-saas; do
    for arch in amd64 arm64; do
        description=$work/$program-$arch.yaml
        cat >"$description" <<END
name: $program
arch: $arch
platform: linux
version: "$version"
version_schema: none
section: admin
priority: optional
maintainer: Assimilation <packages@assimilation.example>
description: "${summary[$program]}"
contents:
  - {src: $programs/$program-linux-$arch, dst: /usr/bin/$program, file_info: {mode: 0755}}
END
        if [ "$program" != assim ]; then
            for script in postinstall preremove postremove; do
                sed "s|@PROGRAM@|$program|g; s|@WAITS_FOR@|${waits_for[$program]}|g; s|@ENV@|/etc/assim/${program#assim-}.env|g" \
                    "ops/packages/$script.sh" >"$work/$program-$script"
            done
            cat >>"$description" <<END
  - {dst: /etc/assim, type: dir, file_info: {mode: 0755}}
  - {src: ops/systemd/$program.service, dst: /usr/lib/systemd/system/$program.service, file_info: {mode: 0644}}
  - {src: ops/packages/$program.conf, dst: /usr/lib/systemd/system/$program.service.d/package.conf, file_info: {mode: 0644}}
scripts:
  postinstall: $work/$program-postinstall
  preremove: $work/$program-preremove
  postremove: $work/$program-postremove
END
        fi
        if [ "$program" = assim-saas ]; then
            # What it hands out to relays' machines and hosts of either kind.
            for download in assim assim-probe assim-relay; do
                for other in amd64 arm64; do
                    sed -i "/^scripts:/i\\  - {src: $programs/$download-linux-$other, dst: /usr/share/assim-saas/$download-linux-$other, file_info: {mode: 0755}}" "$description"
                done
            done
        fi
        for packager in deb rpm; do
            "${nfpm[@]}" package --config "$description" --packager "$packager" --target "$out" >/dev/null
        done
    done
done
stat -c '%9s bytes  %n' "$out"/*
