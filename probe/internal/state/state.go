// Package state keeps what a probe must remember across restarts: its own key,
// and the site it belongs to. Nothing else of a probe is ever written.
//
// The directory holds these files, all mode 0600 and replaced atomically:
//
//	key      version 1 (1 byte) | X25519 private key (32)
//	pin      version 1 (1 byte) | site's Ed25519 public key (32) | host id (16)
//	revoked  the newest wire.Revocation that a relay has told, if any
//	keys     the newest wire.KeyStatement that a relay has told, if any
//
// and, while a probe runs, the lock file and the status socket.
package state

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/handshake"
)

const (
	version  = 1
	keyFile  = "key"
	pinFile  = "pin"
	revoked  = "revoked"
	siteKeys = "keys"
	lockFile = "lock"
	keySize  = 1 + 32
	pinSize  = 1 + 32 + 16
)

// ErrLocked says that another probe runs on the same directory.
var ErrLocked = errors.New("another assim-probe uses this state directory")

// Pin is the site a probe belongs to and its name there.
type Pin struct {
	Site [32]byte // Ed25519 public key; the oldest that is good
	Host tenancy.HostID
}

// Dir is an opened state directory. It is not safe for concurrent use.
type Dir struct {
	path string
	lock *os.File
	key  handshake.Keypair
	pin  *Pin

	revocation *wire.Revocation
	siteKeys   *wire.KeyStatement
}

// Open makes the directory if it is not there, takes its lock, and reads or
// creates the key. Close gives the lock back.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("making state directory: %w", err)
	}
	d := &Dir{path: path}
	var err error
	if d.lock, err = lock(filepath.Join(path, lockFile)); err != nil {
		return nil, fmt.Errorf("locking state directory %s: %w", path, err)
	}
	if err := d.load(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dir) load() error {
	if err := d.loadKey(); err != nil {
		return err
	}
	pin, err := ReadPin(d.path)
	if err != nil {
		return err
	}
	d.pin = pin
	if err := d.loadRevocation(); err != nil {
		return err
	}
	d.siteKeys, err = ReadSiteKeys(d.path)
	return err
}

func (d *Dir) loadRevocation() error {
	b, err := os.ReadFile(filepath.Join(d.path, revoked))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading which relays are revoked: %w", err)
	}
	r, err := wire.ParseRevocation(b)
	if err != nil {
		return fmt.Errorf("the list of revoked relays %s is damaged; remove it, a relay tells it again: %w", filepath.Join(d.path, revoked), err)
	}
	d.revocation = &r
	return nil
}

func (d *Dir) loadKey() error {
	key, err := ReadKey(d.path)
	switch {
	case err == nil:
		d.key = key
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if d.key, err = handshake.NewKeypair(rand.Reader); err != nil {
		return fmt.Errorf("making the probe's key: %w", err)
	}
	return d.write(keyFile, append([]byte{version}, d.key.Private[:]...))
}

// ReadKey reads the key without the lock, for the commands that look at a
// running probe. The error wraps fs.ErrNotExist when there is none yet.
func ReadKey(path string) (handshake.Keypair, error) {
	b, err := os.ReadFile(filepath.Join(path, keyFile))
	if err != nil {
		return handshake.Keypair{}, fmt.Errorf("reading the probe's key: %w", err)
	}
	if len(b) != keySize || b[0] != version {
		return handshake.Keypair{}, fmt.Errorf("the probe's key %s is damaged; restore it, or remove it to become a new host", filepath.Join(path, keyFile))
	}
	return handshake.KeypairFrom([32]byte(b[1:])), nil
}

// ReadPin reads the pinned site without the lock; nil when there is none.
func ReadPin(path string) (*Pin, error) {
	b, err := os.ReadFile(filepath.Join(path, pinFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pinned site: %w", err)
	}
	if len(b) != pinSize || b[0] != version {
		return nil, fmt.Errorf("the pinned site %s is damaged; remove it and give a token", filepath.Join(path, pinFile))
	}
	host := tenancy.HostID{UUID: uuid.UUID(b[33:])}
	return &Pin{Site: [32]byte(b[1:33]), Host: host}, nil
}

// ReadSiteKeys reads the statement of the site's keys without the lock; nil when there
// is none.
func ReadSiteKeys(path string) (*wire.KeyStatement, error) {
	b, err := os.ReadFile(filepath.Join(path, siteKeys))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the site's keys: %w", err)
	}
	s, err := wire.ParseKeyStatement(b)
	if err != nil {
		return nil, fmt.Errorf("the statement of the site's keys %s is damaged; remove it, a relay tells it again: %w", filepath.Join(path, siteKeys), err)
	}
	return &s, nil
}

// Key is the probe's key pair.
func (d *Dir) Key() handshake.Keypair { return d.key }

// Pin is the site the probe belongs to; nil before enrolment.
func (d *Dir) Pin() *Pin { return d.pin }

// Revocation is the newest that was saved, of whichever site; nil: none.
func (d *Dir) Revocation() *wire.Revocation { return d.revocation }

// SaveRevocation remembers durably which relays the site has revoked.
func (d *Dir) SaveRevocation(r wire.Revocation) error {
	if err := d.write(revoked, r.Append(nil)); err != nil {
		return err
	}
	d.revocation = &r
	return nil
}

// SiteKeys is the newest statement that was saved, of whichever site; nil: none.
func (d *Dir) SiteKeys() *wire.KeyStatement { return d.siteKeys }

// SaveSiteKeys remembers durably which keys are the site's.
func (d *Dir) SaveSiteKeys(s wire.KeyStatement) error {
	if err := d.write(siteKeys, s.Append(nil)); err != nil {
		return err
	}
	d.siteKeys = &s
	return nil
}

// Forget leaves the site, so that a token of another, or of the same one anew, can be
// used. The probe's own key stays.
func (d *Dir) Forget() error {
	for _, name := range []string{siteKeys, revoked, pinFile} {
		if err := os.Remove(filepath.Join(d.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forgetting the site: %w", err)
		}
	}
	d.pin, d.revocation, d.siteKeys = nil, nil, nil
	return syncDir(d.path)
}

// SavePin remembers the site durably. It writes nothing if nothing changed.
func (d *Dir) SavePin(pin Pin) error {
	if d.pin != nil && *d.pin == pin {
		return nil
	}
	b := append([]byte{version}, pin.Site[:]...)
	if err := d.write(pinFile, append(b, pin.Host.UUID[:]...)); err != nil {
		return err
	}
	d.pin = &pin
	return nil
}

// Close gives the lock back.
func (d *Dir) Close() error { return d.lock.Close() }

// write replaces a file such that a crash leaves the old or the new content.
func (d *Dir) write(name string, content []byte) error {
	target := filepath.Join(d.path, name)
	f, err := os.CreateTemp(d.path, "."+name+"-") // mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", target, err)
	}
	defer os.Remove(f.Name()) // of no effect once renamed
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err == nil {
		err = syncDir(d.path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", target, err)
	}
	return nil
}
