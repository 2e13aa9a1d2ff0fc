package collect

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/language-packages"
	"assimilation/discovery/sockets"
)

// running is a system on which a Java serves; what is opened is counted.
type counted struct {
	fstest.MapFS
	opened map[string]int
}

func (c counted) Open(name string) (fs.File, error) {
	c.opened[name]++
	return c.MapFS.Open(name)
}

func running(t testing.TB) counted {
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	f, err := w.Create("META-INF/maven/org.example/shop/pom.properties")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "groupId=org.example\nartifactId=shop\nversion=1.2.3\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
	}
	return counted{fstest.MapFS{
		"proc/7/exe": link("/usr/lib/jvm/bin/java"), "proc/7/cwd": link("/srv"), "proc/7/cmdline": {Data: []byte("java\x00-cp\x00shop.jar:lib/*\x00Main\x00")},
		"srv/shop.jar": {Data: jar.Bytes()}, "srv/lib/commons-io-2.11.0.jar": {Data: []byte("PK\x05\x06" + strings.Repeat("\x00", 18))}, "srv/other.jar": {Data: jar.Bytes()},
		"usr/lib/jvm/bin/java": {Data: []byte("\x7fELF")}, "proc/8/exe": link("/opt/java"), "proc/8/cwd": link("/srv"), "proc/8/cmdline": {Data: []byte("java\x00-jar\x00other.jar\x00")},
	}, map[string]int{}}
}

func services() []sockets.Service {
	return []sockets.Service{{Name: "java", Exe: "/usr/lib/jvm/bin/java"}, {Name: "gone", Exe: "/usr/bin/gone"}, {Name: "kernel"},
		{Name: "contained", Exe: "/srv/other.jar", Container: strings.Repeat("0a", 32)}}
}

func follows(t testing.TB, root fs.FS, all ...sockets.Service) *Collector {
	fact, err := discovery.NewFact(sockets.Kind, "", sockets.Facts{Services: all})
	if err != nil {
		t.Fatal(err)
	}
	c := New(root)
	c.Follow("sockets", []discovery.Fact{fact})
	return c
}

func packagesOf(t *testing.T, c *Collector) []kind.Package {
	t.Helper()
	facts, err := c.Collect(t.Context())
	if err != nil {
		t.Log(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	return body.Packages
}

func TestOnlyWhatChangedIsReadAgain(t *testing.T) {
	root := running(t)
	c := follows(t, root, services()...)
	before := packagesOf(t, c)
	clear(root.opened)
	if after := packagesOf(t, c); !slices.Equal(before, after) || root.opened["srv/shop.jar"] > 0 {
		t.Errorf("%v, before %v; opened %v", after, before, root.opened)
	}
	root.MapFS["srv/shop.jar"] = root.MapFS["srv/lib/commons-io-2.11.0.jar"]
	if after := packagesOf(t, c); slices.Equal(before, after) || root.opened["srv/shop.jar"] == 0 {
		t.Errorf("%v; opened %v", after, root.opened)
	}
}

// TestRunningGo finds the modules of this very test.
func TestRunningGo(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test does not know how it was built")
	}
	found := packagesOf(t, follows(t, os.DirFS("/"), sockets.Service{Name: "test", Exe: own}))
	version, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	want := []kind.Package{{Manager: "go", Name: "stdlib", Version: version, Place: own}}
	for _, m := range info.Deps {
		want = append(want, kind.Package{Manager: "go", Name: m.Path, Version: m.Version, Place: own})
	}
	for _, p := range want {
		if !slices.Contains(found, p) {
			t.Errorf("%+v was not found", p)
		}
	}
}

// TestRunningJava starts a real Java on a class path and finds its jars.
func TestRunningJava(t *testing.T) {
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("no java: apt-get install default-jre-headless")
	}
	dir := t.TempDir()
	jar := filepath.Join(dir, "shop.jar")
	if err := os.WriteFile(jar, running(t).MapFS["srv/shop.jar"].Data, 0o644); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(dir, "Wait.java") // Java runs a source by itself (JEP 330)
	program := "public class Wait { public static void main(String[] a) throws Exception { System.out.println(\"runs\"); System.in.read(); } }"
	if err := os.WriteFile(source, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(java, "-cp", "shop.jar", source)
	command.Dir = dir
	in, _ := command.StdinPipe()
	out, _ := command.StdoutPipe()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Wait()
	defer in.Close()
	if n, err := out.Read(make([]byte, 16)); n == 0 {
		t.Skipf("this java runs no source: %v", err)
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	found := packagesOf(t, follows(t, os.DirFS("/"), sockets.Service{Name: "java", Exe: exe}))
	if want := (kind.Package{Manager: "maven", Name: "org.example:shop", Version: "1.2.3", Place: jar}); !slices.Contains(found, want) {
		t.Errorf("%+v was not found in %v", want, found)
	}
}

func BenchmarkCollect(b *testing.B) {
	c := follows(b, os.DirFS("/"), sockets.Service{Exe: "/usr/local/go/bin/go"})
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}

// ending is a context that ends after it was asked some times.
type ending struct {
	context.Context
	left *int
}

func (e ending) Err() error {
	if *e.left--; *e.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// A collection that time ends goes on at the next: who makes it long does not keep
// it from ever ending.
func TestGoesOnAfterItsTime(t *testing.T) {
	root := counted{fstest.MapFS{}, map[string]int{}}
	var all []sockets.Service
	for i := range 10 {
		name := fmt.Sprintf("srv/%d", i)
		root.MapFS[name] = &fstest.MapFile{Data: []byte("\x7fELF")}
		all = append(all, sockets.Service{Name: "s", Exe: "/" + name})
	}
	c := follows(t, root, all...)
	left := 4
	if _, err := c.Collect(ending{t.Context(), &left}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	packagesOf(t, c)
	for i := range 10 {
		if n := root.opened[fmt.Sprintf("srv/%d", i)]; n != 1 {
			t.Errorf("program %d was read %d times", i, n)
		}
	}
}

// What somebody runs cannot make the fact larger than is taken, which would hide all
// packages of the host.
func TestNamesDoNotHideTheOthers(t *testing.T) {
	root := counted{fstest.MapFS{"usr/lib/python3/dist-packages/requests-2.31.0.dist-info/METADATA": {}}, map[string]int{}}
	l := list{Reader: conffile.NewReader(root), packages: []kind.Package{}}
	l.installed()
	long := strings.Repeat("\"", 1024) // each of which takes two bytes
	for range maxPackages {
		l.add("npm", long, long, long)
	}
	fact, err := discovery.NewFact(kind.Kind, "", kind.Facts{Packages: l.packages})
	if err != nil || l.packages[0].Name != "requests" {
		t.Errorf("%d packages of %d bytes: %v", len(l.packages), len(fact.Body), err)
	}
	if l.Err() == nil {
		t.Error("nothing says that some are left out")
	}
}
