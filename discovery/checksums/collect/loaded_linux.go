package collect

import (
	"io/fs"
	"path"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/checksums"
	"assimilation/discovery/internal/process"
)

// maxEntries bounds what is looked at in one directory.
const maxEntries = 4096

// loaded returns the files of the programs that listen, by path: their
// executables, what each process of them has mapped, and a Java's jars. Processes
// of containers are left out: their files are those of an image, which has a
// digest.
func loaded(root fs.FS, programs map[string]bool) (map[string]*kind.File, []error) {
	found := map[string]*kind.File{}
	if len(programs) == 0 {
		return found, nil
	}
	dirs, err := process.All(root, "proc")
	if err != nil {
		return found, nil
	}
	denied := false
	for _, dir := range dirs {
		exe, stale, err := process.Executable(root, dir)
		if err != nil || !programs[exe] || !process.SameRoot(root, dir) {
			continue
		}
		note(found, process.File{Path: exe, Stale: stale}, "program")
		libraries, err := process.Mapped(root, dir)
		if err != nil {
			denied = true
			continue
		}
		for _, f := range libraries {
			note(found, f, "library")
		}
		if path.Base(exe) == "java" {
			for _, f := range process.Jars(root, dir) {
				note(found, f, "jar")
			}
		}
	}
	if denied {
		return found, []error{&discovery.Degraded{Needs: discovery.SysPtrace, What: "the libraries of some programs that listen"}}
	}
	return found, nil
}

// addSensitive adds the files of the list that there are.
func addSensitive(root fs.FS, found map[string]*kind.File) {
	for _, name := range sensitive {
		dir, is := strings.CutSuffix(name, "/")
		if !is {
			note(found, process.File{Path: name}, "sensitive")
			continue
		}
		entries, _ := fs.ReadDir(root, dir[1:])
		for _, e := range entries[:min(len(entries), maxEntries)] {
			note(found, process.File{Path: name + e.Name()}, "sensitive")
		}
	}
}

// note adds a file by its path.
func note(found map[string]*kind.File, file process.File, role string) {
	name := file.Path
	if len(name) > maxPath || len(found) > 2*maxFiles || discovery.Clean(name, maxPath) != name || !strings.HasPrefix(name, "/") {
		return
	}
	f := found[name]
	if f == nil {
		f = &kind.File{Path: name, Role: role}
		found[name] = f
	}
	f.Stale = f.Stale || file.Stale
}
