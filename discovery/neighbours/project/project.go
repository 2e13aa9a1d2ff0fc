// Package project turns facts of the kind "neighbours" into graph elements.
package project

import (
	"net/netip"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
)

// Projector projects the kind "neighbours": edges from the host's links to the
// addresses and hardware addresses seen there.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return neighbours.Kind }

// LeansOn implements discovery.Leaning: the links are vertices of the kind
// "network".
func (Projector) LeansOn() []discovery.FactName {
	return []discovery.FactName{{Kind: network.Kind.Name}}
}

// Instances implements discovery.Leaning.
func (Projector) Instances() []string { return []string{""} }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[neighbours.Facts](neighbours.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	for _, n := range body.Neighbours {
		ip, err := netip.ParseAddr(n.IP)
		if err != nil || n.Device == "" || ip.IsMulticast() || ip.IsUnspecified() {
			continue
		}
		link := elements.Interface(host, n.Device)
		props := map[string]any{}
		elements.Flag(props, "router", n.Router)
		mac, known := elements.MAC(n.MAC)
		if known {
			props["mac"] = mac
		}
		e.AddEdge(cmdb.Sees, link, elements.Address(&e, host, ip, n.Private), props)
		if known {
			e.AddEdge(cmdb.SeesNIC, link, elements.NIC(&e, host, mac, n.Private), nil)
		}
	}
	return e, nil
}
