package collect

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	kind "assimilation/discovery/checksums"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/sockets"
)

// host is a system whose files have inodes; it counts what is opened.
type host struct {
	fstest.MapFS
	opened map[string]int
	denied map[string]bool
}

func newHost() *host {
	h := &host{fstest.MapFS{}, map[string]int{}, map[string]bool{}}
	for name, content := range map[string]string{
		"usr/sbin/nginx": "nginx", "usr/lib/libssl.so.3": "ssl", "usr/lib/libc.so.6": "libc", "usr/lib/jvm/bin/java": "java",
		"srv/app.jar": "jar", "etc/passwd": "root:x:0:0", "etc/pam.d/sshd": "auth", "etc/shadow": "secret", "usr/bin/idle": "idle", "image/usr/sbin/nginx": "other",
	} {
		h.put(name, content)
	}
	h.process("10", 2, "/usr/sbin/nginx", "/usr/lib/libssl.so.3", "/usr/lib/libgone.so (deleted)", "/dev/shm/x", "/memfd:y (deleted)")
	h.process("11", 2, "/usr/sbin/nginx", "/usr/lib/libssl.so.3 (deleted)")
	h.process("12", 99, "/usr/sbin/nginx", "/usr/lib/libonlyinimage.so") // of a container
	h.process("20", 2, "/usr/bin/idle", "/usr/lib/libc.so.6")
	h.process("30", 2, "/usr/lib/jvm/bin/java", "/usr/lib/libc.so.6")
	h.MapFS["proc/30/fd/4"] = &fstest.MapFile{Data: []byte("/srv/app.jar"), Mode: fs.ModeSymlink | 0o777}
	h.MapFS["proc/30/fd/5"] = &fstest.MapFile{Data: []byte("socket:[5]"), Mode: fs.ModeSymlink | 0o777}
	h.MapFS["proc/1/root"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755, Sys: &syscall.Stat_t{Ino: 2}}
	return h
}

func (h *host) put(name, content string) {
	inode := uint64(len(h.MapFS) + 100)
	h.MapFS[name] = &fstest.MapFile{Data: []byte(content), Sys: &syscall.Stat_t{Ino: inode, Size: int64(len(content))}}
}

func (h *host) process(pid string, root uint64, exe string, libraries ...string) {
	maps := fmt.Sprintf("55d0c000-55d0e000 r-xp 00000000 08:01 77 %s\n7ffd0000-7ffd1000 r-xp 00000000 00:00 0 [vdso]\n", exe)
	for _, l := range libraries {
		maps += fmt.Sprintf("7f000000-7f001000 r--p 00000000 08:01 78 %s\n7f001000-7f002000 r-xp 00000000 08:01 78 %s\n", l, l)
	}
	h.MapFS["proc/"+pid+"/exe"] = &fstest.MapFile{Data: []byte(exe), Mode: fs.ModeSymlink | 0o777}
	h.MapFS["proc/"+pid+"/maps"] = &fstest.MapFile{Data: []byte(maps)}
	h.MapFS["proc/"+pid+"/root"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755, Sys: &syscall.Stat_t{Ino: root}}
}

func (h *host) Open(name string) (fs.File, error) {
	if h.denied[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	h.opened[name]++
	return h.MapFS.Open(name)
}

// listening makes the fact that a collector follows.
func listening(t testing.TB, programs ...string) []discovery.Fact {
	body := sockets.Facts{}
	for _, exe := range programs {
		body.Services = append(body.Services, sockets.Service{Name: "x", Exe: exe, Listens: []sockets.Listen{{Protocol: "tcp", IP: "10.0.0.1", Port: 1}}})
	}
	body.Services = append(body.Services, sockets.Service{Name: "idle", Exe: "/usr/bin/idle"}, sockets.Service{Name: "kernel"})
	fact, err := discovery.NewFact(sockets.Kind, "", body)
	if err != nil {
		t.Fatal(err)
	}
	return []discovery.Fact{fact}
}

func follows(t testing.TB, root fs.FS, programs ...string) *Collector {
	c := New(root)
	c.Follow("sockets", listening(t, programs...))
	return c
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(t *testing.T) discovery.Collector {
			return follows(t, newHost(), "/usr/sbin/nginx", "/usr/lib/jvm/bin/java")
		}},
		discoverytest.Case{Name: "unprivileged", Degraded: discovery.SysPtrace, Collector: func(t *testing.T) discovery.Collector {
			h := newHost()
			h.denied["proc/10/maps"] = true
			return follows(t, h, "/usr/sbin/nginx")
		}},
		discoverytest.Case{Name: "quiet", Collector: func(*testing.T) discovery.Collector { return New(newHost()) }},
	)
}

// all collects until nothing is left and returns the files by path.
func all(t *testing.T, c *Collector) (files map[string]kind.File, rounds int) {
	t.Helper()
	for {
		rounds++
		facts, err := c.Collect(t.Context())
		if errors.Is(err, discovery.ErrUnfinished) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		files = map[string]kind.File{}
		for _, fact := range facts {
			var body kind.Facts
			if err := json.Unmarshal(fact.Body, &body); err != nil {
				t.Fatal(err)
			}
			for _, f := range body.Files {
				files[f.Path] = f
			}
		}
		return files, rounds
	}
}

func TestOnlyWhatChangedIsReadAgain(t *testing.T) {
	h := newHost()
	c := follows(t, h, "/usr/sbin/nginx")
	before, _ := all(t, c)
	clear(h.opened)
	h.put("usr/sbin/nginx", "evil!")
	after, _ := all(t, c)
	for name, n := range h.opened {
		if !strings.HasPrefix(name, "proc") && name != "usr/sbin/nginx" && h.MapFS[name] != nil {
			t.Errorf("%s was read %d times", name, n)
		}
	}
	for path, f := range after {
		if changed := before[path] != f; changed != (path == "/usr/sbin/nginx") {
			t.Errorf("%s: %+v, before %+v", path, f, before[path])
		}
	}
	if len(c.sums) != len(after)-1 { // less one that is gone
		t.Errorf("%d sums are remembered of %d files", len(c.sums), len(after))
	}
}

// Large files are read in several rounds, and nothing is said before the last.
func TestBudget(t *testing.T) {
	h := newHost()
	large := strings.Repeat("x", budget/2+1)
	for i := range 3 {
		h.put(fmt.Sprintf("etc/pam.d/%d", i), large)
	}
	h.put("etc/pam.d/huge", large+large)
	if files, rounds := all(t, New(h)); rounds != 4 || files["/etc/pam.d/2"].SHA256 == "" || files["/etc/pam.d/huge"].SHA256 == "" {
		t.Errorf("%d rounds, %d files", rounds, len(files))
	}
}

// A user who runs a program with very many files hides none of the system's.
func TestOneUserHidesNoFile(t *testing.T) {
	h := newHost()
	h.put("home/eve/a", "eve's")
	var many []string
	for i := range maxFiles + 10 {
		name := fmt.Sprintf("home/eve/%d.so", i)
		h.put(name, name)
		many = append(many, "/"+name)
	}
	h.process("0", 2, "/home/eve/a", many...)
	for pid, uid := range map[string]int{"0": 1000, "10": 33, "11": 33, "30": 0} {
		h.MapFS["proc/"+pid+"/status"] = &fstest.MapFile{Data: fmt.Appendf(nil, "Uid:\t%d\t%d\t%d\t%d\n", uid, uid, uid, uid)}
	}
	c := follows(t, h, "/home/eve/a", "/usr/lib/jvm/bin/java", "/usr/sbin/nginx")
	facts, err := c.Collect(t.Context())
	if len(facts) == 0 || err == nil {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	files := map[string]kind.File{}
	for _, fact := range facts {
		var body kind.Facts
		if err := json.Unmarshal(fact.Body, &body); err != nil {
			t.Fatal(err)
		}
		for _, f := range body.Files {
			files[f.Path] = f
		}
	}
	for _, name := range []string{"/etc/passwd", "/usr/sbin/nginx", "/usr/lib/libssl.so.3", "/usr/lib/jvm/bin/java", "/srv/app.jar"} {
		if files[name].SHA256 == "" {
			t.Errorf("%s is not among %d files", name, len(files))
		}
	}
	if len(files) > maxFiles {
		t.Errorf("%d files", len(files))
	}
}

// Files that are others at each look do not keep the rest from being told.
func TestFilesThatNeverRest(t *testing.T) {
	h := newHost()
	h.process("40", 2, "/srv/a", "/srv/b")
	large := strings.Repeat("x", budget)
	c := follows(t, h, "/srv/a")
	c.rounds = maxRounds - 3
	for round := range 3 {
		for i, name := range []string{"srv/a", "srv/b"} {
			h.MapFS[name] = &fstest.MapFile{Data: []byte(large), Sys: &syscall.Stat_t{Ino: uint64(1000 + 2*round + i), Size: budget}}
		}
		facts, err := c.Collect(t.Context())
		if last := round == 2; errors.Is(err, discovery.ErrUnfinished) == last || (len(facts) > 0) != last || err == nil {
			t.Fatalf("round %d: %d facts, %v", round, len(facts), err)
		}
	}
}

// TestThisHost holds the sums against sha256sum(1), and finds the libraries of a
// running program.
func TestThisHost(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("no sha256sum: apt-get install coreutils")
	}
	cat, err := exec.LookPath("cat") // of the same package
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(cat)
	in, _ := command.StdinPipe()
	out, _ := command.StdoutPipe()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Wait()
	defer in.Close()
	fmt.Fprintln(in, "running")
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it is loaded now
		t.Fatal(err)
	}
	exe, err := filepath.EvalSymlinks(cat)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := all(t, follows(t, os.DirFS("/"), exe))
	libraries := 0
	for path, f := range files {
		if f.Role == "library" {
			libraries++
		}
		sum, err := exec.Command("sha256sum", path).Output()
		if err != nil {
			t.Errorf("sha256sum %s: %v", path, err)
			continue
		}
		if want, _, _ := strings.Cut(strings.TrimPrefix(string(sum), `\`), " "); want != f.SHA256 {
			t.Errorf("%s: %s, sha256sum says %s", path, f.SHA256, want)
		}
	}
	if files[exe].Role != "program" || libraries == 0 {
		t.Errorf("%+v and %d libraries", files[exe], libraries)
	}
}

func BenchmarkCollect(b *testing.B) {
	c := follows(b, os.DirFS("/"))
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
