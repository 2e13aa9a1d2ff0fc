#!/usr/bin/env bash
# Builds the console's script for maps where npm is: the programs embed it. Where
# it is not, maps are plain pictures.
#
#   ops/dev/console.sh [--remove]      --remove removes what it made
set -euo pipefail
cd "$(dirname "$0")/../.."
npm_config_cache=$PWD/.dev/npm
export npm_config_cache
cd saas/internal/web/ui

if [ "${1:-}" = --remove ]; then
    rm -rf node_modules
    find bundle -type f ! -name .gitignore -delete
    exit 0
fi

plain() {
    echo "$1: the console's map will be a plain picture" >&2
    exit 0
}
command -v npm >/dev/null || plain "npm is not installed"

# Two builds at once would trample on each other's packages.
exec 8<package.json
flock 8
if ! cmp -s package-lock.json node_modules/.of; then
    # No package's script runs: none is needed, and Debian 12's npm trips over them.
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || plain "npm could not fetch its packages"
    cp package-lock.json node_modules/.of
fi
if [ ! -s bundle/map.js ] || [ map/map.js -nt bundle/map.js ] || [ node_modules/.of -nt bundle/map.js ]; then
    npm run --silent build
fi
