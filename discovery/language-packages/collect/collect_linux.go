package collect

import (
	"cmp"
	"context"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"assimilation/discovery"
	"assimilation/discovery/internal/built"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/hostfiles"
	"assimilation/discovery/internal/jsontext"
	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/language-packages"
)

// Limits of the fact. What runs is chosen by whoever runs it: without the second one
// its names could make the fact larger than any that is taken.
const (
	maxPackages = 16 << 10
	maxTexts    = 3 << 20 // bytes of all names, versions and places
)

// Collector reads what is installed, and what runs.
type Collector struct {
	root  fs.FS
	known map[content][]built.Part // of the programs and jars that were read

	mu       sync.Mutex
	programs map[string]bool // of services, by their path
}

// New returns a collector of the system whose files are under root.
func New(root fs.FS) *Collector { return &Collector{root: root} }

// Local returns the collector of this host.
func Local() *Collector { return New(hostfiles.Root()) }

// Kind is the kind "language-packages".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	l := list{Reader: conffile.NewReader(c.root), packages: []kind.Package{}}
	l.installed()
	if err := c.running(ctx, &l); err != nil {
		return nil, err
	}
	order.By(l.packages, func(a, b *kind.Package) int {
		return cmp.Or(cmp.Compare(a.Manager, b.Manager), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Place, b.Place))
	})
	fact, err := discovery.NewFact(kind.Kind, "", kind.Facts{Packages: slices.Compact(l.packages)})
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, l.Err()
}

// list is what one collection has found.
type list struct {
	*conffile.Reader
	packages []kind.Package
	texts    int // bytes of these
}

// full reports that no more fits.
func (l *list) full() bool { return len(l.packages) >= maxPackages || l.texts >= maxTexts }

// installed takes what the package managers put into the system.
func (l *list) installed() {
	gems := []string{"/var/lib/gems", "/usr/lib/ruby/gems", "/usr/local/lib/ruby/gems", "/usr/share/gems", "/usr/share/rubygems-integration"}
	for _, lib := range []string{"/usr/lib", "/usr/local/lib"} {
		for _, name := range l.directories(lib) {
			if strings.Contains(name, "-linux-") { // what Debian compiles for one architecture
				gems = append(gems, lib+"/"+name+"/ruby/gems", lib+"/"+name+"/rubygems-integration")
			}
			if strings.HasPrefix(name, "python") {
				l.python(lib + "/" + name + "/dist-packages") // of Debian
				l.python(lib + "/" + name + "/site-packages")
			}
		}
		l.node(lib + "/node_modules")
	}
	for _, home := range gems {
		l.ruby(home + "/specifications")
		for _, version := range l.directories(home) {
			l.ruby(home + "/" + version + "/specifications")
			l.ruby(home + "/" + version + "/specifications/default")
		}
	}
}

// directories are the names in a directory, none of what is no directory.
func (l *list) directories(name string) []string {
	if info := l.Stat(name); info == nil || !info.IsDir() {
		return nil
	}
	return l.Dir(name)
}

func (l *list) add(manager, name, version, place string) {
	switch {
	case name == "" || version == "":
	case l.full():
		l.Limit()
	default:
		p := kind.Package{Manager: manager, Name: conffile.Clean(name), Version: conffile.Clean(version), Place: conffile.Clean(place)}
		l.packages = append(l.packages, p)
		l.texts += len(p.Name) + len(p.Version) + len(p.Place)
	}
}

// python reads names such as "requests-2.31.0.dist-info" and
// "PyYAML-6.0-py3.11.egg-info", which say all (packaging.python.org, "Recording
// installed projects").
func (l *list) python(place string) {
	for _, entry := range l.directories(place) {
		base, is := strings.CutSuffix(entry, ".dist-info")
		if !is {
			if base, is = strings.CutSuffix(entry, ".egg-info"); !is {
				continue
			}
		}
		name, rest, _ := strings.Cut(base, "-")
		version, _, _ := strings.Cut(rest, "-py")
		l.add("pip", normal(name), version, place)
	}
}

// normal is a name as PEP 503 compares them.
func normal(name string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' }), "-"))
}

// node reads the package.json of every package that was installed for itself, not
// of what these bring along.
func (l *list) node(place string) {
	for _, entry := range l.directories(place) {
		names := []string{entry}
		if strings.HasPrefix(entry, "@") {
			names = names[:0]
			for _, name := range l.directories(place + "/" + entry) {
				names = append(names, entry+"/"+name)
			}
		}
		for _, name := range names {
			if strings.HasPrefix(name, ".") || l.Stat(place+"/"+name+"/package.json") == nil {
				continue
			}
			text, _ := l.File(place + "/" + name + "/package.json")
			if about, err := jsontext.Parse(text); err == nil {
				l.add("npm", about.Get("name").Text(), about.Get("version").Text(), place)
			}
		}
	}
}

// ruby reads names such as "nokogiri-1.15.4-x86_64-linux.gemspec".
func (l *list) ruby(place string) {
	for _, entry := range l.directories(place) {
		base, is := strings.CutSuffix(entry, ".gemspec")
		if !is {
			continue
		}
		for i := range len(base) - 1 {
			if c := base[i+1]; base[i] == '-' && c >= '0' && c <= '9' {
				version, _, _ := strings.Cut(base[i+1:], "-")
				l.add("gem", base[:i], version, place)
				break
			}
		}
	}
}
