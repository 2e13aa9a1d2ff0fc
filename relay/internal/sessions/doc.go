// Package sessions holds the relay's end of every probe's session, and what it
// knows of every host's presence.
//
//	Handshake1 --> pending --first authentic transport packet--> current session of its key
//	                  |                                             |
//	                  | 10 s                                        | replaced by a newer one, idle, or its host retired
//	                  v                                             v
//	                closed                                        closed
//
// A session whose key belongs to no host is a stranger's: it can enrol, may
// send little, and does not live long. How many there are of each sort is
// bounded, so a flood can at most keep newcomers out.
//
// # Presence
//
//	       Hello                45 s without an authentic datagram,
//	+----------------> up -------- and three echoes unanswered ------> silent
//	|                  | ^                                               |
//	|          Goodbye | +---------- next authentic datagram ------------+
//	|                  v
//	+------------ shut down
//
// After the relay's own start every host gets 90 s before it is called silent.
// Where hosts watch each other a verdict comes long before that: it makes the
// state (Believe), and the host's next word makes it up again.
//
// # Clones
//
// A key that two machines hold shows by the boot numbers of their Hellos, or by
// an address that alternates (clones.go). From then on a new session of the key
// becomes the host's only if its Hello is of the one that was there first.
//
// # Ownership
//
// One goroutine, Run, owns all of it: links are not safe for concurrent use,
// and one owner needs no locks. Datagrams, finished handshakes and the results
// of writes reach it through bounded queues or its mailbox. It never waits for
// the disk: writes are handed to a goroutine that does, and the acknowledgement
// of a message is sent when the store calls back. What waits for the disk is
// bounded by the budget of credit (budget.go), over all sessions together.
package sessions
