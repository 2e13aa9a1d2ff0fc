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

// A key that is prepared opens what another machine wrapped by it, and wraps nothing
// here until it is used.
func TestAMasterKeyIsPreparedOnAllMachines(t *testing.T) {
	one, other := filepath.Join(t.TempDir(), "master.key"), filepath.Join(t.TempDir(), "master.key")
	bring := func() {
		t.Helper()
		text, err := os.ReadFile(one)
		if err == nil {
			err = os.WriteFile(other+".new", text, 0o600)
		}
		if err == nil {
			err = os.Rename(other+".new", other)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	here, err := keys.Load(one)
	if err != nil {
		t.Fatal(err)
	}
	bring()
	there, err := keys.Load(other)
	if err != nil {
		t.Fatal(err)
	}
	first := here.IDs()[0]
	prepared, err := keys.Prepare(one)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := keys.Prepare(one); err != nil || again != prepared {
		t.Errorf("prepared again: %s, %v, want %s", again, err, prepared)
	}
	bring()
	for _, m := range []*keys.Master{here, there} {
		if ids := m.IDs(); len(ids) != 1 || ids[0] != first || m.Prepared() != prepared {
			t.Errorf("prepared: the keys are %v and %q", ids, m.Prepared())
		}
	}
	before := there.Wrap("p", []byte("before"))
	next, put, err := keys.Next(one)
	if err == nil {
		err = put()
	}
	if err != nil {
		t.Fatal(err)
	}
	if next.IDs()[0] != prepared || here.IDs()[0] != prepared || here.Prepared() != "" {
		t.Errorf("used: %v, prepared %q, want %s", here.IDs(), here.Prepared(), prepared)
	}
	// The other machine has not heard of it.
	if _, err := there.Unwrap("p", here.Wrap("p", []byte("after"))); err != nil {
		t.Error(err)
	}
	if _, err := here.Unwrap("p", before); err != nil {
		t.Error(err)
	}
	if others := there.DeriveOthers("login"); len(others) != 1 || others[0] != here.Derive("login") {
		t.Error("the other machine does not know what is derived of the key that is used")
	}
	if _, err := keys.Prepare(one); err == nil {
		t.Error("another key is prepared while the old one is there")
	}
	if err := keys.Retire(one); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Prepare(one); err != nil {
		t.Error(err)
	}
	if err := keys.Retire(one); err != nil || here.Prepared() == "" || len(here.IDs()) != 1 {
		t.Errorf("retiring takes the prepared key along: %v, %q, %v", here.IDs(), here.Prepared(), err)
	}
}
