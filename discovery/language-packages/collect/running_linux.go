package collect

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"assimilation/discovery"
	"assimilation/discovery/internal/built"
	"assimilation/discovery/internal/process"
)

// Limits of what runs.
const (
	maxPrograms = 512
	maxJars     = 2048
)

// content tells one content of a file from all others, as far as that can be known
// without reading it.
type content struct {
	path          string
	device, inode uint64
	size          int64
	mtime         int64
}

// Follow takes the programs of services out of facts of the kind "sockets", but for
// those in containers: what these are built of is their image's affair.
func (c *Collector) Follow(_ string, facts []discovery.Fact) {
	programs := map[string]bool{}
	for _, service := range process.Services(facts) {
		if exe := service.Get("exe").Text(); strings.HasPrefix(exe, "/") && service.Get("container") == "" && len(programs) < maxPrograms {
			programs[exe] = true
		}
	}
	c.mu.Lock()
	c.programs = programs
	c.mu.Unlock()
}

// running adds the parts of the programs of services, and of the jars of those that
// are a Java. What was read before is not read again, also where time ended
// a collection; all is sorted, so that each goes on, and leaves out the same.
func (c *Collector) running(ctx context.Context, l *list) error {
	c.mu.Lock()
	programs := c.programs
	c.mu.Unlock()
	known := make(map[content][]built.Part, len(c.known))
	defer func() { c.known = known }()
	java := false
	for _, exe := range slices.Sorted(maps.Keys(programs)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		java = java || path.Base(exe) == "java"
		c.parts(l, known, exe, func(file io.ReaderAt, _ int64) []built.Part { return built.Program(file) })
	}
	if java {
		for _, jar := range slices.Sorted(maps.Keys(c.jars(l, programs))) {
			if err := ctx.Err(); err != nil {
				return err
			}
			c.parts(l, known, jar, func(file io.ReaderAt, size int64) []built.Part { return built.Jar(file, size, jar) })
		}
	}
	return nil
}

// jars are those of the services that are a Java, by their path.
func (c *Collector) jars(l *list, programs map[string]bool) map[string]bool {
	found := map[string]bool{}
	dirs, _ := process.All(c.root, "proc")
	for _, dir := range dirs {
		exe, _, err := process.Executable(c.root, dir)
		if err != nil || path.Base(exe) != "java" || !programs[exe] || !process.SameRoot(c.root, dir) {
			continue
		}
		for _, jar := range process.Jars(c.root, dir) {
			if len(found) == maxJars {
				l.Limit()
				return found
			}
			found[jar.Path] = found[jar.Path] || !jar.Stale
		}
	}
	return found
}

// parts adds what a file is built of.
func (c *Collector) parts(l *list, known map[content][]built.Part, name string, read func(io.ReaderAt, int64) []built.Part) {
	if l.full() {
		l.Limit()
		return
	}
	info, err := fs.Stat(c.root, path.Clean(name)[1:])
	if err != nil || !info.Mode().IsRegular() {
		return // it was removed since the program began
	}
	id := content{path: name, size: info.Size(), mtime: info.ModTime().UnixNano()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		id.device, id.inode = uint64(s.Dev), s.Ino
	}
	parts, seen := c.known[id]
	if !seen {
		file, err := c.root.Open(path.Clean(name)[1:])
		if errors.Is(err, fs.ErrPermission) {
			l.Denied(name)
		}
		if err != nil {
			return
		}
		defer file.Close()
		if at, ok := file.(io.ReaderAt); ok {
			parts = read(at, info.Size())
		}
	}
	known[id] = parts
	for _, p := range parts {
		place := name
		if p.Within != "" {
			place += "!" + p.Within
		}
		l.add(p.Manager, p.Name, p.Version, place)
	}
}
