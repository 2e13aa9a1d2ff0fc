package keys_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"assimilation/tenancy/keys"
)

func master(t *testing.T, fill byte) *keys.Master {
	t.Helper()
	m, err := keys.New(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWrapComesBackOnlyForItsPurpose(t *testing.T) {
	m := master(t, 1)
	secret := []byte("the private key of a site")
	wrapped := m.Wrap("site key a", secret)
	if bytes.Contains(wrapped, secret) {
		t.Fatal("the secret stands in the wrapped form")
	}
	got, err := m.Unwrap("site key a", wrapped)
	if err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("Unwrap = %q, %v", got, err)
	}
	if _, err := m.Unwrap("site key b", wrapped); err == nil {
		t.Error("another purpose was accepted")
	}
	if bytes.Equal(wrapped, m.Wrap("site key a", secret)) {
		t.Error("wrapping twice gives the same bytes: the nonce repeats")
	}
	if _, err := master(t, 2).Unwrap("site key a", wrapped); !errors.Is(err, keys.ErrOtherKey) {
		t.Errorf("another master key: %v", err)
	}
}

func TestUnwrapRefusesEveryFlippedByteAndCut(t *testing.T) {
	m := master(t, 1)
	wrapped := m.Wrap("p", []byte("secret"))
	for i := range wrapped {
		damaged := bytes.Clone(wrapped)
		damaged[i] ^= 1
		if _, err := m.Unwrap("p", damaged); err == nil {
			t.Errorf("byte %d flipped: accepted", i)
		}
		if _, err := m.Unwrap("p", wrapped[:i]); err == nil {
			t.Errorf("cut to %d bytes: accepted", i)
		}
	}
}

func TestDeriveIsStableAndSeparated(t *testing.T) {
	m := master(t, 1)
	if m.Derive("reader") != master(t, 1).Derive("reader") {
		t.Error("the same label gives two secrets")
	}
	if m.Derive("reader") == m.Derive("writer") || m.Derive("reader") == master(t, 2).Derive("reader") {
		t.Error("two labels or two keys give one secret")
	}
	// A change here would lock every installation out of its database.
	if got, want := m.Derive("reader"), derivedReader; got != want {
		t.Errorf("Derive(reader) = %s, want %s", got, want)
	}
}

func TestLoadMakesOneKeyAndKeepsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "master.key")
	const loaders = 8
	derived := make([]string, loaders)
	var wait sync.WaitGroup
	for i := range loaders {
		wait.Go(func() {
			m, err := keys.Load(path)
			if err != nil {
				t.Error(err)
				return
			}
			derived[i] = m.Derive("x")
		})
	}
	wait.Wait()
	for _, d := range derived {
		if d != derived[0] {
			t.Fatal("two processes hold two master keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 {
		t.Errorf("%d files beside the key", len(left)-1)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"empty":          {"", 0o600, "hex digits"},
		"short":          {good[:62], 0o600, "hex digits"},
		"not hex":        {"zz" + good[2:], 0o600, "hex digits"},
		"others read it": {good, 0o644, "chmod 600"},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := keys.Load(path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), good) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

const derivedReader = "5kH4mf4-yWrKU5OUvr2hfy96f0_sVcSRcq6-nOVlrKM"
