package collect

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/fileattrs"
)

// acl is that of a file which user 1000 may read.
const acl = "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xe8\x03\x00\x00\x04\x00\x00\x00\xff\xff\xff\xff" +
	"\x08\x00\x05\x00\x07\x00\x00\x00\x10\x00\x04\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"

func statx(path string, st *unix.Statx_t) error {
	switch path {
	case "/etc/shadow":
		st.Mode, st.Gid, st.Attributes = unix.S_IFREG|0o640, 42, unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND
	case "/usr/bin/sudo":
		st.Mode = unix.S_IFREG | 0o4755
	case "/tmp":
		st.Mode = unix.S_IFDIR | 0o1777
	case "/run/docker.sock":
		st.Mode, st.Gid = unix.S_IFSOCK|0o660, 999
	default:
		return unix.ENOENT
	}
	return nil
}

func getxattr(path, name string, into []byte) (int, error) {
	switch path + " " + name {
	case "/etc/shadow system.posix_acl_access", "/tmp system.posix_acl_default", "/etc/shadow system.posix_acl_default":
		return copy(into, acl), nil
	case "/etc/shadow security.selinux":
		return copy(into, "system_u:object_r:shadow_t:s0\x00"), nil
	case "/usr/bin/sudo security.capability":
		return copy(into, "\x01\x00\x00\x02"), nil
	}
	return -1, unix.ENODATA
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(*testing.T) discovery.Collector { return New(statx, getxattr) }},
		discoverytest.Case{Name: "unprivileged", Degraded: discovery.DACReadSearch, Collector: func(*testing.T) discovery.Collector {
			return New(func(path string, st *unix.Statx_t) error {
				if strings.HasPrefix(path, "/root/") {
					return unix.EACCES
				}
				return statx(path, st)
			}, getxattr)
		}},
	)
}

func TestPaths(t *testing.T) {
	if !slices.IsSorted(kind.Paths) {
		t.Error("the paths are not sorted")
	}
}

// TestThisHost holds the collector against stat(1).
func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if len(facts) != 1 {
		t.Fatal(err)
	}
	var b kind.Facts
	if err := json.Unmarshal(facts[0].Body, &b); err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Files {
		out, err := exec.Command("stat", "-L", "-c", "%a %u %g", f.Path).Output()
		if err != nil {
			t.Skipf("needs stat: %v", err)
		}
		if got := fmt.Sprintf("%s %d %d\n", f.Mode, f.UID, f.GID); got != string(out) {
			t.Errorf("%s: %q, stat says %q", f.Path, got, out)
		}
	}
	t.Logf("%d files", len(b.Files))
}

func FuzzACL(f *testing.F) {
	f.Add([]byte(acl))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := appendACL(nil, "", b); len(got) > len(b)/aclEntry {
			t.Errorf("%d entries of %d bytes", len(got), len(b))
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
