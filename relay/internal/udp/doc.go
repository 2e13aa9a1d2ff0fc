// Package udp is the relay's socket and its gate: what comes in is sorted,
// bounded and counted here before anything else looks at it.
//
//	announce     -> rate per source -> answered with the certificate (shorter than the question)
//	handshake 1  -> rate per source -> mac1 -> a few workers do the Diffie-Hellman -> sessions
//	transport    -> sessions
//	anything else, or beyond a limit: dropped, counted by reason
//
// Nothing here is logged per packet, and nothing that a flood can choose
// (sources, indexes, keys) makes memory grow.
package udp
