package process

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

func link(target string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

func TestMapped(t *testing.T) {
	maps := `55d0c000-55d0e000 r-xp 00000000 08:01 77 /usr/sbin/nginx
7f000000-7f001000 r--p 00000000 08:01 78 /usr/lib/data.so
7f001000-7f002000 r-xp 00000000 08:01 78 /usr/lib/a b.so
7f001000-7f002000 r-xp 00000000 08:01 79 /usr/lib/libssl.so.3 (deleted)
7f001000-7f002000 rwxp 00000000 00:05 80 /memfd:jit (deleted)
7f001000-7f002000 rwxs 00000000 00:05 80 /dev/zero (deleted)
7f001000-7f002000 r-xp 00000000 08:01 81 /tmp/jna4711.tmp (deleted)
7ffd0000-7ffd1000 r-xp 00000000 00:00 0 [vdso]
7ffd0000-7ffd1000 r-xp
`
	want := []File{{"/usr/sbin/nginx", false}, {"/usr/lib/a b.so", false}, {"/usr/lib/libssl.so.3", true}}
	if got := mapped(maps); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestThisProcess holds what is read against what the process knows of itself.
func TestThisProcess(t *testing.T) {
	root, dir := os.DirFS("/"), fmt.Sprintf("proc/%d", os.Getpid())
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, alive := Read(root, dir)
	if !alive || p.Exe != own || p.UID != int64(os.Geteuid()) || p.GID != int64(os.Getegid()) || len(p.Argv) == 0 {
		t.Errorf("%+v, want %s", p, own)
	}
	files, err := Mapped(root, dir)
	if err != nil || len(files) == 0 && !strings.HasPrefix(own, "/tmp/") {
		t.Errorf("%v, %v", files, err)
	}
	all, err := All(root, "proc")
	if err != nil || !slices.Contains(all, dir) {
		t.Errorf("%d processes, %v", len(all), err)
	}
	if _, alive := Read(root, "proc/4194305"); alive { // beyond the largest pid_max
		t.Error("a process that cannot be is alive")
	}
}

func TestClassPath(t *testing.T) {
	for line, want := range map[string]string{
		"java -jar app.jar -cp x.jar":                                   "app.jar",
		"java -Xmx1g -cp a.jar:/opt/b/* org.example.Main c.jar":         "a.jar:/opt/b/*",
		"java --class-path=a.jar --add-modules x -cp b.jar org.Main":    "b.jar",
		"java -cp b.jar -jar app.jar":                                   "b.jar:app.jar",
		"java -version":                                                 "",
		"java -cp":                                                      "",
		"java --module-path /opt/modules -m org.example/org.example.Go": "",
		"java": "",
	} {
		if got := strings.Join(classPath(strings.Split(line, " ")), ":"); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestJars(t *testing.T) {
	root := fstest.MapFS{
		"proc/7/cmdline": {Data: []byte("java\x00-cp\x00lib/*:/srv/app.jar:/srv/missing.jar:/srv/classes\x00org.Main\x00")},
		"proc/7/cwd":     link("/opt/shop"),
		"proc/7/fd/3":    link("/srv/open.jar"), "proc/7/fd/4": link("/srv/old.jar (deleted)"), "proc/7/fd/5": link("socket:[5]"),
		"srv/app.jar": {}, "srv/classes/Main.class": {}, "opt/shop/lib/a.jar": {}, "opt/shop/lib/readme.txt": {},
	}
	want := []File{{"/srv/open.jar", false}, {"/srv/old.jar", true}, {"/opt/shop/lib/a.jar", false}, {"/srv/app.jar", false}}
	if got := Jars(root, "proc/7"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Jars(root, "proc/8"); len(got) != 0 {
		t.Errorf("a process that is gone has %v", got)
	}
}

func TestSameRoot(t *testing.T) {
	place := func(inode uint64) *fstest.MapFile {
		return &fstest.MapFile{Mode: fs.ModeDir | 0o755, Sys: &syscall.Stat_t{Ino: inode}}
	}
	root := fstest.MapFS{"proc/1/root": place(2), "proc/5/root": place(2), "proc/6/root": place(99)}
	for dir, want := range map[string]bool{"proc/5": true, "proc/6": false, "proc/7": true} {
		if got := SameRoot(root, dir); got != want {
			t.Errorf("%s: %v", dir, got)
		}
	}
}

func FuzzFiles(f *testing.F) {
	f.Add("55d0c000-55d0e000 r-xp 00000000 08:01 77 /a b (deleted)\n/\n\n1 2x 3 4 5 /etc/../x\n", "java\x00-cp\x00*:/*:.\x00")
	f.Fuzz(func(t *testing.T, maps, line string) {
		root := fstest.MapFS{"proc/7/maps": {Data: []byte(maps)}, "proc/7/cmdline": {Data: []byte(line)}, "proc/7/cwd": link("/"), "a.jar": {}}
		if _, err := Mapped(root, "proc/7"); err != nil {
			t.Error(err)
		}
		for _, file := range Jars(root, "proc/7") {
			if !strings.HasPrefix(file.Path, "/") {
				t.Errorf("%q is no absolute path", file.Path)
			}
		}
	})
}
