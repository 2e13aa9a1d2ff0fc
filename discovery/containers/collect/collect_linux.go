package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"assimilation/discovery"
	kind "assimilation/discovery/containers"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/plainhttp"
)

// Limits of the fact.
const (
	maxContainers = 1024
	maxPorts      = 256
	maxValue      = 256
)

// engines are those whose API is HTTP. That of containerd and CRI-O is gRPC,
// which would cost the probe more than all its kinds.
var engines = []struct{ name, socket string }{
	{"docker", "/run/docker.sock"},
	{"podman", "/run/podman/podman.sock"},
}

// Collector asks engines, and looks at cgroups.
type Collector struct {
	root fs.FS
	path string // the same root for inotify(7)
	get  func(ctx context.Context, socket, path string, limit int) ([]byte, error)
}

// New returns a collector of the system whose files are under root; path is where root
// stands in the file system; get asks a server at a unix socket.
func New(root fs.FS, path string, get func(ctx context.Context, socket, path string, limit int) ([]byte, error)) *Collector {
	return &Collector{root, path, get}
}

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS("/"), "", plainhttp.Get) }

// Kind is the kind "containers".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Watch waits for engines that begin to serve, and for containers that come and go,
// as far as systemd has their cgroups.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	places := []string{"/run/podman"}
	for _, e := range engines {
		places = append(places, e.socket)
	}
	for _, top := range hierarchies {
		if _, err := fs.Stat(c.root, top); err == nil {
			places = append(places, "/"+top+"/system.slice/")
			break
		}
	}
	return conffile.Watch(ctx, c.path, places, changed)
}

// Collect returns the one fact, or none on a host without engine and container.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	found, whole := running(c.root)
	var problems []error
	engineFound := false
	for _, e := range engines {
		all, err := c.ask(ctx, e.name, e.socket)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED): // no such engine, or none that serves
			continue
		case errors.Is(err, fs.ErrPermission):
			problems = append(problems, &discovery.Degraded{What: "names and images of the containers of " + e.name + ": " + e.socket + " is not open to the probe"})
		case err != nil:
			return nil, fmt.Errorf("asking %s: %w", e.name, err)
		}
		engineFound = true
		for _, one := range all {
			found[one.ID] = one
		}
	}
	if len(found) == 0 && !engineFound {
		return nil, nil
	}
	facts := kind.Facts{Containers: make([]kind.Container, 0, len(found))}
	for _, one := range found {
		facts.Containers = append(facts.Containers, one)
	}
	order.By(facts.Containers, func(a, b *kind.Container) int { return cmp.Compare(a.ID, b.ID) })
	if len(facts.Containers) > maxContainers || !whole {
		facts.Containers = facts.Containers[:min(maxContainers, len(facts.Containers))]
		problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d containers or %d cgroups: the others are left out", maxContainers, maxGroups)})
	}
	fact, err := discovery.NewFact(kind.Kind, "", facts)
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, errors.Join(problems...)
}

func clean(s string) string { return discovery.Clean(s, maxValue) }
