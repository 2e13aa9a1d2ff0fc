// Package link carries messages over a session: in chunks, each sent until it
// is acknowledged, whatever the network loses, repeats or reorders, and each
// message by itself, so that none waits for another. The rules of the wire are
// in the comment of package wire.
//
// A Link does no I/O and has no clock. Its owner hands every Transport datagram
// to Receive, acts on the events, answers each Received with Done or Refuse
// when its effect is durable, and after each such step sends what Poll
// returns:
//
//	          +-----------------------------------------+
//	datagram -> Receive -> events -> owner -> Done/Refuse |
//	          |                               Send, Echo  |
//	datagrams <- Poll <----------------------------------+
//	             wake: call Poll again then
//
// The life of a message, at its sender and at its receiver:
//
//	queued -> sending -> arrived -> delivered | refused
//	             |          ^
//	             +- lost ---+
//
//	incomplete -> open (Received) -> done | refused -> forgotten
//
// Delivered comes only from Done: between the two the message may be sent
// again, but is Received once. An owner that loses its session loses the
// messages without a verdict and has to send again what they said; hence every
// message must be idempotent.
//
// The responder of a handshake makes a Link of its pending session and hands
// the first datagram to it; where Receive returns no error, the session is live.
//
// What a peer can make a Link hold is bounded by wire.MaxHeld bytes of chunks
// and wire.MaxOpen bytes of decompressed messages, whatever totals it announces;
// what Send queues is bounded by about as much.
package link
