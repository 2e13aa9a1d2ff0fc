package collect

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/process"
	kind "assimilation/discovery/processes"
)

// maxMembers is of how many processes of one service the files are read. A server
// that forks has the same in all of them; its first ones are the oldest.
const maxMembers = 16

const maxPath = 1024

// group is what identical processes have.
type group struct {
	process.Process
	members   int
	units     []string
	libraries []string
	jars      []string
	stale     []string
	denied    bool // files of one of them could not be read
	cut       bool // it has more files
	room      room
}

// Limits of the names of files that are kept while processes are looked at, in bytes:
// anybody may run programs that map very many.
const (
	maxOfUser = 2 << 20
	maxOfAll  = 6 << 20
)

// room is what is kept, by process.User, and in all by everybody.
type room map[int64]int

const everybody = -2

// take reports whether there is room for a name.
func (r room) take(uid int64, bytes int) bool {
	user := process.User(uid)
	if r[user]+bytes > maxOfUser || r[everybody]+bytes > maxOfAll {
		return false
	}
	r[user] += bytes
	r[everybody] += bytes
	return true
}

// look returns the processes of services, in the order in which they were found.
func (c *Collector) look(ctx context.Context, wanted services) ([]*group, error) {
	dirs, err := process.All(c.root, "proc")
	if err != nil {
		return nil, err
	}
	// By number, which is by age as long as numbers do not start anew: directories
	// come in the order of their digits.
	order.By(dirs, func(a, b *string) int {
		if n := len(*a) - len(*b); n != 0 {
			return n
		}
		return strings.Compare(*a, *b)
	})
	var groups []*group
	byKey, names := map[string]*group{}, room{}
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		exe, stale, err := process.Executable(c.root, dir)
		if err != nil || !wanted.exes[exe] {
			continue
		}
		p, alive := process.Read(c.root, dir)
		key := p.Key()
		if !alive || !wanted.keys[key] {
			continue
		}
		g := byKey[key]
		if g == nil {
			g = &group{Process: p, room: names}
			byKey[key] = g
			groups = append(groups, g)
		}
		if p.Unit != "" {
			g.keep(p.Unit, &g.units)
		}
		if g.members++; g.members <= maxMembers {
			g.files(c.root, dir, process.File{Path: exe, Stale: stale})
		}
	}
	return groups, nil
}

// files takes the files of one process.
func (g *group) files(root fs.FS, dir string, exe process.File) {
	if g.Container != "" || !process.SameRoot(root, dir) {
		return // its files are those of an image
	}
	mapped, err := process.Mapped(root, dir)
	g.denied = g.denied || err != nil
	for _, f := range append(mapped, exe) {
		g.note(f, &g.libraries)
	}
	if path.Base(g.Exe) == "java" {
		for _, f := range process.Jars(root, dir) {
			g.note(f, &g.jars)
		}
	}
}

// note adds a file to a list, the executable to none.
func (g *group) note(f process.File, to *[]string) {
	if len(f.Path) > maxPath || discovery.Clean(f.Path, maxPath) != f.Path {
		return
	}
	if f.Path != g.Exe {
		g.keep(f.Path, to)
	}
	if f.Stale {
		g.keep(f.Path, &g.stale)
	}
}

// keep adds a name to a sorted list; where that is full, the last one goes. It is
// copied out of what it was read from.
func (g *group) keep(name string, to *[]string) {
	at, known := slices.BinarySearch(*to, name)
	if known {
		return
	}
	if at == maxFiles || !g.room.take(g.UID, len(name)) {
		g.cut = true
		return
	}
	*to = slices.Insert(*to, at, strings.Clone(name))
	if len(*to) > maxFiles {
		*to, g.cut = (*to)[:maxFiles], true
	}
}

// fact is the group as it is told.
func (g *group) fact() kind.Process {
	return kind.Process{
		Name: g.Name, Exe: g.Exe, Argv: g.Argv, UID: g.UID, GID: g.GID, Container: g.Container,
		Units: g.units, Libraries: g.libraries, Jars: g.jars, Stale: g.stale,
	}
}
