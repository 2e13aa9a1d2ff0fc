package collect

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	kind "assimilation/discovery/packages"
)

var update = flag.Bool("update-rpm", false, "let rpm write the fixture anew")

// fixture is a database that Debian's rpm 4.18 wrote, see TestRPM.
const fixture = "testdata/rpmdb.sqlite.gz"

func rpmFixture(t testing.TB) []byte {
	t.Helper()
	file, err := os.Open(fixture)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// berkeleyFixture is a database as RHEL 8's rpm keeps it.
func berkeleyFixture(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../internal/rpmdb/testdata/Packages.bdb")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const spec = `Name: %[1]s
Version: %[2]s
Release: %[3]s
%[4]s
Summary: made for a test
License: MIT AND (GPL-2.0-only OR BSD-3-Clause)
%%description
No more than that.
%%install
mkdir -p %%{buildroot}/usr/share/%[1]s-%[2]s
for f in $(seq 40); do echo $f >%%{buildroot}/usr/share/%[1]s-%[2]s/file-number-$f; done
%%files
/usr/share/%[1]s-%[2]s
`

// TestRPM lets rpmbuild(8) build packages and rpm(8) install them, and holds the
// collector against what rpm says.
func TestRPM(t *testing.T) {
	for _, program := range []string{"rpm", "rpmbuild"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s (Debian: apt-get install rpm)", program)
		}
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			t.Fatalf("%s %v: %v", name, args, err)
		}
		return string(out)
	}
	for i, p := range [][4]string{
		{"plain", "1.0", "1.el9", ""}, {"epoch", "2.0~rc1", "3.fc40", "Epoch: 4"}, {"any", "3^git1", "1", "BuildArch: noarch"},
		{"kernel", "6.1", "1", ""}, {"kernel", "6.2", "1", ""},
	} {
		file := filepath.Join(dir, fmt.Sprintf("%d.spec", i))
		if err := os.WriteFile(file, fmt.Appendf(nil, spec, p[0], p[1], p[2], p[3]), 0o644); err != nil {
			t.Fatal(err)
		}
		run("rpmbuild", "-bb", "--define", "_topdir "+dir, "--define", "_buildhost fixture", file)
	}
	root := filepath.Join(dir, "root")
	built, err := filepath.Glob(dir + "/RPMS/*/*.rpm")
	if err != nil || len(built) != 5 {
		t.Fatal(built, err)
	}
	rpm := func(args ...string) string {
		return run("rpm", append([]string{"--root", root, "--dbpath", "/var/lib/rpm"}, args...)...)
	}
	compare := func() []string {
		t.Helper()
		want := strings.Split(strings.TrimSpace(rpm("-qa", "--qf", "%{NAME} %{EVR} %{ARCH} %{LICENSE}\n")), "\n")
		got := rpmLines(t, os.DirFS(root))
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q, rpm says %q", got, want)
		}
		return got
	}
	rpm(append([]string{"-i", "--justdb", "--nodeps"}, built...)...)
	if n := len(compare()); n != 5 {
		t.Errorf("%d packages", n)
	}
	if *update {
		writeFixture(t, filepath.Join(root, "var/lib/rpm", rpmSQLite))
	}
	rpm("-e", "--justdb", "plain")
	if n := len(compare()); n != 4 {
		t.Errorf("%d packages", n)
	}
}

func writeFixture(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	pack, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if _, err := pack.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fixture, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func rpmLines(t *testing.T, root fs.FS) (lines []string) {
	t.Helper()
	facts, err := New(root, "").Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		for _, p := range decode(t, f).Packages {
			lines = append(lines, strings.Join([]string{p.Name, p.Version, p.Arch, p.License}, " "))
		}
	}
	return lines
}

// TestTheHostsOwnManager prefers the database that has packages.
func TestTheHostsOwnManager(t *testing.T) {
	file := func(b []byte) *fstest.MapFile { return &fstest.MapFile{Data: b} }
	manager := func(files fstest.MapFS) string {
		facts, err := New(files, "").Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, facts[0]).Manager
	}
	for want, files := range map[string]fstest.MapFS{
		"rpm":  {"var/lib/dpkg/status": file(nil), "usr/lib/sysimage/rpm/rpmdb.sqlite": file(rpmFixture(t))},
		"dpkg": {"var/lib/dpkg/status": file([]byte(status)), "var/lib/rpm/rpmdb.sqlite": file([]byte("broken"))},
		"apk":  {"lib/apk/db/installed": file([]byte(installed)), "var/lib/rpm/rpmdb.sqlite": file(nil)},
	} {
		if got := manager(files); got != want {
			t.Errorf("manager is %s, want %s", got, want)
		}
	}
}

func TestBrokenRPM(t *testing.T) {
	for _, name := range []string{rpmSQLite, rpmNDB, rpmBDB} {
		files := fstest.MapFS{"var/lib/rpm/" + name: &fstest.MapFile{Data: bytes.Repeat([]byte("?"), 8192)}}
		if facts, err := New(files, "").Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "database of rpm") {
			t.Errorf("%s: %v, %v", name, facts, err)
		}
	}
}

// writtenFS is a system whose database is written each time somebody looks.
type writtenFS struct {
	fs.FS
	looks *int
	last  int // the look after which it rests
}

func (w writtenFS) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(w.FS, name)
	if err == nil && *w.looks < w.last {
		*w.looks++
	}
	return writtenInfo{info, *w.looks}, err
}

type writtenInfo struct {
	fs.FileInfo
	looks int
}

func (i writtenInfo) ModTime() time.Time { return time.Unix(int64(i.looks), 0) }

func TestWrittenMeanwhile(t *testing.T) {
	files := fstest.MapFS{"var/lib/rpm/" + rpmSQLite: &fstest.MapFile{Data: rpmFixture(t)}}
	looks := 0
	if n := len(rpmLines(t, writtenFS{files, &looks, 3})); n != 5 {
		t.Errorf("%d packages", n)
	}
	looks = 0
	if _, err := New(writtenFS{files, &looks, 100}, "").Collect(t.Context()); err == nil || !strings.Contains(err.Error(), errBusy.Error()) {
		t.Errorf("error is %v", err)
	}
}

const installed = `C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
S:407278
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1def=

P:busybox
V:1.36.1-r29
A:x86_64
L:GPL-2.0-only
p:cmd:busybox=1.36.1-r29

V:9
A:nameless
`

func FuzzParseInstalled(f *testing.F) {
	f.Add(installed)
	f.Add("P:a\r\nV:\x00\xff\n\n:\nP")
	f.Fuzz(func(t *testing.T, content string) {
		var all []kind.Package
		if err := parseInstalled(strings.NewReader(content), func(p kind.Package) { all = append(all, p) }); err != nil {
			t.Error(err)
		}
		if _, err := split("apk", all); err != nil {
			t.Error(err)
		}
	})
}
