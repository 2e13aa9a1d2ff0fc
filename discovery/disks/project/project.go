// Package project turns facts of the kind "disks" into graph elements.
package project

import (
	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/disks"
	"assimilation/discovery/internal/elements"
)

// Most bounds how many devices of a host stand in the graph. The fact has the
// others.
const Most = 64

// Projector projects the kind "disks": disks, and what lies on them. Files mounted
// as devices, drives without a medium and partitions without content stay in the
// fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return disks.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[disks.Facts](disks.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	arrays := map[string]disks.Array{}
	for _, a := range body.Arrays {
		arrays[a.Name] = a
	}
	used := map[string]bool{}
	for _, d := range body.Devices {
		for _, on := range d.On {
			used[on] = true
		}
	}
	var e cmdb.Elements
	made := map[string]cmdb.Ref{}
	for _, d := range body.Devices {
		device := elements.Disk(host, mountedAs(d))
		empty := d.Type == "loop" || d.Type == "rom" || d.Type == "part" && d.Content == "" && !used[d.Name]
		if d.Name == "" || empty || made[d.Name].Key != "" || len(made) == Most || !elements.Fits(device) {
			continue
		}
		made[d.Name] = device
		e.AddVertex(cmdb.Disk, device.Key, describe(d, arrays[d.Name]))
	}
	for _, d := range body.Devices {
		device, ok := made[d.Name]
		if !ok {
			continue
		}
		lies := map[string]bool{}
		for _, on := range d.On {
			if below, ok := made[on]; ok && on != d.Name && !lies[on] {
				lies[on] = true
				e.AddEdge(cmdb.Carries, below, device, nil)
			}
		}
		if len(lies) == 0 {
			e.AddEdge(cmdb.HasDisk, elements.Host(host), device, nil)
		}
	}
	return e, nil
}

// mountedAs is the device's name under /dev by which mounts(5) has it.
func mountedAs(d disks.Device) string {
	if d.Mapped != "" {
		return "mapper/" + d.Mapped
	}
	return d.Name
}

func describe(d disks.Device, a disks.Array) map[string]any {
	props := map[string]any{"name": mountedAs(d), "type": d.Type, "bytes": d.Bytes}
	for _, text := range []struct{ name, value string }{
		{"serial", d.Serial}, {"wwn", d.WWN}, {"content", d.Content}, {"uuid", d.UUID}, {"label", d.Label}, {"state", d.State}, {"array", a.State},
	} {
		elements.Text(props, text.name, text.value)
	}
	elements.Flag(props, "read_only", d.ReadOnly)
	return props
}
