// Package cluster lets the relays of a site stand in for each other.
//
//	       orders of the service: who the relays are, their keys and addresses
//	                                  |
//	relay A <=== TLS stream, both proved by their signing keys ===> relay B
//	   |    <--- memberlist: who lives, encrypted by the site's secret --->  |
//	   | told, records, hosts                                 have, beat |
//	   +-------------------------------------------------------------------->+
//
// # Who is who
//
// The service names the relays of a site; gossip adds none. Memberlist says only
// who of them lives, and it is believed that one is dead only when its stream is
// silent too and it answers no handshake where it serves probes. A relay that is
// alone listens to nothing.
//
// # Two disks
//
// Every relay copies its outbox to one other, its buddy: the living relay with
// the highest score for it by rendezvous hashing. Store.Submit calls back, and so
// a probe's message is acknowledged, when the buddy has the records on its disk.
// A buddy that takes longer than copyTime is not waited for: the relay goes on
// with one disk, says that it is degraded, and waits again when the copy has
// caught up. What the service holds is forgotten by the copy.
//
// Every relay also tells all others which hosts it has, under which term, so that
// any of them can admit a probe without a token, and call it.
//
// # Standing in
//
// When a relay is dead, the others share out its hosts by rendezvous hashing of
// the domains in which they stand. Each takes its part: it raises their terms,
// and calls their probes. Who has a copy of the dead relay's log sends it to the
// service under the dead one's name and positions, as soon as the service can be
// reached. When the dead relay returns, it learns from the others' lists which of
// its hosts are elsewhere, and from the service how far its stream has come.
//
// A probe whose domain belongs to another relay, one that has lived for long
// enough, is sent there by a Redirect; not twice within redirectAgain.
package cluster
