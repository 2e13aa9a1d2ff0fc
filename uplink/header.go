package uplink

import "assimilation/tenancy"

// Purpose says what an envelope holds, so that one cannot be taken for another.
// Only append.
type Purpose uint8

// The purposes.
const (
	PurposeEnrol         Purpose = 1
	PurposeEnrolAnswer   Purpose = 2
	PurposeBatch         Purpose = 3
	PurposeAck           Purpose = 4
	PurposeOrdersRequest Purpose = 5
	PurposeOrders        Purpose = 6
)

// Header is the clear, authenticated part of an envelope: what a load balancer
// may see.
type Header struct {
	Purpose Purpose         `cbor:"1,keyasint"`
	Relay   tenancy.RelayID `cbor:"2,keyasint,omitzero"` // zero while enrolling
	KeyID   []byte          `cbor:"3,keyasint"`          // first 8 bytes of SHA-256 of the receiver's public key
	SentAt  int64           `cbor:"4,keyasint"`          // Unix ms
	Nonce   []byte          `cbor:"5,keyasint"`          // 16 random bytes; in an answer, those of the request

	// Batches only.
	Epoch uint64 `cbor:"6,keyasint,omitempty"`
	First uint64 `cbor:"7,keyasint,omitempty"`
	Last  uint64 `cbor:"8,keyasint,omitempty"`
	Prev  []byte `cbor:"9,keyasint,omitempty"`  // chain(First-1)
	Chain []byte `cbor:"10,keyasint,omitempty"` // chain(Last)
}
