// Package project turns facts of the kind "network" into graph elements.
package project

import (
	"net/netip"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/network"
)

// Projector projects the kind "network": links, their hardware addresses,
// addresses and subnets. Routes stay in the fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return network.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[network.Facts](network.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	for _, link := range body.Links {
		projectLink(&e, host, link)
	}
	return e, nil
}

func projectLink(e *cmdb.Elements, host discovery.HostRef, link network.Link) {
	if link.Name == "" {
		return
	}
	props := map[string]any{"name": link.Name, "mtu": link.MTU, "admin_up": link.AdminUp}
	elements.Text(props, "kind", link.Kind)
	elements.Text(props, "type", link.Type)
	elements.Text(props, "oper_state", link.OperState)
	elements.Text(props, "master", link.Master)
	elements.Text(props, "parent", link.Parent)
	elements.Flag(props, "private", link.Private)
	vertex := e.AddVertex(cmdb.Interface, elements.Interface(host, link.Name).Key, props)
	e.AddEdge(cmdb.HasInterface, elements.Host(host), vertex, nil)
	if mac, ok := elements.MAC(link.MAC); ok {
		e.AddEdge(cmdb.HasNIC, vertex, elements.NIC(e, host, mac, link.Private), nil)
	}
	for _, a := range link.Addresses {
		projectAddress(e, host, vertex, link.Private, a)
	}
}

func projectAddress(e *cmdb.Elements, host discovery.HostRef, link cmdb.Ref, private bool, a network.Address) {
	ip, err := netip.ParseAddr(a.IP)
	if err != nil {
		return
	}
	ip = ip.Unmap().WithZone("")
	props := map[string]any{"prefix": a.Prefix}
	elements.Text(props, "scope", a.Scope)
	elements.Text(props, "peer", a.Peer)
	elements.Flag(props, "dynamic", a.Dynamic)
	elements.Flag(props, "temporary", a.Temporary)
	e.AddEdge(cmdb.HasAddress, link, elements.Address(e, host, ip, private), props)
	// Loopback and link-local networks are everywhere; one of a single address is
	// the address.
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() || a.Prefix == int64(ip.BitLen()) {
		return
	}
	subnet, err := ip.Prefix(int(min(a.Prefix, 129)))
	if err != nil {
		return
	}
	realm := cmdb.RealmOf(ip, private, host.HostRealm, host.SiteRealm)
	vertex := e.AddVertex(cmdb.Subnet, cmdb.SubnetKey(realm, subnet), map[string]any{"cidr": subnet.String(), "realm": string(realm)})
	e.AddEdge(cmdb.InSubnet, link, vertex, nil)
}
