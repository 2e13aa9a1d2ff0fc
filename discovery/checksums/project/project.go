// Package project turns facts of the kind "checksums" into graph elements.
package project

import (
	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/checksums"
	"assimilation/discovery/internal/elements"
)

// Projector projects the kind "checksums": the programs, libraries and jars of an
// instance are one set, keyed by what it holds, so that hosts with the same files
// share it. Sensitive files, which are each host's own, stay in the fact; so does
// that a file was replaced under a process, which the kind "processes" tells too.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return checksums.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[checksums.Facts](checksums.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var files []elements.File
	for _, f := range body.Files {
		// What stands in the wrong instance may stand in its own too.
		if f.Role != "sensitive" && checksums.Instance(f.Path) == fact.Instance {
			files = append(files, elements.File{Path: f.Path, Role: f.Role, SHA256: f.SHA256, Bytes: f.Bytes})
		}
	}
	var e cmdb.Elements
	if set, ok := elements.Files(&e, files); ok {
		e.AddEdge(cmdb.HasFiles, elements.Host(host), set, nil)
	}
	return e, nil
}
