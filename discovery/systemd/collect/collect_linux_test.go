package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"encoding/json"

	"go.uber.org/goleak"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/systemd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func link(to string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink} }

func system() fstest.MapFS {
	const vendor, etc, cgroup = "usr/lib/systemd/system/", "etc/systemd/system/", "sys/fs/cgroup/system.slice/"
	return fstest.MapFS{
		vendor + "ssh.service":                                         file("[Unit]\nDescription=x\n[Service]\nExecStartPre=/usr/sbin/sshd -t\nExecStart=/usr/sbin/sshd -D $OPTS\n[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n"),
		etc + "sshd.service":                                           link("/usr/lib/systemd/system/ssh.service"),
		etc + "multi-user.target.wants/ssh.service":                    link("/usr/lib/systemd/system/ssh.service"),
		vendor + "idle.service":                                        file("[Service]\nType=oneshot\nExecStart=/bin/idle\n[Install]\nWantedBy=x\n"),
		vendor + "static.service":                                      file("[Service]\nUser=daemon\nExecStart=/bin/s\n"),
		vendor + "masked.service":                                      file("[Service]\nExecStart=/bin/m\n"),
		etc + "masked.service":                                         link("/dev/null"),
		vendor + "dead.service":                                        file("[Service]\nExecStart=/usr/sbin/dead\n[Install]\nWantedBy=multi-user.target\n"),
		etc + "multi-user.target.wants/dead.service":                   link("/usr/lib/systemd/system/dead.service"),
		vendor + "bound.service":                                       file("[Unit]\nConditionVirtualization=vmware\n[Service]\nExecStart=/usr/sbin/bound\n[Install]\nWantedBy=multi-user.target\n"),
		etc + "multi-user.target.wants/bound.service":                  link("/usr/lib/systemd/system/bound.service"),
		vendor + "empty.service":                                       file(""),
		vendor + "getty@.service":                                      file("[Service]\nExecStart=-/sbin/agetty %I\n[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n"),
		etc + "getty.target.wants/getty@tty1.service":                  link("/usr/lib/systemd/system/getty@.service"),
		vendor + "ssh.service.d/vendor.conf":                           file("[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D --password hunter2\n"),
		etc + "ssh.service.d/site.conf":                                file("[Service]\nUser=root\n"),
		vendor + "daily.timer":                                         file("[Timer]\nOnCalendar=*-*-* 6:00\nPersistent=true\n[Install]\nWantedBy=timers.target\n"),
		etc + "timers.target.wants/daily.timer":                        link("/usr/lib/systemd/system/daily.timer"),
		vendor + "x.socket":                                            file("[Socket]\nListenStream=22\nListenStream=\nListenStream=/run/x\n[Install]\nAlso=x.service\n"),
		etc + "local.service":                                          file("[Service]\nExecStart=/opt/x --token=abc\n[Install]\nWantedBy=multi-user.target\n"),
		"run/systemd/system/now.target.wants/local.service":            link("/etc/systemd/system/local.service"),
		"run/systemd/generator/data.mount":                             file("[Mount]\n"),
		"sys/fs/cgroup/cgroup.controllers":                             file("cpu"),
		cgroup + "ssh.service/cgroup.events":                           file("populated 1\nfrozen 0\n"),
		cgroup + "idle.service/cgroup.events":                          file("populated 1\n"),
		cgroup + "gone.service/cgroup.events":                          file("populated 0\n"),
		cgroup + `system-getty.slice/getty@tty1.service/cgroup.events`: file("populated 1\n"),
	}
}

func TestSuite(t *testing.T) {
	over := func(files fstest.MapFS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(files, "") }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(system())},
		discoverytest.Case{Name: "v1", Collector: over(fstest.MapFS{
			"lib/systemd/system/a.service":                              file("[Service]\n"),
			"sys/fs/cgroup/systemd/system.slice/a.service/cgroup.procs": file("12\n"),
			"sys/fs/cgroup/systemd/system.slice/b.service/cgroup.procs": file(""),
		})},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{"etc/passwd": file("")})},
	)
}

// TestThisHost holds the collector against systemctl(1).
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
		for _, u := range b.Units {
			got[u.Name] = u.State
		}
	}
	out, err := exec.Command("systemctl", "list-unit-files", "--root=/", "--no-legend", "--no-pager").Output()
	if err != nil || len(out) == 0 {
		t.Skipf("needs systemctl: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 2 || got[words[0]] == words[1] {
			continue
		}
		switch words[0][strings.LastIndexByte(words[0], '.')+1:] {
		case "slice", "swap", "device", "scope":
		default:
			t.Errorf("%s is %q, systemctl says %q", words[0], got[words[0]], words[1])
		}
	}
	t.Logf("%d units", len(got))
}

func TestWatchOfNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(fstest.MapFS{}, t.TempDir()).Watch(ctx, func() {}); err != nil {
		t.Error(err)
	}
}

// systemctl makes systemd make its generators' directories anew, and directories
// for what is enabled first.
func TestWatchOutlivesDirectories(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	for _, dir := range []string{"etc/systemd/system", "run/systemd/generator"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	changed := make(chan struct{}, 1)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- New(os.DirFS(root), root).Watch(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	// Nothing tells when watching has begun: it is done until it is noticed.
	until(t, changed, ended, "a unit", func(n int) error {
		return os.WriteFile(at(fmt.Sprint("etc/systemd/system/a", n, ".service")), nil, 0o644)
	})
	if err := errors.Join(os.RemoveAll(at("run/systemd/generator")), os.Mkdir(at("run/systemd/generator"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the first may be of what came before
		until(t, changed, ended, "a unit of the directory that was made anew", func(n int) error {
			return os.WriteFile(at(fmt.Sprint("run/systemd/generator/b", n, time.Now().UnixNano(), ".service")), nil, 0o644)
		})
	}
	if err := os.Mkdir(at("etc/systemd/system/multi-user.target.wants"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		until(t, changed, ended, "a unit that is enabled", func(n int) error {
			return os.Symlink("/x", at(fmt.Sprint("etc/systemd/system/multi-user.target.wants/a", n, time.Now().UnixNano(), ".service")))
		})
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// until does something again and again, until it is noticed.
func until(t *testing.T, changed chan struct{}, ended chan error, what string, do func(n int) error) {
	t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for n := range 600 {
		if err := do(n); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
			return
		case err := <-ended:
			t.Fatalf("watching ended at %s: %v", what, err)
		case <-again.C:
		}
	}
	t.Fatalf("%s was not noticed", what)
}

func FuzzUnit(f *testing.F) {
	f.Add("[Service]\nExecStart=a\n", "[Install]\nAlso=x", "../x@.service")
	f.Fuzz(func(t *testing.T, unit, dropIn, target string) {
		if _, err := New(fstest.MapFS{"etc/systemd/system/a.service": file(unit), "etc/systemd/system/a.service.d/b.conf": file(dropIn),
			"etc/systemd/system/b@c.service": link(target)}, "").Collect(t.Context()); err != nil {
			t.Log(err) // a link that leads nowhere
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
