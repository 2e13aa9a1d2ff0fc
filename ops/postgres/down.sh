#!/usr/bin/env bash
# Stops the server that up.sh started, and only that one.
#
#   ops/postgres/down.sh [--destroy] [DIR]      --destroy removes DIR too
set -euo pipefail
# shellcheck source=ops/postgres/server.sh
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

destroy=
if [ "${1:-}" = --destroy ]; then
    destroy=yes
    shift
fi
dir=$(absolute "${1:-$default_dir}")
if [ ! -d "$dir" ]; then
    say "nothing to stop"
    exit 0
fi
exec 9>"$dir/lock"
flock 9

# gone PID SECONDS waits until the process has ended.
gone() {
    for _ in $(seq $(($2 * 10))); do
        [ -e "/proc/$1" ] || return 0
        sleep 0.1
    done
    return 1
}

stop_server() {
    local pid
    if ! pid=$(postmaster "$dir"); then
        remove_segment
        say "not running"
        return
    fi
    kill -INT "$pid" # fast shutdown: sessions are rolled back, then a checkpoint
    if ! gone "$pid" 60; then
        kill -QUIT "$pid"
        gone "$pid" 10 || die "pid $pid does not end"
    fi
    say "stopped"
}

# remove_segment removes the shared memory that a killed server left behind:
# its key and id stand in line 7 of its pid file.
remove_segment() {
    local key id
    read -r key id < <(sed -n 7p "$dir/data/postmaster.pid" 2>/dev/null) || return 0
    if awk -v key="$key" -v id="$id" '$1 == key && $2 == id && $7 == 0 { found = 1 } END { exit !found }' \
        /proc/sysvipc/shm; then
        ipcrm -m "$id"
    fi
}

if [ "$(cat "$dir/way" 2>/dev/null)" = docker ]; then
    if [ -n "$destroy" ]; then docker rm --force --volumes "$(container "$dir")"; else docker stop "$(container "$dir")"; fi >/dev/null
    say "stopped"
else
    stop_server
fi
if [ -n "$destroy" ]; then rm -rf --one-file-system "$dir"; fi
