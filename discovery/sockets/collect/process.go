package collect

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/internal/redact"
	kind "assimilation/discovery/sockets"
)

// Limits of a command line in a fact, and of what is read of it.
const (
	maxArgs        = 64
	maxArg         = 256
	maxCommandLine = 64 << 10
	maxProcFile    = 16 << 10
)

// identity is what identical processes have in common.
type identity struct {
	key     string
	service kind.Service // without endpoints
}

func newIdentity(s kind.Service) *identity {
	parts := append([]string{s.Exe, strconv.FormatInt(s.UID, 10), strconv.FormatInt(s.GID, 10), s.Container}, s.Argv...)
	if s.Exe == "" {
		parts = append(parts, s.Name)
	}
	return &identity{strings.Join(parts, "\x00"), s}
}

// kernelIdentity is of sockets that no process can hold.
func kernelIdentity() *identity { return newIdentity(kind.Service{Name: "kernel"}) }

// unknownIdentity is of sockets whose process was not found.
func unknownIdentity(uid uint32) *identity {
	return newIdentity(kind.Service{Name: "unknown", UID: int64(uid), GID: -1})
}

// readIdentity reads who the process is from proc(5); false if it is gone.
func readIdentity(proc fs.FS, pid string) (*identity, bool) {
	status, err := readLimited(proc, pid+"/status", maxProcFile)
	if err != nil {
		return nil, false
	}
	s := kind.Service{UID: -1, GID: -1}
	for line := range bytes.Lines(status) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		switch name {
		case "Name":
			s.Name = discovery.Clean(strings.TrimSpace(value), maxArg)
		case "Uid":
			s.UID = effective(value)
		case "Gid":
			s.GID = effective(value)
		}
	}
	if exe, err := fs.ReadLink(proc, pid+"/exe"); err == nil {
		s.Exe = discovery.Clean(strings.TrimSuffix(exe, " (deleted)"), maxArg*4)
		s.Name = path.Base(s.Exe)
	}
	if line, err := readLimited(proc, pid+"/cmdline", maxCommandLine); err == nil {
		s.Argv = arguments(line)
	}
	if groups, err := readLimited(proc, pid+"/cgroup", maxProcFile); err == nil {
		s.Container = containerID(string(groups))
	}
	return newIdentity(s), true
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

// arguments splits a command line, takes the secrets out, then bounds it.
func arguments(line []byte) []string {
	text := strings.TrimRight(string(line), "\x00")
	if text == "" {
		return nil
	}
	argv := strings.Split(text, "\x00")
	if title, is := processTitle(argv); is {
		argv = []string{title}
	}
	argv = redact.Args(argv)
	if len(argv) > maxArgs {
		argv = argv[:maxArgs]
	}
	for i, arg := range argv {
		argv[i] = discovery.Clean(arg, maxArg)
	}
	return argv
}

// processTitle recognises a command line that the program wrote itself
// (setproctitle: "nginx: worker process", "postgres: walreceiver streaming
// 0/3000148") and returns the words that do not change with its state: those
// before the first one that holds anything but letters.
func processTitle(argv []string) (string, bool) {
	if slices.ContainsFunc(argv[1:], func(arg string) bool { return arg != "" }) {
		return "", false
	}
	words := strings.Fields(argv[0])
	if len(words) < 2 || !strings.HasSuffix(words[0], ":") || strings.HasPrefix(words[0], "/") {
		return "", false
	}
	steady := 1
	for steady < len(words) && !strings.ContainsFunc(words[steady], notLetter) {
		steady++
	}
	return strings.Join(words[:steady], " "), true
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }

// containerID finds the last 64 hexadecimal digits in a row that stand alone
// in a cgroup path: how Docker, containerd, CRI-O and Podman name containers.
func containerID(cgroups string) string {
	const size = 64
	found := ""
	run := 0
	for i := 0; i <= len(cgroups); i++ {
		if i < len(cgroups) && strings.IndexByte("0123456789abcdef", cgroups[i]) >= 0 {
			run++
			continue
		}
		if run == size {
			found = cgroups[i-size : i]
		}
		run = 0
	}
	return found
}

func readLimited(fsys fs.FS, name string, limit int64) ([]byte, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}
