package collect

import (
	"io/fs"
	"path"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/checksums"
	"assimilation/discovery/internal/process"
)

// sensitiveRole is that of files that no program need have loaded.
const sensitiveRole = "sensitive"

// maxEntries bounds what is looked at in one directory.
const maxEntries = 4096

// files are those that are found, in the order in which they are read: what anybody
// may add comes last, and is what is left out when there are too many.
type files struct {
	by    map[string]*kind.File // by path
	order []*kind.File
	cut   bool
}

// loaded adds the files of the programs that listen: their executables, what each
// process of them has mapped, and a Java's jars; those of the system's own users
// first. Processes of containers are left out: their files are those of an image,
// which has a digest.
func (s *files) loaded(root fs.FS, programs map[string]bool) []error {
	if len(programs) == 0 {
		return nil
	}
	dirs, err := process.All(root, "proc")
	if err != nil {
		return nil
	}
	var system, others []string
	for _, dir := range dirs {
		if exe, _, err := process.Executable(root, dir); err != nil || !programs[exe] || !process.SameRoot(root, dir) {
			continue
		}
		// Not the owner of its directory, which is root's where a process wants that (proc(5)).
		if p, alive := process.Read(root, dir); alive && process.IsSystem(p.UID) {
			system = append(system, dir)
		} else {
			others = append(others, dir)
		}
	}
	denied := false
	for _, dir := range append(system, others...) {
		denied = !s.process(root, dir) || denied
	}
	if denied {
		return []error{&discovery.Degraded{Needs: discovery.SysPtrace, What: "the libraries of some programs that listen"}}
	}
	return nil
}

// process adds the files of one; false if what it has mapped may not be read.
func (s *files) process(root fs.FS, dir string) bool {
	exe, stale, err := process.Executable(root, dir)
	if err != nil {
		return true // it has ended
	}
	s.note(process.File{Path: exe, Stale: stale}, "program")
	libraries, err := process.Mapped(root, dir)
	if err != nil {
		return false
	}
	for _, f := range libraries {
		s.note(f, "library")
	}
	if path.Base(exe) == "java" {
		for _, f := range process.Jars(root, dir) {
			s.note(f, "jar")
		}
	}
	return true
}

// addSensitive adds the files of the list that there are.
func (s *files) addSensitive(root fs.FS) {
	for _, name := range sensitive {
		dir, is := strings.CutSuffix(name, "/")
		if !is {
			s.note(process.File{Path: name}, sensitiveRole)
			continue
		}
		entries, _ := fs.ReadDir(root, dir[1:])
		for _, e := range entries[:min(len(entries), maxEntries)] {
			s.note(process.File{Path: name + e.Name()}, sensitiveRole)
		}
	}
}

// note adds a file by its path.
func (s *files) note(file process.File, role string) {
	name := file.Path
	if len(name) > maxPath || discovery.Clean(name, maxPath) != name || !strings.HasPrefix(name, "/") {
		return
	}
	f := s.by[name]
	if f == nil {
		if len(s.order) == maxFiles {
			s.cut = true
			return
		}
		f = &kind.File{Path: strings.Clone(name), Role: role} // not with all that it was cut out of
		s.by[f.Path], s.order = f, append(s.order, f)
	}
	if f.Role == sensitiveRole {
		f.Role = role // if it is loaded, that counts
	}
	f.Stale = f.Stale || file.Stale
}
