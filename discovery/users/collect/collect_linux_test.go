package collect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/users"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
ada:x:1000:1000:Ada Lovelace,,,:/home/ada:/bin/zsh
ada:x:1000:1000:the same again:/home/ada:/bin/zsh
guest::1001:1001::/home/guest:
old:abJnggxhB/yWI:1002:1002::/home/old:/bin/sh
bare:x:1003:1003::/home/bare:/bin/sh
#comment:x:1:1:::
+nis::::::
broken:x:minus:0:::
short:x:1
`
	group = `root:x:0:
sudo:x:27:grace,ada,ada
ada:x:1000:
+:::
`
	hash   = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
	shadow = `root:*:19000:0:99999:7:::
daemon:!:19000:0:99999:7:::
sync:!*:19000::::::
ada:` + hash + `:19700:0:99999:7:::
ada:!:1::::::
bare::19000::::::
broken
`
)

func system(files ...string) fstest.MapFS {
	all := fstest.MapFS{}
	for i, name := range []string{passwdFile, groupFile, shadowFile} {
		if i < len(files) {
			all[name] = &fstest.MapFile{Data: []byte(files[i])}
		}
	}
	return all
}

// closedFS refuses what only root may read.
type closedFS struct{ fs.FS }

func (c closedFS) Open(name string) (fs.File, error) {
	if name == shadowFile {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.FS.Open(name)
}

func TestSuite(t *testing.T) {
	over := func(root fs.FS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(root, "") }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(system(passwd, group, shadow))},
		discoverytest.Case{Name: "unprivileged", Collector: over(closedFS{system(passwd, group, shadow)}), Degraded: discovery.DACReadSearch},
		discoverytest.Case{Name: "noshadow", Collector: over(system("root:x:0:0::/:/bin/sh\n"))},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{})},
	)
}

// TestNoHashLeaves looks for the passwords in the fact.
func TestNoHashLeaves(t *testing.T) {
	facts, err := New(system(passwd, group, shadow), "").Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{hash, hash[3:20], "abJnggxhB"} {
		if bytes.Contains(facts[0].Body, []byte(secret)) {
			t.Errorf("%q is in %s", secret, facts[0].Body)
		}
	}
}

func TestManyAccounts(t *testing.T) {
	var many strings.Builder
	for i := range maxEntries + 1 {
		fmt.Fprintf(&many, "u%d:x:%d:1::/:/bin/sh\n", i, i)
	}
	facts, err := New(system(many.String(), group, shadow), "").Collect(t.Context())
	if err == nil || len(facts) != 1 || !strings.Contains(err.Error(), "left out") || len(decode(t, facts[0]).Users) != maxEntries {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}

func TestUnreadable(t *testing.T) {
	for _, name := range []string{passwdFile, groupFile, shadowFile} {
		files := system(passwd, group, shadow)
		files[name] = &fstest.MapFile{Mode: fs.ModeDir}
		if facts, err := New(files, "").Collect(t.Context()); err == nil {
			t.Errorf("%s: %v", name, facts)
		}
	}
}

func decode(t *testing.T, f discovery.Fact) (b kind.Facts) {
	t.Helper()
	if err := json.Unmarshal(f.Body, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestThisHost holds the collector against getent(1).
func TestThisHost(t *testing.T) {
	facts, _ := Local().Collect(t.Context())
	if len(facts) != 1 {
		t.Skip("no accounts")
	}
	b := decode(t, facts[0])
	var users, groups []string
	for _, u := range b.Users {
		users = append(users, fmt.Sprintf("%s:%d:%d:%s:%s", u.Name, u.UID, u.GID, u.Home, u.Shell))
	}
	for _, g := range b.Groups {
		groups = append(groups, fmt.Sprintf("%s:%d", g.Name, g.GID))
	}
	for database, test := range map[string]struct {
		columns []int
		got     []string
	}{"passwd": {[]int{0, 2, 3, 5, 6}, users}, "group": {[]int{0, 2}, groups}} {
		out, err := exec.Command("getent", "-s", "files", database).Output()
		if err != nil {
			t.Skipf("needs getent: %v", err)
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			all := strings.Split(strings.TrimRight(line, "\n"), ":")
			var some []string
			for _, c := range test.columns {
				some = append(some, all[c])
			}
			want = append(want, strings.Join(some, ":"))
		}
		slices.Sort(want)
		slices.Sort(test.got)
		if !slices.Equal(test.got, want) {
			t.Errorf("%s: %q, getent says %q", database, test.got, want)
		}
	}
}

func FuzzAccounts(f *testing.F) {
	f.Add(passwd, group, shadow)
	f.Add("a:b:1:2:\xff:\x00:x\r\n", "g::4294967295:,,a", "a::")
	f.Fuzz(func(t *testing.T, passwd, group, shadow string) {
		facts, err := New(system(passwd, group, shadow), "").Collect(t.Context())
		if err != nil || len(facts) != 1 {
			t.Fatal(err)
		}
		for _, u := range decode(t, facts[0]).Users {
			if u.Password != kind.PasswordSet && u.Password != kind.PasswordEmpty && u.Password != kind.PasswordLocked {
				t.Errorf("%+v", u)
			}
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
