package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"sync"
	"testing"
)

const module = "assimilation"

// pkg is what `go list` tells of a package.
type pkg struct {
	Dir          string
	ImportPath   string
	Name         string
	Doc          string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
}

// local is the package's path in this module; "" is the root.
func (p pkg) local() string { return localPath(p.ImportPath) }

func localPath(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

// packages lists this module's packages once.
var packages = sync.OnceValues(func() ([]pkg, error) {
	out, err := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,Name,Doc,GoFiles,TestGoFiles,XTestGoFiles,Imports", module+"/...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = errors.New(string(exit.Stderr))
		}
		return nil, err
	}
	var list []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
})

func listPackages(t *testing.T) []pkg {
	t.Helper()
	list, err := packages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if len(list) == 0 {
		t.Fatal("go list found no package of this module")
	}
	return list
}

// matches reports whether a path fits a pattern; see type rule.
func matches(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if last, ok := strings.CutPrefix(pattern, ".../"); ok {
		pattern, name = last, path.Base(name)
	}
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		depth := strings.Count(below, "/") + 1
		elements := strings.Split(name, "/")
		return len(elements) >= depth && matches(below, strings.Join(elements[:depth], "/"))
	}
	ok, err := path.Match(pattern, name)
	if err != nil {
		panic(err) // a pattern of the table is malformed
	}
	return ok
}

func matchesAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if matches(pattern, name) {
			return true
		}
	}
	return false
}

// importName is how rules name an import: paths of this module without the module.
func importName(importPath string) string {
	if local, ok := strings.CutPrefix(importPath, module+"/"); ok {
		return local
	}
	return importPath
}

// broken returns the imports of p that the rule forbids.
func (r rule) broken(p pkg) []string {
	if !matchesAny(r.packages, p.local()) || matchesAny(r.except, p.local()) {
		return nil
	}
	var bad []string
	for _, imported := range p.Imports {
		name := importName(imported)
		if matchesAny(r.imports, name) && !matchesAny(r.allowed, name) {
			bad = append(bad, name)
		}
	}
	return bad
}

func TestImportsFollowTheLayers(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, r := range rules {
			for _, bad := range r.broken(p) {
				t.Errorf("%s imports %s: %s", p.local(), bad, r.because)
			}
		}
	}
}

func TestFeaturesDoNotImportEachOther(t *testing.T) {
	for _, p := range listPackages(t) {
		from, ok := feature(p.local())
		if !ok {
			continue
		}
		for _, imported := range p.Imports {
			to, ok := feature(importName(imported))
			if ok && to != from && !mayCross(from, to) {
				t.Errorf("%s imports %s: features of the service do not know each other; say at the top (saas/saas.go) what one needs of another",
					p.local(), importName(imported))
			}
		}
	}
}

// feature returns the feature of the service that a package belongs to.
func feature(local string) (string, bool) {
	below, ok := strings.CutPrefix(local, "saas/internal/")
	name, _, _ := strings.Cut(below, "/")
	return name, ok
}

func mayCross(from, to string) bool {
	for _, a := range acrossFeatures {
		if (a.from == "*" || a.from == from) && a.to == to {
			return true
		}
	}
	return false
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"cmdb", "cmdb", true},
		{"cmdb", "cmdb/x", false},
		{"wire/...", "wire", true},
		{"wire/...", "wire/session", true},
		{"wire/...", "wireless", false},
		{"tenancy/*/...", "tenancy", false},
		{"tenancy/*/...", "tenancy/store", true},
		{"tenancy/*/...", "tenancy/store/storetest", true},
		{"discovery/*/collect/...", "discovery/os/collect", true},
		{"discovery/*/collect/...", "discovery/os/project", false},
		{"...", "anything/at/all", true},
		{".../*test", "tenancy/store/storetest", true},
		{".../*test", "tenancy/store", false},
	} {
		if got := matches(test.pattern, test.name); got != test.want {
			t.Errorf("matches(%q, %q) = %v, want %v", test.pattern, test.name, got, test.want)
		}
	}
}

func TestRulesCatchWhatTheyForbid(t *testing.T) {
	for _, test := range []struct {
		from, imports string
		broken        bool
	}{
		{"wire/session", "net", true},
		{"wire/session", "net/netip", false},
		{"wire", "log/slog", true},
		{"cmdb", module + "/uplink", true},
		{"probe/internal/send", module + "/relay", true},
		{"relay", module + "/saas", true},
		{"saas/internal/hosts", module + "/discovery/os/collect", true},
		{"saas/internal/ingest", module + "/discovery/projectors", false},
		{"discovery/os", module + "/discovery/os/collect", true},
		{"discovery/os/collect", module + "/discovery/os", false},
		{"relay/internal/outbox", "github.com/jackc/pgx/v5", true},
		{"tenancy/store", "github.com/jackc/pgx/v5", false},
		{"relay/internal/udp", "modernc.org/sqlite", true},
		{"probe", "testing", true},
		{"tenancy/store/storetest", "testing", false},
		{"saas", module + "/tenancy/store/storetest", true},
	} {
		p := pkg{ImportPath: module + "/" + test.from, Imports: []string{test.imports}}
		broken := false
		for _, r := range rules {
			broken = broken || len(r.broken(p)) > 0
		}
		if broken != test.broken {
			t.Errorf("%s importing %s: broken %v, want %v", test.from, test.imports, broken, test.broken)
		}
	}
}
