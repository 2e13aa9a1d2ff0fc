package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// beside is how files that are to become the key's begin.
const beside = ".master-key-"

// nextPrefix begins the line of a key that is prepared.
const nextPrefix = "next="

// maxKeys bounds how many keys a file may hold: one, and what is being retired.
const maxKeys = 8

const maxFile = 4 << 10

// source is where the keys are; there is at least one.
type source interface{ keys() []*key }

type fixed []*key

func (f fixed) keys() []*key { return f }

// file is a source that may change while it is used.
type file struct {
	path string

	mu   sync.Mutex
	ring []*key
	seen os.FileInfo
}

// keys reads the file again when it is another than it was. What cannot be read is
// as if it had not changed: a service goes on with the keys that it has.
func (f *file) keys() []*key {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now, err := os.Stat(f.path); err == nil && !(os.SameFile(now, f.seen) && now.ModTime().Equal(f.seen.ModTime())) {
		if ring, seen, err := read(f.path); err == nil {
			f.ring, f.seen = ring, seen
		}
	}
	return f.ring
}

// Load reads the master key from a file, which it makes with a fresh key and
// mode 0600 where there is none. A file that others may read is refused.
func Load(path string) (*Master, error) {
	ring, seen, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("making the master key %s: %w", path, err)
		}
		ring, seen, err = read(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the master key: %w", err)
	}
	return &Master{source: &file{path: path, ring: ring, seen: seen}}, nil
}

func read(path string) ([]*key, os.FileInfo, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, nil, fmt.Errorf("%s may be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile))
	if err != nil {
		return nil, nil, err
	}
	var ring []*key
	var prepared *key
	for _, line := range bytes.Fields(text) {
		line, next := bytes.CutPrefix(line, []byte(nextPrefix))
		secret := make([]byte, hex.DecodedLen(len(line)))
		if _, err := hex.Decode(secret, line); err != nil || len(secret) != keySize {
			return nil, nil, fmt.Errorf("%s has a line that is not %d hex digits", path, 2*keySize)
		}
		k, err := newKey(secret)
		if err != nil {
			return nil, nil, err
		}
		switch k.prepared = next; {
		case !next:
			ring = append(ring, k)
		case prepared != nil:
			return nil, nil, fmt.Errorf("%s has two keys that are prepared", path)
		default:
			prepared = k
		}
	}
	if len(ring) > 0 && prepared != nil {
		ring = append(ring, prepared)
	}
	if len(ring) == 0 || len(ring) > maxKeys {
		return nil, nil, fmt.Errorf("%s has %d keys of %d hex digits, not 1 to %d", path, len(ring), 2*keySize, maxKeys)
	}
	return ring, info, nil
}

// create writes the first key. Of two processes one wins and both agree.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	first, err := draw()
	if err != nil {
		return err
	}
	return write(path, []*key{first}, func(from string) error {
		if err := os.Link(from, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

func draw() (*key, error) {
	secret := make([]byte, keySize)
	rand.Read(secret) // never fails since Go 1.24
	return newKey(secret)
}

// write writes beside the target and then names it, so that the file is whole from
// the moment it has its name.
func write(path string, ring []*key, name func(from string) error) error {
	dir := filepath.Dir(path)
	out, err := os.CreateTemp(dir, beside) // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	var text bytes.Buffer
	for _, k := range ring {
		if k.prepared {
			text.WriteString(nextPrefix)
		}
		text.WriteString(hex.EncodeToString(k.root) + "\n")
	}
	_, err = out.Write(text.Bytes())
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := name(out.Name()); err != nil {
		return err
	}
	// The name, too, must survive a power cut: the database will, and nobody could
	// open what is wrapped in it.
	return errors.Join(syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

// replace gives a file of keys another content. Of who calls it there is one at a
// time.
func replace(path string, ring []*key) error {
	old, err := os.Stat(path)
	if err != nil {
		return err
	}
	// What was killed has left keys beside it, which may be retired since.
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), beside+"*"))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return err
	}
	return write(path, ring, func(from string) error {
		// The service that reads it may be another user than who changes it.
		if err := keepOwner(from, old); err != nil {
			return err
		}
		return os.Rename(from, path)
	})
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Prepare puts a fresh key into the file that is used for nothing yet, or names the one
// that is there. Not where a key is being retired: nobody could tell which is which.
func Prepare(path string) (id string, err error) {
	ring, _, err := read(path)
	if err != nil {
		return "", fmt.Errorf("reading the master key: %w", err)
	}
	last := ring[len(ring)-1]
	switch {
	case last.prepared:
		return hex.EncodeToString(last.id), nil
	case len(ring) > 1:
		return "", fmt.Errorf("%s still has an old key: retire it first", path)
	}
	fresh, err := draw()
	if err != nil {
		return "", err
	}
	fresh.prepared = true
	if err := replace(path, append(ring, fresh)); err != nil {
		return "", fmt.Errorf("writing the master key %s: %w", path, err)
	}
	return hex.EncodeToString(fresh.id), nil
}

// Next is the master key as it will be: the one that is prepared, else a fresh one,
// before the present one, or, where one is being retired already, what there is. put
// writes it to the file.
func Next(path string) (next *Master, put func() error, err error) {
	ring, _, err := read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the master key: %w", err)
	}
	fresh, rest := ring[len(ring)-1], ring[:len(ring)-1]
	switch {
	case fresh.prepared:
		fresh.prepared = false // of what was read for this call alone
	case len(rest) > 0:
		return &Master{source: fixed(ring)}, func() error { return nil }, nil
	default:
		if fresh, err = draw(); err != nil {
			return nil, nil, err
		}
		rest = ring
	}
	ring = slices.Concat([]*key{fresh}, rest)
	return &Master{source: fixed(ring)}, func() error {
		if err := replace(path, ring); err != nil {
			return fmt.Errorf("writing the master key %s: %w", path, err)
		}
		return nil
	}, nil
}

// Retire takes all keys but the first out of a file. One that is prepared stays.
func Retire(path string) error {
	ring, _, err := read(path)
	if err != nil {
		return fmt.Errorf("reading the master key: %w", err)
	}
	kept := ring[:1]
	if last := ring[len(ring)-1]; last.prepared {
		kept = []*key{ring[0], last}
	}
	if err := replace(path, kept); err != nil {
		return fmt.Errorf("writing the master key %s: %w", path, err)
	}
	return nil
}
