package collect

import (
	"encoding/json"
	"os/exec"
	"slices"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/language-packages"
)

func system(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, content := range files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return root
}

var server = map[string]string{
	"usr/lib/python3/dist-packages/requests-2.28.1.egg-info/PKG-INFO":            "",
	"usr/lib/python3/dist-packages/PyYAML-6.0-py3.11.egg-info":                   "",
	"usr/lib/python3/dist-packages/distutils.egg-info":                           "",
	"usr/lib/python3/dist-packages/yaml/__init__.py":                             "",
	"usr/local/lib/python3.11/dist-packages/ruamel.yaml_x-0.18.dist-info/RECORD": "",
	"usr/local/lib/python3.11/site-packages/flask-3.0.0.dist-info/METADATA":      "",
	"usr/lib/python3.11":                                                                    "a file",
	"usr/lib/node_modules/npm/package.json":                                                 `{"name":"npm","version":"10.2.4"}`,
	"usr/lib/node_modules/npm/node_modules/semver/package.json":                             `{"name":"semver","version":"7.5.4"}`,
	"usr/lib/node_modules/@angular/cli/package.json":                                        `{"name":"@angular/cli","version":"17.0.1"}`,
	"usr/lib/node_modules/.bin/npm":                                                         "",
	"usr/lib/node_modules/broken/package.json":                                              `{"name":`,
	"usr/lib/node_modules/odd/package.json":                                                 `["name"]`,
	"var/lib/gems/3.1.0/specifications/nokogiri-1.15.4-x86_64-linux.gemspec":                "",
	"var/lib/gems/3.1.0/specifications/rack-test-2.1.0.gemspec":                             "",
	"var/lib/gems/3.1.0/specifications/nothing-.gemspec":                                    "",
	"usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec":                     "",
	"usr/share/rubygems-integration/all/specifications/rake-13.0.6.gemspec":                 "",
	"usr/lib/x86_64-linux-gnu/rubygems-integration/3.1.0/specifications/sdbm-1.0.0.gemspec": "",
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(*testing.T) discovery.Collector { return New(system(server)) }},
		discoverytest.Case{Name: "running", Collector: func(t *testing.T) discovery.Collector { return follows(t, running(t), services()...) }},
		discoverytest.Case{Name: "none", Collector: func(*testing.T) discovery.Collector { return New(system(nil)) }},
	)
}

// TestThisHost holds what is found against npm(1).
func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if err != nil {
		t.Log(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"/usr", "/usr/local"} {
		out, err := exec.Command("npm", "ls", "-g", "--json", "--depth=0", "--prefix", prefix).Output()
		if err != nil {
			t.Skipf("needs npm: %v", err)
		}
		var listing struct {
			Dependencies map[string]struct{ Version string }
		}
		if err := json.Unmarshal(out, &listing); err != nil {
			t.Fatal(err)
		}
		for name, p := range listing.Dependencies {
			if !slices.Contains(body.Packages, kind.Package{Manager: "npm", Name: name, Version: p.Version, Place: prefix + "/lib/node_modules"}) {
				t.Errorf("npm lists %s %s below %s", name, p.Version, prefix)
			}
		}
	}
	t.Logf("%d packages", len(body.Packages))
}

func FuzzNames(f *testing.F) {
	f.Add("a-1.dist-info", `{"name":"\u0000","version":"1"}`)
	f.Fuzz(func(t *testing.T, name, about string) {
		facts, _ := New(system(map[string]string{
			"usr/lib/python3/site-packages/" + name: "", "usr/share/gems/specifications/" + name: "", "usr/lib/node_modules/x/package.json": about,
		})).Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
