// Package project turns facts of the kind "sockets" into graph elements.
package project

import (
	"math"
	"net/netip"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/containers"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/sockets"
)

// Projector projects the kind "sockets": services, the endpoints where they
// listen and those whose clients they are. A client's endpoint and the server's
// are one vertex, which is how hosts depend on one another.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return sockets.Kind }

// LeansOn implements discovery.Leaning: a service may run in a container, which is
// a vertex of the kind "containers".
func (Projector) LeansOn() []discovery.FactName {
	return []discovery.FactName{{Kind: containers.Kind.Name}}
}

// Instances implements discovery.Leaning.
func (Projector) Instances() []string { return []string{""} }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[sockets.Facts](sockets.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	for _, s := range body.Services {
		projectService(&e, host, s)
	}
	return e, nil
}

func projectService(e *cmdb.Elements, host discovery.HostRef, s sockets.Service) {
	props := map[string]any{"name": s.Name, "uid": s.UID, "gid": s.GID}
	elements.Text(props, "exe", s.Exe)
	elements.Text(props, "container", s.Container)
	if len(s.Argv) > 0 {
		props["argv"] = s.Argv
	}
	service := e.AddVertex(cmdb.Service, elements.Service(host, s.Identity()).Key, props)
	e.AddEdge(cmdb.Runs, elements.Host(host), service, nil)
	if child := elements.Child(host, s.Container); s.Container != "" && elements.Fits(child) {
		e.AddEdge(cmdb.RunsIn, service, child, nil)
	}
	for _, l := range s.Listens {
		ip, ok := endpoint(l.IP, l.Protocol, l.Port)
		if !ok {
			continue
		}
		props := map[string]any{}
		elements.Text(props, "wildcard", l.Wildcard)
		elements.Text(props, "device", l.Device)
		e.AddEdge(cmdb.ListensOn, service, elements.Endpoint(e, host, ip, l.Private, l.Protocol, uint16(l.Port)), props)
	}
	for _, c := range s.Connects {
		ip, ok := endpoint(c.IP, c.Protocol, c.Port)
		// A group has many members, none of which this is a client of.
		if !ok || ip.IsMulticast() || ip.IsUnspecified() {
			continue
		}
		e.AddEdge(cmdb.ConnectsTo, service, elements.Endpoint(e, host, ip, c.Private, c.Protocol, uint16(c.Port)), nil)
	}
}

func endpoint(ip, protocol string, port int64) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(ip)
	return addr, err == nil && (protocol == "tcp" || protocol == "udp") && port > 0 && port <= math.MaxUint16
}
