// Package project turns facts of the kind "os" into graph elements.
package project

import (
	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/os"
)

// Projector projects the kind "os": one vertex for the release, shared by all
// hosts that run it, and on the edge what differs from host to host.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return os.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[os.Facts](os.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	version := body.Release.VersionID
	if version == "" {
		version = body.Release.Codename // of rolling and testing releases
	}
	release := map[string]any{}
	elements.Text(release, "id", body.Release.ID)
	elements.Text(release, "version", version)
	elements.Text(release, "arch", body.Kernel.Machine)
	here := map[string]any{}
	elements.Text(here, "pretty_name", body.Release.PrettyName)
	elements.Text(here, "kernel", body.Kernel.Name)
	elements.Text(here, "kernel_release", body.Kernel.Release)
	elements.Text(here, "kernel_version", body.Kernel.Version)
	vertex := e.AddVertex(cmdb.OS, cmdb.JoinKey(body.Release.ID, version, body.Kernel.Machine), release)
	e.AddEdge(cmdb.RunsOS, elements.Host(host), vertex, here)
	return e, nil
}
