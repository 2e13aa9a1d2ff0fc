// Package benchprobe measures a quiet probe beside Debian's node_exporter and
// zabbix-agent2, each on a host (a network namespace) of its own, at the same
// time on the same machine; then the probe again while processes and connections
// come and go. It is behind `make bench-probe`.
//
// Processor time is what the kernel's scheduler counted for the process's threads
// and its ended children, bytes on the wire are those of the host's only link in
// both directions (layer 2, ARP included), execs come from the kernel's process
// events, disk is what the process caused to be written.
package benchprobe
