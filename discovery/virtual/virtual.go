// Package virtual is the kind "virtual": the virtual machines of which the host is
// the hypervisor.
package virtual

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "virtual": one instance, where libvirt or Proxmox VE knows a
// guest. Both are read from their files, by event.
var Kind = discovery.Kind{
	Name: "virtual", Version: 1,
	After:    []string{"systemd"},
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: 5 * time.Minute, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "virtual machines on the host: name, state, size, network cards, disks",
}

// Facts is the body.
type Facts struct {
	Guests []Guest `json:"guests" key:"id" title:"name"` // sorted by id
}

// Guest is one virtual machine, or a system container of libvirt or Proxmox VE.
type Guest struct {
	// ID is the UUID of the guest, which it also sees as its own product UUID (the
	// kind "hardware" of a guest with a probe); of Proxmox VE the number where a
	// guest has no UUID.
	ID        string `json:"id" class:"internal"`
	Name      string `json:"name" class:"internal"`
	Manager   string `json:"manager" class:"internal"` // libvirt, proxmox
	Type      string `json:"type" class:"internal"`    // kvm, qemu, xen, lxc...
	State     string `json:"state" class:"internal"`   // running, paused, stopped
	Autostart bool   `json:"autostart,omitempty" class:"internal"`
	CPUs      int64  `json:"cpus" class:"internal"`
	Memory    int64  `json:"memory" class:"internal"` // bytes
	Machine   string `json:"machine,omitempty" class:"internal"`
	NICs      []NIC  `json:"nics,omitempty" key:"mac"`
	Disks     []Disk `json:"disks,omitempty" key:"target"`
}

// NIC is a network card of a guest.
type NIC struct {
	MAC     string `json:"mac" class:"internal"`
	Network string `json:"network,omitempty" class:"internal"` // of libvirt
	Bridge  string `json:"bridge,omitempty" class:"internal"`  // or link of the host
	Model   string `json:"model,omitempty" class:"internal"`
}

// Disk is a disk of a guest.
type Disk struct {
	Target string `json:"target" class:"internal"`           // as the guest sees it: "vda", "scsi0"
	Source string `json:"source,omitempty" class:"internal"` // file, device or volume on the host; "" an empty drive
	Device string `json:"device,omitempty" class:"internal"` // disk, cdrom
}
