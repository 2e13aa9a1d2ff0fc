#!/usr/bin/env bash
# Follows what the programs of `make up` say.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ ! -d .dev/saas ]; then
    echo "nothing runs: make up" >&2
    exit 1
fi
exec tail -n 20 -F .dev/saas/log .dev/relay/log .dev/probe/log .dev/postgres*/log
