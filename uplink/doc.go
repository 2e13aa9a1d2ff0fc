// Package uplink is the contract between a relay and the service: the records
// of a relay's stream, how a batch of them is packed, sealed and signed, and
// what the service answers and orders.
//
// # The stream
//
// A relay writes one stream of records, numbered 1, 2, 3... within an epoch. A
// running hash binds every record to all before it:
//
//	chain(0) = SHA-256("assimilation stream" 0x00 relay id, epoch (8 bytes, big-endian))
//	chain(n) = SHA-256(chain(n-1), encoding of record n)
//
// Because the chain is over records and not over batches, a batch may be cut
// anywhere, and cut anew when it is sent again.
//
// # The envelope
//
// Everything a relay sends is one envelope, over HTTPS POST:
//
//	magic "ASMU" | version 1 | header length (2) | header (CBOR) |
//	sealed length (4) | sealed | signature (64)
//
// sealed is one-shot HPKE (RFC 9180) to the tenant's key, KEM MLKEM768-X25519,
// HKDF-SHA256, ChaCha20-Poly1305, with the header as info: encapsulated key and
// ciphertext, as crypto/hpke Seal returns them. The plaintext is one byte of
// compression (0 none, 1 zstd) and the payload. The signature is the relay's
// Ed25519 over "assimilation envelope" 0x00 and everything before it. A relay
// that is enrolling signs with the key that it is about to register.
//
// Answers travel in the same envelope, sealed to the relay's key and signed by
// the site's key. The answer to an enrolment is signed by a site key that the
// relay cannot know yet: it is proved by the nonce instead, then pinned.
package uplink
