// Package elementstest compares what a projector makes of the facts in a kind's
// testdata with what stands beside them.
package elementstest

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assimilation/cmdb"
	"assimilation/discovery"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Host is the host whose facts tests project.
var Host = discovery.HostRef{ID: "11111111-2222-4333-8444-555555555555", HostRealm: cmdb.HostRealm("11111111-2222-4333-8444-555555555555"), SiteRealm: cmdb.SiteRealm("site")}

// Golden projects each testdata/*.json, a body, and compares the elements with
// the .golden file of the same name, one line each. The part of a file name
// after "@" is the instance.
func Golden(t *testing.T, p discovery.Projector) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			fact := Fact(t, p.Kind(), file)
			elements, err := p.Project(Host, fact)
			if err != nil {
				t.Fatal(err)
			}
			Check(t, p, elements)
			got := Text(elements)
			if *update {
				if err := os.WriteFile(name+".golden", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("elements are\n%s\nwant\n%s", got, want)
			}
			again, err := p.Project(Host, fact)
			if err != nil || Text(again) != got {
				t.Errorf("projecting twice differs: %v", err)
			}
		})
	}
}

// Fact reads a body from a file, where it may be indented.
func Fact(t testing.TB, kind discovery.Kind, file string) discovery.Fact {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var body any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	_, instance, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "@")
	canonical, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return discovery.Fact{Kind: kind.Name, Instance: instance, Version: kind.Version, Body: canonical,
		Hash: discovery.HashBody(kind.Name, kind.Version, canonical)}
}

// Check fails the test unless the elements keep the rules of a projection: owned
// vertices are keyed under the host, every vertex but an owned one is led to,
// and owned edges leave the host or an owned vertex of it.
func Check(t testing.TB, p discovery.Projector, e cmdb.Elements) {
	t.Helper()
	if err := e.Check(); err != nil {
		t.Errorf("the graph would refuse it: %v", err)
	}
	_, leans := p.(discovery.Leaning)
	made, led := map[cmdb.Ref]bool{{Label: cmdb.Host, Key: Host.ID}: true}, map[cmdb.Ref]bool{}
	for _, v := range e.Vertices {
		made[v.Ref] = true
		if !cmdb.IsShared(v.Label) && !strings.HasPrefix(v.Key, Host.ID+"/") {
			t.Errorf("owned vertex %v is not keyed under the host", v.Ref)
		}
	}
	for _, edge := range e.Edges {
		led[edge.To] = true
		if !made[edge.To] && !(leans && !cmdb.IsShared(edge.To.Label)) {
			t.Errorf("edge %v leads to no vertex of the projection", edge.Ref())
		}
		if !made[edge.From] && !leans {
			t.Errorf("edge %v leaves no vertex of the projection", edge.Ref())
		}
	}
	for _, v := range e.Vertices {
		if !led[v.Ref] {
			t.Errorf("no edge leads to %v", v.Ref)
		}
	}
}

// Text is the elements, one line each, in order.
func Text(e cmdb.Elements) string {
	var out strings.Builder
	for _, v := range e.Vertices {
		fmt.Fprintf(&out, "(%s %q %s)\n", v.Label, v.Key, props(v.Props))
	}
	for _, edge := range e.Edges {
		fmt.Fprintf(&out, "(%s %q)-[%s %s]->(%s %q)\n", edge.From.Label, edge.From.Key, edge.Type, props(edge.Props), edge.To.Label, edge.To.Key)
	}
	return out.String()
}

func props(m map[string]any) string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	for _, name := range names {
		value, err := json.Marshal(m[name])
		if err != nil {
			panic(err)
		}
		parts = append(parts, name+"="+string(value))
	}
	return strings.Join(parts, " ")
}
