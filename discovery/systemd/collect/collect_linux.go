package collect

import (
	"context"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/systemd"
)

// directories are where units stand, those that win first (systemd.unit(5)). /lib
// is one with /usr/lib on systems of today.
var directories = []string{
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early",
	"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
}

// vendor is where packages put units: the usual place, which is not worth telling.
const vendor = "/usr/lib/systemd/system"

// types are the suffixes of units that people look for. Slices and scopes are made
// as programs run; devices and swaps are told by the kernel.
var types = []string{"automount", "mount", "path", "service", "socket", "target", "timer"}

// Limits, per host.
const (
	maxUnits = 4096
	maxLines = 64 // commands or triggers of one unit
)

// Collector reads unit files.
type Collector struct {
	root fs.FS
	path string
}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system, for Watch.
func New(root fs.FS, path string) *Collector { return &Collector{root, path} }

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS("/"), "") }

// Kind is the kind "systemd".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns a fact for each type of unit; none where there is no systemd.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	r := conffile.NewReader(c.root)
	s := scan(r)
	byType := make([]kind.Facts, len(types))
	for _, name := range s.names() {
		i := slices.Index(types, strings.TrimPrefix(path.Ext(name), "."))
		byType[i].Units = append(byType[i].Units, s.unit(name))
	}
	var facts []discovery.Fact
	add := func(instance string, body kind.Facts) error {
		fact, err := discovery.NewFact(kind.Kind, instance, body)
		facts = append(facts, fact)
		return err
	}
	for i, body := range byType {
		if len(body.Units) == 0 {
			continue
		}
		if err := add(types[i], body); err != nil {
			return nil, err
		}
	}
	if running := s.running(); len(running) > 0 {
		services := byType[slices.Index(types, "service")].Units
		if err := add(kind.Running, kind.Facts{Running: running, Stopped: s.stopped(services, running)}); err != nil {
			return nil, err
		}
	}
	return facts, r.Err()
}

// Watch waits for units that are written, enabled or disabled. A target for which
// something is enabled first gets a directory, which is watched from then on.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	return conffile.WatchFound(ctx, c.path, c.places, changed)
}

// places are the directories in which something decides about units.
func (c *Collector) places() []string {
	places := make([]string, 0, 64)
	r := conffile.NewReader(c.root)
	for _, dir := range directories {
		if dir == "/run/systemd/transient" || dir == "/lib/systemd/system" {
			continue // of units that come and go; the same directory again
		}
		places = append(places, dir+"/")
		if dir != "/etc/systemd/system" {
			continue
		}
		for _, name := range r.Dir(dir) {
			if strings.HasSuffix(name, ".wants") || strings.HasSuffix(name, ".requires") || strings.HasSuffix(name, ".d") {
				places = append(places, dir+"/"+name+"/")
			}
		}
	}
	return places
}
