// Package project turns facts of the kind "virtual" into graph elements.
package project

import (
	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/virtual"
)

// Most bounds how many guests of a host stand in the graph. The fact has the
// others.
const Most = 512

// Projector projects the kind "virtual": each guest is a child system of the host,
// with its hardware addresses. A guest with a probe is a host of its own, which has
// one of them.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return virtual.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[virtual.Facts](virtual.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	seen := map[string]bool{}
	for _, g := range body.Guests {
		child := elements.Child(host, g.ID)
		if g.ID == "" || seen[g.ID] || len(seen) == Most || !elements.Fits(child) || len(g.Name) > cmdb.MaxKey {
			continue
		}
		seen[g.ID] = true
		props := map[string]any{"id": g.ID, "sort": "guest"}
		for _, text := range []struct{ name, value string }{
			{"name", g.Name}, {"engine", g.Manager}, {"type", g.Type}, {"state", g.State}, {"machine", g.Machine},
		} {
			elements.Text(props, text.name, text.value)
		}
		elements.Flag(props, "autostart", g.Autostart)
		if g.CPUs > 0 {
			props["cpus"] = g.CPUs
		}
		if g.Memory > 0 {
			props["memory"] = g.Memory
		}
		e.AddVertex(cmdb.Child, child.Key, props)
		e.AddEdge(cmdb.HasChild, elements.Host(host), child, nil)
		for _, n := range g.NICs {
			if mac, ok := elements.MAC(n.MAC); ok {
				e.AddEdge(cmdb.ChildNIC, child, elements.NIC(&e, host, mac, false), nil)
			}
		}
	}
	return e, nil
}
