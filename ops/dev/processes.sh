# shellcheck shell=bash
# How up.sh and down.sh keep the programs. Sourced, not run; the working
# directory is the project's.
#
#   .dev/NAME/pid   .dev/NAME/log      NAME: saas, relay, probe

# pid_of NAME prints the pid if the program runs. A pid file may be older than
# the process that has its number now, so that must run our binary.
pid_of() {
    local pid exe
    pid=$(cat ".dev/$1/pid" 2>/dev/null) || return 1
    exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
    [ "${exe% (deleted)}" = "$(pwd -P)/bin/assim-$1" ] || return 1
    printf '%s\n' "$pid"
}

# outdated NAME: the program runs, but from a binary that was built anew since.
outdated() {
    local pid
    pid=$(pid_of "$1") || return 1
    ! [ "/proc/$pid/exe" -ef "bin/assim-$1" ]
}

# start NAME COMMAND... starts it in a session of its own, unless it runs.
start() {
    local name=$1
    shift
    if outdated "$name"; then stop "$name"; fi
    if pid_of "$name" >/dev/null; then return; fi
    mkdir -p ".dev/$name"
    setsid "$@" </dev/null >>".dev/$name/log" 2>&1 9>&- &
    echo $! >".dev/$name/pid"
    # Until then it is still setsid or env, not yet the program.
    for _ in $(seq 50); do
        if pid_of "$name" >/dev/null || ! kill -0 $! 2>/dev/null; then return; fi
        sleep 0.1
    done
}

# stop NAME ends it in good order, by force after 15 s.
stop() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill -TERM "$pid"
    for _ in $(seq 150); do
        [ -e "/proc/$pid/exe" ] || return 0
        sleep 0.1
    done
    echo "$1 (pid $pid) did not end in 15 s and was killed" >&2
    kill -KILL "$pid"
}

# taken PROTOCOL PORT: something listens there on any address.
taken() {
    awk -v port="$(printf ':%04X' "$2")" -v tcp="$([ "$1" = tcp ] && echo 1)" '
        $2 ~ port "$" && (!tcp || $4 == "0A") { found = 1 } END { exit !found }' \
        "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null
}

# port NAME PROTOCOL PREFERRED prints the port kept for NAME: chosen once, for
# contexts and tokens carry it.
port() {
    local file=.dev/ports/$1 candidate=$3
    if [ ! -s "$file" ]; then
        mkdir -p .dev/ports
        while taken "$2" "$candidate"; do candidate=$((15000 + RANDOM % 15000)); done
        echo "$candidate" >"$file"
    fi
    cat "$file"
}

# answers PORT PATH: the program says 200 there.
answers() {
    local status
    { exec 8<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&8
    read -r -t 5 _ status _ <&8 || status=
    exec 8<&- 8>&-
    [ "$status" = 200 ]
}

# await SECONDS COMMAND... repeats it until it succeeds.
await() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}
