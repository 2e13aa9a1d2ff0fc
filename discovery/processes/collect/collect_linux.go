package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"assimilation/discovery"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/process"
	kind "assimilation/discovery/processes"
)

// Limits of the fact.
const (
	maxServices = 512
	maxFiles    = 1024    // of one service, of each sort
	maxTexts    = 4 << 20 // bytes of the body
	frame       = 256     // bytes of a service beside its texts
)

// Collector looks for the processes of services.
type Collector struct {
	root fs.FS

	mu       sync.Mutex
	services services
}

// services are those that are looked for.
type services struct {
	keys map[string]bool // process.Process.Key of each
	exes map[string]bool
	cut  bool // there are more
}

// New returns a collector of the system whose files are under root.
func New(root fs.FS) *Collector { return &Collector{root: root} }

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS("/")) }

// Kind is the kind "processes".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Follow takes the services out of facts of the kind "sockets".
func (c *Collector) Follow(_ string, facts []discovery.Fact) {
	found := services{keys: map[string]bool{}, exes: map[string]bool{}}
	for _, s := range process.Services(facts) {
		p := process.Process{Exe: s.Get("exe").Text(), UID: s.Get("uid").Int(), GID: s.Get("gid").Int(), Container: s.Get("container").Text()}
		for _, arg := range s.Get("argv").Items() {
			p.Argv = append(p.Argv, arg.Text())
		}
		switch {
		case p.Exe == "": // of the kernel, or not known
		case len(found.keys) == maxServices:
			found.cut = true
		default:
			found.keys[p.Key()], found.exes[p.Exe] = true, true
		}
	}
	c.mu.Lock()
	c.services = found
	c.mu.Unlock()
}

// Collect returns the one fact, or none on a host without services.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	c.mu.Lock()
	wanted := c.services
	c.mu.Unlock()
	if len(wanted.keys) == 0 {
		return nil, nil
	}
	groups, err := c.look(ctx, wanted)
	if err != nil {
		return nil, fmt.Errorf("looking at processes: %w", err)
	}
	denied, cut := "", wanted.cut
	all, claims := make([]kind.Process, len(groups)), make([]process.Claim, len(groups))
	for i, g := range groups {
		p := g.fact()
		bytes := frame
		for _, texts := range [][]string{{p.Name, p.Exe, p.Container}, p.Argv, p.Units, p.Libraries, p.Jars, p.Stale} {
			bytes += process.Encoded(texts...)
		}
		all[i], claims[i] = p, process.Claim{UID: p.UID, Bytes: bytes}
		cut = cut || g.cut
		if g.denied && denied == "" {
			denied = p.Name
		}
	}
	facts := kind.Facts{Processes: []kind.Process{}}
	fits, whole := process.Share(claims, maxTexts)
	cut = cut || !whole
	for i, p := range all {
		if fits[i] {
			facts.Processes = append(facts.Processes, p)
		}
	}
	order.By(facts.Processes, func(a, b *kind.Process) int {
		return cmp.Or(cmp.Compare(a.Exe, b.Exe), slices.Compare(a.Argv, b.Argv), cmp.Compare(a.UID, b.UID),
			cmp.Compare(a.GID, b.GID), cmp.Compare(a.Container, b.Container))
	})
	fact, err := discovery.NewFact(kind.Kind, "", facts)
	if err != nil {
		return nil, err
	}
	var problems []error
	if denied != "" {
		problems = append(problems, &discovery.Degraded{Needs: discovery.SysPtrace, What: "the libraries of " + denied + " and perhaps others"})
	}
	if cut {
		problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d services, more of one user than all can have, or %d files of one: the others are left out", maxServices, maxFiles)})
	}
	return []discovery.Fact{fact}, errors.Join(problems...)
}
