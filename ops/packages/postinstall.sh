#!/bin/sh
# After installing and upgrading. deb: configure [old version]; rpm: how many are
# installed now.
set -e
unit=@PROGRAM@.service
if ! command -v systemctl >/dev/null; then
	echo "@PROGRAM@: no systemd here; start it as you start others"
	exit 0
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
case $1:${2:-} in
configure: | 1:)
	systemctl enable --quiet "$unit"
	echo "@PROGRAM@: write @WAITS_FOR@ (root's, 0600), then: systemctl start @PROGRAM@"
	;;
configure:* | 2:)
	if [ -d /run/systemd/system ]; then
		systemctl try-restart "$unit"
	fi
	;;
esac
