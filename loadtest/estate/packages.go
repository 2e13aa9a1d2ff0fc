package estate

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"assimilation/discovery"
	"assimilation/discovery/packages"
)

// What is installed.
const (
	basePackages = 820
	rolePackages = 48 // more, by role
	perPatch     = 12 // packages that one patch upgrades
)

// release is an operating system that hosts run.
type release struct {
	id, version, codename, pretty string
	kernel, build                 string
	manager                       string
	weight                        int
}

var releases = []release{
	{"debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)", "6.1.0-25-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.106-3 (2024-08-26)", "dpkg", 42},
	{"ubuntu", "22.04", "jammy", "Ubuntu 22.04.5 LTS", "5.15.0-122-generic", "#132-Ubuntu SMP Thu Aug 29 13:45:52 UTC 2024", "dpkg", 22},
	{"ubuntu", "24.04", "noble", "Ubuntu 24.04.1 LTS", "6.8.0-45-generic", "#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024", "dpkg", 14},
	{"debian", "11", "bullseye", "Debian GNU/Linux 11 (bullseye)", "5.10.0-32-amd64", "#1 SMP Debian 5.10.223-1 (2024-08-10)", "dpkg", 10},
	{"rhel", "9.4", "plow", "Red Hat Enterprise Linux 9.4 (Plow)", "5.14.0-427.el9.x86_64", "#1 SMP PREEMPT_DYNAMIC Thu Mar 28 13:53:26 UTC 2024", "rpm", 8},
	{"rhel", "8.10", "ootpa", "Red Hat Enterprise Linux 8.10 (Ootpa)", "4.18.0-553.el8.x86_64", "#1 SMP Fri May 10 15:19:13 EDT 2024", "rpm", 4},
}

// pickRelease chooses by weight; odd takes the next one instead.
func pickRelease(draw int, odd bool) *release {
	draw %= 100
	for i := range releases {
		if draw -= releases[i].weight; draw < 0 {
			if odd {
				i++
			}
			return &releases[i%len(releases)]
		}
	}
	return &releases[0]
}

// wellKnown are packages that people ask for.
var wellKnown = []string{"openssl", "libssl3", "bash", "curl", "sudo", "openssh-server", "systemd", "libc6", "python3", "perl-base", "zlib1g", "xz-utils", "tar", "gnupg"}

// image says what a host has installed, but for what is its own.
type image struct {
	release *release
	role    string
	patch   int
}

// packageSets makes the facts of packages and keeps those that hosts share.
type packageSets struct {
	mu     sync.Mutex
	shared map[image][]discovery.Fact
}

func newPackageSets() *packageSets { return &packageSets{shared: map[image][]discovery.Fact{}} }

// of makes the 16 facts of a host; own, if not 0, numbers a package version that
// no other host has.
func (p *packageSets) of(i image, own int) ([]discovery.Fact, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	facts, ok := p.shared[i]
	if !ok {
		var err error
		if facts, err = i.facts(0); err != nil {
			return nil, err
		}
		p.shared[i] = facts
	}
	if own == 0 {
		return facts, nil
	}
	return i.facts(own)
}

// facts are the 16 instances; see of.
func (i image) facts(own int) ([]discovery.Fact, error) {
	sets := map[string]*packages.Facts{}
	add := func(n int, name string) {
		instance := packages.Instance(name)
		if sets[instance] == nil {
			sets[instance] = &packages.Facts{Manager: i.release.manager}
		}
		arch := "amd64"
		if i.release.manager == "rpm" {
			arch = "x86_64"
		}
		version := i.version(n)
		if own != 0 && n == own%basePackages {
			version += fmt.Sprintf("+local%d", own)
		}
		sets[instance].Packages = append(sets[instance].Packages, packages.Package{Name: name, Version: version, Arch: arch})
	}
	for n := range basePackages {
		add(n, baseName(n))
	}
	for n := range rolePackages {
		add(basePackages+n, fmt.Sprintf("%s-module-%02d", i.role, n))
	}
	facts := make([]discovery.Fact, 0, len(sets))
	for n := range packages.Instances {
		instance := fmt.Sprintf("%x", n)
		if sets[instance] == nil {
			continue
		}
		slices.SortFunc(sets[instance].Packages, func(a, b packages.Package) int { return cmp.Compare(a.Name, b.Name) })
		f, err := discovery.NewFact(packages.Kind, instance, *sets[instance])
		if err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	return facts, nil
}

func baseName(n int) string {
	if n < len(wellKnown) {
		return wellKnown[n]
	}
	return fmt.Sprintf("lib%s%d-%s", []string{"gnu", "xml", "perl", "systemd", "python3", "net"}[n%6], n, []string{"dev", "common", "bin"}[n%3])
}

// version of package n: each patch raises those of some packages.
func (i image) version(n int) string {
	upgrades := 0
	for patch := 1; patch <= i.patch; patch++ {
		if (n+patch*31)%(basePackages/perPatch) == 0 {
			upgrades++
		}
	}
	return fmt.Sprintf("%d.%d.%d-%d+%s%s", 1+n%9, n%13, n%7, 1+upgrades, i.release.id, i.release.version)
}
