// Package relay is the program of a site: it finds its service with a token,
// answers the site's probes, keeps what they say in a durable store, and
// forwards it.
//
//	             +-------------------------- relay ---------------------------+
//	probes --UDP--> udp: gate --> sessions --> enrol                          |
//	             |                   |           |                            |
//	             |                   v           v                            |
//	             |                store: state + outbox, one transaction      |
//	             |                   ^           |                            |
//	             |                orders      outbox --> uplink ----HTTPS----> service
//	             |                   +-------------------- |                  |
//	             |   status: HTTP on loopback                                 |
//	             +------------------------------------------------------------+
package relay
