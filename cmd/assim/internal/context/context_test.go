package context

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTokenIsTheUsersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "assim.yaml")
	// What a stranger may have put there before.
	for _, waiting := range []string{path, path + ".new"} {
		if err := os.WriteFile(waiting, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(waiting, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	file, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Put("x", Context{URL: "http://localhost", Token: "asm_api_secret"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadFile(path + ".new"); err != nil || strings.Contains(string(left), "secret") {
		t.Errorf("the token went into a file that was there: %q, %v", left, err)
	}
}

func TestAStrangersFileIsNotFound(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	t.Setenv("ASSIM_CONFIG", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := t.TempDir()
	t.Chdir(dir)
	path := filepath.Join(dir, developmentFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Path(); err != nil || got != path {
		t.Errorf("one's own: %s, %v", got, err)
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if got, err := Path(); err != nil || got == path {
		t.Errorf("a stranger's: %s, %v", got, err)
	}
}
