// Package benchswim measures how soon a site learns of a host's death, and what
// the heartbeats cost until then, beside SWIM as hashicorp/memberlist does it
// with its defaults for a LAN (Serf and Consul are built on it). It is behind
// `make bench-swim`.
//
// Ours is the real thing: the service, a relay, and N probes that are those of
// the product but for their collectors, with keys, sessions and sockets of their
// own, in one process. Theirs is N nodes in one process. Each has a network
// namespace whose loopback is the LAN, and both are measured at the same time.
//
// A host dies silently: from one moment on every packet from or to its address
// is dropped where it arrives. Then the time runs until the relay has told a
// webhook that the host is down; of memberlist, until the first of the living
// nodes has declared it dead. Bytes are those of loopback, with 14 more for the
// Ethernet header of each packet, over a time in which nothing dies; ours include
// what relay and probes say to each other. Both crowds run with a raised priority
// (the relay and the service do not), for on a busy machine memberlist's nodes
// call each other dead.
package benchswim
