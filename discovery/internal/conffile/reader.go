// Package conffile makes facts of configuration files: it reads them bounded and
// from a root, follows the directories they include, and watches them.
package conffile

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/internal/hostfiles"
)

// Limits of one collection. Configuration is written by people: what is larger is
// something else.
const (
	maxFile  = 1 << 20
	maxFiles = 4096
	maxValue = 1024
)

// Reader reads the files of one collection. What could not be read is no error of
// its methods: it is noted, and reported at the end by Err.
type Reader struct {
	root   fs.FS
	buffer []byte
	opened int
	denied []string
	failed []error
	cut    bool
}

// NewReader returns a Reader of the system whose files are under root.
func NewReader(root fs.FS) *Reader { return &Reader{root: root} }

// File returns the content of a file, by its absolute path. Of what is no regular
// file it says that it is not there: reading a pipe would wait for its writer.
func (r *Reader) File(name string) (text string, found bool) {
	info, err := fs.Stat(r.root, relative(name))
	if err != nil {
		r.note(name, err)
		return "", false
	}
	if !info.Mode().IsRegular() {
		return "", false
	}
	if r.opened++; r.opened > maxFiles {
		r.cut = true
		return "", false
	}
	file, err := r.root.Open(relative(name))
	if err != nil {
		r.note(name, err)
		return "", false
	}
	defer file.Close()
	if r.buffer == nil {
		r.buffer = make([]byte, 4<<10)
	}
	var out strings.Builder // not io.ReadAll: that has the content twice
	for out.Len() < maxFile {
		n, err := file.Read(r.buffer)
		out.Write(r.buffer[:n])
		if errors.Is(err, io.EOF) {
			return out.String(), true
		}
		if err != nil {
			r.note(name, err)
			return "", false
		}
	}
	r.cut = true
	return out.String()[:maxFile], true
}

// Line returns the first line of a file, without blanks around it.
func (r *Reader) Line(name string) string {
	text, _ := r.File(name)
	line, _, _ := strings.Cut(text, "\n")
	return discovery.Clean(strings.TrimSpace(line), maxValue)
}

// Dir returns the names in a directory, sorted.
func (r *Reader) Dir(name string) []string {
	names, more, err := hostfiles.Names(r.root, relative(name), maxFiles)
	if err != nil {
		r.note(name, err)
	}
	r.cut = r.cut || more
	return names
}

// Glob returns the absolute paths that match a pattern of path.Match, sorted.
// Only the last part of it may be a pattern, as in includes of real systems.
func (r *Reader) Glob(pattern string) (names []string) {
	dir, last := path.Split(pattern)
	if !strings.ContainsAny(last, `*?[\`) {
		return []string{pattern}
	}
	for _, name := range r.Dir(dir) {
		hidden := strings.HasPrefix(name, ".") && !strings.HasPrefix(last, ".")
		if ok, err := path.Match(last, name); ok && err == nil && !hidden {
			names = append(names, path.Join(dir, name))
		}
	}
	return names
}

// Link returns where a symbolic link points to, "" if it is none.
func (r *Reader) Link(name string) string {
	target, err := fs.ReadLink(r.root, relative(name))
	if err != nil {
		return ""
	}
	return target
}

// Stat describes a file, following links; nil where it is not there.
func (r *Reader) Stat(name string) fs.FileInfo {
	info, err := fs.Stat(r.root, relative(name))
	if err != nil {
		r.note(name, err)
		return nil
	}
	return info
}

// Denied notes that a file may not be read, which somebody else tried.
func (r *Reader) Denied(name string) { r.denied = append(r.denied, name) }

// Limit notes that more was found than a fact takes.
func (r *Reader) Limit() { r.cut = true }

// Err is what the facts lack.
func (r *Reader) Err() error {
	problems := r.failed
	if len(r.denied) > 0 {
		what := r.denied[0]
		if n := len(r.denied) - 1; n > 0 {
			what += " and " + strconv.Itoa(n) + " more"
		}
		problems = append(problems, &discovery.Degraded{Needs: discovery.DACReadSearch, What: what})
	}
	if r.cut {
		problems = append(problems, &discovery.Degraded{What: "more or larger files than a fact takes: the rest is left out"})
	}
	return errors.Join(problems...)
}

func (r *Reader) note(name string, err error) {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid): // "/../x" is no name of an fs.FS
	case errors.Is(err, fs.ErrPermission):
		r.denied = append(r.denied, name)
	case len(r.failed) < 10:
		r.failed = append(r.failed, err)
	}
}

// relative is an absolute path as an fs.FS takes it.
func relative(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name != "" {
		return name
	}
	return "."
}
