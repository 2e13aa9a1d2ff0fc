package collect

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/packages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const status = `Package: bash
Essential: yes
Status: install ok installed
Priority: required
Architecture: amd64
Multi-Arch: foreign
Version: 5.2.15-2+b7
Description: GNU Bourne Again SHell
 Bash is an sh-compatible command language interpreter.
 .
 Version: not a field, but a line of the description

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: held
Status: hold ok installed
Architecture: all
Version: 1:2~rc1

Package: half
Status: install ok half-configured
Architecture: amd64
Version: 3

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9`

func statusFS(content string) fs.FS {
	return fstest.MapFS{"var/lib/dpkg/status": &fstest.MapFile{Data: []byte(content)}}
}

func TestSuite(t *testing.T) {
	over := func(root fs.FS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(root, "") }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "dpkg", Collector: over(statusFS(status))},
		discoverytest.Case{Name: "empty", Collector: over(statusFS(""))},
		discoverytest.Case{Name: "alpine", Collector: over(fstest.MapFS{"lib/apk/db/installed": &fstest.MapFile{Data: []byte(installed)}})},
		discoverytest.Case{Name: "rhel8", Collector: over(fstest.MapFS{"var/lib/rpm/Packages": &fstest.MapFile{Data: berkeleyFixture(t)}})},
		discoverytest.Case{Name: "nodpkg", Collector: over(fstest.MapFS{})},
	)
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	var got []kind.Package
	err := parseStatus(strings.NewReader("Package: a\nDepends: "+long+"\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"+
		long+"\n\nPackage: b\nStatus: install ok installed\nVersion: "+strings.Repeat("9", 1000)+"\n"),
		func(p kind.Package) { got = append(got, p) })
	want := []kind.Package{{Name: "a", Version: "1", Arch: "all"}, {Name: "b", Version: strings.Repeat("9", maxField)}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	if err := parseStatus(io.MultiReader(strings.NewReader("Package: a\n"), failing{broken}), func(kind.Package) {}); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestThisHost holds the collector against dpkg-query(1).
func TestThisHost(t *testing.T) {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${Architecture}\n").Output()
	if err != nil {
		t.Skipf("needs dpkg-query: %v", err)
	}
	var want []string
	for line := range strings.Lines(string(out)) {
		if p, installed := strings.CutPrefix(line, "installed "); installed {
			want = append(want, strings.TrimSpace(p))
		}
	}
	facts, err := Local().Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(facts) != kind.Instances {
		t.Errorf("%d instances", len(facts))
	}
	var got []string
	for _, f := range facts {
		for _, p := range decode(t, f).Packages {
			got = append(got, p.Name+" "+p.Version+" "+p.Arch)
			if kind.Instance(p.Name) != f.Instance {
				t.Errorf("%s is in instance %s", p.Name, f.Instance)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d packages, dpkg-query says %d", len(got), len(want))
	}
}

func TestWatchNeedsADatabase(t *testing.T) {
	if err := New(nil, t.TempDir()).Watch(t.Context(), func() {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte(status))
	f.Add([]byte("Package: a\nStatus: x y installed\n\n\n:\n : \r\nPackage"))
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := New(statusFS(string(b)), "").Collect(t.Context())
		if err != nil {
			t.Error(err)
		}
		again, err := New(statusFS(string(b)+"\n"), "").Collect(t.Context())
		if err != nil || len(facts) != len(again) {
			t.Error(err)
		}
		for i := range facts {
			if !bytes.Equal(facts[i].Body, again[i].Body) {
				t.Errorf("a line end more makes %s of %s", again[i].Body, facts[i].Body)
			}
		}
	})
}
