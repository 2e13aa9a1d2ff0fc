// Package hardware is the kind "hardware": the machine, its processors, its
// memory and its disks, and whether it is a real one.
package hardware

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "hardware": one instance, from /proc and /sys. Without
// CAP_DAC_READ_SEARCH the machine's serial number and UUID are missing.
var Kind = discovery.Kind{
	Name: "hardware", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "machine, processors, memory, disks and virtualisation",
}

// Facts is the body. What the kernel does not tell is left out.
type Facts struct {
	CPU     CPU     `json:"cpu"`
	Machine Machine `json:"machine"`
	// MemoryMiB is rounded up to MemoryStep: what the kernel keeps for itself
	// differs from one kernel to the next.
	MemoryMiB int64  `json:"memory_mib,omitempty" class:"internal"`
	NUMANodes int64  `json:"numa_nodes,omitempty" class:"internal"`
	Disks     []Disk `json:"disks,omitempty" key:"name"` // sorted by name
	// Hypervisor that the host is a guest of: kvm, qemu (emulated), xen, vmware,
	// microsoft, virtualbox, parallels, bhyve, apple; "other" where only the
	// processor says so.
	Hypervisor string `json:"hypervisor,omitempty" class:"internal"`
	// Container that the host itself is: docker, podman, lxc, systemd-nspawn...
	Container string `json:"container,omitempty" class:"internal"`
}

// MemoryStep is what MemoryMiB is a multiple of.
const MemoryStep = 128

// CPU is what the processors have in common, and how many there are.
type CPU struct {
	Vendor  string   `json:"vendor,omitempty" class:"internal"` // "GenuineIntel", "ARM"
	Model   string   `json:"model,omitempty" class:"internal"`
	Sockets int64    `json:"sockets,omitempty" class:"internal"`
	Cores   int64    `json:"cores,omitempty" class:"internal"`   // of all sockets
	Threads int64    `json:"threads,omitempty" class:"internal"` // of all cores, those switched off too
	Flags   []string `json:"flags,omitempty" class:"internal"`   // of those that decide what can run, sorted
}

// Machine is what the firmware says (SMBIOS 3.7, 7.1 and 7.2, or the device
// tree).
type Machine struct {
	Vendor          string `json:"vendor,omitempty" class:"internal"`
	Product         string `json:"product,omitempty" class:"internal"`
	Version         string `json:"version,omitempty" class:"internal"`
	Serial          string `json:"serial,omitempty" class:"personal"` // tells one machine from all others
	UUID            string `json:"uuid,omitempty" class:"personal"`   // the same
	FirmwareVendor  string `json:"firmware_vendor,omitempty" class:"internal"`
	FirmwareVersion string `json:"firmware_version,omitempty" class:"internal"`
	FirmwareDate    string `json:"firmware_date,omitempty" class:"internal"` // as written: "04/01/2014"
}

// Disk is a block device with hardware (or a hypervisor) behind it: no loop,
// device mapper, RAID or RAM disk, nothing removable.
type Disk struct {
	Name       string `json:"name" class:"internal"` // "sda", "nvme0n1"
	Bytes      int64  `json:"bytes" class:"internal"`
	Model      string `json:"model,omitempty" class:"internal"`
	Rotational bool   `json:"rotational,omitempty" class:"internal"`
}
