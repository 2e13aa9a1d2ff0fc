package keys_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"assimilation/tenancy/keys"
)

// TestAMasterKeyIsReplacedWhileItIsUsed goes the whole way with a service that
// loaded the file before.
func TestAMasterKeyIsReplacedWhileItIsUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	service, err := keys.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	first := service.IDs()[0]
	old, password := service.Wrap("p", []byte("secret")), service.Derive("login")

	next, put, err := keys.Next(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := service.IDs(); len(got) != 1 || got[0] != first {
		t.Fatalf("before it is put there the file has %v", got)
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	if got := service.IDs(); len(got) != 2 || got[0] != next.IDs()[0] || got[1] != first {
		t.Fatalf("the service has %v, want the next key before %s", got, first)
	}
	if service.Derive("login") == password || service.Derive("login") != next.Derive("login") {
		t.Error("secrets are still derived of the old key")
	}
	fresh := service.Wrap("p", []byte("new"))
	for _, wrapped := range [][]byte{old, fresh} {
		if _, err := service.Unwrap("p", wrapped); err != nil {
			t.Error(err)
		}
	}
	again, put, err := keys.Next(path)
	if err != nil || again.IDs()[0] != next.IDs()[0] {
		t.Fatalf("after a break it begins anew: %v, %v", again.IDs(), err)
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}

	left := filepath.Join(filepath.Dir(path), ".master-key-123") // by one that was killed
	if err := os.WriteFile(left, []byte("a key that shall be gone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keys.Retire(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("keys are left beside the file: %v", err)
	}
	if _, err := service.Unwrap("p", old); !errors.Is(err, keys.ErrOtherKey) {
		t.Errorf("a retired key opens: %v", err)
	}
	if got, err := service.Unwrap("p", fresh); err != nil || string(got) != "new" {
		t.Errorf("got %q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAFileThatTurnsBadChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	service, err := keys.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	wrapped := service.Wrap("p", []byte("secret"))
	for _, text := range []string{"", "00", "no hex\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := service.Unwrap("p", wrapped); err != nil {
			t.Errorf("with %q in the file: %v", text, err)
		}
		if _, err := keys.Load(path); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
