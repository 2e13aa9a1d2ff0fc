#!/usr/bin/env bash
# Runs fuzz targets one after the other.
#
#   ops/dev/fuzz.sh REGEXP TIME
set -euo pipefail
cd "$(dirname "$0")/../.."

only=$1
time=$2

# fuzz PACKAGE TARGET. Left alone, the fuzzer may spend all its time on making one
# input smaller. Now and then go test calls its own time limit a failure; a real
# one names the input that failed.
fuzz() {
    local said
    if said=$(go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1s "$1" </dev/null 2>&1); then
        tail -n 3 <<<"$said"
    elif grep -q 'context deadline exceeded' <<<"$said" && ! grep -q 'Failing input' <<<"$said"; then
        tail -n 8 <<<"$said" | head -n 3
    else
        echo "$said"
        return 1
    fi
}

# -list prints the targets of a package before the package's own line.
go test -list '^Fuzz' ./... | awk '
    /^Fuzz/ { targets[++n] = $1 }
    $1 == "ok" { for (i = 1; i <= n; i++) print $2, targets[i] }
    !/^Fuzz/ { n = 0 }' | { grep -E "$only" || true; } |
    while read -r package target; do
        echo "== $package $target"
        fuzz "$package" "$target" || exit 1
    done
