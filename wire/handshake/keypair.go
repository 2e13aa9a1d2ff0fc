package handshake

import (
	"crypto/ecdh"
	"encoding/hex"
	"fmt"
	"io"
)

// Keypair is an X25519 key pair, the lasting identity of a probe or a relay.
type Keypair struct{ Public, Private [32]byte }

// NewKeypair draws a key pair from rand.
func NewKeypair(rand io.Reader) (Keypair, error) {
	var private [32]byte
	if _, err := io.ReadFull(rand, private[:]); err != nil {
		return Keypair{}, fmt.Errorf("draw a private key: %w", err)
	}
	return KeypairFrom(private), nil
}

// KeypairFrom completes the pair of a stored private key.
func KeypairFrom(private [32]byte) Keypair {
	key, err := ecdh.X25519().NewPrivateKey(private[:])
	if err != nil {
		panic("handshake: X25519 refused a key of 32 bytes: " + err.Error())
	}
	return Keypair{Public: [32]byte(key.PublicKey().Bytes()), Private: private}
}

// String shows the public half only, so that printing a pair leaks nothing.
func (k Keypair) String() string { return "x25519:" + hex.EncodeToString(k.Public[:]) }

// GoString is String: %#v leaks nothing either.
func (k Keypair) GoString() string { return k.String() }
