#!/bin/sh
# Before removal, not before an upgrade. deb: remove, upgrade; rpm: how many stay.
set -e
case $1 in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now --quiet @PROGRAM@.service
	elif command -v systemctl >/dev/null; then
		systemctl disable --quiet @PROGRAM@.service
	fi
	;;
esac
