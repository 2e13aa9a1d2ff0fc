package collect

import (
	"context"
	"encoding/json"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/setting"
	kind "assimilation/discovery/sysctl"
)

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s), Mode: 0o644} }

func parameters() fstest.MapFS {
	return fstest.MapFS{
		"kernel/hostname": file(discoverytest.HostName), "kernel/panic": file("10\n"), "kernel/random/boot_id": file("1"), "kernel/core_pattern": file("|/bin/x %p\n"),
		"net/ipv4/tcp_rmem": file("4096\t131072\t6291456\n"), "net/ipv4/conf/all/rp_filter": file("2\n"), "net/ipv4/conf/veth1/rp_filter": file("0\n"),
		"net/ipv4/conf/eth0.100/rp_filter": file("1\n"), "net/ipv6/conf/all/stable_secret": file("x"), "fs/file-nr": file("1 2 3"), "vm/swappiness": file(""),
	}
}

// closedFS refuses what only root may read.
type closedFS struct{ fs.FS }

func (c closedFS) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "panic") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.FS.Open(name)
}

func (c closedFS) Stat(name string) (fs.FileInfo, error) { return fs.Stat(c.FS, name) }

// over returns a collector of a made-up /proc/sys.
func over(root fs.FS, user int) *Collector {
	return New(root, func(name string, into []byte) (int, error) {
		b, err := fs.ReadFile(root, name)
		return copy(into, b), err
	}, user)
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(*testing.T) discovery.Collector { return over(parameters(), 0) }},
		discoverytest.Case{Name: "container", Collector: func(*testing.T) discovery.Collector { return over(closedFS{parameters()}, 0) }},
	)
}

func TestLimits(t *testing.T) {
	if _, err := over(closedFS{parameters()}, 1000).Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "1 parameters that the user root") {
		t.Errorf("unprivileged: %v", err)
	}
	many := fstest.MapFS{}
	for i := range setting.Max + 1 {
		many["user/"+strconv.Itoa(i)] = file("1")
	}
	if facts, err := over(many, 0).Collect(t.Context()); err == nil || len(facts) != 1 {
		t.Errorf("%d facts, %v", len(facts), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := over(parameters(), 0).Collect(ctx); err == nil {
		t.Error("goes on after the end of its time")
	}
}

// TestThisHost holds the collector against sysctl(8).
func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if err != nil {
		t.Log(err)
	}
	got := map[string]string{}
	for _, f := range facts {
		var b kind.Facts
		if err := json.Unmarshal(f.Body, &b); err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Parameters {
			got[p.Name] = p.Value
		}
	}
	out, err := exec.Command("sysctl", "-a").Output()
	if err != nil {
		t.Skipf("needs sysctl: %v", err)
	}
	want := map[string]string{} // a value of several lines is printed as several
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(line, " = ")
		if !kind.LeftOut(kind.Name(name)) {
			want[name] = strings.Join(strings.Fields(want[name]+" "+value), " ")
		}
	}
	for name, value := range want {
		if v, ok := got[name]; ok && v != value || !ok && value != "" {
			t.Errorf("%s is %q, sysctl says %q", name, v, value)
		}
	}
	t.Logf("%d parameters, sysctl has %d", len(got), len(want))
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
