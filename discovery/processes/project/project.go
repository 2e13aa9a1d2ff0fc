// Package project turns facts of the kind "processes" into graph elements.
package project

import (
	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/processes"
	"assimilation/discovery/sockets"
	"assimilation/discovery/systemd"
)

// Bounds of what one service says.
const (
	MostUnits = 4
	MostStale = 16
)

// Projector projects the kind "processes": from each service to the set of files
// that it is made of, and to the unit that started it. Services with the same
// files share the set.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return processes.Kind }

// LeansOn implements discovery.Leaning: services are vertices of the kind
// "sockets", units of the kind "systemd".
func (Projector) LeansOn() []discovery.FactName {
	return []discovery.FactName{{Kind: sockets.Kind.Name}, {Kind: systemd.Kind.Name, Instance: systemd.Running}}
}

// Instances implements discovery.Leaning.
func (Projector) Instances() []string { return []string{""} }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[processes.Facts](processes.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	seen := map[cmdb.Ref]bool{}
	for _, p := range body.Processes {
		service := elements.Service(host, sockets.Service{
			Name: p.Name, Exe: p.Exe, Argv: p.Argv, UID: p.UID, GID: p.GID, Container: p.Container,
		}.Identity())
		if seen[service] {
			continue
		}
		seen[service] = true
		for _, unit := range p.Units[:min(len(p.Units), MostUnits)] {
			if ref := elements.Unit(host, unit); unit != "" && elements.Fits(ref) {
				e.AddEdge(cmdb.StartedBy, service, ref, nil)
			}
		}
		if p.Container == "" { // paths in a container are its image's
			load(&e, service, p)
		}
	}
	return e, nil
}

func load(e *cmdb.Elements, service cmdb.Ref, p processes.Process) {
	files := []elements.File{{Path: p.Exe, Role: "program"}}
	for _, path := range p.Libraries {
		files = append(files, elements.File{Path: path, Role: "library"})
	}
	for _, path := range p.Jars {
		files = append(files, elements.File{Path: path, Role: "jar"})
	}
	set, ok := elements.Files(e, files)
	if !ok {
		return
	}
	props := map[string]any{}
	if n := min(len(p.Stale), MostStale); n > 0 {
		props["stale"] = p.Stale[:n]
	}
	e.AddEdge(cmdb.Loads, service, set, props)
}
