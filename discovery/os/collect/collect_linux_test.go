package collect

import (
	"errors"
	"io/fs"
	stdos "os"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/os"
)

func uname(u *unix.Utsname) error {
	copy(u.Sysname[:], "Linux")
	copy(u.Nodename[:], discoverytest.HostName)
	copy(u.Release[:], "6.1.0-25-amd64")
	copy(u.Version[:], "#1 SMP Debian 6.1.106-3")
	copy(u.Machine[:], "x86_64")
	return nil
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

func TestSuite(t *testing.T) {
	over := func(files fs.FS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(files, uname) }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "debian", Collector: over(fstest.MapFS{
			"etc/os-release": file(`PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
`), "usr/lib/os-release": file("ID=wrong\n")})},
		discoverytest.Case{Name: "vendor", Collector: over(fstest.MapFS{
			"usr/lib/os-release": file("# vendor\nID='amzn'\nID_LIKE=\"fedora\"\nNAME=\"A \\\"B\\\" \\$C \\`D\\` \\\\E\"\nVERSION_ID=2023\nVARIANT=Server\\ Edition\nBUILD_ID=a'b'\"c\"\nIMAGE_ID\nIMAGE_VERSION=\"a\x00b\xff\"")})},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{})},
	)
}

func TestErrors(t *testing.T) {
	files := fstest.MapFS{"etc/os-release": &fstest.MapFile{Mode: fs.ModeDir}}
	if facts, err := New(files, uname).Collect(t.Context()); err == nil {
		t.Errorf("a directory is read as %v", facts)
	}
	refused := errors.New("refused")
	if _, err := New(fstest.MapFS{}, func(*unix.Utsname) error { return refused }).Collect(t.Context()); !errors.Is(err, refused) {
		t.Errorf("error is %v", err)
	}
}

func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if err != nil || len(facts) != 1 {
		t.Fatal(facts, err)
	}
	release, err := stdos.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Skip("no /proc")
	}
	changes, err := discovery.Diff(kind.Kind, nil, facts[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Path == "kernel" && c.Field == "release" && c.New+"\n" != string(release) {
			t.Errorf("kernel release %q, /proc says %q", c.New, release)
		}
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add("ID=debian\nNAME=\"a \\\" b\"\n")
	f.Add("ID='\nNAME=\\")
	f.Fuzz(func(t *testing.T, content string) {
		r := parseRelease(content)
		if _, err := discovery.NewFact(kind.Kind, "", kind.Facts{Release: r}); err != nil {
			t.Error(err)
		}
		if r.ID == "" {
			t.Error("no id")
		}
	})
}
