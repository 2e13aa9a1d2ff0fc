package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/mounts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const server = `22 29 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
23 29 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
24 29 0:5 / /dev rw,nosuid,relatime shared:2 - devtmpfs udev rw,size=4009284k,mode=755
27 24 0:24 / /dev/shm rw,nosuid,nodev shared:3 - tmpfs tmpfs rw,size=800000k
29 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro,stripe=256
30 29 8:1 / /boot/efi rw,relatime shared:33 - vfat /dev/sda1 rw,fmask=0077,dmask=0077,codepage=437,errors=remount-ro
31 29 0:30 /@home /home rw,noatime shared:34 master:1 - btrfs /dev/mapper/vg-home rw,compress=zstd:3,space_cache=v2,subvol=/@home
32 29 0:31 / /tmp rw,nosuid,nodev,noexec shared:35 - tmpfs tmpfs rw,size=2G
33 29 0:32 / /run rw,nosuid,nodev shared:5 - tmpfs tmpfs rw,size=803692k,mode=755
34 33 0:33 / /run/user/1000 rw,nosuid,nodev shared:6 - tmpfs tmpfs rw,size=803688k,mode=700,uid=1000
35 29 0:34 / /srv/files rw,relatime shared:36 - nfs4 nas.example:/export rw,vers=4.2,rsize=1048576,proto=tcp,timeo=600,sec=sys,clientaddr=10.0.0.5,addr=10.0.0.9
36 35 8:17 / /srv/files/local rw - xfs /dev/sdb1 rw,attr2,inode64,noquota
37 29 0:35 / /mnt/with\040blank ro,relatime - fuse.sshfs ada:pass@files.example:/home rw,user_id=0,group_id=0,allow_other
38 29 0:36 / /var/lib/docker/overlay2/abc/merged rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/l/X
39 29 7:0 / /snap/core/1 ro,nodev,relatime - squashfs /dev/loop0 ro
40 29 0:37 / /tank rw,noatime - zfs tank rw,xattr,noacl
41 29 8:33 / /hidden rw - ext4 /dev/sdc1 rw
42 41 8:34 / /hidden ro - ext4 /dev/sdd1 ro
43 29 0:38 / /net rw - autofs /etc/auto.net rw,fd=6
44 29 0:39 / /dav rw - fuse https://ada:pass@dav.example/files rw
nonsense
45 29 0:40 / /short - ext4
`

const own = "29 1 8:2 / / ro - ext4 /dev/sda2 ro\n"

// fakeStatfs answers for the local filesystems only; that another is asked is an
// error, as it might hang.
func fakeStatfs(t *testing.T) func(string, *unix.Statfs_t) error {
	return func(path string, s *unix.Statfs_t) error {
		switch path {
		case hostRoot + "/", hostRoot + "/boot/efi", hostRoot + "/home", hostRoot + "/hidden":
			s.Blocks, s.Bsize, s.Frsize = uint64(len(path)), 4096, 1024
			return nil
		}
		t.Errorf("%s was asked for its size", path)
		return unix.EIO
	}
}

func tables(host, own string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		switch {
		case name == ownTable:
			return []byte(own), nil
		case host == "":
			return nil, fs.ErrPermission
		}
		return []byte(host), nil
	}
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(t *testing.T) discovery.Collector {
			return New(tables(server, own), fakeStatfs(t))
		}},
		discoverytest.Case{Name: "unprivileged", Degraded: discovery.SysPtrace, Collector: func(*testing.T) discovery.Collector {
			return New(tables(server, own), func(string, *unix.Statfs_t) error { return unix.EACCES })
		}},
		discoverytest.Case{Name: "hidden", Degraded: discovery.SysPtrace, Collector: func(*testing.T) discovery.Collector {
			return New(tables("", own), func(string, *unix.Statfs_t) error { return unix.EACCES })
		}},
		discoverytest.Case{Name: "container", Collector: func(*testing.T) discovery.Collector {
			const table = "1 0 0:1 / / rw - overlay overlay rw,lowerdir=/a:/b\n2 1 8:2 /containers/x/hosts /etc/hosts rw - ext4 /dev/sda2 rw\n"
			return New(tables(table, table), func(path string, s *unix.Statfs_t) error {
				if path != "/etc/hosts" {
					return fmt.Errorf("%s was asked", path)
				}
				s.Blocks, s.Frsize = 10, 4096
				return nil
			})
		}},
	)
}

func TestManyFilesystems(t *testing.T) {
	var table strings.Builder
	for i := range maxFilesystems + 1 {
		fmt.Fprintf(&table, "%d 1 8:1 / /data/%d rw - nfs s:/e rw\n", i, i)
	}
	facts, err := New(tables(table.String(), table.String()), nil).Collect(t.Context())
	if err == nil || len(facts) != 1 || len(decode(t, facts[0]).Filesystems) != maxFilesystems {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}

func TestWithoutUser(t *testing.T) {
	for source, want := range map[string]string{
		"/dev/sda1": "/dev/sda1", "//server/share": "//server/share", "nas:/export@1": "nas:/export@1", "ada@h:/x": "h:/x",
		"ada:p@ss@h:/x": "h:/x", "https://a:b@h/c@d": "https://h/c@d", "https://h": "https://h",
	} {
		if got := withoutUser(source); got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

func decode(t *testing.T, f discovery.Fact) (b kind.Facts) {
	t.Helper()
	if err := json.Unmarshal(f.Body, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestThisHost holds the collector against findmnt(8).
func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if err != nil && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, f := range decode(t, facts[0]).Filesystems {
		known[f.Target] = f.Type
		if f.Target == "/" && f.Type == "ext4" && f.Bytes == 0 {
			t.Errorf("the root has no size: %+v", f)
		}
	}
	out, err := exec.Command("findmnt", "--tab-file", hostTable, "--real", "-rn", "-o", "TARGET,FSTYPE").Output()
	if err != nil {
		t.Skipf("needs findmnt: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		target, fstype, _ := strings.Cut(strings.TrimSpace(line), " ")
		if sortOfType(fstype, "") == local && !slices.ContainsFunc(passing, func(p string) bool { return within(target, p) }) && known[target] != fstype {
			t.Errorf("findmnt knows %s (%s), the fact says %q", target, fstype, known[target])
		}
	}
}

// TestWatch mounts in a mount namespace of its own, one thing at a time.
func TestWatch(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	ready := make(chan string)
	mount, done := make(chan bool), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, and the namespace with it
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err != nil {
			done <- err
			close(ready)
			return
		}
		ready <- fmt.Sprintf("/proc/self/task/%d/mountinfo", unix.Gettid())
		for on := range mount {
			if on {
				err = errors.Join(err, unix.Mount("probe", "/mnt", "tmpfs", 0, "size=4k"))
			} else {
				err = errors.Join(err, unix.Unmount("/mnt", 0))
			}
		}
		done <- err
	}()
	table := <-ready
	if table == "" {
		t.Skipf("no mount namespace: %v", <-done)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan struct{}, 100)
	ended := make(chan error, 1)
	go func() { ended <- watch(ctx, table, func() { events <- struct{}{} }) }()
	<-events // armed
	for i := range 20 {
		for quiet := false; !quiet; { // a mount may wake more than once
			select {
			case <-events:
			default:
				quiet = true
			}
		}
		mount <- i%2 == 0
		select {
		case <-events:
		case err := <-ended:
			t.Fatal(err)
		}
	}
	close(mount)
	if err := <-done; err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWatchOfNothing(t *testing.T) {
	if err := watch(t.Context(), t.TempDir()+"/missing", func() {}); err == nil {
		t.Error("a missing table is watched")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Local().Watch(ctx, func() {}); err != nil {
		t.Error(err)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add(server)
	f.Add("1 2 3 4 \\057\\777\\0 6 - ext4 \xff\x00@ o,ro\n")
	f.Fuzz(func(t *testing.T, table string) {
		facts, err := New(tables(table, table), func(_ string, s *unix.Statfs_t) error {
			s.Blocks, s.Frsize = 1<<63, 1<<20
			return nil
		}).Collect(t.Context())
		if err == nil && len(facts) != 1 {
			t.Error("no fact")
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
