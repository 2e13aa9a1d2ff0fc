package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/debounce"
	kind "assimilation/discovery/packages"
)

// Where dpkg keeps its database, from the root.
const (
	statusDir  = "var/lib/dpkg"
	statusFile = "status"
)

// Events are gathered until none came for quiet, at most for longest: apt
// writes the database many times in one run.
const (
	quiet   = time.Second
	longest = 10 * time.Second
)

// Collector reads dpkg's database.
type Collector struct {
	root fs.FS
	dir  string // the same directory for inotify(7), which knows no fs.FS
}

// New returns a collector of the system whose files are under root; path is
// where root stands in the file system, for Watch.
func New(root fs.FS, path string) *Collector {
	return &Collector{root, path + "/" + statusDir}
}

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS("/"), "") }

// Kind is the kind "packages".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the 16 facts; none on a system without dpkg.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	file, err := c.root.Open(statusDir + "/" + statusFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the package database: %w", err)
	}
	defer file.Close()
	byInstance := map[string][]kind.Package{}
	err = parseStatus(file, func(p kind.Package) {
		instance := kind.Instance(p.Name)
		byInstance[instance] = append(byInstance[instance], p)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the package database: %w", err)
	}
	facts := make([]discovery.Fact, 0, kind.Instances)
	for i := range kind.Instances {
		instance := fmt.Sprintf("%x", i)
		packages := byInstance[instance]
		slices.SortFunc(packages, func(a, b kind.Package) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version))
		})
		fact, err := discovery.NewFact(kind.Kind, instance, kind.Facts{
			Manager: "dpkg", Packages: slices.Compact(packages),
		})
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	return facts, nil
}

// Watch waits for dpkg to replace its status file.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	bursts := debounce.New(quiet, longest)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		bursts.Run(ctx, changed)
		close(done)
	}()
	defer func() {
		cancel()
		<-done
	}()
	return watchFile(ctx, c.dir, statusFile, bursts.Event)
}
