#!/usr/bin/env bash
# Fails if generated files are not what their sources say; writes them anew.
set -euo pipefail
cd "$(dirname "$0")/../.."

generated=('*_templ.go' cmd/assim-probe/deps.txt docs/openapi.json api/client.gen.go docs/queries.md docs/kinds.md 'docs/kinds/*' docs/graph.md)
digest() { git ls-files -co --exclude-standard -z -- "${generated[@]}" | xargs -0r sha256sum; }

before=$(digest)
make --no-print-directory -s generate
if [ "$before" != "$(digest)" ]; then
    echo "generated files were not up to date; they are now, commit them:" >&2
    git status --short -- "${generated[@]}" >&2
    exit 1
fi
