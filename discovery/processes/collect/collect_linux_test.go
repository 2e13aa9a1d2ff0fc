package collect

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/processes"
	"assimilation/discovery/sockets"
	socketscollect "assimilation/discovery/sockets/collect"
)

const container = "8d2a7c1f0e9b8a7d6c5b4a39281706f5e4d3c2b1a0998877665544332211ffee"

// host is a system of processes, of which some files may not be read.
type host struct {
	fstest.MapFS
	denied string
}

func (h host) Open(name string) (fs.File, error) {
	if name == h.denied {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return h.MapFS.Open(name)
}

func newHost() host {
	h := host{MapFS: fstest.MapFS{"proc/1/root": root(2), "proc/sys/kernel/x": {}}}
	nginx := []string{"nginx", "--token", "hunter2"}
	h.process("100", "/usr/sbin/nginx", nginx, 0, "0::/system.slice/nginx.service", "/usr/lib/libc.so.6", "/usr/lib/libssl.so.3 (deleted)")
	h.process("99", "/usr/sbin/nginx (deleted)", nginx, 0, "0::/system.slice/nginx.service", "/usr/lib/libc.so.6", "/usr/lib/nginx/geo.so")
	h.process("101", "/usr/sbin/nginx", []string{"nginx: worker process"}, 33, "0::/system.slice/nginx.service", "/usr/lib/libnot.so")
	h.process("200", "/usr/lib/jvm/bin/java", []string{"java", "-cp", "/srv/app.jar", "Main"}, 1000, "0::/user.slice/session-1.scope", "/usr/lib/libc.so.6")
	h.process("300", "/usr/sbin/nginx", nginx, 0, "0::/system.slice/docker-"+container+".scope", "/usr/lib/libinimage.so")
	h.MapFS["proc/300/root"] = root(99)
	h.process("400", "/usr/bin/idle", []string{"idle"}, 0, "0::/", "/usr/lib/libc.so.6")
	h.MapFS["srv/app.jar"] = &fstest.MapFile{}
	return h
}

func root(inode uint64) *fstest.MapFile {
	return &fstest.MapFile{Mode: fs.ModeDir | 0o755, Sys: &syscall.Stat_t{Ino: inode}}
}

func link(target string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

func (h host) process(pid, exe string, argv []string, uid int, cgroup string, libraries ...string) {
	maps := ""
	for _, l := range append([]string{exe}, libraries...) {
		maps += fmt.Sprintf("7f001000-7f002000 r-xp 00000000 08:01 78 %s\n", l)
	}
	dir := "proc/" + pid + "/"
	h.MapFS[dir+"exe"], h.MapFS[dir+"cwd"], h.MapFS[dir+"root"] = link(exe), link("/"), root(2)
	for name, content := range map[string]string{
		"maps": maps, "cmdline": strings.Join(argv, "\x00") + "\x00", "cgroup": cgroup + "\n",
		"status": fmt.Sprintf("Name:\tx\nUid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\n", uid, uid, uid, uid, uid, uid, uid, uid),
	} {
		h.MapFS[dir+name] = &fstest.MapFile{Data: []byte(content)}
	}
}

// serving makes the fact that a collector follows.
func serving(t testing.TB) []discovery.Fact {
	fact, err := discovery.NewFact(sockets.Kind, "", sockets.Facts{Services: []sockets.Service{
		{Name: "kernel"},
		{Name: "java", Exe: "/usr/lib/jvm/bin/java", Argv: []string{"java", "-cp", "/srv/app.jar", "Main"}, UID: 1000, GID: 1000},
		{Name: "nginx", Exe: "/usr/sbin/nginx", Argv: []string{"nginx", "--token", "***"}},
		{Name: "nginx", Exe: "/usr/sbin/nginx", Argv: []string{"nginx", "--token", "***"}, Container: container},
		{Name: "gone", Exe: "/usr/bin/gone"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return []discovery.Fact{fact}
}

func follows(t testing.TB, root fs.FS, facts []discovery.Fact) *Collector {
	c := New(root)
	c.Follow("sockets", facts)
	return c
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(t *testing.T) discovery.Collector { return follows(t, newHost(), serving(t)) }},
		discoverytest.Case{Name: "unprivileged", Degraded: discovery.SysPtrace, Collector: func(t *testing.T) discovery.Collector {
			h := newHost()
			h.denied = "proc/100/maps"
			return follows(t, h, serving(t))
		}},
		discoverytest.Case{Name: "quiet", Collector: func(t *testing.T) discovery.Collector { return New(newHost()) }},
	)
}

// A service of very many processes costs what one of a few does.
func TestManyWorkers(t *testing.T) {
	h := newHost()
	for i := range 100 {
		h.process(fmt.Sprint(1000+i), "/usr/sbin/nginx", []string{"nginx", "--token", "x"}, 0, "0::/", fmt.Sprintf("/usr/lib/lib%d.so", i))
	}
	got := collect(t, follows(t, h, serving(t)))
	i := slices.IndexFunc(got, func(p kind.Process) bool { return p.Name == "nginx" && p.Container == "" })
	if i < 0 || len(got[i].Libraries) != maxMembers-2+3 {
		t.Errorf("%+v", got)
	}
}

func collect(t *testing.T, c discovery.Collector) []kind.Process {
	t.Helper()
	facts, err := c.Collect(t.Context())
	if err != nil {
		t.Log(err)
	}
	if len(facts) != 1 {
		t.Fatalf("%d facts", len(facts))
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	return body.Processes
}

// TestReplacedLibrary starts a real program that listens, whose file is then
// replaced, and finds both by the kernel's sockets.
func TestReplacedLibrary(t *testing.T) {
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/lib", "assimilation-test-") // what is in /tmp counts as unpacked for one run
	if err != nil {
		t.Skipf("needs a directory outside /tmp: %v", err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "server")
	copyFile(t, cat, program)
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	command := exec.Command(program)
	command.ExtraFiles = []*os.File{socket} // it holds the listener, as a server does that systemd started
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
	find := func() kind.Process {
		facts, err := socketscollect.Local().Collect(t.Context())
		if len(facts) == 0 {
			t.Fatal(err)
		}
		for _, p := range collect(t, follows(t, os.DirFS("/"), facts)) {
			if p.Exe == program {
				return p
			}
		}
		t.Fatal("the program was not found")
		return kind.Process{}
	}
	if before := find(); len(before.Libraries) == 0 || len(before.Stale) > 0 {
		t.Errorf("before: %+v", before)
	}
	copyFile(t, cat, program+".new")
	if err := os.Rename(program+".new", program); err != nil {
		t.Fatal(err)
	}
	if after := find(); !slices.Equal(after.Stale, []string{program}) {
		t.Errorf("after: %+v", after)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzFollow(f *testing.F) {
	f.Add([]byte(`{"services":[{"exe":"/usr/sbin/nginx","argv":["a\u0000",1],"uid":-1,"gid":null,"container":{}}]}`))
	h := newHost()
	f.Fuzz(func(t *testing.T, body []byte) {
		facts, _ := follows(t, h, []discovery.Fact{{Body: body}}).Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	facts, err := socketscollect.Local().Collect(b.Context())
	if len(facts) == 0 {
		b.Fatal(err)
	}
	c := New(os.DirFS("/"))
	c.Follow("sockets", facts)
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
