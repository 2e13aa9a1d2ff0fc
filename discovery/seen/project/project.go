// Package project turns facts of the kind "seen" into graph elements.
package project

import (
	"net/netip"
	"strconv"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/network"
	"assimilation/discovery/seen"
)

// Projector projects the kind "seen": edges from the host's links to the
// addresses that were claimed there. The kind "neighbours" has edges of its own
// (SEES), so that an address which both know goes from neither too early.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return seen.Kind }

// LeansOn implements discovery.Leaning: the links are vertices of the kind
// "network".
func (Projector) LeansOn() []discovery.FactName {
	return []discovery.FactName{{Kind: network.Kind.Name}}
}

// Instances implements discovery.Leaning.
func (Projector) Instances() []string {
	all := make([]string, seen.Instances)
	for i := range all {
		all[i] = strconv.FormatInt(int64(i), 16)
	}
	return all
}

// Project implements discovery.Projector. What stands in the wrong instance is
// left out: in its own it may stand too.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[seen.Facts](seen.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	for _, s := range body.Seen {
		ip, err := netip.ParseAddr(s.IP)
		if err != nil || s.Interface == "" || ip.IsMulticast() || ip.IsUnspecified() || seen.Instance(s.IP) != fact.Instance {
			continue
		}
		props := map[string]any{}
		elements.Flag(props, "router", s.Router)
		if mac, known := elements.MAC(s.MAC); known {
			props["mac"] = mac
		}
		e.AddEdge(cmdb.Hears, elements.Interface(host, s.Interface), elements.Address(&e, host, ip, false), props)
	}
	return e, nil
}
