package uplink

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"fmt"
)

// The one suite of the link (RFC 9180, draft-ietf-hpke-pq): an attacker who
// records envelopes today gains nothing from a quantum computer tomorrow.
func kem() hpke.KEM   { return hpke.MLKEM768X25519() }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.ChaCha20Poly1305() }

// SealKey is a receiver's public key. The zero value is no key.
type SealKey struct{ key hpke.PublicKey }

// OpenKey is a receiver's private key. The zero value is no key.
type OpenKey struct{ key hpke.PrivateKey }

// NewOpenKey draws a key pair.
func NewOpenKey() (OpenKey, error) {
	key, err := kem().GenerateKey()
	if err != nil {
		return OpenKey{}, fmt.Errorf("drawing a seal key: %w", err)
	}
	return OpenKey{key}, nil
}

// ParseOpenKey reads what OpenKey.Bytes wrote: 32 bytes of seed.
func ParseOpenKey(b []byte) (OpenKey, error) {
	key, err := kem().NewPrivateKey(b)
	if err != nil {
		return OpenKey{}, malformed("not a private seal key of %d bytes", 32)
	}
	return OpenKey{key}, nil
}

// Bytes is secret.
func (k OpenKey) Bytes() ([]byte, error) {
	if k.key == nil {
		return nil, malformed("no key")
	}
	return k.key.Bytes()
}

// SealKey is the public half.
func (k OpenKey) SealKey() SealKey { return SealKey{k.key.PublicKey()} }

// ParseSealKey reads a public key: 1216 bytes, ML-KEM-768 then X25519.
func ParseSealKey(b []byte) (SealKey, error) {
	key, err := kem().NewPublicKey(b)
	if err != nil || !bytes.Equal(key.Bytes(), b) {
		return SealKey{}, malformed("not a public seal key")
	}
	return SealKey{key}, nil
}

// Bytes is the public key as it travels and is stored.
func (k SealKey) Bytes() []byte { return k.key.Bytes() }

// Hash is SHA-256 of Bytes, as a relay token pins it.
func (k SealKey) Hash() [32]byte { return sha256.Sum256(k.Bytes()) }

// KeyID names a public seal key in headers.
func KeyID(k SealKey) []byte {
	hash := k.Hash()
	return hash[:KeyIDSize]
}
