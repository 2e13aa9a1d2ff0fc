// Package disks is the kind "disks": what the host's filesystems lie on, from the
// disk up: partitions, RAID, logical volumes, encryption, multipath.
package disks

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "disks": one instance, from /sys/block and udev(7). Models
// of disks are facts of the kind "hardware".
var Kind = discovery.Kind{
	Name: "disks", Version: 1,
	After:    []string{"mounts"},
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: 5 * time.Minute, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "block devices, what they lie on, RAID arrays and their state",
}

// Facts is the body.
type Facts struct {
	Devices []Device `json:"devices" key:"name"`          // sorted by name
	Arrays  []Array  `json:"arrays,omitempty" key:"name"` // of md(4), sorted by name
}

// Device is one block device. What has no size, such as an empty drive, is none.
type Device struct {
	Name  string `json:"name" class:"internal"` // of the kernel: "sda1", "dm-0"
	Type  string `json:"type" class:"internal"` // as lsblk(8): disk, part, lvm, crypt, mpath, raid1, loop, rom
	Bytes int64  `json:"bytes" class:"internal"`
	// On names the devices that it lies on: a partition's disk, an array's
	// members, sorted.
	On       []string `json:"on,omitempty" class:"internal"`
	Mapped   string   `json:"mapped,omitempty" class:"internal"` // name of a mapped device: "vg-root"
	ReadOnly bool     `json:"read_only,omitempty" class:"internal"`
	Serial   string   `json:"serial,omitempty" class:"personal"`  // tells one disk from all others
	WWN      string   `json:"wwn,omitempty" class:"personal"`     // the same
	Content  string   `json:"content,omitempty" class:"internal"` // ext4, swap, crypto_LUKS, LVM2_member...
	UUID     string   `json:"uuid,omitempty" class:"internal"`    // of the content
	Label    string   `json:"label,omitempty" class:"internal"`
	PartUUID string   `json:"part_uuid,omitempty" class:"internal"`
	State    string   `json:"state,omitempty" class:"internal"` // of a SCSI disk, where it is not running: "offline"
}

// Array is what a RAID says of itself; its level is the device's type.
type Array struct {
	Name    string   `json:"name" class:"internal"`
	State   string   `json:"state" class:"internal"`             // active, degraded, recovering, reshaping, inactive
	Disks   int64    `json:"disks" class:"internal"`             // that it should have
	Version string   `json:"version,omitempty" class:"internal"` // of its metadata: "1.2"
	Members []Member `json:"members,omitempty" key:"name"`       // sorted by name
}

// Member is a device of an array.
type Member struct {
	Name  string `json:"name" class:"internal"`
	State string `json:"state" class:"internal"` // in_sync, spare, faulty...
	Slot  int64  `json:"slot" class:"internal"`  // -1 for none
}
