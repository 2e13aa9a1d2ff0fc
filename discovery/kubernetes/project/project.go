// Package project turns facts of the kind "kubernetes" into graph elements.
package project

import (
	"net/netip"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/containers"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/kubernetes"
)

// Most bounds how many pods of a node stand in the graph. The fact has the others.
const Most = 512

// Projector projects the kind "kubernetes": each pod is a child system of the node,
// and the containers that the kind "containers" tells of are parts of it.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return kubernetes.Kind }

// LeansOn implements discovery.Leaning: containers are vertices of the kind
// "containers".
func (Projector) LeansOn() []discovery.FactName {
	return []discovery.FactName{{Kind: containers.Kind.Name}}
}

// Instances implements discovery.Leaning.
func (Projector) Instances() []string { return []string{""} }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[kubernetes.Facts](kubernetes.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	seen := map[string]bool{}
	for _, p := range body.Pods {
		pod := elements.Child(host, p.UID)
		if p.UID == "" || seen[p.UID] || len(seen) == Most || !elements.Fits(pod) || len(p.Name) > cmdb.MaxKey {
			continue
		}
		seen[p.UID] = true
		props := map[string]any{"id": p.UID, "sort": "pod", "engine": "kubernetes"}
		elements.Text(props, "name", p.Name)
		elements.Text(props, "namespace", p.Namespace)
		elements.Flag(props, "static", p.Static)
		e.AddVertex(cmdb.Child, pod.Key, props)
		e.AddEdge(cmdb.HasChild, elements.Host(host), pod, nil)
		for _, text := range p.IPs {
			// Pods' networks are numbered by the cluster, and reach across its nodes.
			if ip, err := netip.ParseAddr(text); err == nil && !ip.IsUnspecified() {
				e.AddEdge(cmdb.ChildAddress, pod, elements.Address(&e, host, ip, false), nil)
			}
		}
		for _, c := range p.Containers {
			if child := elements.Child(host, c.ID); c.ID != "" && !seen[c.ID] && elements.Fits(child) {
				seen[c.ID] = true
				e.AddEdge(cmdb.PartOf, child, pod, nil)
			}
		}
	}
	return e, nil
}
