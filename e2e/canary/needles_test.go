package canary_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"assimilation/e2e/world"
)

// needles are the canaries: name -> the bytes to look for.
type needles map[string][]byte

// word makes a string that occurs nowhere else, and that is allowed as host,
// package and user name.
func word(kind string, i int) string {
	raw := make([]byte, 6)
	rand.Read(raw)
	return fmt.Sprintf("canary-%s%d-%s", kind, i, hex.EncodeToString(raw))
}

// found lists the needles that occur in any of the haystacks, and what was
// found in none.
func (n needles) found(haystacks [][]byte) (found, missing []string) {
	for name, needle := range n {
		hit := false
		for _, h := range haystacks {
			if bytes.Contains(h, needle) {
				hit = true
				break
			}
		}
		if hit {
			found = append(found, name)
		} else {
			missing = append(missing, name)
		}
	}
	return found, missing
}

// zstdMagic begins every zstd frame (RFC 8878, 3.1.1).
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// opensAsZstd reports whether a zstd frame stands anywhere in b.
func opensAsZstd(t *testing.T, b []byte) bool {
	t.Helper()
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	for {
		i := bytes.Index(b, zstdMagic)
		if i < 0 {
			return false
		}
		if _, err := decoder.DecodeAll(b[i:], nil); err == nil {
			return true
		}
		b = b[i+1:]
	}
}

// installPackage installs an empty Debian package of this name, until the test
// ends.
func installPackage(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree", "DEBIAN")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	control := "Package: " + name + "\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a package of a test\n"
	if err := os.WriteFile(filepath.Join(tree, "control"), []byte(control), 0o644); err != nil {
		t.Fatal(err)
	}
	deb := filepath.Join(dir, name+".deb")
	world.Run(t, nil, "dpkg-deb", "--root-owner-group", "--build", filepath.Dir(tree), deb)
	t.Cleanup(func() {
		if out, err := exec.Command("dpkg", "--purge", name).CombinedOutput(); err != nil {
			t.Errorf("removing package %s: %v: %s", name, err, out)
		}
	})
	world.Run(t, nil, "dpkg", "-i", deb)
}
