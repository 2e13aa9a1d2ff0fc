package collect

import (
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/limits"
)

func system(files map[string]string) discovery.Collector {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return New(root, "")
}

func TestSuite(t *testing.T) {
	over := func(files map[string]string) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return system(files) }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(map[string]string{
			"etc/security/limits.conf":      "# x\n*  soft core 0 # why\nada hard nofile 1024\nshort\n",
			"etc/security/limits.d/20.conf": "ada hard nofile 65536\n@dba - memlock unlimited\n",
			"etc/security/limits.d/x.txt":   "* hard core 0\n",
		})},
		discoverytest.Case{Name: "none", Collector: over(nil)},
	)
}

func FuzzBody(f *testing.F) {
	f.Add("a b c d\na: b\na = b\n")
	f.Fuzz(func(t *testing.T, text string) {
		facts, err := system(map[string]string{"etc/security/limits.conf": text}).Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, fact := range facts {
			if _, err := discovery.Diff(kind.Kind, nil, fact.Body); err != nil {
				t.Error(err)
			}
		}
	})
}
