// Package process reads of proc(5) who a process is and which files it runs. It
// never reads an environment. A process is named by its directory under the root
// that is read: "proc/123".
package process

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"assimilation/discovery"
)

const (
	maxCommandLine = 64 << 10
	maxFile        = 16 << 10
	maxExe         = 1024
)

// deleted is what the kernel writes behind the path of a file that is gone.
const deleted = " (deleted)"

// Process is what identical processes have in common.
type Process struct {
	Name      string   // base name of the executable, or comm
	Exe       string   // "" of a thread of the kernel, or where it may not be read
	Argv      []string // without secrets, bounded
	UID, GID  int64    // effective; -1 unknown
	Container string   // 64 hexadecimal digits
	Unit      string   // service of systemd
}

// Key tells processes apart that are not identical. The unit is no part of it.
func (p Process) Key() string {
	parts := append([]string{p.Exe, strconv.FormatInt(p.UID, 10), strconv.FormatInt(p.GID, 10), p.Container}, p.Argv...)
	if p.Exe == "" {
		parts = append(parts, p.Name)
	}
	return strings.Join(parts, "\x00")
}

// Read reads who a process is; false if it is gone.
func Read(root fs.FS, dir string) (Process, bool) {
	status, err := Text(root, dir+"/status", maxFile)
	if err != nil {
		return Process{}, false
	}
	p := Process{UID: -1, GID: -1}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "Name":
			p.Name = discovery.Clean(strings.TrimSpace(value), maxArg)
		case "Uid":
			p.UID = effective(value)
		case "Gid":
			p.GID = effective(value)
		}
	}
	if exe, _, err := Executable(root, dir); err == nil {
		p.Exe = discovery.Clean(exe, maxExe)
		p.Name = path.Base(p.Exe)
	}
	if line, err := Text(root, dir+"/cmdline", maxCommandLine); err == nil {
		p.Argv = arguments(line)
	}
	if groups, err := Text(root, dir+"/cgroup", maxFile); err == nil {
		p.Container, p.Unit = containerID(groups), unit(groups)
	}
	return p, true
}

// Executable is the file that a process runs, and whether another one has its name
// by now, or none.
func Executable(root fs.FS, dir string) (file string, stale bool, err error) {
	link, err := fs.ReadLink(root, dir+"/exe")
	file, stale = strings.CutSuffix(link, deleted)
	return file, stale, err
}

// All returns the directories of all processes under proc, in the order of their
// numbers' digits.
func All(root fs.FS, proc string) (dirs []string, err error) {
	entries, err := fs.ReadDir(root, proc)
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") == "" {
			dirs = append(dirs, path.Join(proc, e.Name()))
		}
	}
	return dirs, err
}

// effective takes the second of "real effective saved file-system".
func effective(ids string) int64 {
	fields := strings.Fields(ids)
	if len(fields) < 2 {
		return -1
	}
	id, err := strconv.ParseUint(fields[1], 10, 32)
	if err != nil {
		return -1
	}
	return int64(id)
}

// Text is the beginning of a file of proc(5).
func Text(root fs.FS, name string, limit int) (string, error) {
	file, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	buffer := make([]byte, 4<<10)
	var out strings.Builder
	for out.Len() < limit {
		n, err := file.Read(buffer)
		out.Write(buffer[:min(n, limit-out.Len())])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	return out.String(), nil
}
