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
	"assimilation/discovery/internal/jsontext"
	"assimilation/discovery/internal/order"
)

// Limits of the fact.
const (
	maxFiles    = 8192
	maxPrograms = 512
	maxPath     = 1024
)

// Collector hashes files, and remembers of which content it knows the sum.
type Collector struct {
	root fs.FS
	sums sums

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
	for _, fact := range facts {
		body, err := jsontext.Parse(string(fact.Body))
		if err != nil {
			continue
		}
		for _, service := range body.Get("services").Items() {
			if exe := service.Get("exe").Text(); exe != "" && service.Get("listens") != "" && len(programs) < maxPrograms {
				programs[exe] = true
			}
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
	found, problems := loaded(c.root, programs)
	addSensitive(c.root, found)
	all := make([]kind.File, 0, len(found))
	for _, f := range found {
		all = append(all, *f)
	}
	order.By(all, func(a, b *kind.File) int { return cmp.Compare(a.Path, b.Path) })
	if len(all) > maxFiles {
		all = all[:maxFiles]
		problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d files: the others are left out", maxFiles)})
	}
	round := c.sums.round(c.root)
	kept := all[:0]
	for _, f := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := round.sum(&f); errors.Is(err, fs.ErrPermission) {
			problems = append(problems, &discovery.Degraded{Needs: discovery.DACReadSearch, What: "the checksum of " + f.Path})
		} else if err == nil || f.Stale && errors.Is(err, fs.ErrNotExist) {
			kept = append(kept, f) // the others are gone, or no regular files
		}
	}
	if round.left {
		return nil, discovery.ErrUnfinished
	}
	c.sums = round.known
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
