package uplink

import (
	"crypto/rand"
	"time"

	"assimilation/tenancy"
	"assimilation/wire"
)

// Purpose says what an envelope holds, so that one cannot be taken for another.
// Only append.
type Purpose uint8

// The purposes. An answer's number follows that of its request.
const (
	PurposeEnrol         Purpose = 1
	PurposeEnrolAnswer   Purpose = 2
	PurposeBatch         Purpose = 3
	PurposeAck           Purpose = 4
	PurposeOrdersRequest Purpose = 5
	PurposeOrders        Purpose = 6
	PurposeAnswer        Purpose = 7 // of a question in the orders
	PurposeAnswerTaken   Purpose = 8
)

// maxPayload bounds what an envelope expands to, in bytes: everything but
// batches, orders and answers to questions is small.
func (p Purpose) maxPayload() int {
	if p == PurposeBatch || p == PurposeOrders || p == PurposeAnswer {
		return MaxPayload
	}
	return maxSmall
}

const maxSmall = 64 << 10

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
	// Origin is the relay whose stream it is, where Relay forwards it for one of
	// its site that cannot; zero: Relay's own.
	Origin tenancy.RelayID `cbor:"11,keyasint,omitzero"`
}

// NewHeader is the header of a request: with a fresh nonce.
func NewHeader(purpose Purpose, relay tenancy.RelayID, now time.Time) Header {
	return Header{Purpose: purpose, Relay: relay, SentAt: now.UnixMilli(), Nonce: NewNonce()}
}

// Answer is the header of the answer to h.
func (h Header) Answer(now time.Time) Header {
	return Header{Purpose: h.Purpose + 1, Relay: h.Relay, SentAt: now.UnixMilli(), Nonce: h.Nonce}
}

// NewNonce draws the nonce of a header or of a request. The two are drawn
// apart: a request's own nonce is secret.
func NewNonce() []byte {
	nonce := make([]byte, NonceSize)
	rand.Read(nonce) // never fails since Go 1.24
	return nonce
}

// Check reports why the header is not acceptable.
func (h Header) Check() error {
	switch {
	case h.Purpose < PurposeEnrol || h.Purpose > PurposeAnswerTaken:
		return refuse(wire.Unsupported, "purpose %d", h.Purpose)
	case h.Relay.IsZero() != (h.Purpose == PurposeEnrol || h.Purpose == PurposeEnrolAnswer):
		return malformed("header names a relay exactly when it is enrolled")
	case len(h.KeyID) != KeyIDSize:
		return malformed("key id is not %d bytes", KeyIDSize)
	case len(h.Nonce) != NonceSize:
		return malformed("nonce is not %d bytes", NonceSize)
	case h.SentAt <= 0 || h.SentAt > maxTime:
		return malformed("no possible time of sending")
	}
	if h.Purpose != PurposeBatch {
		if h.Epoch != 0 || h.First != 0 || h.Last != 0 || h.Prev != nil || h.Chain != nil || !h.Origin.IsZero() {
			return malformed("stream position in an envelope that is no batch")
		}
		return nil
	}
	switch {
	case h.Epoch < 1 || h.Epoch > maxNumber:
		return malformed("epoch out of range")
	case h.First < 1 || h.Last < h.First || h.Last > maxNumber:
		return malformed("sequence out of range")
	case h.Last-h.First >= MaxRecords:
		return refuse(wire.TooLarge, "batch of more than %d records", MaxRecords)
	case len(h.Prev) != HashSize || len(h.Chain) != HashSize:
		return malformed("chain hashes are not %d bytes", HashSize)
	}
	return nil
}
