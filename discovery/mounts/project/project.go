// Package project turns facts of the kind "mounts" into graph elements.
package project

import (
	"strings"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/disks"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/mounts"
)

// Most bounds how many filesystems of a host stand in the graph. The fact has
// the others.
const Most = 16

// Projector projects the kind "mounts": filesystems that hold data. Those in
// memory, and further places where the same is shown, stay in the fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return mounts.Kind }

// LeansOn implements discovery.Leaning: devices are vertices of the kind "disks".
func (Projector) LeansOn() []discovery.FactName {
	return []discovery.FactName{{Kind: disks.Kind.Name}}
}

// Instances implements discovery.Leaning.
func (Projector) Instances() []string { return []string{""} }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[mounts.Facts](mounts.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	seen := map[string]bool{} // by source and root: one filesystem mounted twice is one
	for _, f := range body.Filesystems {
		what := cmdb.JoinKey(f.Source, f.Root)
		key := host.ID + "/" + f.Target
		if f.Target == "" || f.Type == "tmpfs" || seen[what] || len(seen) == Most || len(key) > cmdb.MaxKey {
			continue
		}
		seen[what] = true
		props := map[string]any{"target": f.Target, "source": f.Source, "type": f.Type}
		elements.Flag(props, "remote", f.Remote)
		if len(f.Options) > 0 {
			props["options"] = f.Options
		}
		if f.Bytes > 0 {
			props["bytes"] = f.Bytes
		}
		vertex := e.AddVertex(cmdb.Filesystem, key, props)
		e.AddEdge(cmdb.Mounts, elements.Host(host), vertex, nil)
		if device, ok := strings.CutPrefix(f.Source, "/dev/"); ok {
			if disk := elements.Disk(host, device); elements.Fits(disk) {
				e.AddEdge(cmdb.OnDisk, vertex, disk, nil)
			}
		}
	}
	return e, nil
}
