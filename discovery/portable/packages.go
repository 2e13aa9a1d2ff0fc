package portable

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"howett.net/plist"

	"assimilation/discovery"
	kind "assimilation/discovery/packages"
)

const (
	maxPackages = 50_000
	maxLine     = 16 << 10
	maxPlist    = 1 << 20
	maxLicense  = 1 << 10
)

// installed returns the collector of the kind "packages", which is told them.
func installed(manager string, list func(context.Context) ([]kind.Package, error)) discovery.Collector {
	slow := slowly(kind.Kind, 15*time.Minute)
	return &collector{slow, func(ctx context.Context) ([]discovery.Fact, error) {
		all, err := list(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing packages: %w", err)
		}
		return split(slow, manager, all)
	}}
}

func split(k discovery.Kind, manager string, all []kind.Package) ([]discovery.Fact, error) {
	if len(all) > maxPackages {
		return nil, fmt.Errorf("%d packages are more than %d", len(all), maxPackages)
	}
	slices.SortFunc(all, func(a, b kind.Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version))
	})
	all = slices.Compact(all)
	parts := map[string][]kind.Package{}
	for _, p := range all {
		parts[kind.Instance(p.Name)] = append(parts[kind.Instance(p.Name)], p)
	}
	facts := []discovery.Fact{}
	for i := range kind.Instances {
		instance := string("0123456789abcdef"[i])
		body := kind.Facts{Manager: manager, Packages: parts[instance]}
		if body.Packages == nil {
			body.Packages = []kind.Package{}
		}
		fact, err := discovery.NewFact(k, instance, body)
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	return facts, nil
}

// readPkg reads what pkg-query(8) answers when it is asked for name, version,
// architecture and licence: a line for each package and licence.
func readPkg(from io.Reader) ([]kind.Package, error) {
	var all []kind.Package
	at := map[string]int{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 3 || fields[0] == "" {
			continue
		}
		p := kind.Package{Name: clean(fields[0]), Version: clean(fields[1]), Arch: clean(fields[2])}
		if len(fields) > 3 {
			p.License = discovery.Clean(fields[3], maxLicense)
		}
		key := p.Name + "\x00" + p.Version
		if i, again := at[key]; again {
			all[i].License = discovery.Clean(all[i].License+" "+p.License, maxLicense)
			continue
		}
		at[key] = len(all)
		all = append(all, p)
	}
	return all, lines.Err()
}

// receipt is what macOS keeps of an installed package, and of an application.
type receipt struct {
	Package        string `plist:"PackageIdentifier"`
	PackageVersion string `plist:"PackageVersion"`
	Bundle         string `plist:"CFBundleIdentifier"`
	BundleVersion  string `plist:"CFBundleShortVersionString"`
}

// readReceipts reads the packages and applications of macOS below its root, which is
// the architecture of arch as Go calls it.
func readReceipts(root fs.FS, arch string) ([]kind.Package, error) {
	var all []kind.Package
	for _, pattern := range []string{"var/db/receipts/*.plist", "Applications/*.app/Contents/Info.plist", "Applications/Utilities/*.app/Contents/Info.plist"} {
		files, err := fs.Glob(root, pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			r, err := readPlist(root, file)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				continue
			}
			p := kind.Package{Name: clean(cmp.Or(r.Package, r.Bundle)), Version: clean(cmp.Or(r.PackageVersion, r.BundleVersion)), Arch: arch}
			if err != nil || p.Name == "" { // somebody's damaged application must not hide the others
				p = kind.Package{Name: clean(strings.TrimSuffix(path.Base(file), ".plist")), Arch: arch}
			}
			all = append(all, p)
		}
	}
	return all, nil
}

func readPlist(root fs.FS, name string) (r receipt, err error) {
	file, err := root.Open(name)
	if err != nil {
		return r, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxPlist))
	if err != nil {
		return r, err
	}
	_, err = plist.Unmarshal(content, &r)
	return r, err
}
