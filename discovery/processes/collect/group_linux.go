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
	byKey := map[string]*group{}
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
			g = &group{Process: p}
			byKey[key] = g
			groups = append(groups, g)
		}
		if p.Unit != "" && !slices.Contains(g.units, p.Unit) {
			g.units = append(g.units, p.Unit)
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
		*to = append(*to, f.Path)
	}
	if f.Stale {
		g.stale = append(g.stale, f.Path)
	}
}

// fact is the group as it is told, with no more than left files; whole is false if
// there are more.
func (g *group) fact(left *int) (p kind.Process, whole bool) {
	whole = true
	bounded := func(names []string) []string {
		slices.Sort(names)
		names = slices.Compact(names)
		limit := min(len(names), maxFiles, *left)
		*left -= limit
		whole = whole && limit == len(names)
		return names[:limit]
	}
	return kind.Process{
		Name: g.Name, Exe: g.Exe, Argv: g.Argv, UID: g.UID, GID: g.GID, Container: g.Container,
		Units: bounded(g.units), Libraries: bounded(g.libraries), Jars: bounded(g.jars), Stale: bounded(g.stale),
	}, whole
}
