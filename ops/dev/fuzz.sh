#!/usr/bin/env bash
# Runs fuzz targets one after the other.
#
#   ops/dev/fuzz.sh REGEXP TIME
set -euo pipefail
cd "$(dirname "$0")/../.."

only=$1
time=$2
# -list prints the targets of a package before the package's own line.
go test -list '^Fuzz' ./... | awk '
    /^Fuzz/ { targets[++n] = $1 }
    $1 == "ok" { for (i = 1; i <= n; i++) print $2, targets[i] }
    !/^Fuzz/ { n = 0 }' | { grep -E "$only" || true; } |
    while read -r package target; do
        echo "== $package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null
    done
