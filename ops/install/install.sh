#!/bin/sh
# Installs, upgrades or removes an Assimilation relay or probe.
#
#   curl -fsSL URL/install.sh | ASSIM_TOKEN=asm_... sudo -E sh
#   sh install.sh < token-file
#   curl -fsSL URL/install.sh | sudo sh -s -- --uninstall
#
# Within a site, the relay serves it to hosts that reach nothing else.
#
# The token says what is installed: asm_rly_... a relay, asm_enr_... a probe.
# Running it again upgrades; without a token, whatever is installed.
set -eu
LC_ALL=C
export LC_ALL

# Filled in by the service or the relay that serves this script.
BASE='@BASE@'
SUMS='@SUMS@'
# Not empty: no authority vouches for the server. Whoever fetched the script told
# the server by its key; the files that follow are told by SUMS.
PINNED='@PINNED@'

PREFIX=${ASSIM_PREFIX:-/usr/local}
ETC=${ASSIM_ETC:-/etc/assim}
UNITS=/etc/systemd/system
SETTINGS='ASSIM_STATE ASSIM_RELAY ASSIM_LISTEN ASSIM_HTTP ASSIM_INSTALL HTTPS_PROXY NO_PROXY'
ALPHABET=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz

dry_run=
temporary=

say() { printf '%s\n' "assim: $*"; }
die() {
	printf '%s\n' "assim: error: $*" >&2
	exit 1
}

# do_it COMMAND...: runs the command, or only says it in a dry run.
do_it() {
	if [ -n "$dry_run" ]; then
		say "would run: $*"
	else
		"$@"
	fi
}

usage() {
	cat <<END
Usage: install.sh [--dry-run] [--uninstall [--purge]]

  --dry-run    say what would be done, and change nothing
  --uninstall  stop and remove what is installed; its state and identity are kept
  --purge      remove these, too

Environment:
  ASSIM_TOKEN       the token (or: ASSIM_TOKEN_FILE, or standard input)
  ASSIM_TOKEN_FILE  file that holds the token
  ASSIM_RELAY       host:port of the relay, for a probe that cannot hear it by multicast
  ASSIM_LISTEN, ASSIM_HTTP, ASSIM_INSTALL, HTTPS_PROXY, NO_PROXY: kept for the program, too
  ASSIM_FIREWALL    yes: under systemd, give the probe the right to list the firewall's
                    rules (CAP_NET_ADMIN, which could change them as well); no: take it back
  ASSIM_PREFIX      where bin/ is, default /usr/local
  ASSIM_ETC         where the token is kept, default /etc/assim
  ASSIM_STATE       where the program keeps its state, default /var/lib/assim-relay or -probe

The program runs under systemd where that runs and no path was changed, else
in the background with a pid file and a log in its state directory.
END
}

has() { command -v "$1" >/dev/null 2>&1; }

fetch() { # URL FILE
	if [ -n "$PINNED" ]; then
		# It is on the host's own network, which no proxy leads to.
		unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY
	fi
	if has curl; then
		curl -fsSL ${PINNED:+--insecure} --retry 2 -o "$2" "$1" || return 1
	elif has wget; then
		wget -q ${PINNED:+--no-check-certificate} -O "$2" "$1" || return 1
	else
		die "neither curl nor wget is installed"
	fi
}

sum_of() { # FILE
	if has sha256sum; then
		sha256sum "$1"
	elif has openssl; then
		openssl dgst -sha256 -r "$1"
	else
		die "neither sha256sum nor openssl is installed"
	fi | cut -d' ' -f1
}

# wanted_sum NAME: what the service says the file's SHA-256 is; empty if it has none.
wanted_sum() { printf '%s\n' "$SUMS" | sed -n "s/^\([0-9a-f]\{64\}\)  $1\$/\1/p"; }

# checksum: the six base 62 digits of the CRC-32 of standard input. gzip ends
# with that CRC, low byte first (RFC 1952, 2.3.1).
checksum() {
	# shellcheck disable=SC2046 # four numbers are wanted as four arguments
	set -- $(gzip -c | tail -c 8 | od -An -tu1 -N4)
	[ $# -eq 4 ] || return 1
	crc=$(($1 + $2 * 256 + $3 * 65536 + $4 * 16777216))
	digits=
	for _ in 1 2 3 4 5 6; do
		digits=$(printf '%s' "$ALPHABET" | cut -c$((crc % 62 + 1)))$digits
		crc=$((crc / 62))
	done
	printf '%s' "$digits"
}

# read_token: sets token, from the environment, a file, or standard input.
read_token() {
	token=${ASSIM_TOKEN:-}
	# What is started below shall not carry it in its environment.
	unset ASSIM_TOKEN
	if [ -z "$token" ] && [ -n "${ASSIM_TOKEN_FILE:-}" ]; then
		[ -r "$ASSIM_TOKEN_FILE" ] || die "the token file $ASSIM_TOKEN_FILE cannot be read"
		IFS= read -r token <"$ASSIM_TOKEN_FILE" || [ -n "$token" ] || die "the token file $ASSIM_TOKEN_FILE is empty"
	elif [ -z "$token" ] && [ ! -t 0 ]; then
		IFS= read -r token || :
	fi
	unset ASSIM_TOKEN_FILE
}

# check_token: damage is noticed here rather than at the relay.
check_token() {
	case $token in
	asm_rly_* | asm_enr_*) ;;
	asm_api_*) die "this is an API token; mint a token for a relay or for probes" ;;
	*) die "malformed token: a token begins with asm_rly_ or asm_enr_" ;;
	esac
	case $token in
	*[!0-9A-Za-z_]*) die "malformed token: it holds characters that no token has; was it copied whole?" ;;
	esac
	if has gzip && has od; then
		body=${token%??????}
		if sum=$(printf '%s' "$body" | checksum); then
			[ "$sum" = "${token#"$body"}" ] || die "malformed token: its checksum does not match; was it copied whole?"
		fi
	fi
}

platform() {
	[ "$(uname -s)" = Linux ] || die "$(uname -s) is not supported, only Linux is"
	case $(uname -m) in
	x86_64 | amd64) echo linux-amd64 ;;
	aarch64 | arm64) echo linux-arm64 ;;
	*) die "machine $(uname -m) is not supported, only x86_64 and aarch64 are" ;;
	esac
}

# choose ROLE: sets the names of everything that belongs to a relay or a probe.
choose() {
	role=$1
	program=assim-$role
	binary=$PREFIX/bin/$program
	token_file=$ETC/$role.token
	env_file=$ETC/$role.env
	state=${ASSIM_STATE:-}
	if [ -z "$state" ] && [ -r "$env_file" ]; then
		state=$(sed -n 's/^ASSIM_STATE=//p' "$env_file")
	fi
	state=${state:-/var/lib/$program}
	pid_file=$state/$program.pid
	log_file=$state/$program.log
	starter=$ETC/start-$role
	unit=$UNITS/$program.service
}

is_installed() { [ -e "$binary" ] && [ -e "$token_file" ]; }

# under_systemd: units name the usual paths, so other paths are run without.
under_systemd() {
	[ -d /run/systemd/system ] && [ "$PREFIX" = /usr/local ] && [ "$ETC" = /etc/assim ] && [ "$state" = "/var/lib/$program" ]
}

# replace TARGET MODE: moves standard input into place at once, if it differs.
# Sets changed.
replace() {
	if [ -n "$dry_run" ]; then
		cat >/dev/null
		say "would write $1"
		return
	fi
	mkdir -p "$(dirname "$1")"
	(umask 077 && cat >"$1.new")
	chmod "$2" "$1.new"
	if [ -e "$1" ] && cmp -s "$1" "$1.new"; then
		chmod "$2" "$1"
		rm -f "$1.new"
	else
		mv -f "$1.new" "$1"
		changed=1
	fi
}

install_program() {
	name=$program-$(platform)
	want=$(wanted_sum "$name")
	[ -n "$want" ] || die "$BASE offers no $name"
	if [ -e "$binary" ] && [ "$(sum_of "$binary")" = "$want" ]; then
		say "$binary is up to date"
		return
	fi
	if [ -n "$dry_run" ]; then
		say "would download $BASE/download/$name to $binary"
		return
	fi
	say "downloading $BASE/download/$name"
	fetch "$BASE/download/$name" "$temporary/$program" || die "downloading $BASE/download/$name did not work; nothing was changed"
	got=$(sum_of "$temporary/$program")
	[ "$got" = "$want" ] || die "checksum of $name is $got, but should be $want; nothing was changed. If the service was just upgraded, run this again"
	chmod 755 "$temporary/$program"
	"$temporary/$program" version >/dev/null || die "the downloaded $program does not run on this machine; nothing was changed"
	replace "$binary" 755 <"$temporary/$program"
	say "installed $binary"
}

# read_settings: sets settings to what of the environment is kept, and what was
# kept before. Empty: there is nothing new.
read_settings() {
	settings=
	for name in $SETTINGS; do
		eval "value=\${$name:-}"
		[ -n "$value" ] || continue
		# The file is read by a shell and by systemd: nothing that either quotes.
		case $value in
		*[!][0-9A-Za-z:/.,_@%+=*~-]*) die "$name holds a character that cannot be kept in $env_file" ;;
		esac
		settings="$settings$name=$value
"
	done
	[ -n "$settings" ] && [ -e "$env_file" ] || return 0
	while IFS= read -r line; do
		case "
$settings" in
		*"
${line%%=*}="*) ;;
		*) settings="$settings$line
" ;;
		esac
	done <"$env_file"
}

# install_settings: keeps the token, and what else the environment says.
install_settings() {
	if [ -n "$token" ]; then
		replace "$token_file" 600 <<END
$token
END
	fi
	if [ -n "$settings" ]; then
		replace "$env_file" 600 <<END
${settings%?}
END
	fi
}

# install_file NAME TARGET: downloads a file of systemd's.
install_file() {
	want=$(wanted_sum "$1")
	[ -n "$want" ] || die "$BASE offers no $1"
	fetch "$BASE/download/$1" "$temporary/$1" || die "downloading $1 did not work"
	[ "$(sum_of "$temporary/$1")" = "$want" ] || die "checksum of $1 does not match; run this again"
	replace "$2" 644 <"$temporary/$1"
}

# install_unit: puts down the unit of the service, with the token as a credential: the
# program does not run as root, so it cannot read the file itself.
install_unit() {
	install_file "$program.service" "$unit"
	case $role${ASSIM_FIREWALL:-} in
	probeyes) install_file "$program-firewall.conf" "$unit.d/firewall.conf" ;;
	probeno)
		if [ -e "$unit.d/firewall.conf" ]; then
			do_it rm -f "$unit.d/firewall.conf"
			changed=1
		fi
		;;
	esac
	replace "$unit.d/token.conf" 644 <<END
[Service]
LoadCredential=token:$token_file
Environment=ASSIM_TOKEN_FILE=%d/token
END
}

# runs: whether the process of the pid file is ours and alive.
runs() {
	[ -s "$pid_file" ] || return 1
	pid=$(cat "$pid_file")
	kill -0 "$pid" 2>/dev/null || return 1
	# The number may have gone to somebody else since.
	tr '\000' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -Fqx -e "$binary"
}

stop_process() {
	if runs; then
		say "stopping process $pid"
		do_it kill "$pid"
		tries=0
		while [ -z "$dry_run" ] && kill -0 "$pid" 2>/dev/null; do
			tries=$((tries + 1))
			[ $tries -le 20 ] || die "process $pid does not end"
			sleep 1
		done
	fi
	do_it rm -f "$pid_file"
}

start_process() {
	if [ -z "$changed" ] && runs; then
		say "$program runs already as process $pid"
		return
	fi
	if [ -n "$dry_run" ]; then
		say "would start $binary in the background"
		return
	fi
	mkdir -p "$state"
	chmod 700 "$state"
	stop_process
	"$starter"
	sleep 1
	if ! runs; then
		tail -n 5 "$log_file" >&2
		die "$program ended at once; its log is $log_file"
	fi
	say "no systemd here: $program runs in the background as process $(cat "$pid_file"), log $log_file"
	say "after a reboot $starter starts it again: put that line where this system keeps such, as /etc/rc.local,"
	say "or with cron: (crontab -l; echo '@reboot $starter') | crontab -"
}

# install_starter: a script of its own starts the process, so that a reboot can.
install_starter() {
	detach="nohup"
	if has setsid; then
		detach="setsid nohup"
	fi
	replace "$starter" 700 <<END
#!/bin/sh
# Starts $program in the background. Written by its installer.
set -a
if [ -e "$env_file" ]; then
	. "$env_file"
fi
ASSIM_TOKEN_FILE="$token_file" ASSIM_STATE="$state"
$detach "$binary" run >>"$log_file" 2>&1 </dev/null &
echo \$! >"$pid_file"
END
}

start_unit() {
	do_it systemctl daemon-reload
	do_it systemctl enable --quiet "$program.service"
	if [ -n "$changed" ] || ! systemctl is-active --quiet "$program.service"; then
		do_it systemctl restart "$program.service"
	fi
	say "$program runs under systemd; its log: journalctl -u $program"
}

install_role() {
	choose "$1"
	changed=
	read_settings
	say "installing $program from $BASE"
	install_program
	install_settings
	if under_systemd; then
		install_unit
		start_unit
	else
		install_starter
		start_process
	fi
	say "done; ask how it is: $program status"
}

uninstall_role() {
	choose "$1"
	if under_systemd && [ -e "$unit" ]; then
		do_it systemctl disable --now --quiet "$program.service"
		do_it rm -rf "$unit" "$unit.d"
		do_it systemctl daemon-reload
	fi
	stop_process
	do_it rm -f "$binary" "$token_file" "$env_file" "$starter"
	if [ -z "$purge" ]; then
		say "removed $program; its state and identity are kept in $state"
		return
	fi
	do_it rm -rf "$state"
	# A unit's state lies there, and the usual path is a link to it.
	[ "$state" != "/var/lib/$program" ] || do_it rm -rf "/var/lib/private/$program"
	do_it rmdir "$ETC" 2>/dev/null || :
	say "removed $program, its state and its identity"
}

main() {
	uninstall=
	purge=
	for argument in "$@"; do
		case $argument in
		--dry-run) dry_run=1 ;;
		--uninstall) uninstall=1 ;;
		--purge) purge=1 ;;
		-h | --help)
			usage
			exit 0
			;;
		asm_*) die "a token on the command line can be read by every user of this machine; use ASSIM_TOKEN or a file" ;;
		*) die "unknown argument; see --help" ;;
		esac
	done
	[ -z "$purge" ] || [ -n "$uninstall" ] || die "--purge goes with --uninstall"
	if [ "$(id -u)" != 0 ] && [ -z "${ASSIM_PREFIX:-}" ]; then
		die "root is needed to install: run the same line with sudo -E before sh"
	fi
	umask 022
	temporary=$(mktemp -d)
	trap 'rm -rf "$temporary"' EXIT
	trap 'exit 1' HUP INT TERM

	read_token
	if [ -n "$token" ] && [ -z "$uninstall" ]; then
		check_token
		case $token in
		asm_rly_*) install_role relay ;;
		*) install_role probe ;;
		esac
		return
	fi
	# Each was told its own when it was installed.
	unset ASSIM_STATE
	found=
	for candidate in relay probe; do
		choose "$candidate"
		is_installed || continue
		found=1
		if [ -n "$uninstall" ]; then
			uninstall_role "$candidate"
		else
			install_role "$candidate"
		fi
	done
	[ -n "$found" ] || {
		[ -z "$uninstall" ] || die "nothing is installed below $PREFIX"
		die "no token: set ASSIM_TOKEN or ASSIM_TOKEN_FILE; the console mints one, with the whole command"
	}
}

# At the end, so that a script that was cut on its way does nothing.
main "$@"
