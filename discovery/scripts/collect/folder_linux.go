package collect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"assimilation/discovery"
	kind "assimilation/discovery/scripts"
)

const executable = 0o111

// owned reports why what a path names may be changed by others than the owner
// that scripts must have: whoever can change a script runs programs with the
// probe's rights.
func owned(info fs.FileInfo, owner uint32) error {
	of, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return errors.New("is nobody's")
	case of.Uid != owner:
		return fmt.Errorf("belongs to user %d, not to %d", of.Uid, owner)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("has mode %04o: others than its owner may write it", info.Mode().Perm())
	}
	return nil
}

// trusted reports why the folder cannot be trusted; the one above it can put
// another in its place.
func trusted(dir string, owner uint32) error {
	for _, path := range []string{filepath.Dir(dir), dir} {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is no directory", path)
		}
		if err := owned(info, owner); err != nil {
			return fmt.Errorf("%s %w", path, err)
		}
	}
	return nil
}

// admit makes the agent of an executable, or says why there is none.
func admit(dir string, info fs.FileInfo, owner uint32) (agent, error) {
	name := info.Name()
	if !validName(name) {
		return agent{}, fmt.Errorf("is not named as a kind: by a-z, 0-9 and -, at most %d of them, without %s before it", kind.MaxName, discovery.ScriptPrefix)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return agent{}, errors.New("is a symbolic link")
	}
	if err := owned(info, owner); err != nil {
		return agent{}, err
	}
	text, err := readConf(filepath.Join(dir, name+".conf"), owner)
	if err != nil {
		return agent{}, fmt.Errorf("has a %s.conf that %w", name, err)
	}
	c, err := parseConf(text)
	if err != nil {
		return agent{}, fmt.Errorf("has a %s.conf whose %w", name, err)
	}
	a := agent{path: filepath.Join(dir, name), name: name, interval: c.interval, timeout: c.timeout, arguments: strings.Join(c.arguments, "\n")}
	if of, ok := info.Sys().(*syscall.Stat_t); ok {
		a.stamp = stamp{of.Dev, of.Ino, of.Size, info.ModTime().UnixNano(), of.Ctim.Nano()}
	}
	return a, nil
}

// readConf reads a conf file, which may hold secrets and so may be readable by its
// owner only. None is empty.
func readConf(path string, owner uint32) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return "", errors.New("is no plain file")
	case info.Size() > maxConf:
		return "", fmt.Errorf("is larger than %d bytes", maxConf)
	}
	if err := owned(info, owner); err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	return string(text), nil
}

func validName(name string) bool {
	return name != "" && len(name) <= kind.MaxName && name[0] != '-' && !discovery.IsScript(name) &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
