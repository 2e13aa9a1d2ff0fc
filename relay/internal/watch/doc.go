// Package watch is the relay's watch over its hosts. It keeps the rings, has every
// probe exchange heartbeats with its neighbours, gathers what they and the relay
// notice, and makes known what the verdict engine concludes.
//
//	sessions ---- greeted, left, reported ----> Watch ----> rings ----> orders to probes
//	socket ------ heartbeats -----------------> | ^
//	topology ---- where hosts stand ----------> | | echoes, connects
//	                                            v |
//	                                       verdict engine ----> store and outbox, notices
//
// # Edges
//
// An edge of two neighbours has a random number and a key for each direction,
// derived from a secret that this process draws; it is ended and drawn anew when
// one of its probes was restarted, for that counts its beats from 1 again. What
// one end says about the other counts only once both have adopted the edge, and
// had time for some beats: before that silence is no evidence.
//
// # Ownership
//
// One goroutine, Run, owns rings, edges and engine. Whatever happens reaches it
// through its mailbox; heartbeats and signs of life, which may be many, through
// bounded ways that lose some rather than grow.
package watch
