package collect

import (
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	kind "assimilation/discovery/auditd"
	"assimilation/discovery/discoverytest"
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
			"etc/audit/auditd.conf":      "# x\nlog_file = /var/log/audit/audit.log\nMax_Log_File=8\nbroken\n",
			"etc/audit/audit.rules":      "-a wrong\n",
			"etc/audit/rules.d/10.rules": "-D\n-w /etc/passwd  -p wa -k id\n",
			"etc/audit/rules.d/x.txt":    "-w no\n",
		})},
		discoverytest.Case{Name: "none", Collector: over(nil)},
	)
}

func FuzzBody(f *testing.F) {
	f.Add("a b c d\na: b\na = b\n")
	f.Fuzz(func(t *testing.T, text string) {
		facts, err := system(map[string]string{"etc/audit/auditd.conf": text}).Collect(t.Context())
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
