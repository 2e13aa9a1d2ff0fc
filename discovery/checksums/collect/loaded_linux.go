package collect

import (
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"assimilation/discovery"
	kind "assimilation/discovery/checksums"
)

// Limits of what is read of a process.
const (
	maxMaps        = 1 << 20
	maxDescriptors = 4096
)

// deleted is what the kernel writes behind the path of a file that is gone.
const deleted = " (deleted)"

// loaded returns the files of the programs that listen, by path: their
// executables, what each process of them has mapped, and a Java's jars. Processes
// of containers are left out: their files are those of an image, which has a
// digest.
func loaded(root fs.FS, programs map[string]bool) (map[string]*kind.File, []error) {
	found := map[string]*kind.File{}
	entries, err := fs.ReadDir(root, "proc")
	if err != nil || len(programs) == 0 {
		return found, nil
	}
	denied := false
	for _, e := range entries {
		pid := "proc/" + e.Name()
		if strings.Trim(e.Name(), "0123456789") != "" {
			continue
		}
		exe, err := fs.ReadLink(root, pid+"/exe")
		if err != nil || !programs[strings.TrimSuffix(exe, deleted)] {
			continue
		}
		if !sameRoot(root, pid) {
			continue
		}
		note(found, exe, "program")
		maps, err := read(root, pid+"/maps", maxMaps)
		if err != nil {
			denied = true
			continue
		}
		mapped(found, maps)
		if base := path.Base(exe); base == "java" {
			jars(root, pid, found)
		}
	}
	if denied {
		return found, []error{&discovery.Degraded{Needs: discovery.SysPtrace, What: "the libraries of some programs that listen"}}
	}
	return found, nil
}

// sameRoot reports whether a process sees the root directory of the host: one in
// a container has another, one that systemd hides directories from has not.
func sameRoot(root fs.FS, pid string) bool {
	host, err1 := fs.Stat(root, "proc/1/root")
	own, err2 := fs.Stat(root, pid+"/root")
	if err1 != nil || err2 != nil {
		return true
	}
	a, ok1 := host.Sys().(*syscall.Stat_t)
	b, ok2 := own.Sys().(*syscall.Stat_t)
	return !ok1 || !ok2 || a.Dev == b.Dev && a.Ino == b.Ino
}

// mapped takes the files of proc_pid_maps(5) that are mapped for execution:
// "55d0c000-55d0e000 r-xp 00000000 08:01 1234   /usr/lib/libc.so.6".
func mapped(found map[string]*kind.File, maps string) {
	for line := range strings.Lines(maps) {
		at := strings.IndexByte(line, '/')
		fields := strings.Fields(line)
		if at < 0 || len(fields) < 6 || len(fields[1]) < 3 || fields[1][2] != 'x' || fields[4] == "0" {
			continue
		}
		file := strings.TrimSuffix(line[at:], "\n")
		if strings.HasPrefix(file, "/memfd:") || strings.HasPrefix(file, "/dev/") || strings.HasPrefix(file, "/SYSV") || strings.HasPrefix(file, "/[") {
			continue
		}
		note(found, file, "library")
	}
}

// jars takes those that a process has open.
func jars(root fs.FS, pid string, found map[string]*kind.File) {
	entries, _ := fs.ReadDir(root, pid+"/fd")
	for _, e := range entries[:min(len(entries), maxDescriptors)] {
		if file, err := fs.ReadLink(root, pid+"/fd/"+e.Name()); err == nil && strings.HasSuffix(strings.TrimSuffix(file, deleted), ".jar") {
			note(found, file, "jar")
		}
	}
}

// addSensitive adds the files of the list that there are.
func addSensitive(root fs.FS, found map[string]*kind.File) {
	for _, name := range sensitive {
		dir, is := strings.CutSuffix(name, "/")
		if !is {
			note(found, name, "sensitive")
			continue
		}
		entries, _ := fs.ReadDir(root, dir[1:])
		for _, e := range entries[:min(len(entries), maxDescriptors)] {
			note(found, name+e.Name(), "sensitive")
		}
	}
}

// note adds a file by its path, which ends in " (deleted)" if that is not any
// more what a process has.
func note(found map[string]*kind.File, file, role string) {
	name, stale := strings.CutSuffix(file, deleted)
	if len(name) > maxPath || len(found) > 2*maxFiles || discovery.Clean(name, maxPath) != name || !strings.HasPrefix(name, "/") {
		return
	}
	f := found[name]
	if f == nil {
		f = &kind.File{Path: name, Role: role}
		found[name] = f
	}
	f.Stale = f.Stale || stale
}

// read is the beginning of a file of proc(5).
func read(root fs.FS, name string, limit int64) (string, error) {
	file, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var out strings.Builder
	_, err = io.Copy(&out, io.LimitReader(file, limit))
	return out.String(), err
}
