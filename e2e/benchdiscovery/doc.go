// Package benchdiscovery measures what it costs to discover this host once: by the
// probe, kind by kind, and beside it by Debian's facter, fusioninventory-agent and
// lynis. It is behind `make bench-discovery`.
//
// All look at the same files: this host's, with the peers installed on top of them
// in a layer that goes with the benchmark. Processor time and memory are what the
// kernel counted for a program and its ended children (wait4(2)), programs started
// come from the kernel's process events.
package benchdiscovery
