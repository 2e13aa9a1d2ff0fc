// Package furnished holds the service's picture of two hosts against their own
// tools: this very host, and one that is furnished with something of every class: a
// Debian root in namespaces of its own, with accounts, servers, certificates, packet
// filters, disks, schedules and the like. It is behind `make check-truth`.
//
// root.sh makes the root once, host.sh makes a host of it, furnish.sh is that host's
// first process. What is compared, and by which tools, is in package truth.
package furnished
