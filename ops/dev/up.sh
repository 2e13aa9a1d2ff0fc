#!/usr/bin/env bash
# Starts the whole on this machine in the background: database, service, a demo
# tenant with a site, a relay, and a probe of this very host. Everything lies
# under .dev/ and bin/. Running it again starts what does not run.
set -Eeuo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=ops/dev/processes.sh
. ops/dev/processes.sh

mkdir -p .dev
exec 9>.dev/lock
flock 9

email=demo@example.org
step= # what is being done, for people
log=  # where it says more

begin() {
    step=$1
    log=${2:-}
    printf '%3ds  %s\n' $SECONDS "$step"
}

fail() {
    trap - ERR
    printf '\nmake up: not done: %s%s\n' "$step" "${1:+: $1}" >&2
    if [ -s "$log" ]; then
        printf 'the last lines of %s:\n' "$log" >&2
        tail -n 20 "$log" >&2
    fi
    exit 1
}
trap fail ERR

assim() { bin/assim "$@" 9>&-; }

# mint KIND FILE keeps a new token of the demo site in FILE.
mint() {
    [ -s "$2" ] && return
    assim token create --site demo --kind "$1" -o json >"$2.json" || return
    sed -n 's/.*"\(asm_[a-z]*_[^"]*\)".*/\1/p' "$2.json" >"$2"
    rm "$2.json"
    [ -s "$2" ]
}

alive() { pid_of "$1" >/dev/null || fail "the program has ended"; }
ready() { alive "$1" && answers "$2" /readyz; }
known() { assim whoami >/dev/null 2>&1; }
host_up() { alive relay && alive probe && assim host list -o json 9>&- | grep -q '"state": *"up"'; }

begin "building the programs"
command -v go >/dev/null || fail "Go 1.26 is needed: https://go.dev/dl/"
command -v make >/dev/null || fail "make is needed: apt-get install make"
# The console's map is drawn by a library that npm fetches; without, it is plain.
if ! command -v npm >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    begin "installing npm"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nodejs npm; } >/dev/null 2>&1 9>&- ||
        echo "     npm could not be installed" >&2
    begin "building the programs"
fi
make --no-print-directory -s build 9>&-

# shellcheck source=ops/postgres/server.sh
. ops/postgres/server.sh
[ -s .dev/version ] || echo "$version" >.dev/version
[ "$(cat .dev/version)" = "$version" ] || fail "what lies here runs on Postgres $(cat .dev/version); make down removes it"
begin "starting Postgres $version with AGE" "$default_dir/log"
ops/postgres/up.sh 9>&-
database=${ASSIM_DATABASE_URL:-$(cat "$default_dir/url")}
umask 077 # from here on: keys, tokens, logs

begin "starting the service" .dev/saas/log
mkdir -p .dev/saas .dev/relay .dev/probe
web=$(port saas tcp 8080)
url=http://127.0.0.1:$web
# Each program is told its own only: they share names of variables.
saas=(env ASSIM_DATABASE_URL="$database" ASSIM_MASTER_KEY_FILE="$PWD/.dev/saas/master.key"
    ASSIM_LISTEN="127.0.0.1:$web" ASSIM_URL="$url" ASSIM_SMTP=log: bin/assim-saas)
"${saas[@]}" migrate >>.dev/saas/log 2>&1 9>&-
start saas "${saas[@]}" serve
await 60 ready saas "$web" || fail "it is not ready after 60 s"

begin "signing up the demo tenant" .dev/saas/log
export ASSIM_CONFIG=$PWD/.dev/assim.yaml
if [ ! -s .dev/credentials ]; then
    printf 'url: %s\nemail: %s\npassword: %s\n' "$url" "$email" "$(od -An -N 12 -t x1 /dev/urandom | tr -d ' \n')" >.dev/credentials
fi
password=$(sed -n 's/^password: //p' .dev/credentials)
if ! known; then
    assim signup --url "$url" --email "$email" --tenant demo --password-file <(echo "$password") >/dev/null ||
        assim login --url "$url" --email "$email" --password-file <(echo "$password") >/dev/null
fi
assim site list -o json | grep -q '"name": *"demo"' || assim site create demo >/dev/null

begin "starting the relay" .dev/relay/log
mint relay .dev/relay/token || fail "no token was minted"
mint probe .dev/probe/token || fail "no token was minted" # before the relay asks which there are
udp=$(port relay udp 1984)
local_http=$(port relay-http tcp 1985)
install=$(port relay-install tcp 1987)
start relay env ASSIM_TOKEN_FILE="$PWD/.dev/relay/token" \
    bin/assim-relay run --state "$PWD/.dev/relay/state" --listen "127.0.0.1:$udp" --http "127.0.0.1:$local_http" --install "127.0.0.1:$install"
await 60 ready relay "$local_http" || fail "it is not ready after 60 s"

begin "starting the probe" .dev/probe/log
start probe env ASSIM_TOKEN_FILE="$PWD/.dev/probe/token" ASSIM_RELAY="127.0.0.1:$udp" \
    bin/assim-probe run --state "$PWD/.dev/probe/state"
await 90 host_up || fail "this host is not up after 90 s"

cat <<DONE

1 host up (after ${SECONDS} s)

  dashboard   $url
  e-mail      $email
  password    $password

  bin/assim host list          bin/assim query list
  make logs                    make down
DONE
