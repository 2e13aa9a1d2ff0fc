// Package keys holds the service's master key, under which every private key
// of a tenant is stored, and from which the service derives its own secrets.
// Who has the database but not the master key can read facts, but can open no
// relay's envelope and sign for no site.
//
// A wrapped secret is
//
//	version 1 | key id (4 bytes) | nonce (24) | XChaCha20-Poly1305
//
// with the purpose as associated data, so that a secret cannot be put where
// another belongs. The key id tells which master key wrapped it.
//
// The master key's file has a line of 64 hex digits for each key. The first wraps
// and derives; the others only unwrap, while secrets are wrapped anew (Next), until
// they are taken out (Retire). A line that begins with "next=" is a key that is
// prepared, so that every machine has it before it is used (Prepare). Who has loaded
// the file notices when it changes.
package keys

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	version   = 1
	keySize   = 32
	keyIDSize = 4
	headSize  = 1 + keyIDSize
)

// key is one master key.
type key struct {
	root     []byte
	id       []byte
	aead     cipher.AEAD
	prepared bool // it wraps nothing here yet
}

func newKey(secret []byte) (*key, error) {
	if len(secret) != keySize {
		return nil, fmt.Errorf("a master key has %d bytes, not %d", keySize, len(secret))
	}
	k := &key{root: bytes.Clone(secret)}
	k.id = k.derive("key id", keyIDSize)
	aead, err := chacha20poly1305.NewX(k.derive("wrap", keySize))
	if err != nil {
		return nil, err
	}
	k.aead = aead
	return k, nil
}

// Master is the master key, and what came before it, ready for use by many
// goroutines.
type Master struct {
	source source
}

// New makes a Master of 32 secret bytes.
func New(secret []byte) (*Master, error) {
	k, err := newKey(secret)
	if err != nil {
		return nil, err
	}
	return &Master{source: fixed{k}}, nil
}

// IDs name the keys that are or were used here, the one that wraps first, and tell
// nothing of them.
func (m *Master) IDs() (ids []string) {
	for _, k := range m.source.keys() {
		if !k.prepared {
			ids = append(ids, hex.EncodeToString(k.id))
		}
	}
	return ids
}

// Prepared names the key that is prepared; "" for none.
func (m *Master) Prepared() string {
	for _, k := range m.source.keys() {
		if k.prepared {
			return hex.EncodeToString(k.id)
		}
	}
	return ""
}

// Wrap seals a secret for storage. purpose says what it is and whose, as in
// "site key 9f1c...": Unwrap wants the same.
func (m *Master) Wrap(purpose string, plaintext []byte) []byte {
	k := m.source.keys()[0]
	wrapped := append([]byte{version}, k.id...)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce) // never fails since Go 1.24
	wrapped = append(wrapped, nonce...)
	return k.aead.Seal(wrapped, nonce, plaintext, []byte(purpose))
}

// ErrOtherKey reports a secret that another master key wrapped.
var ErrOtherKey = errors.New("wrapped by another master key")

// Unwrap undoes Wrap.
func (m *Master) Unwrap(purpose string, wrapped []byte) ([]byte, error) {
	if len(wrapped) < headSize+chacha20poly1305.NonceSizeX || wrapped[0] != version {
		return nil, fmt.Errorf("unwrapping %s: not a wrapped secret", purpose)
	}
	for _, k := range m.source.keys() {
		if !bytes.Equal(wrapped[1:headSize], k.id) {
			continue
		}
		nonce, sealed := wrapped[headSize:headSize+chacha20poly1305.NonceSizeX], wrapped[headSize+chacha20poly1305.NonceSizeX:]
		plaintext, err := k.aead.Open(nil, nonce, sealed, []byte(purpose))
		if err != nil {
			return nil, fmt.Errorf("unwrapping %s: damaged, or of another purpose", purpose)
		}
		return plaintext, nil
	}
	return nil, fmt.Errorf("unwrapping %s: %w", purpose, ErrOtherKey)
}

// Derive is a secret of 256 bits that comes out the same for a label as long as the
// key is the same: the password of a database login, which so needs no place of its
// own.
func (m *Master) Derive(label string) string {
	return m.source.keys()[0].derived(label)
}

// DeriveOthers is what Derive comes to with the other keys of the file: what holds where
// another machine has changed the key and this one does not know yet, or the other way
// round.
func (m *Master) DeriveOthers(label string) (secrets []string) {
	for _, k := range m.source.keys()[1:] {
		secrets = append(secrets, k.derived(label))
	}
	return secrets
}

// SiteSecret is what the relays of a site share, made of the site's private key,
// so that it has no place of its own before that key is replaced: 32 bytes.
func SiteSecret(siteSeed []byte) []byte {
	secret, err := hkdf.Key(sha256.New, siteSeed, nil, "assimilation site secret", keySize)
	if err != nil {
		panic(err) // only for sizes beyond 255 hashes
	}
	return secret
}

func (k *key) derived(label string) string {
	return base64.RawURLEncoding.EncodeToString(k.derive("derive\x00"+label, keySize))
}

func (k *key) derive(use string, size int) []byte {
	key, err := hkdf.Key(sha256.New, k.root, nil, "assimilation master key\x00"+use, size)
	if err != nil {
		panic(err) // only for sizes beyond 255 hashes
	}
	return key
}
