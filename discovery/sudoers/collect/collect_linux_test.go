package collect

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/sudoers"
)

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

const sudoers = `# a comment
Defaults	env_reset, !lecture
Defaults:ada	timestamp_timeout=0
Defaults secure_path="/usr/sbin:/usr/bin, /x" # why
Defaults env_keep += "A B"
User_Alias ADMINS = ada, grace : OPS = #1000, %#27
Cmnd_Alias SHUT = /sbin/halt, \
    /sbin/reboot
root	ALL=(ALL:ALL) ALL
%sudo ALL = (ALL : ALL) NOPASSWD: ALL
ADMINS, %ops web1, web2 = (www) NOPASSWD: SETENV: /bin/a -p hunter2, PASSWD: /bin/b x\,y, (root) !/bin/c : db = SHUT
%domain\ users ALL = NOEXEC: /usr/bin/vi
#1001 ALL = CWD=/tmp /bin/d
ada ALL = ALL
ada ALL = ALL
nonsense
@includedir /etc/sudoers.d
#include more
@include /etc/sudoers
`

// closedFS refuses what only root may read.
type closedFS struct{ fs.FS }

func (c closedFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func (c closedFS) Stat(name string) (fs.FileInfo, error) { return fs.Stat(c.FS, name) }

func TestSuite(t *testing.T) {
	over := func(files fs.FS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(files, "") }
	}
	system := fstest.MapFS{
		"etc/sudoers": file(sudoers), "etc/more": file("grace ALL=(ALL) /bin/more\n"), "etc/sudoers.d/10-site": file("site ALL=NOPASSWD:/usr/bin/apt\n"),
		"etc/sudoers.d/README.txt": file("wrong ALL=ALL\n"), "etc/sudoers.d/old~": file("wrong ALL=ALL\n"),
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(system)},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{})},
		discoverytest.Case{Name: "unprivileged", Collector: over(closedFS{system}), Degraded: discovery.DACReadSearch},
	)
}

func FuzzSudoers(f *testing.F) {
	f.Add(sudoers)
	f.Add("a b = ( : c = \\")
	f.Add("Defaults\nX_Alias\n= = =\n:=:=\n")
	f.Fuzz(func(t *testing.T, text string) {
		facts, _ := New(fstest.MapFS{"etc/sudoers": file(text)}, "").Collect(t.Context())
		if len(facts) != 1 {
			t.Fatal("no fact")
		}
		if _, err := discovery.Diff(kind.Kind, nil, facts[0].Body); err != nil {
			t.Error(err)
		}
	})
}
