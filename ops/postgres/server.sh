# shellcheck shell=bash
# What up.sh and down.sh share: where the development server lives and whether
# it runs. Sourced, not run. ASSIM_POSTGRES chooses the version, 17 or 18; each
# has a directory of its own.
#
#   $dir/url       how to reach it, mode 0600 (it holds the password)
#   $dir/way       machine, root or docker: how it is run
#   $dir/port      its port, kept over restarts
#   $dir/data      its data; for the way "root" a link into the root
#   $dir/log       what it said; for the way "root" a link too

# shellcheck disable=SC2034 # used by those who source this
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# shellcheck disable=SC2034
version=${ASSIM_POSTGRES:-17}
case $version in
17) default_dir=$project/.dev/postgres ;;
18) default_dir=$project/.dev/postgres18 ;;
*)
    echo "postgres: ASSIM_POSTGRES=$version: 17 and 18 are known" >&2
    exit 2
    ;;
esac

say() { printf 'postgres: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# absolute DIR prints DIR as an absolute path, existing or not.
absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
    esac
}

# postmaster DIR prints the pid of the server that runs on DIR/data. The pid
# file alone proves nothing after a crash: the number may be another process's
# by now, so its working directory must be our data directory.
postmaster() {
    local pid
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ "/proc/$pid/cwd" -ef "$1/data" ] || return 1
    printf '%s\n' "$pid"
}

# container DIR prints the name of the container that serves DIR.
container() { printf 'assim-postgres-%s\n' "$(printf %s "$1" | cksum | cut -d ' ' -f 1)"; }
