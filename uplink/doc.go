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
// A record is the CBOR of a Change, core deterministic, with integer keys. A
// batch's payload is a CBOR array of byte strings in shortest form, one record
// each: the receiver hashes exactly the bytes that the sender hashed.
//
// A body need not travel that the receiver has: a record may name it by its hash,
// or carry the difference to an earlier one as a zstd frame with that one as raw
// dictionary (see Packer). The receiver puts the body in before it hashes: the
// chain is over records with their bodies. What it lacks it names in its answer.
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
// relay cannot know yet: it is proved by the nonce instead, then pinned. That is
// the nonce within the sealed request; the one in the header is for all to see.
//
// A receiver judges in this order, so that a stranger costs little: size and
// shape, who the header says it is from, the signature, the seal, the expansion,
// the payload's form, each field's bounds. Every refusal is a *wire.Error with
// its reason. limits.go has the bounds; unknown keys are ignored, so a new
// optional field needs no new version.
package uplink
