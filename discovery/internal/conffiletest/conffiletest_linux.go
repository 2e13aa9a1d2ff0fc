package conffiletest

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/conffile"
)

// New makes a kind's collector of the files under root; path is where root is on
// this host, "" nowhere.
type New func(root fs.FS, path string) conffile.Watching

// Over is a collector of files, by their paths.
func (n New) Over(files map[string]string) discovery.Collector {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return n(root, "")
}

// Suite runs the suite of all kinds over a server's files, and over none.
func (n New) Suite(t *testing.T, kind discovery.Kind, server map[string]string) {
	over := func(files map[string]string) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return n.Over(files) }
	}
	discoverytest.Suite(t, "..", kind,
		discoverytest.Case{Name: "server", Collector: over(server)},
		discoverytest.Case{Name: "none", Collector: over(nil)},
	)
}

// Fuzz holds that whatever stands in the file at path becomes facts that can be
// compared.
func (n New) Fuzz(f *testing.F, kind discovery.Kind, path string) {
	f.Add("a b c d\na: b\na = b\n")
	f.Fuzz(func(t *testing.T, text string) {
		facts, err := n.Over(map[string]string{path: text}).Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, fact := range facts {
			if _, err := discovery.Diff(kind, nil, fact.Body); err != nil {
				t.Error(err)
			}
		}
	})
}
