package collect

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	kind "assimilation/discovery/commands"
	"assimilation/discovery/discoverytest"
)

// attribute is the content of security.capability.
func attribute(version uint32, words ...uint32) []byte {
	out := binary.LittleEndian.AppendUint32(nil, version)
	for _, w := range words {
		out = binary.LittleEndian.AppendUint32(out, w)
	}
	return out
}

func getxattr(files map[string][]byte) func(string, string, []byte) (int, error) {
	return func(path, name string, into []byte) (int, error) {
		value, has := files[path]
		if !has || name != "security.capability" {
			return 0, syscall.ENODATA
		}
		return copy(into, value), nil
	}
}

func system() fstest.MapFS {
	file := func(mode fs.FileMode, uid, gid uint32) *fstest.MapFile {
		return &fstest.MapFile{Mode: mode, Sys: &syscall.Stat_t{Uid: uid, Gid: gid}}
	}
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	}
	return fstest.MapFS{
		"usr/bin/bash": file(0o755, 0, 0), "usr/bin/passwd": file(0o755|fs.ModeSetuid, 0, 0), "usr/bin/crontab": file(0o755|fs.ModeSetgid, 0, 101),
		"usr/bin/both": file(0o755|fs.ModeSetuid|fs.ModeSetgid, 7, 8), "usr/bin/ping": file(0o755, 0, 0), "usr/bin/readme": file(0o644, 0, 0),
		"usr/bin/awk": link("mawk"), "usr/bin/mawk": file(0o755, 0, 0), "usr/bin/dangling": link("nothing"), "usr/bin/dir/x": file(0o755, 0, 0),
		"usr/bin/od\xffd": file(0o755, 0, 0), "usr/local/bin/bash": file(0o755, 0, 0), "bin": link("usr/bin"), "usr/sbin/pipe": {Mode: fs.ModeNamedPipe | 0o755},
	}
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(*testing.T) discovery.Collector {
			return New(system(), "", getxattr(map[string][]byte{"/usr/bin/ping": attribute(0x02000001, 1<<13, 0, 0, 0)}))
		}},
		discoverytest.Case{Name: "empty", Collector: func(*testing.T) discovery.Collector { return New(fstest.MapFS{}, "", getxattr(nil)) }},
	)
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		attribute []byte
		want      string
	}{
		{attribute(0x02000001, 1<<13, 0, 0, 0), "cap_net_raw=ep"},
		{attribute(0x02000000, 1<<13|1<<12, 1<<12, 0, 0), "cap_net_admin=ip cap_net_raw=p"},
		{attribute(0x03000001, 0, 0, 1<<(39-32), 0, 1000), "cap_bpf=ep"},
		{attribute(0x01000000, 0, 1<<10), "cap_net_bind_service=i"},
		{attribute(0x02000001, 0, 0, 1<<31, 0), "63=ep"},
		{attribute(0x02000001, 1), ""},
		{attribute(0x07000001, 1, 1, 1, 1), ""},
		{nil, ""},
	} {
		if got := strings.Join(capabilities(c.attribute), " "); got != c.want {
			t.Errorf("%x: %s, want %s", c.attribute, got, c.want)
		}
	}
}

// TestThisHost holds what is found against the shell's own idea of what it can run,
// and against find(1) and getcap(8).
func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]kind.Command{}
	bytes := 0
	for _, fact := range facts {
		bytes += len(fact.Body)
		var body kind.Facts
		if err := json.Unmarshal(fact.Body, &body); err != nil {
			t.Fatal(err)
		}
		for _, c := range body.Commands {
			found[filepath.Join(c.Dir, c.Name)] = c
		}
	}
	t.Logf("%d commands, %d bytes in %d facts", len(found), bytes, len(facts))
	dirs := Local().directories()
	lines := func(arguments ...string) []string {
		out, err := exec.Command(arguments[0], arguments[1:]...).Output()
		if len(out) == 0 && err != nil { // find complains of links that lead nowhere
			t.Skipf("needs %s: %v", arguments[0], err)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	all := lines(append(append([]string{"find", "-L"}, dirs...), "-maxdepth", "1", "-type", "f", "-perm", "/111")...)
	if len(all) != len(found) {
		t.Errorf("find lists %d commands, %d were found", len(all), len(found))
	}
	for _, path := range all {
		if _, has := found[path]; !has {
			t.Errorf("%s was not found", path)
		}
	}
	for _, path := range lines(append(append([]string{"find"}, dirs...), "-maxdepth", "1", "-type", "f", "-perm", "-4000")...) {
		if path != "" && !slices.ContainsFunc(found[path].Rights, func(r string) bool { return strings.HasPrefix(r, "setuid ") }) {
			t.Errorf("%s has setuid, found was %+v", path, found[path])
		}
	}
	for _, line := range lines(append([]string{"getcap", "-r"}, dirs...)...) {
		path, rights, _ := strings.Cut(line, " ")
		if line != "" && !slices.Contains(found[path].Rights, rights) {
			t.Errorf("getcap says %s, found was %+v", line, found[path])
		}
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := New(os.DirFS(dir), dir, getxattr(nil))
	ctx, cancel := context.WithCancel(t.Context())
	events, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- c.Watch(ctx, func() {
			select {
			case events <- struct{}{}:
			default:
			}
		})
	}()
	for i, told := 0, false; !told; i++ { // until the watch is there
		if err := os.WriteFile(filepath.Join(dir, "usr/bin", fmt.Sprintf("c%d", i%100)), nil, 0o755); err != nil {
			t.Fatal(err)
		}
		select {
		case <-events:
			told = true
		case err := <-ended:
			t.Fatalf("the watch ended: %v", err)
		default:
		}
	}
	if facts, err := c.Collect(t.Context()); err != nil || len(facts) == 0 {
		t.Errorf("%d facts, %v", len(facts), err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func FuzzCapabilities(f *testing.F) {
	f.Add(attribute(0x03000001, 1, 2, 3, 4, 5), "ls")
	f.Fuzz(func(t *testing.T, value []byte, name string) {
		root := fstest.MapFS{"usr/bin/" + name: {Mode: 0o755}}
		facts, _ := New(root, "", func(string, string, []byte) (int, error) { return 0, nil }).Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
		for _, right := range capabilities(value) {
			if _, err := discovery.Canonical(right); err != nil {
				t.Error(err)
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
