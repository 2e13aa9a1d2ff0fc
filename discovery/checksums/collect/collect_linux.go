package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"assimilation/discovery"
	kind "assimilation/discovery/checksums"
	"assimilation/discovery/internal/hostfiles"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/process"
)

// Limits of the fact.
const (
	maxFiles    = 8192
	maxPrograms = 512
	maxPath     = 1024
	// maxRounds is what 8 GB take. Beyond, somebody changes large files all the time:
	// the others are told without them.
	maxRounds = 256
)

// Collector hashes files, and remembers of which content it knows the sum.
type Collector struct {
	root fs.FS
	sums sums
	// rounds is how many collections in a row were unfinished.
	rounds int

	mu       sync.Mutex
	programs map[string]bool // those that listen, by their path
}

// New returns a collector of the system whose files are under root.
func New(root fs.FS) *Collector { return &Collector{root: root, sums: sums{}} }

// Local returns the collector of this host.
func Local() *Collector { return New(hostfiles.Root()) }

// Kind is the kind "checksums".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Follow takes the programs that listen out of facts of the kind "sockets".
func (c *Collector) Follow(_ string, facts []discovery.Fact) {
	programs := map[string]bool{}
	for _, service := range process.Services(facts) {
		if exe := service.Get("exe").Text(); exe != "" && service.Get("listens") != "" && len(programs) < maxPrograms {
			programs[exe] = true
		}
	}
	c.mu.Lock()
	c.programs = programs
	c.mu.Unlock()
}

// Collect returns a fact for each instance that has files. It reads no more than
// budget bytes at a time; as long as something is left, it says so.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	c.mu.Lock()
	programs := c.programs
	c.mu.Unlock()
	found := files{by: map[string]*kind.File{}}
	found.addSensitive(c.root)
	problems := found.loaded(c.root, programs)
	if found.cut {
		problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d files: the others are left out", maxFiles)})
	}
	round := c.sums.round(c.root)
	kept := make([]kind.File, 0, len(found.order))
	for _, f := range found.order {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := round.sum(f); errors.Is(err, fs.ErrPermission) {
			problems = append(problems, &discovery.Degraded{Needs: discovery.DACReadSearch, What: "the checksum of " + f.Path})
		} else if err == nil || f.Stale && errors.Is(err, fs.ErrNotExist) {
			kept = append(kept, *f) // the others are gone, or no regular files
		}
	}
	c.sums = round.known
	if !round.left {
		c.rounds = 0
	} else if c.rounds++; c.rounds < maxRounds {
		return nil, discovery.ErrUnfinished
	} else {
		problems = append(problems, &discovery.Degraded{What: "the checksums of files that change all the time"})
	}
	order.By(kept, func(a, b *kind.File) int { return cmp.Compare(a.Path, b.Path) })
	facts, err := split(kept)
	return facts, errors.Join(append(problems, err)...)
}

// split makes the instances.
func split(files []kind.File) (facts []discovery.Fact, err error) {
	byInstance := map[string][]kind.File{}
	for _, f := range files {
		instance := kind.Instance(f.Path)
		byInstance[instance] = append(byInstance[instance], f)
	}
	for i := range kind.Instances {
		instance := fmt.Sprintf("%x", i)
		if len(byInstance[instance]) == 0 {
			continue
		}
		fact, err := discovery.NewFact(kind.Kind, instance, kind.Facts{Files: byInstance[instance]})
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	return facts, nil
}
