// Package loadtest powers on a site: thousands of simulated probes in one
// process, each with its own key and session, over the real protocol and real
// UDP sockets of loopback, against a real relay. What they upload looks like
// the inventory of small hosts of a few images.
//
//	lane (one socket, one goroutine) --owns--> probes
//	  announce -> handshake (cookie) -> Enrol -> Hello -> Digests -> FactPut... -> durable
//
// Beside them it can make the network bad (faults.go), and be an attacker
// (attack.go). What the relay costs is read from its own /metrics and /status.
package loadtest
