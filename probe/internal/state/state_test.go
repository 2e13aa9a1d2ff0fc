package state_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"assimilation/probe/internal/state"
	"assimilation/tenancy"
	"assimilation/wire"
)

func open(t *testing.T, path string) *state.Dir {
	t.Helper()
	d, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "state")
	d := open(t, path)
	if d.Pin() != nil {
		t.Fatal("a new state has a pin")
	}
	pin := state.Pin{Site: [32]byte{1, 2, 3}, Host: tenancy.NewID[tenancy.HostID]()}
	if err := d.SavePin(pin); err != nil {
		t.Fatal(err)
	}
	key := d.Key()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	if again.Key() != key || again.Pin() == nil || *again.Pin() != pin {
		t.Errorf("key or pin %v differs after a restart", again.Pin())
	}
	if again.Revocation() != nil {
		t.Error("a revocation that nobody saved")
	}
	if err := again.SaveRevocation(wire.Revocation{At: 7, Relays: [][16]byte{{1}}}); err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if r := open(t, path).Revocation(); r == nil || r.At != 7 || len(r.Relays) != 1 {
		t.Errorf("revocation %v after a restart", r)
	}
	read, err := state.ReadKey(path)
	if err != nil || read != key {
		t.Errorf("reading the key beside a running probe: %v", err)
	}
	names := map[string]fs.FileMode{"key": 0o600, "pin": 0o600, "lock": 0o600, "revoked": 0o600}
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if want, ok := names[e.Name()]; !ok || info.Mode().Perm() != want {
			t.Errorf("file %s has mode %v", e.Name(), info.Mode())
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory has mode %v, %v", info.Mode(), err)
	}
}

func TestOneProbePerDirectory(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if _, err := state.Open(path); !errors.Is(err, state.ErrLocked) {
		t.Errorf("second probe: %v, want ErrLocked", err)
	}
	open(t, t.TempDir()) // another directory is another probe
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// A damaged file is never replaced: the host would come back as another one.
func TestDamagedFilesAreNotReplaced(t *testing.T) {
	for name, content := range map[string]string{"key": "short", "pin": "\x02not a version that is known, of any length"} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			if err := os.WriteFile(filepath.Join(path, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := state.Open(path); err == nil {
				t.Fatal("opened")
			}
			if b, err := os.ReadFile(filepath.Join(path, name)); err != nil || string(b) != content {
				t.Errorf("file was changed to %q, %v", b, err)
			}
		})
	}
}

func TestPinIsWrittenOnlyWhenItChanges(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	pin := state.Pin{Site: [32]byte{9}, Host: tenancy.NewID[tenancy.HostID]()}
	if err := d.SavePin(pin); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(filepath.Join(path, "pin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SavePin(pin); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(filepath.Join(path, "pin"))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("an unchanged pin was written again, %v", err)
	}
}
