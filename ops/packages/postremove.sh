#!/bin/sh
# After removal. Its state and identity are kept until it is purged (deb).
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "$1" = purge ]; then
	rm -rf /var/lib/private/@PROGRAM@ /var/lib/@PROGRAM@
	rm -f @WAITS_FOR@ @ENV@
	rmdir /etc/assim 2>/dev/null || :
fi
