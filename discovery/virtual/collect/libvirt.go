package collect

import (
	"cmp"
	"path"
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/virtual"
)

// Limits of one guest.
const (
	maxNICs  = 64
	maxDisks = 256
)

// drivers are the names under which libvirt keeps the guests of its hypervisors.
var drivers = []string{"qemu", "lxc", "libxl", "bhyve"}

// libvirt reads the definitions of guests, and the status that its daemon writes of
// each that runs (libvirt.org/formatdomain.html; the status is the definition
// within "domstatus").
func (g *guests) libvirt() {
	for _, driver := range drivers {
		defined, running := "/etc/libvirt/"+driver, "/run/libvirt/"+driver
		autostart := map[string]bool{}
		for _, file := range g.Glob(defined + "/autostart/*.xml") {
			autostart[path.Base(file)] = true
		}
		for _, file := range g.Glob(defined + "/*.xml") {
			if domain := g.xml(file); domain != nil {
				one := libvirtGuest(domain)
				one.Autostart = autostart[path.Base(file)]
				g.add(one)
			}
		}
		for _, file := range g.Glob(running + "/*.xml") {
			status := g.xml(file)
			if status == nil || status.name != "domstatus" {
				continue
			}
			one := libvirtGuest(status.get("domain"))
			if one.State = status.attributes["state"]; one.State != "paused" {
				one.State = "running"
			}
			// What runs is told, not what it would be after a restart.
			one.Autostart = g.found[one.ID].Autostart
			g.add(one)
		}
	}
}

// xml is the document of a file, nil if it is none.
func (g *guests) xml(file string) *node {
	text, found := g.File(file)
	if !found {
		return nil
	}
	document, err := parseXML(text)
	if err != nil {
		return nil // the daemon replaces files as a whole: it is something else
	}
	return document
}

// libvirtGuest reads an element "domain".
func libvirtGuest(domain *node) kind.Guest {
	one := kind.Guest{
		ID: strings.ToLower(clean(domain.get("uuid").text)), Name: clean(domain.get("name").text), Manager: "libvirt", State: "stopped",
		Type: clean(domain.attributes["type"]), CPUs: domain.get("vcpu").number(), Machine: clean(domain.get("os", "type").attributes["machine"]),
	}
	memory := domain.get("memory")
	one.Memory = scaled(memory.number(), memory.attributes["unit"])
	for _, device := range domain.get("devices").children {
		source := device.get("source").attributes
		switch device.name {
		case "interface":
			nic := kind.NIC{
				MAC: strings.ToLower(clean(device.get("mac").attributes["address"])), Network: clean(source["network"]),
				Bridge: clean(cmp.Or(source["bridge"], source["dev"])), Model: clean(device.get("model").attributes["type"]),
			}
			if nic.MAC != "" && len(one.NICs) < maxNICs {
				one.NICs = append(one.NICs, nic)
			}
		case "disk":
			disk := kind.Disk{Target: clean(device.get("target").attributes["dev"]), Device: clean(device.attributes["device"])}
			if pool := source["pool"]; pool != "" {
				disk.Source = clean(pool + "/" + source["volume"])
			} else {
				disk.Source = clean(cmp.Or(source["file"], source["dev"], source["dir"], source["name"]))
			}
			if disk.Target != "" && len(one.Disks) < maxDisks {
				one.Disks = append(one.Disks, disk)
			}
		}
	}
	return one
}

// scaled is a number of bytes; without a unit libvirt means KiB.
func scaled(n int64, unit string) int64 {
	factor := int64(1 << 10)
	switch unit {
	case "b", "bytes":
		factor = 1
	case "KB":
		factor = 1000
	case "M", "MiB":
		factor = 1 << 20
	case "MB":
		factor = 1e6
	case "G", "GiB":
		factor = 1 << 30
	case "GB":
		factor = 1e9
	case "T", "TiB":
		factor = 1 << 40
	}
	if n > (1<<62)/factor {
		return 0
	}
	return n * factor
}

func clean(s string) string { return conffile.Clean(strings.TrimSpace(s)) }

// tidy sorts what a guest has, and leaves one of each.
func tidy(one *kind.Guest) {
	order.By(one.NICs, func(a, b *kind.NIC) int { return cmp.Compare(a.MAC, b.MAC) })
	order.By(one.Disks, func(a, b *kind.Disk) int { return cmp.Compare(a.Target, b.Target) })
	nics, disks := one.NICs[:0], one.Disks[:0]
	for _, n := range one.NICs {
		if len(nics) == 0 || nics[len(nics)-1].MAC != n.MAC {
			nics = append(nics, n)
		}
	}
	for _, d := range one.Disks {
		if len(disks) == 0 || disks[len(disks)-1].Target != d.Target {
			disks = append(disks, d)
		}
	}
	one.NICs, one.Disks = nics, disks
}
