package world

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Programs are built once per test process. One that runs alone finds them built.
var (
	buildPrograms   = sync.OnceValues(func() (string, error) { return build("", "make", "build") })
	buildCheckTruth = sync.OnceValues(func() (string, error) {
		return build("checktruth", "go", "build", "-trimpath", "-buildvcs=false", "-o", "bin/checktruth", "./e2e/checktruth")
	})
)

// build runs a command in the project's folder and returns the path of what it has
// put into bin.
func build(made string, line ...string) (string, error) {
	dir, err := root()
	if err != nil {
		return "", err
	}
	if own := os.Getenv(aloneMark); own != "" {
		return filepath.Join(own, "bin", made), nil
	}
	bin := filepath.Join(dir, "bin")
	// Of several test programs that begin at once the first one builds: a program that
	// is replaced while it runs is news of a host.
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(bin, ".lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("waiting for other builds: %w", err)
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return filepath.Join(bin, made), nil
}

// root is the project's folder.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working folder")
		}
		dir = parent
	}
}
