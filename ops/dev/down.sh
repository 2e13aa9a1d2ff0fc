#!/usr/bin/env bash
# Stops what up.sh started and removes everything it made.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=ops/dev/processes.sh
. ops/dev/processes.sh

if [ -d .dev ]; then
    exec 9>.dev/lock
    flock 9
    for name in probe relay saas; do stop "$name"; done
    for version in 17 18; do ASSIM_POSTGRES=$version ops/postgres/down.sh --destroy 9>&-; done
fi
rm -rf --one-file-system .dev
for program in bin/assim-probe bin/assim-relay bin/assim-saas bin/assim; do rm -f "$program"; done
if [ -d bin ]; then rmdir --ignore-fail-on-non-empty bin; fi
ops/dev/console.sh --remove
echo "stopped and removed"
