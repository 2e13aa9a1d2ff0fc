package collect

import (
	"context"
	"fmt"
	"io/fs"
	stdos "os"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	kind "assimilation/discovery/os"
)

// Collector reads os-release(5) and asks the kernel by uname(2).
type Collector struct {
	root  fs.FS
	uname func(*unix.Utsname) error
}

// New returns a collector of the system whose files are under root.
func New(root fs.FS, uname func(*unix.Utsname) error) *Collector {
	return &Collector{root, uname}
}

// Local returns the collector of this host.
func Local() *Collector { return New(stdos.DirFS("/"), unix.Uname) }

// Kind is the kind "os".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	rel, err := release(c.root)
	if err != nil {
		return nil, err
	}
	var u unix.Utsname
	if err := c.uname(&u); err != nil {
		return nil, fmt.Errorf("asking the kernel's name: %w", err)
	}
	fact, err := discovery.NewFact(kind.Kind, "", kind.Facts{
		Release: rel,
		Kernel: kind.Kernel{
			Name:    utsname(u.Sysname[:]),
			Release: utsname(u.Release[:]),
			Version: utsname(u.Version[:]),
			Machine: utsname(u.Machine[:]),
		},
	})
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, nil
}

func utsname(b []byte) string { return discovery.Clean(unix.ByteSliceToString(b), len(b)) }
