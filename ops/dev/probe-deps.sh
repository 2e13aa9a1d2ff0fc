#!/bin/sh
# Lists the packages that the probe links, but for the insides of the standard
# library, which differ from one Go release to the next.
set -eu
cd "$(dirname "$0")/../.."
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go list -deps -f '{{.Standard}} {{.ImportPath}}' ./cmd/assim-probe |
    awk '$1 == "false" || $2 !~ /(^|\/)(internal|vendor)(\/|$)/ { print $2 }' |
    LC_ALL=C sort
