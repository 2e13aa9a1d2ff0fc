// Package project turns facts of the kind "hardware" into graph elements.
package project

import (
	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/hardware"
	"assimilation/discovery/internal/elements"
)

// Projector projects the kind "hardware": one vertex for the machine. Disks and
// processor flags stay in the fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return hardware.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[hardware.Facts](hardware.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	props := map[string]any{}
	for _, text := range []struct{ name, value string }{
		{"vendor", body.Machine.Vendor}, {"product", body.Machine.Product}, {"serial", body.Machine.Serial},
		{"firmware", body.Machine.FirmwareVersion}, {"cpu", body.CPU.Model},
		{"hypervisor", body.Hypervisor}, {"container", body.Container},
	} {
		elements.Text(props, text.name, text.value)
	}
	for _, number := range []struct {
		name  string
		value int64
	}{
		{"sockets", body.CPU.Sockets}, {"cores", body.CPU.Cores}, {"threads", body.CPU.Threads}, {"memory_mib", body.MemoryMiB},
	} {
		if number.value > 0 {
			props[number.name] = number.value
		}
	}
	var e cmdb.Elements
	e.AddEdge(cmdb.HasHardware, elements.Host(host), e.AddVertex(cmdb.Hardware, host.ID+"/hardware", props), nil)
	return e, nil
}
