package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestProbeDependenciesAreListed makes a new package in the probe visible as a
// line of a diff.
func TestProbeDependenciesAreListed(t *testing.T) {
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "cmd", "assim-probe", "main.go")); os.IsNotExist(err) {
		return
	}
	listed, err := os.ReadFile(filepath.Join(root, "cmd", "assim-probe", "deps.txt"))
	if err != nil {
		t.Fatalf("%v: run `make generate`", err)
	}
	linked, err := exec.Command(filepath.Join(root, "ops", "dev", "probe-deps.sh")).Output()
	if err != nil {
		t.Fatalf("listing the probe's packages: %v", err)
	}
	if string(linked) != string(listed) {
		t.Error("cmd/assim-probe/deps.txt is not what the probe links: run `make generate` and look at the difference")
	}
}
