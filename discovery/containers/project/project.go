// Package project turns facts of the kind "containers" into graph elements.
package project

import (
	"fmt"
	"net/netip"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/containers"
	"assimilation/discovery/internal/elements"
)

// Most bounds how many containers of a host stand in the graph. The fact has the
// others.
const Most = 512

// Projector projects the kind "containers": each is a child system of the host,
// with its image and its own addresses. Labels stay in the fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return containers.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[containers.Facts](containers.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	seen := map[string]bool{}
	for _, c := range body.Containers {
		child := elements.Child(host, c.ID)
		if c.ID == "" || seen[c.ID] || len(seen) == Most || !elements.Fits(child) {
			continue
		}
		seen[c.ID] = true
		projectContainer(&e, host, child, c)
	}
	return e, nil
}

func projectContainer(e *cmdb.Elements, host discovery.HostRef, child cmdb.Ref, c containers.Container) {
	props := map[string]any{"id": c.ID, "sort": "container"}
	for _, text := range []struct{ name, value string }{
		{"name", c.Name}, {"engine", c.Engine}, {"state", c.State}, {"image", c.Image}, {"restart", c.Restart},
	} {
		if len(text.value) <= cmdb.MaxKey {
			elements.Text(props, text.name, text.value)
		}
	}
	var ports []string
	for _, p := range c.Ports {
		port := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.HostPort != 0 {
			port = fmt.Sprintf("%s:%d->%s", p.HostIP, p.HostPort, port)
		}
		ports = append(ports, port)
	}
	if len(ports) > 0 {
		props["ports"] = ports
	}
	e.AddVertex(cmdb.Child, child.Key, props)
	e.AddEdge(cmdb.HasChild, elements.Host(host), child, nil)
	elements.OfImage(e, child, c.ImageID, c.Image, c.Digests)
	for _, n := range c.Networks {
		for _, text := range []string{n.IP, n.IPv6} {
			// Networks of engines are bridges of the host, numbered alike everywhere.
			if ip, err := netip.ParseAddr(text); err == nil && !ip.IsUnspecified() {
				e.AddEdge(cmdb.ChildAddress, child, elements.Address(e, host, ip, true), nil)
			}
		}
	}
}
