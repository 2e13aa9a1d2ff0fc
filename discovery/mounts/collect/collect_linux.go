package collect

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/mounts"
)

// The mount table of the host is that of process 1: the probe's own shows what
// its unit hides from it.
const (
	hostTable = "/proc/1/mountinfo"
	ownTable  = "/proc/self/mountinfo"
	hostRoot  = "/proc/1/root"
)

// Collector reads the host's mount table.
type Collector struct {
	read   func(name string) ([]byte, error)
	statfs func(path string, into *unix.Statfs_t) error
}

// New returns a collector that reads tables and asks for sizes by these
// functions.
func New(read func(string) ([]byte, error), statfs func(string, *unix.Statfs_t) error) *Collector {
	return &Collector{read, statfs}
}

// Local returns the collector of this host.
func Local() *Collector { return New(readTable, unix.Statfs) }

func readTable(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxTable))
}

// Kind is the kind "mounts".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	table, root, lacks, err := c.table()
	if err != nil {
		return nil, fmt.Errorf("reading the mount table: %w", err)
	}
	mounts, err := parseTable(bytes.NewReader(table))
	if err != nil {
		return nil, err
	}
	all := visible(mounts)
	facts := kind.Facts{Filesystems: []kind.Filesystem{}}
	problems := []error{}
	if lacks != nil {
		problems = append(problems, lacks)
	}
	for _, m := range all {
		if !m.isFact() {
			continue
		}
		if len(facts.Filesystems) == maxFilesystems {
			problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d filesystems: the others are left out", maxFilesystems)})
			break
		}
		f := m.fact()
		if lacks == nil && sortOfType(m.kind, m.source) == local && !behindRemote(all, m.target) {
			f.Bytes = c.size(root + m.target)
		}
		facts.Filesystems = append(facts.Filesystems, f)
	}
	fact, err := discovery.NewFact(kind.Kind, "", facts)
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, errors.Join(problems...)
}

// table returns the host's mount table and the path at which its root can be
// reached, or what is lacking for that.
func (c *Collector) table() (table []byte, root string, lacks error, err error) {
	own, err := c.read(ownTable)
	if err != nil {
		return nil, "", nil, err
	}
	table, err = c.read(hostTable)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) { // hidepid=, see proc(5)
		return own, "", &discovery.Degraded{Needs: discovery.SysPtrace, What: "what the host has mounted; these are the probe's own mounts"}, nil
	}
	if err != nil || bytes.Equal(own, table) {
		return table, "", nil, err
	}
	if err := c.statfs(hostRoot+"/", new(unix.Statfs_t)); err != nil {
		lacks = &discovery.Degraded{Needs: discovery.SysPtrace, What: "the sizes of filesystems"}
	}
	return table, hostRoot, lacks, nil
}

// size is a filesystem's size in bytes, 0 where it is not to be had.
func (c *Collector) size(path string) int64 {
	var s unix.Statfs_t
	if err := c.statfs(path, &s); err != nil {
		return 0
	}
	block := int64(s.Frsize)
	if block == 0 {
		block = int64(s.Bsize)
	}
	if block <= 0 || s.Blocks > 1<<62/uint64(block) {
		return 0
	}
	return int64(s.Blocks) * block
}

// visible returns the mounts by target, of several at one place the last, which
// hides the others.
func visible(mounts []mount) []mount {
	last := map[string]int{}
	for i, m := range mounts {
		last[m.target] = i
	}
	all := make([]mount, 0, len(last))
	for _, i := range last {
		all = append(all, mounts[i])
	}
	order.By(all, func(a, b *mount) int { return cmp.Compare(a.target, b.target) })
	return all
}

// behindRemote reports whether the way to a target leads through a filesystem
// that may hang.
func behindRemote(mounts []mount, target string) bool {
	return slices.ContainsFunc(mounts, func(m mount) bool {
		return m.target != target && within(target, m.target) && (m.kind == "autofs" || sortOfType(m.kind, m.source) == remote)
	})
}

// Watch waits for changes of the host's mount table.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	return watch(ctx, hostTable, changed)
}
