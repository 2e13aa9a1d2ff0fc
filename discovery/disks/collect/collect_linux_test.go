package collect

import (
	"encoding/json"
	"io/fs"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/disks"
)

// system makes files of lines "path content".
func system(lines string) fs.FS {
	root := fstest.MapFS{}
	for line := range strings.Lines(lines) {
		name, content, _ := strings.Cut(strings.TrimSpace(line), " ")
		root[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(content, "|", "\n"))}
	}
	return root
}

const server = `sys/block/sda/size 976773168
sys/block/sda/ro 0
sys/block/sda/device/type 0
sys/block/sda/device/state running
sys/block/sda/device/wwid naa.5000c500a1b2c3d4
sys/block/sda/device/vpd_pg80 ....S4EWNX0M123456
sys/block/sda/sda1/partition 1
sys/block/sda/sda1/size 2048
sys/block/sda/sda1/ro 0
sys/block/sda/sda2/partition 2
sys/block/sda/sda2/size 976770048
sys/block/sda/queue/size 1
sys/block/sdb/size 976773168
sys/block/sdb/device/state offline
sys/block/sdb/sdb2/partition 2
sys/block/sdb/sdb2/size 976770048
sys/block/sr0/size 0
sys/block/sr0/device/type 5
sys/block/sr1/size 1446848
sys/block/sr1/ro 1
sys/block/sr1/device/type 5
sys/block/md127/size 976508928
sys/block/md127/md/level raid1
sys/block/md127/md/raid_disks 2
sys/block/md127/md/degraded 1
sys/block/md127/md/sync_action idle
sys/block/md127/md/array_state clean
sys/block/md127/md/metadata_version 1.2
sys/block/md127/md/dev-sda2/state in_sync
sys/block/md127/md/dev-sda2/slot 0
sys/block/md127/md/dev-sdb2/state faulty,write_error
sys/block/md127/md/dev-sdb2/slot none
sys/block/md127/slaves/sdb2/x
sys/block/md127/slaves/sda2/x
sys/block/dm-0/size 41943040
sys/block/dm-0/dm/name vg-root
sys/block/dm-0/dm/uuid LVM-abcdef
sys/block/dm-0/slaves/md127/x
sys/block/dm-1/size 83886080
sys/block/dm-1/dm/name mpatha
sys/block/dm-1/dm/uuid mpath-3600508b4000156d7
sys/block/dm-1/slaves/sdc/x
sys/block/dm-2/size 8192
sys/block/dm-2/dm/name mpatha-part1
sys/block/dm-2/dm/uuid part1-mpath-3600508b4000156d7
sys/block/nvme0n1/size 1000215216
sys/block/nvme0n1/wwid eui.0025385b71b0d7c1
sys/block/nvme0n1/device/serial S4EWNX0N000001
sys/block/nvme0n1/device/state live
sys/block/loop0/size 0
sys/block/loop1/size 114000
sys/block/loop1/loop/backing_file /var/lib/snapd/snaps/core_1.snap
sys/block/loop2/size 20480
sys/block/loop2/loop/backing_file /srv/image.iso
sys/block/ram0/size 8192
sys/block/nvme1c1n1/size 100
sys/block/nvme1c1n1/hidden 1
sys/block/sda/sda1/dev 8:1
sys/block/dm-0/dev 253:0
run/udev/data/b8:1 S:disk/by-uuid/A1B2|E:ID_FS_UUID=A1B2-C3D4|E:ID_FS_TYPE=vfat|E:ID_PART_ENTRY_UUID=0b1c2d3e-01|
run/udev/data/b253:0 E:ID_FS_LABEL=my root|E:ID_FS_TYPE=ext4|E:ID_FS_UUID=3f5c1e2a-1111-4222-8333-444455556666|G:systemd
`

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(*testing.T) discovery.Collector { return New(system(server)) }},
		discoverytest.Case{Name: "container", Collector: func(*testing.T) discovery.Collector { return New(fstest.MapFS{}) }},
	)
}

// A write to an array is no change; a disk that fails is.
func TestArrayStates(t *testing.T) {
	for _, test := range []struct{ degraded, action, state, want string }{
		{"0", "idle", "clean", "active"}, {"0", "idle", "active", "active"}, {"0", "check", "write-pending", "active"},
		{"1", "idle", "clean", "degraded"}, {"1", "recover", "clean", "recovering"}, {"0", "reshape", "clean", "reshaping"}, {"0", "", "inactive", "inactive"},
	} {
		facts, err := New(system("sys/block/md0/size 8\nsys/block/md0/md/level raid5\nsys/block/md0/md/degraded " + test.degraded +
			"\nsys/block/md0/md/sync_action " + test.action + "\nsys/block/md0/md/array_state " + test.state)).Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, facts[0]).Arrays[0].State; got != test.want {
			t.Errorf("%+v: %s", test, got)
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

// TestThisHost holds the collector against lsblk(8).
func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]kind.Device{}
	for _, d := range decode(t, facts[0]).Devices {
		known[d.Name] = d
	}
	out, err := exec.Command("lsblk", "-bJl", "-e", "7", "-o", "KNAME,TYPE,SIZE").Output()
	if err != nil {
		t.Skipf("needs lsblk: %v", err)
	}
	var table struct {
		Devices []struct {
			Name string `json:"kname"`
			Type string `json:"type"`
			Size int64  `json:"size"`
		} `json:"blockdevices"`
	}
	if err := json.Unmarshal(out, &table); err != nil {
		t.Fatal(err)
	}
	for _, d := range table.Devices {
		if got := known[d.Name]; d.Size > 0 && (got.Type != d.Type || got.Bytes != d.Size) {
			t.Errorf("lsblk says %+v, the fact %+v", d, got)
		}
	}
}

func FuzzSystem(f *testing.F) {
	f.Add(server)
	f.Add("sys/block/x/size 9223372036854775807\nsys/block/x/device/vpd_pg80 ab")
	f.Fuzz(func(t *testing.T, lines string) {
		facts, _ := New(system(lines)).Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
