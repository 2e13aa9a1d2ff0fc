package projectors_test

import (
	"fmt"
	"strings"
	"testing"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/checksums"
	"assimilation/discovery/internal/elementstest"
	"assimilation/discovery/packages"
	"assimilation/discovery/projectors"
	"assimilation/discovery/seen"
	"assimilation/discovery/systemd"
)

// budget is how many elements a host may have for itself: a fleet of 100,000
// must stay within millions.
const budget = 120

// heardBudget is how many more the kind "seen" may take on a segment of 250: that
// is the segment's size, not the host's, so it is counted apart.
const heardBudget = 250

func TestOrdinaryHostStaysWithinBudget(t *testing.T) {
	var all []cmdb.Elements
	for _, p := range projectors.All() {
		switch p.Kind().Name {
		case packages.Kind.Name, seen.Kind.Name, checksums.Kind.Name, systemd.Kind.Name:
			continue // they have instances
		}
		e, err := p.Project(elementstest.Host, elementstest.Fact(t, p.Kind(), "testdata/"+p.Kind().Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		elementstest.Check(t, p, e)
		all = append(all, e)
	}
	packageSets, _ := projectors.ByKind(packages.Kind.Name)
	for _, name := range []string{"apt", "base-files", "bash", "coreutils", "dash", "dpkg", "grep", "gzip", "init", "libc6", "login", "mount", "openssh-server", "perl", "sed", "tar"} {
		fact, err := discovery.NewFact(packages.Kind, packages.Instance(name), packages.Facts{Manager: "dpkg", Packages: []packages.Package{{Name: name, Version: "1", Arch: "amd64"}}})
		if err != nil {
			t.Fatal(err)
		}
		e, err := packageSets.Project(elementstest.Host, fact)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	sums, _ := projectors.ByKind(checksums.Kind.Name)
	files := map[string][]checksums.File{}
	for i := range 80 { // programs and libraries of a few services, in all instances
		path := fmt.Sprintf("/usr/lib/x86_64-linux-gnu/lib%d.so.1", i)
		files[checksums.Instance(path)] = append(files[checksums.Instance(path)], checksums.File{Path: path, Role: "library", SHA256: "ab", Bytes: 1})
	}
	for instance, list := range files {
		fact, err := discovery.NewFact(checksums.Kind, instance, checksums.Facts{Files: list})
		if err != nil {
			t.Fatal(err)
		}
		e, err := sums.Project(elementstest.Host, fact)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	units, _ := projectors.ByKind(systemd.Kind.Name)
	for _, instance := range []string{"running", "timer"} {
		e, err := units.Project(elementstest.Host, elementstest.Fact(t, systemd.Kind, "testdata/systemd@"+instance+".json"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	own := 1 // the host itself
	seen, byLabel := map[cmdb.EdgeRef]bool{}, map[string]int{}
	for _, e := range all {
		for _, v := range e.Vertices {
			if !cmdb.IsShared(v.Label) {
				own++
				byLabel[string(v.Label)]++
			}
		}
		for _, edge := range e.Edges {
			if !cmdb.IsShared(edge.From.Label) && !seen[edge.Ref()] {
				own++
				byLabel[string(edge.Type)]++
				seen[edge.Ref()] = true
			}
		}
	}
	t.Logf("%d elements of its own: %v", own, byLabel)
	if own > budget {
		t.Errorf("%d elements of its own, at most %d", own, budget)
	}
}

// Who is heard is one edge each, and nothing that the host owns beside.
func TestHeardStayWithinBudget(t *testing.T) {
	p, _ := projectors.ByKind(seen.Kind.Name)
	bodies := map[string]*seen.Facts{}
	for i := range heardBudget {
		ip := fmt.Sprintf("10.0.0.%d", i+1)
		of := bodies[seen.Instance(ip)]
		if of == nil {
			of = &seen.Facts{}
			bodies[seen.Instance(ip)] = of
		}
		of.Seen = append(of.Seen, seen.Seen{Interface: "eth0", IP: ip, MAC: fmt.Sprintf("02:00:00:00:00:%02x", i)})
	}
	own := 0
	for instance, body := range bodies {
		fact, err := discovery.NewFact(seen.Kind, instance, *body)
		if err != nil {
			t.Fatal(err)
		}
		e, err := p.Project(elementstest.Host, fact)
		if err != nil {
			t.Fatal(err)
		}
		elementstest.Check(t, p, e)
		for _, v := range e.Vertices {
			if !cmdb.IsShared(v.Label) {
				own++
			}
		}
		own += len(e.Edges)
	}
	if len(bodies) != seen.Instances || own != heardBudget {
		t.Errorf("%d instances, %d elements, want %d and %d", len(bodies), own, seen.Instances, heardBudget)
	}
}

func TestLeaningKindsComeAfterTheirs(t *testing.T) {
	listed := map[string]bool{}
	for _, p := range projectors.All() {
		name := p.Kind().Name
		if listed[name] {
			t.Errorf("kind %s is listed twice", name)
		}
		if leaning, ok := p.(discovery.Leaning); ok {
			for _, on := range leaning.LeansOn() {
				if !listed[on.Kind] {
					t.Errorf("kind %s leans on %s, which comes later or not at all", name, on.Kind)
				}
			}
		}
		listed[name] = true
		if found, ok := projectors.ByKind(name); !ok || found != p {
			t.Errorf("kind %s is not found by its name", name)
		}
	}
	if p, ok := projectors.ByKind("x-script"); !ok || p.Kind().Name != "x-script" {
		t.Error("the kinds of scripts have no projector")
	}
	if _, ok := projectors.ByKind("nonsense"); ok {
		t.Error("a kind without a projector was found")
	}
}

func TestOtherSchemaVersionIsRefused(t *testing.T) {
	for _, p := range projectors.All() {
		fact := discovery.Fact{Kind: p.Kind().Name, Version: p.Kind().Version + 1, Body: []byte(`{}`)}
		if _, err := p.Project(elementstest.Host, fact); err == nil || !strings.Contains(err.Error(), "schema version") {
			t.Errorf("%s: %v", p.Kind().Name, err)
		}
	}
}

func TestPackageInTheWrongInstanceIsRefused(t *testing.T) {
	p, _ := projectors.ByKind("packages")
	fact, err := discovery.NewFact(packages.Kind, "0", packages.Facts{Manager: "dpkg", Packages: []packages.Package{{Name: "bash", Version: "1", Arch: "amd64"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Project(elementstest.Host, fact); err == nil || !strings.Contains(err.Error(), "belongs in") {
		t.Errorf("got %v", err)
	}
}

// Whatever a host sends, projectors do not panic, and say the same twice.
func FuzzProject(f *testing.F) {
	f.Add("0", []byte(`{"links":[{"name":"x","mac":"02:00:00:00:00:01","addresses":[{"ip":"::ffff:1.2.3.4","prefix":130}]}]}`))
	f.Add("1", []byte(`{"services":[{"name":"a","listens":[{"protocol":"tcp","ip":"fe80::1%eth0","port":-1}]}]}`))
	f.Add("", []byte(`{"neighbours":[{"device":"e","ip":"::","mac":"02:00:00:00:00:01"}]}`))
	f.Add("", []byte(`{"ports":[{"interface":"e","chassis":"mac |","port":"\\u0000","management":null}]}`))
	f.Add("9", []byte(`{"seen":[{"interface":"e","ip":"::ffff:10.0.0.1%x","mac":"zz"}]}`))
	f.Add("f", []byte(`{"manager":"dpkg","packages":[{"name":"bash"}]}`))
	f.Add("", []byte(`{"release":{},"kernel":null}`))
	f.Fuzz(func(t *testing.T, instance string, body []byte) {
		script, _ := projectors.ByKind("x-script")
		for _, p := range append(projectors.All(), script) {
			fact := discovery.Fact{Kind: p.Kind().Name, Instance: instance, Version: p.Kind().Version, Body: body, Hash: discovery.HashBody(p.Kind().Name, 1, body)}
			e, err := p.Project(elementstest.Host, fact)
			if err != nil {
				continue
			}
			again, err := p.Project(elementstest.Host, fact)
			if err != nil || elementstest.Text(again) != elementstest.Text(e) {
				t.Errorf("%s: %q projected twice differs: %v", p.Kind().Name, body, err)
			}
			if e.Check() == nil {
				elementstest.Check(t, p, e)
			}
		}
	})
}
