package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/debounce"
	"assimilation/discovery/internal/filewatch"
	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/packages"
)

// manager is a package manager whose database can be read.
type manager struct {
	name  string
	files []string // of its database, from the root, for Watch
	// read returns what is installed, an error of fs.ErrNotExist where the host
	// has no such database.
	read func(root fs.FS) ([]kind.Package, error)
}

// managers lists those known. A host may have the tools of a second one, whose
// database is then empty: the first that has packages is the host's.
func managers() []manager {
	apk := []string{"lib/apk/db/installed", "usr/lib/apk/db/installed"}
	rpm := []string{"usr/lib/sysimage/rpm", "var/lib/rpm"}
	var rpmFiles []string
	for _, folder := range rpm {
		for _, name := range []string{rpmSQLite, rpmNDB, rpmBDB} {
			rpmFiles = append(rpmFiles, folder+"/"+name)
		}
	}
	text := func(files []string, parse func(io.Reader, func(kind.Package)) error) func(fs.FS) ([]kind.Package, error) {
		return func(root fs.FS) ([]kind.Package, error) { return readText(root, files, parse) }
	}
	dpkg := []string{"var/lib/dpkg/status"}
	return []manager{
		{"dpkg", dpkg, text(dpkg, parseStatus)},
		{"apk", apk, text(apk, parseInstalled)},
		{"rpm", rpmFiles, func(root fs.FS) ([]kind.Package, error) { return readRPM(root, rpm) }},
	}
}

// readText reads the first of the files that exists.
func readText(root fs.FS, files []string, parse func(io.Reader, func(kind.Package)) error) (packages []kind.Package, err error) {
	for _, name := range files {
		file, err := root.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer file.Close()
		err = parse(file, func(p kind.Package) { packages = append(packages, p) })
		return packages, err
	}
	return nil, fs.ErrNotExist
}

// Events are gathered until none came for quiet, at most for longest: apt
// writes the database many times in one run.
const (
	quiet   = time.Second
	longest = 10 * time.Second
)

// Collector reads the package managers' databases.
type Collector struct {
	root fs.FS
	path string // the same root for inotify(7), which knows no fs.FS
}

// New returns a collector of the system whose files are under root; path is
// where root stands in the file system, for Watch.
func New(root fs.FS, path string) *Collector { return &Collector{root, path} }

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS("/"), "") }

// Kind is the kind "packages".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the 16 facts; none on a system without a package manager.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	name := ""
	var packages []kind.Package
	for _, m := range managers() {
		found, err := m.read(c.root)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the package database of %s: %w", m.name, err)
		}
		if name == "" || len(found) > 0 {
			name, packages = m.name, found
		}
		if len(found) > 0 {
			break
		}
	}
	if name == "" {
		return nil, nil
	}
	return split(name, packages)
}

// split makes the instances.
func split(manager string, all []kind.Package) ([]discovery.Fact, error) {
	byInstance := map[string][]kind.Package{}
	for _, p := range all {
		instance := kind.Instance(p.Name)
		byInstance[instance] = append(byInstance[instance], p)
	}
	facts := make([]discovery.Fact, 0, kind.Instances)
	for i := range kind.Instances {
		instance := fmt.Sprintf("%x", i)
		packages := byInstance[instance]
		order.By(packages, func(a, b *kind.Package) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version), cmp.Compare(a.License, b.License))
		})
		fact, err := discovery.NewFact(kind.Kind, instance, kind.Facts{
			Manager: manager, Packages: slices.Compact(packages),
		})
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	return facts, nil
}

// Watch waits for a package manager to write its database.
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
	var files []string
	for _, m := range managers() {
		for _, file := range m.files {
			files = append(files, c.path+"/"+file)
		}
	}
	return filewatch.Watch(ctx, files, bursts.Event)
}
