#!/usr/bin/env bash
# Starts a development server of Postgres with AGE on a free loopback port:
# version 17, or 18 with ASSIM_POSTGRES=18.
#
#   ops/postgres/up.sh [DIR]        DIR: default .dev/postgres or .dev/postgres18
#
# The first way that works:
#   ASSIM_DATABASE_URL is set       that server is used, nothing is started
#   the machine's own packages      postgresql-N and postgresql-N-age
#   an isolated Debian root         made by mmdebstrap under DIR/root; needs root
#   Docker                          the image apache/age
# DIR/url then holds the address. Running it again is harmless; after a crash
# it starts the server anew, which recovers.
set -euo pipefail
# shellcheck source=ops/postgres/server.sh
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

if [ -n "${ASSIM_DATABASE_URL:-}" ]; then
    say "using ASSIM_DATABASE_URL"
    exit 0
fi

bin=/usr/lib/postgresql/$version/bin
packages=postgresql-$version,postgresql-$version-age
# Debian 13 has version 17; 18 is in the suite that becomes Debian 14, whose
# lists may be older than they claim to be good for.
case $version in
17) suite=trixie size=500 apt=() image=apache/age:release_PG17_1.6.0 ;;
18) suite=forky size=400 apt=('--aptopt=Acquire::Check-Valid-Until "false"') image=apache/age:release_PG18_1.7.0 ;;
esac

umask 022 # the root is for the server's user too; secrets are made tighter below
dir=$(absolute "${1:-$default_dir}")
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9

# choose_way prints how the server can be run here, cheapest first.
choose_way() {
    if [ -e "$dir/way" ]; then
        cat "$dir/way"
    elif machine_has_age; then
        echo machine
    elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo root
    elif docker info >/dev/null 2>&1; then
        echo docker
    else
        die "no way to run Postgres $version with AGE here. One of these helps:
    export ASSIM_DATABASE_URL=postgres://...   a server with AGE and a superuser
    apt-get install ${packages/,/ }   (Debian $suite)
    run this as root on Debian or Ubuntu       an isolated root is made under $dir
    a Docker engine that this user may use"
    fi
}

# machine_has_age: installed, and the server's user can reach DIR (a clone
# under /root is closed to it).
machine_has_age() {
    [ -x "$bin/postgres" ] &&
        [ -e "/usr/share/postgresql/$version/extension/age.control" ] || return 1
    [ "$(id -u)" != 0 ] || setpriv --reuid=postgres --regid=postgres --init-groups test -x "$dir"
}

make_root() {
    [ -x "$dir/root$bin/postgres" ] && return
    rm -rf --one-file-system "$dir/root.partial"
    if [ -x "$default_dir/root$bin/postgres" ]; then
        # A second server: the project's own root, without its data.
        mkdir "$dir/root.partial"
        tar -C "$default_dir/root" --exclude=./srv/postgres -cf - . | tar -C "$dir/root.partial" -xpf -
    else
        bootstrap_root
    fi
    mv "$dir/root.partial" "$dir/root"
}

bootstrap_root() {
    if ! command -v mmdebstrap >/dev/null; then
        say "installing mmdebstrap"
        DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
            mmdebstrap debian-archive-keyring >&2
    fi
    say "making an isolated Debian root with $packages of $suite (about a minute and $size MB)"
    # shellcheck disable=SC2016 # $1 is for the hook's own shell
    mmdebstrap --variant=apt --include="$packages" "${apt[@]}" \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --essential-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d"' \
        --essential-hook='echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.d/none.conf"' \
        "$suite" "$dir/root.partial" 9>&- >&2
}

# as_postgres COMMAND... runs it as the user that owns the server, in its root.
# The lock is closed for it: a server must not inherit it.
as_postgres() {
    if [ "$way" = root ]; then
        chroot --userspec=postgres:postgres "$dir/root" /usr/bin/env -i \
            PATH="$bin:/usr/bin:/bin" LC_ALL=C.UTF-8 "$@" 9>&-
    elif [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups /usr/bin/env -i -C / \
            PATH="$bin:/usr/bin:/bin" LC_ALL=C.UTF-8 "$@" 9>&-
    else
        PATH=$bin:$PATH LC_ALL=C.UTF-8 "$@" 9>&-
    fi
}

# make_home makes the directory that the server owns. Its uid is the root's,
# and need not exist on this machine, so it is given as a number.
make_home() {
    if [ "$way" = root ]; then
        home=/srv/postgres
        install -d -m 700 -o "$(root_id 3)" -g "$(root_id 4)" "$dir/root$home"
        ln -sfn "root$home/data" "$dir/data"
        ln -sfn "root$home/log" "$dir/log"
    else
        home=$dir/home
        mkdir -p "$home"
        chmod 700 "$home"
        [ "$(id -u)" != 0 ] || chown postgres:postgres "$home"
        ln -sfn home/data "$dir/data"
        ln -sfn home/log "$dir/log"
    fi
}

# root_id FIELD prints a field of the postgres user in the root's passwd.
root_id() { awk -F: -v field="$1" '$1 == "postgres" { print $field }' "$dir/root/etc/passwd"; }

init_data() {
    as_postgres test -e "$home/data/assim.conf" && return
    say "making the database cluster"
    as_postgres rm -rf "$home/data"
    as_postgres sh -c "umask 077; cat > '$home/password'" <"$dir/password"
    as_postgres initdb --pgdata="$home/data" --username=postgres --pwfile="$home/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale-provider=builtin --locale=C.UTF-8 \
        --no-sync >/dev/null
    as_postgres rm "$home/password"
    as_postgres sh -c "echo \"include 'assim.conf'\" >> '$home/data/postgresql.conf'"
    # Written last: it marks the cluster as complete.
    settings | as_postgres sh -c "cat > '$home/data/assim.conf'"
}

# settings: the durable ones are on, so that tests of crashes mean something.
# ASSIM_FSYNC=off, when the cluster is made, is for machines that end with their
# tests: what a killed server has written lies with the kernel all the same.
# DDL of many graphs in one transaction needs the locks.
settings() {
    cat <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$home'
max_connections = 200
shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 5min
max_locks_per_transaction = 1024
random_page_cost = 1.1
jit = off
fsync = ${ASSIM_FSYNC:-on}
synchronous_commit = on
log_line_prefix = '%m [%p] %q%u@%d '
timezone = 'UTC'
CONF
    # A root without mounts has no /dev/shm.
    if [ "$way" = root ]; then echo "dynamic_shared_memory_type = mmap"; fi
}

new_password() { od -An -N 24 -t x1 /dev/urandom | tr -d ' \n'; }

# free_port prints a port below the ephemeral range that nobody answers on.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((15432 + RANDOM % 16000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    die "no free port between 15432 and 31432"
}

write_url() {
    (umask 077 && printf 'postgres://postgres:%s@127.0.0.1:%s/postgres?sslmode=disable\n' \
        "$(cat "$dir/password")" "$(cat "$dir/port")" >"$dir/url.new")
    mv "$dir/url.new" "$dir/url"
}

start_server() {
    # After a crash the pid in these files may belong to somebody else by now;
    # Postgres would then refuse to start. The server is known to be gone.
    as_postgres sh -c "rm -f '$home/data/postmaster.pid' '$home'/.s.PGSQL.*"
    as_postgres pg_ctl start --wait --timeout=300 --silent --pgdata="$home/data" \
        --log="$home/log" --options="-p $(cat "$dir/port")"
}

# await_old_server: after kill -9 of the postmaster its children end by
# themselves; until then the data is theirs.
await_old_server() {
    for _ in $(seq 300); do
        old_server_runs || return 0
        sleep 0.1
    done
    die "processes of a killed server still use $dir/data"
}

old_server_runs() {
    local proc
    for proc in /proc/[0-9]*; do
        if [ "$proc/cwd" -ef "$dir/data" ]; then return 0; fi
    done
    return 1
}

serve_here() {
    if pid=$(postmaster "$dir"); then
        # Perhaps it is still recovering; pg_ctl's own wait covers our starts only.
        for _ in $(seq 300); do
            as_postgres pg_isready -q -h 127.0.0.1 -p "$(cat "$dir/port")" && break
            sleep 1
        done
        say "already running on port $(cat "$dir/port"), pid $pid"
        return
    fi
    [ "$way" != root ] || make_root
    make_home
    init_data
    await_old_server
    for _ in 1 2 3; do
        if [ ! -s "$dir/port" ] || (: <"/dev/tcp/127.0.0.1/$(cat "$dir/port")") 2>/dev/null; then
            free_port >"$dir/port"
        fi
        write_url
        if start_server; then
            say "running on 127.0.0.1:$(cat "$dir/port"), address in $dir/url"
            return
        fi
        : >"$dir/port"
    done
    tail -n 20 "$dir/log" >&2
    die "the server does not start; its log is $dir/log"
}

serve_docker() {
    local name
    name=$(container "$dir")
    [ -s "$dir/port" ] || free_port >"$dir/port"
    if ! docker inspect "$name" >/dev/null 2>&1; then
        say "starting $image"
        POSTGRES_PASSWORD=$(cat "$dir/password") docker run --detach --name "$name" --shm-size 1g \
            --publish "127.0.0.1:$(cat "$dir/port"):5432" --env POSTGRES_PASSWORD "$image" postgres \
            -c max_connections=200 -c shared_buffers=512MB -c max_locks_per_transaction=1024 \
            -c checkpoint_timeout=5min -c jit=off -c shared_preload_libraries= >/dev/null
    else
        docker start "$name" >/dev/null
    fi
    write_url
    # The image first runs a server on its socket only, to set itself up.
    for _ in $(seq 60); do
        if docker exec "$name" pg_isready -q -h 127.0.0.1; then
            say "running in container $name, address in $dir/url"
            return
        fi
        sleep 1
    done
    docker logs --tail 20 "$name" >&2
    die "the container $name does not answer"
}

way=$(choose_way)
[ -s "$dir/password" ] || (umask 077 && new_password >"$dir/password")
if [ "$way" = docker ]; then serve_docker; else serve_here; fi
echo "$way" >"$dir/way"
