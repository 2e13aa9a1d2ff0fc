// Package keys holds the service's master key, under which every private key
// of a tenant is stored, and from which the service derives its own secrets.
// Who has the database but not the master key can read facts, but can open no
// relay's envelope and sign for no site.
//
// The master key is a file of 64 hex digits. A wrapped secret is
//
//	version 1 | key id (4 bytes) | nonce (24) | XChaCha20-Poly1305
//
// with the purpose as associated data, so that a secret cannot be put where
// another belongs. The key id tells which master key wrapped it.
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
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	version   = 1
	keySize   = 32
	keyIDSize = 4
	headSize  = 1 + keyIDSize
)

// Master is the master key, ready for use by many goroutines.
type Master struct {
	root []byte
	id   []byte
	aead cipher.AEAD
}

// New makes a Master of 32 secret bytes.
func New(key []byte) (*Master, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("a master key has %d bytes, not %d", keySize, len(key))
	}
	m := &Master{root: bytes.Clone(key)}
	m.id = m.derive("key id", keyIDSize)
	aead, err := chacha20poly1305.NewX(m.derive("wrap", keySize))
	if err != nil {
		return nil, err
	}
	m.aead = aead
	return m, nil
}

// Load reads the master key from a file, which it makes with a fresh key and
// mode 0600 where there is none. A file that others may read is refused.
func Load(path string) (*Master, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("making the master key %s: %w", path, err)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the master key: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the master key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("master key %s may be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	key := make([]byte, hex.DecodedLen(len(bytes.TrimSpace(text))))
	if _, err := hex.Decode(key, bytes.TrimSpace(text)); err != nil || len(key) != keySize {
		return nil, fmt.Errorf("master key %s is not %d hex digits", path, 2*keySize)
	}
	return New(key)
}

// create writes beside the target and links, so that the file is whole from
// the moment it has its name, and of two processes one wins and both agree.
func create(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".master-key-") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	key := make([]byte, keySize)
	rand.Read(key) // never fails since Go 1.24
	_, err = file.WriteString(hex.EncodeToString(key) + "\n")
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// The name, too, must survive a power cut: the database will, and nobody could
	// open what is wrapped in it.
	return errors.Join(syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// ID names the key, and tells nothing of it.
func (m *Master) ID() string { return hex.EncodeToString(m.id) }

// Wrap seals a secret for storage. purpose says what it is and whose, as in
// "site key 9f1c...": Unwrap wants the same.
func (m *Master) Wrap(purpose string, plaintext []byte) []byte {
	wrapped := append([]byte{version}, m.id...)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	wrapped = append(wrapped, nonce...)
	return m.aead.Seal(wrapped, nonce, plaintext, []byte(purpose))
}

// ErrOtherKey reports a secret that another master key wrapped.
var ErrOtherKey = errors.New("wrapped by another master key")

// Unwrap undoes Wrap.
func (m *Master) Unwrap(purpose string, wrapped []byte) ([]byte, error) {
	if len(wrapped) < headSize+chacha20poly1305.NonceSizeX || wrapped[0] != version {
		return nil, fmt.Errorf("unwrapping %s: not a wrapped secret", purpose)
	}
	if !bytes.Equal(wrapped[1:headSize], m.id) {
		return nil, fmt.Errorf("unwrapping %s: %w", purpose, ErrOtherKey)
	}
	nonce, sealed := wrapped[headSize:headSize+chacha20poly1305.NonceSizeX], wrapped[headSize+chacha20poly1305.NonceSizeX:]
	plaintext, err := m.aead.Open(nil, nonce, sealed, []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("unwrapping %s: damaged, or of another purpose", purpose)
	}
	return plaintext, nil
}

// Derive is a secret of 256 bits that always comes out the same for a label:
// the password of a database login, which so needs no place of its own.
func (m *Master) Derive(label string) string {
	return base64.RawURLEncoding.EncodeToString(m.derive("derive\x00"+label, keySize))
}

// SiteSecret is what the relays of a site share, made of the site's private key,
// so that it has no place of its own: 32 bytes.
func SiteSecret(siteSeed []byte) []byte {
	secret, err := hkdf.Key(sha256.New, siteSeed, nil, "assimilation site secret", keySize)
	if err != nil {
		panic(err) // only for sizes beyond 255 hashes
	}
	return secret
}

func (m *Master) derive(use string, size int) []byte {
	key, err := hkdf.Key(sha256.New, m.root, nil, "assimilation master key\x00"+use, size)
	if err != nil {
		panic(err) // only for sizes beyond 255 hashes
	}
	return key
}
