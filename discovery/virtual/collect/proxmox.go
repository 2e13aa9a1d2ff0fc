package collect

import (
	"path"
	"strconv"
	"strings"

	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/virtual"
)

// proxmox reads the configuration of guests of Proxmox VE on this node: virtual
// machines (qm.conf(5)) and containers (pct.conf(5)). Those of other nodes are in
// other directories.
func (g *guests) proxmox() {
	for _, file := range g.Glob("/etc/pve/qemu-server/*.conf") {
		g.add(g.proxmoxGuest(file, "kvm"))
	}
	for _, file := range g.Glob("/etc/pve/lxc/*.conf") {
		g.add(g.proxmoxGuest(file, "lxc"))
	}
}

func (g *guests) proxmoxGuest(file, sort string) kind.Guest {
	number := strings.TrimSuffix(path.Base(file), ".conf")
	one := kind.Guest{ID: clean(number), Name: clean(number), Manager: "proxmox", Type: sort, State: "stopped", CPUs: 1, Memory: 512 << 20}
	if g.runs(sort, number) {
		one.State = "running"
	}
	sockets := int64(1)
	text, _ := g.File(file)
	for _, line := range conffile.Lines(text) {
		if strings.HasPrefix(line, "[") { // what follows are snapshots
			break
		}
		name, value, found := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); !found || value == "" {
			continue
		}
		first, options := properties(value)
		switch device := strings.TrimRight(name, "0123456789"); {
		case name == "name" || name == "hostname":
			one.Name = clean(value)
		case name == "cores":
			one.CPUs = positive(value)
		case name == "sockets":
			sockets = positive(value)
		case name == "memory": // MiB
			one.Memory = scaled(positive(first), "MiB")
		case name == "onboot":
			one.Autostart = value == "1"
		case name == "machine":
			one.Machine = clean(first)
		case name == "smbios1":
			if uuid := strings.ToLower(clean(options["uuid"])); uuid != "" {
				one.ID = uuid
			}
		case device == "net" && len(one.NICs) < maxNICs:
			// A virtual machine's says "virtio=BC:24:11:00:00:01", a container's "hwaddr=".
			nic := kind.NIC{MAC: options["hwaddr"], Bridge: clean(options["bridge"])}
			if model, mac, is := strings.Cut(first, "="); is && nic.MAC == "" {
				nic.MAC, nic.Model = mac, clean(model)
			}
			if nic.MAC = strings.ToLower(clean(nic.MAC)); nic.MAC != "" {
				one.NICs = append(one.NICs, nic)
			}
		case isDisk[device] && len(one.Disks) < maxDisks:
			disk := kind.Disk{Target: clean(name), Source: clean(strings.TrimPrefix(first, "file=")), Device: "disk"}
			if options["media"] == "cdrom" {
				disk.Device = "cdrom"
			}
			if disk.Source == "none" {
				disk.Source = ""
			}
			one.Disks = append(one.Disks, disk)
		}
	}
	one.CPUs = min(one.CPUs*sockets, 1<<20)
	return one
}

// isDisk says which names, less their number, are of disks.
var isDisk = map[string]bool{"scsi": true, "virtio": true, "sata": true, "ide": true, "efidisk": true, "tpmstate": true, "rootfs": true, "mp": true}

// properties splits "local:vm-1-disk-0,size=8G,ssd=1".
func properties(value string) (first string, options map[string]string) {
	words := strings.Split(value, ",")
	options = map[string]string{}
	for _, w := range words {
		if name, v, found := strings.Cut(w, "="); found {
			options[strings.TrimSpace(name)] = strings.TrimSpace(v)
		}
	}
	return words[0], options
}

func positive(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// runs reports whether a guest runs: a virtual machine has a scope of its number, a
// container a cgroup.
func (g *guests) runs(sort, number string) bool {
	if sort == "lxc" {
		return g.Stat("/sys/fs/cgroup/lxc/"+number) != nil
	}
	return g.Stat("/sys/fs/cgroup/qemu.slice/"+number+".scope") != nil
}
