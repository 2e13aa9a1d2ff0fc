// Package discoverytest is the suite that every kind passes: what its fixtures
// give is golden, canonical, within limits, free of host identity, and the same
// each time.
package discoverytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"assimilation/discovery"
)

var update = flag.Bool("update", false, "write the golden facts anew")

// HostName is the name of the host in fixtures that need one. No fact may
// contain it.
const HostName = "fixture-host-7f3a"

// Case is one fixture of a kind.
type Case struct {
	Name string // of the golden file, testdata/<Name>.golden.json
	// Collector returns a new collector over the fixture.
	Collector func(*testing.T) discovery.Collector
	// Degraded is the right that the fixture lacks, if any.
	Degraded discovery.Capability
}

// Suite checks a kind whose folder is dir.
func Suite(t *testing.T, dir string, kind discovery.Kind, cases ...Case) {
	t.Run("kind", func(t *testing.T) { checkKind(t, dir, kind) })
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { checkCase(t, dir, kind, c) })
	}
}

func checkKind(t *testing.T, dir string, kind discovery.Kind) {
	if kind.Name == "" || kind.Version < 1 || kind.Interval <= 0 || kind.Timeout <= 0 || kind.Doc == "" {
		t.Errorf("kind is incomplete: %+v", kind)
	}
	if _, err := discovery.Describe(kind); err != nil {
		t.Error(err)
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range []string{"## Source", "## Rights", "## Cost", "## Sample"} {
		if !strings.Contains(string(readme), heading+"\n") {
			t.Errorf("README.md has no %q", heading)
		}
	}
}

func checkCase(t *testing.T, dir string, kind discovery.Kind, c Case) {
	facts := collect(t, kind, c)
	if again := collect(t, kind, c); !reflect.DeepEqual(facts, again) {
		t.Error("a second collector gives other facts")
	}
	golden := map[string]json.RawMessage{}
	for _, f := range facts {
		if err := f.Check(); err != nil {
			t.Error(err)
		}
		if f.Kind != kind.Name || f.Version != kind.Version {
			t.Errorf("fact is of kind %s version %d", f.Kind, f.Version)
		}
		if _, twice := golden[f.Instance]; twice {
			t.Errorf("instance %q twice", f.Instance)
		}
		if bytes.Contains(f.Body, []byte(HostName)) {
			t.Errorf("instance %q names the host: %s", f.Instance, f.Body)
		}
		checkSchema(t, kind, f)
		checkKeys(t, kind, f)
		golden[f.Instance] = f.Body
	}
	compare(t, filepath.Join(dir, "testdata", c.Name+".golden.json"), golden)
}

func collect(t *testing.T, kind discovery.Kind, c Case) []discovery.Fact {
	collector := c.Collector(t)
	if collector.Kind().Name != kind.Name {
		t.Errorf("collector is of kind %q", collector.Kind().Name)
	}
	facts, err := collector.Collect(t.Context())
	if c.Degraded == "" && err != nil {
		t.Fatal(err)
	}
	if c.Degraded != "" {
		if d, is := errors.AsType[*discovery.Degraded](err); !is || d.Needs != c.Degraded {
			t.Errorf("error is %v, want degraded for want of %s", err, c.Degraded)
		}
	}
	return facts
}

// checkSchema decodes the body into the kind's type and back.
func checkSchema(t *testing.T, kind discovery.Kind, f discovery.Fact) {
	v := reflect.New(reflect.TypeOf(kind.Body))
	dec := json.NewDecoder(bytes.NewReader(f.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v.Interface()); err != nil {
		t.Errorf("instance %q is not of the kind's schema: %v", f.Instance, err)
		return
	}
	again, err := discovery.Canonical(v.Interface())
	if err != nil || !bytes.Equal(again, f.Body) {
		t.Errorf("instance %q is encoded again as %.200s, %v", f.Instance, again, err)
	}
}

// checkKeys lets Diff list all items: were two of the same key, it could not
// tell them apart by name.
func checkKeys(t *testing.T, kind discovery.Kind, f discovery.Fact) {
	changes, err := discovery.Diff(kind, nil, f.Body)
	if err != nil {
		t.Error(err)
	}
	type item struct{ path, of, item string }
	seen := map[item]bool{}
	for _, c := range changes {
		i := item{c.Path, c.Of, c.Item}
		if c.Item != "" && c.Field == "" && seen[i] {
			t.Errorf("two items of the same key: %+v", c)
		}
		seen[i] = true
	}
}

func compare(t *testing.T, path string, golden map[string]json.RawMessage) {
	got, err := json.MarshalIndent(golden, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("facts differ from %s (written anew by -update):\n%s", path, got)
	}
}
